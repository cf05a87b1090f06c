"""
The promises, held against the twins' own record after every effect and at the end of a run.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import timedelta
from itertools import pairwise

import msgspec
from msgspec import UNSET

from rotation.policy.tags import PAUSED, stored_by
from rotation.ports.inventory import Result, Verification
from rotation.ports.providers import Verdict
from rotation.vocabulary.endings import Exhausted, SkipReason
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.record import RotatedSecret, Rotation, State
from rotation.vocabulary.request import RotationRequest
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import KeyName
from tests.interleavings.calls import Call
from tests.interleavings.laboratory import KEY_MARK
from tests.interleavings.scenarios import Scenario
from tests.twins.world import TwinWorld

REVOKED_AFTER = timedelta(minutes=20)  # the last secret has moved away from a leaked key


class Broken(AssertionError):
    """
    A promise is broken.
    """


class Judge:
    """
    What has happened so far, as far as the promises go.
    """

    def __init__(self, world: TwinWorld, scenario: Scenario) -> None:
        self._world = world
        self._regenerated: Counter[str] = Counter()
        self._rotated: dict[str, str] = {}  # pinned version: the rotation that replaced it
        self._stored: set[str] = set()
        self._excused: set[SecretId] = set()
        self._a_hand_was_at_work = False
        self._hand_turned = False
        self._hand_broke = False
        self._is_given_up_elsewhere = scenario.is_given_up_elsewhere
        self._failed: set[str] = set()
        self._asked = ""
        self._refused: set[str] = set()
        self._tags: set[str] = set()
        self._skew = timedelta(seconds=max(scenario.clocks))
        self._grace = timedelta(seconds=scenario.grace) - self._skew
        self._killed: set[str] = set()
        self._is_paused = False
        self._live = self._live_values()

    def key(self) -> tuple[object, ...]:
        """
        Return what later verdicts depend on.
        """
        return (
            tuple(sorted(self._regenerated.items())),
            tuple(sorted(self._rotated.items())),
            tuple(sorted(secret.name for secret in self._excused)),
            tuple(sorted(self._failed)),
            self._asked,
            tuple(sorted(self._refused)),
            self._is_paused,
        )

    def after_failure(self, call: Call[object], *, is_declined: bool) -> None:
        """
        Excuse what follows where a data plane did not answer, or tags were refused.

        A failure that passes excuses no tag, and none excuses a key that was refused.
        """
        if call.operation in {"probe", "ask"}:
            self._failed.add("proof")
        elif is_declined and call.operation in {"read_properties", "write_tags"}:
            self._failed.add("tags")

    def after_answer(self, call: Call[object], answer: object) -> None:
        """
        Remember which key was refused while another one was accepted, by the same worker.
        """
        if not isinstance(answer, Verdict):
            return
        if answer.works is False:
            self._asked = str(call.about)
        elif answer.works and self._asked not in {"", str(call.about)}:
            self._refused.add(self._asked)

    def after_hand(self, *, is_turned: bool, tags: Collection[str]) -> None:
        """
        Excuse the secrets that a hand has just broken, and remember the tags that it has set.
        """
        self._a_hand_was_at_work = True
        self._live = self._live_values()
        self._tags |= set(tags)
        self._hand_turned |= is_turned
        self._hand_broke |= any(not self._is_live(secret) for secret in self._world.managed)
        self._excused |= {secret for secret in self._world.managed if not self._is_live(secret)}

    def after(self, call: Call[object], request: RotationRequest | None) -> None:
        """
        Judge what a request has just done.
        """
        if not call.changes or request is None:
            return
        secret = request.secret and SecretId(request.secret.vault, request.secret.name)
        if call.operation == "regenerate":
            self._regenerated[request.id] += 1
            if self._regenerated[request.id] > 1:
                raise Broken(f"once: rotation {request.id} regenerated a key twice")
            if request.force and secret:
                self._excused.add(secret)
            self._judge_grace(request)
            self._judge_revocation(request)
        elif call.operation == "store" and secret and request.secret:
            self._judge_version(request, request.secret)
            self._judge_proof(request, secret)
            if self._hand_turned and not self._is_live(secret):
                # Its key was regenerated by hand after it was read.
                self._excused.add(secret)
        elif call.operation == "disable":
            self._judge_disabled(call.about)
        elif call.operation == "publish":
            self._judge_announcements()
        if call.operation in {"regenerate", "store"}:
            self._judge_liveness()
            self._judge_rest(request)

    def after_change(self) -> None:
        """
        Take note that a caller has been told that the first secret is paused: from now on nothing is done to it.
        """
        self._is_paused = True
        self._judge_pause("its caller was told so")

    def _judge_rest(self, request: RotationRequest) -> None:
        if self._is_paused and request.secret and request.secret.name == "one":
            raise Broken(f"told: rotation {request.id} went on with a secret that was said to be paused")

    def _judge_pause(self, why: str) -> None:
        current = self._world.current().tags
        if self._is_paused and current.get(PAUSED) != "true":
            raise Broken(f"no loss: the current version is not paused, and {why}")

    def after_verification(self, found: Mapping[SecretId, Verification]) -> None:
        """
        Judge what came of comparing secrets with their target: no alarm is false.
        """
        if self._hand_broke:
            return
        for secret, verified in found.items():
            if verified.result is Result.DRIFT:
                raise Broken(f"no false alarm: {secret.name!r} is said to have drifted")

    def _judge_grace(self, request: RotationRequest) -> None:
        before, self._live = self._live, self._live_values()
        self._killed = before - self._live
        grace = REVOKED_AFTER - self._skew if request.revokes else self._grace
        if grace <= timedelta() or request.force or request.revocation:
            return
        since = self._world.clock.now() - grace
        for secret in self._world.managed:
            for version, successor in pairwise(self._world.vaults.history(secret)):
                is_killed = version.value and version.value.reveal() in self._killed
                if is_killed and successor.created_on > since:
                    raise Broken(f"no outage: rotation {request.id} killed the key of version {version.version}")

    def _judge_revocation(self, request: RotationRequest) -> None:
        if request.revokes is None:
            return
        killed = {self._world.target.fingerprint(KeyMaterial(value)) for value in self._killed}
        # Somebody may regenerate it by hand between the look and the request.
        if killed != {request.revokes.leaked.fingerprint} and not self._hand_turned:
            raise Broken(f"no outage: revocation {request.id} killed a key that did not leak")
        record = self._world.ledger.records().get(request.id)
        outcomes = [ended.record for ended in self._world.ledger.outcomes() if ended.record.id == request.id]
        if any(each and each.skip_reason is SkipReason.CANCELLED for each in [record, *outcomes]):
            raise Broken(f"told: revocation {request.id} was cancelled, and regenerates")

    def _live_values(self) -> set[str]:
        return {self._world.provider.value(self._world.target, key) for key in KeyName}

    def _judge_version(self, request: RotationRequest, secret: SecretId) -> None:
        *_, before, made = self._world.vaults.history(secret)
        pinned = secret.version or ""
        if request.id in self._stored:
            raise Broken(f"once: rotation {request.id} made two versions")
        if pinned in self._rotated:
            raise Broken(f"once: version {pinned} was rotated by {self._rotated[pinned]} and by {request.id}")
        if stored_by(made.tags) != request.id:
            raise Broken(f"once: the version of rotation {request.id} has another RotationId")
        self._rotated[pinned] = request.id
        self._stored.add(request.id)
        if self._a_hand_was_at_work:
            return
        if before.version != pinned:
            raise Broken(f"once: rotation {request.id} replaced version {before.version}, not the pinned {pinned}")
        if not (request.force or self._world.is_live(before)):
            raise Broken(f"no outage: the version before that of rotation {request.id} is dead already")

    def _judge_proof(self, request: RotationRequest, secret: SecretId) -> None:
        *_, before, made = self._world.vaults.history(secret)
        held_a_dead_key = request.force or not self._world.is_live(before)
        if held_a_dead_key or not self._world.is_live(made) or made.value is None:
            return
        if "proof" in self._failed and made.value.fingerprint not in self._refused:
            return
        provider, target = self._world.provider, self._world.target
        if provider.can_be_asked(target) and not provider.works(target, made.value):
            raise Broken(f"proven: rotation {request.id} stored a key that does not work yet")

    def _judge_liveness(self) -> None:
        for secret in self._world.managed:
            if self._is_live(secret):
                self._excused.discard(secret)
            elif secret not in self._excused:
                raise Broken(f"no outage: the current version of {secret.name!r} holds a dead key")

    def _judge_disabled(self, about: object) -> None:
        if not isinstance(about, SecretId):
            return
        history = self._world.vaults.history(about)
        version = next(version for version in history if version.version == about.version)
        if version is history[-1] or self._world.is_live(version):
            raise Broken(f"no outage: version {about.version} was disabled with a live key")

    def _judge_announcements(self) -> None:
        by_id: dict[str, Rotation] = {}
        for event in self._world.announcer.published:
            if by_id.setdefault(event.data.id, event.data) != event.data:
                raise Broken(f"told: rotation {event.data.id} was announced in two ways")

    def at_the_end(self, accepted: set[str], leaked: Mapping[str, str], log: list[str]) -> None:
        """
        Judge a run that nothing goes on in any more; `accepted` are the rotations that must have ended.

        `leaked` has the fingerprint that each revocation is about.
        """
        self._judge_liveness()
        self._judge_pause("nothing goes on any more")
        records = self._world.ledger.records()
        if missing := accepted - records.keys():
            raise Broken(f"no loss: rotation {', '.join(sorted(missing))} never ended")
        told = {event.data.id: event.data for event in self._world.announcer.published}
        for record in records.values():
            self._judge_record(record, told.get(record.id))
            if record.revocation is not UNSET and record.revocation.id not in records:
                raise Broken(f"no loss: what rotation {record.id} was to revoke never ended")
            self._judge_end_of_leak(record, leaked.get(record.id))
        self._judge_leaks(log)
        lost = self._tags - self._world.current().tags.keys()
        if lost and "tags" not in self._failed:
            raise Broken(f"no loss: the current version lacks the tags {lost}")

    def _judge_end_of_leak(self, record: Rotation, leaked: str | None) -> None:
        """
        Judge how a revocation has ended: its key is dead, or known to have leaked still.
        """
        if leaked is None:
            return
        live = {self._world.target.fingerprint(KeyMaterial(value)) for value in self._live_values()}
        is_said_dead = record.state is State.COMPLETED or record.skip_reason is SkipReason.REVOKED
        if is_said_dead and leaked in live:
            raise Broken(f"told: revocation {record.id} is {record.state}, and the leaked key works")
        known = {leak.leaked.fingerprint for leak in self._world.ledger.leaks()}
        if leaked in live and leaked not in known:
            raise Broken(f"no loss: revocation {record.id} has forgotten a leaked key")

    def _judge_record(self, record: Rotation, told: Rotation | None) -> None:
        if record.state not in {State.COMPLETED, State.FAILED, State.SKIPPED}:
            raise Broken(f"told: rotation {record.id} is on record as {record.state}")
        if (told is None) != (record.state is State.SKIPPED) or (told is not None and told != record):
            raise Broken(f"told: rotation {record.id} is {record.state}, announced as {told and told.state}")
        if record.state is State.COMPLETED and record.secret:
            self._judge_versions(record, record.secret)
        if self._is_given_up_elsewhere and record.error and record.error.code == Exhausted.code:
            return
        is_done = record.id in (self._stored if record.secret else self._regenerated)
        if (record.state is State.COMPLETED) != is_done and not self._a_hand_was_at_work:
            raise Broken(f"told: rotation {record.id} is {record.state}, and its work {is_done=}")

    def _judge_versions(self, record: Rotation, secret: RotatedSecret) -> None:
        # In place a version that somebody makes since, with the dead key in it, is replaced as well.
        is_pinned = self._a_hand_was_at_work or self._rotated.get(secret.previous_version or "") == record.id
        if secret.version == secret.previous_version or not is_pinned:
            raise Broken(f"told: rotation {record.id} says that it replaced version {secret.previous_version}")

    def _judge_leaks(self, log: list[str]) -> None:
        told = [self._world.ledger.everything(), msgspec.json.encode(self._world.announcer.published).decode(), *log]
        for text in told:
            if KEY_MARK in text or "sig=" in text:
                raise Broken(f"secret: a key's value is in {text[:500]}")

    def _is_live(self, secret: SecretId) -> bool:
        current: SecretVersion = self._world.vaults.history(secret)[-1]
        return self._world.is_live(current)
