"""
The promises, judged by what the local cloud saw: keys and when they worked, versions, requests, events, the ledger.

Nothing that the app says about itself counts, but for how a rotation ended: that is held against all the rest.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any

from localcloud.azure.cloud import LocalAzure
from localcloud.azure.key_history import KeyHistory, KeyLife
from localcloud.azure.key_vault import SecretVersion
from localcloud.azure.request_log import RequestLog
from localcloud.kinds import KINDS
from tests.chaos.ledger_history import LedgerHistory
from tests.chaos.subject import Subject

ENDS = {"Completed": ":completed", "Failed": ":failed", "Skipped": None}


@dataclass(frozen=True)
class Broken:
    """
    A promise that was not kept. The evidence names keys and versions, never their values.
    """

    promise: int
    about: str
    """A rotation's id, or what else it happened to."""
    evidence: str

    def __str__(self) -> str:
        return f"promise {self.promise} broken: {self.about}: {self.evidence}"


def judge(
    azure: LocalAzure, ledger: LedgerHistory, subjects: Sequence[Subject], caches_for: timedelta = timedelta()
) -> list[Broken]:
    """
    Return every broken promise, once nothing is under way any more. Leaks and witnesses are judged by others.

    `caches_for` is how long clients may use what they have read.
    """
    broken: list[Broken] = []
    for subject in subjects:
        broken += _outages(subject, azure.key_history, caches_for)
        broken += _losses(subject, azure.key_history)
        broken += _unproven(subject, azure.key_history, ledger)
    broken += _repetitions(subjects, azure.requests, ledger)
    broken += _silences(azure, ledger)
    broken += _trespasses(azure.requests)
    return broken


def _outages(subject: Subject, history: KeyHistory, caches_for: timedelta) -> Iterator[Broken]:
    """
    Promise 1: when a key's value died, no client used it that had read it from a secret, but where a tag says InPlace.
    """
    if subject.strategy == "InPlace":
        return
    for life in history.of(subject.target.address):
        if life.until is None:
            continue
        for secret in subject.secrets:
            for version in _in_use(subject.vault.versions(secret), life.until.wall, caches_for):
                if life.value in version.value:
                    yield Broken(
                        1,
                        f"{subject.arm_id}, secret {secret}",
                        f"{life.key} was regenerated at {life.until.wall.isoformat()} while clients could use it from "
                        f"version {version.version}",
                    )


def _losses(subject: Subject, history: KeyHistory) -> Iterator[Broken]:
    """
    Promise 2: every version held a live key when it was made, with the same around it, and the current one does now.
    """
    lives = history.of(subject.target.address)
    for secret in subject.secrets:
        versions = subject.vault.versions(secret)
        for version in versions:
            if not _holds_live_key(version, lives, version.created_on):
                yield Broken(
                    2, _maker(version), f"version {version.version} of {secret} held no live key when it was made"
                )
            if _around_keys(version, lives) != _around_keys(versions[0], lives):
                yield Broken(2, _maker(version), f"version {version.version} of {secret} changed more than a key")
        current = versions[-1]
        if not any(life.until is None and life.value in current.value for life in lives):
            yield Broken(2, _maker(current), f"the current version {current.version} of {secret} holds no live key")
        if not current.enabled:
            yield Broken(2, _maker(current), f"the current version {current.version} of {secret} is disabled")


def _repetitions(subjects: Sequence[Subject], requests: RequestLog, ledger: LedgerHistory) -> Iterator[Broken]:
    """
    Promise 3: one rotation regenerates its key once and stores one version; one version is rotated once.
    """
    effects: Counter[str] = Counter()
    targets = {subject.arm_id for subject in subjects}
    for operation in (kind.regenerate for kind in KINDS):
        for request in requests.of(operation, took_effect=True):
            rotation = ledger.journaled(request.target, request.received.wall)
            if rotation is None:
                yield Broken(3, request.target, f"{operation} at {request.received.wall.isoformat()} is in no journal")
            elif request.target in targets:
                effects[rotation] += 1
    versions = Counter(
        version.tags["RotationId"]
        for subject in subjects
        for secret in subject.secrets
        for version in subject.vault.versions(secret)
        if "RotationId" in version.tags
    )
    for rotation, count in effects.items():
        if count > 1:
            yield Broken(3, rotation, f"it regenerated {count} times")
    for rotation, count in versions.items():
        if count > 1:
            yield Broken(3, rotation, f"it stored {count} versions")
    yield from _against_records(ledger, effects, versions)


def _against_records(ledger: LedgerHistory, effects: Counter[str], versions: Counter[str]) -> Iterator[Broken]:
    rotated: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for rotation in ledger.rotations:
        record = ledger.outcome(rotation)
        if record is None or record["state"] != "Completed":
            continue
        expected = 0 if record["adopted"] else 1
        if effects[rotation] != expected:
            said = "adopted a key" if record["adopted"] else "Completed"
            yield Broken(3, rotation, f"it says {said}, and regenerated {effects[rotation]} times")
        if versions[rotation] != (1 if record["secret"] else 0):
            yield Broken(3, rotation, f"it says Completed, and stored {versions[rotation]} versions")
        if record["secret"] is None:
            continue  # A revocation: its key's new value goes nowhere.
        rotated[record["secret"]["name"], record["secret"]["previousVersion"]].add(rotation)
    for (secret, version), rotations in rotated.items():
        if len(rotations) > 1:
            yield Broken(3, ", ".join(sorted(rotations)), f"all of them rotated version {version} of {secret}")


def _silences(azure: LocalAzure, ledger: LedgerHistory) -> Iterator[Broken]:
    """
    Promise 4: every rotation ended in one way, and was published in that way.
    """
    told: defaultdict[str, set[str]] = defaultdict(set)
    for event in azure.events:
        rotation, _, kind = event.id.partition(":")
        told[rotation].add(f":{kind}")
        if event.type.removeprefix("KeyRotator.Rotation").lower() != kind or event.data["id"] != rotation:
            yield Broken(4, rotation, f"event {event.id} has type {event.type} and is about {event.data['id']}")
    for rotation in ledger.rotations | told.keys():
        record = ledger.outcome(rotation)
        if record is None:
            yield Broken(4, rotation, "it has not ended")
        elif not ledger.is_settled(rotation):
            yield Broken(4, rotation, f"it ended {record['state']}, and still waits to be told")
        else:
            yield from _told_otherwise(rotation, record, told[rotation])


def _told_otherwise(rotation: str, record: dict[str, Any], told: set[str]) -> Iterator[Broken]:
    kind = ENDS[record["state"]]
    if told != ({kind} if kind else set()):
        yield Broken(4, rotation, f"it ended {record['state']}, and was told as {sorted(told) or 'nothing'}")


def _trespasses(requests: RequestLog) -> Iterator[Broken]:
    """
    Promise 6: nothing was asked for that is none of the app's business.
    """
    for request in requests:
        is_foreign = "decoy" in request.target.casefold()
        if request.operation == "Unknown" or is_foreign:
            yield Broken(6, request.target or request.path, f"{request.method}, {request.operation}")


def _unproven(subject: Subject, history: KeyHistory, ledger: LedgerHistory) -> Iterator[Broken]:
    """
    Promise 7: no version was made with a key that did not work yet, unless the record says that this was not proven.

    In place the secret held a dead key, so a version was made at once. Where a key cannot be tried, it works at once.
    """
    if subject.strategy == "InPlace":
        return
    lives = history.of(subject.target.address)
    for secret in subject.secrets:
        for version in subject.vault.versions(secret):
            made = version.created_on
            record = ledger.outcome(version.tags.get("RotationId", "")) or {}
            if record.get("proven") is False or not _holds_live_key(version, lives, made):
                continue
            if not any(life.value in version.value and life.works_at(made) for life in lives):
                evidence = f"version {version.version} of {secret} held a key that did not work yet"
                yield Broken(7, _maker(version), evidence)


def _in_use(versions: Sequence[SecretVersion], moment: datetime, caches_for: timedelta) -> list[SecretVersion]:
    """
    Return what clients could use at a moment: the version that was current, and those that were when they read.
    """
    return [
        version
        for version, successor in zip_longest(versions, versions[1:])
        if version.created_on <= moment and (successor is None or successor.created_on > moment - caches_for)
    ]


def _holds_live_key(version: SecretVersion, lives: Iterable[KeyLife], moment: datetime) -> bool:
    return any(life.value in version.value and life.is_live_at(moment) for life in lives)


def _around_keys(version: SecretVersion, lives: Iterable[KeyLife]) -> str:
    """
    Return what a value is without the target's keys, which clients need as much.
    """
    value = version.value
    for life in lives:
        value = value.replace(life.value, "...")
    return value


def _maker(version: SecretVersion) -> str:
    return version.tags.get("RotationId", f"version {version.version}")
