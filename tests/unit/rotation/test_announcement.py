from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec import structs

from rotation.ports.announcer import Announcement, announcement_of
from rotation.vocabulary.record import Rotation, State
from rotation.vocabulary.request import RotationRequest, Trigger
from rotation.vocabulary.secret import SecretId
from tests.twins.targets import accepted_record, batch_account, workflow

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
VAULT = "https://kv.vault.azure.net"
ACCOUNT = batch_account("00000000-0000-4000-8000-00000000abcd", "RG", "account1")
REQUEST = RotationRequest("r-1", Trigger.HTTP, SecretId(VAULT, "n", "0" * 32), NOW)
ENDED = structs.replace(
    accepted_record(REQUEST, NOW).about(ACCOUNT), state=State.COMPLETED, completed_on=NOW + timedelta(seconds=5)
)


def announced(record: Rotation) -> Announcement[Rotation]:
    """
    Return the event for a record that has one.
    """
    announcement = announcement_of(record)
    assert announcement is not None
    return announcement


@pytest.mark.parametrize(
    ("state", "kind", "suffix"),
    [
        (State.COMPLETED, "KeyRotator.RotationCompleted", "completed"),
        (State.FAILED, "KeyRotator.RotationFailed", "failed"),
    ],
)
def test_an_end_is_announced_under_an_id_of_its_own(state: State, kind: str, suffix: str) -> None:
    """
    Type and id follow from the rotation alone, so that a consumer can drop a duplicate.
    """
    record = structs.replace(ENDED, state=state)

    assert announced(record).type == kind
    assert announced(record).id == f"r-1:{suffix}"
    assert announced(record) == announced(structs.replace(record))


@pytest.mark.parametrize("state", sorted(set(State) - {State.COMPLETED, State.FAILED}))
def test_nothing_else_is_announced(state: State) -> None:
    """
    A rotation that was skipped, or has not ended, is no event.
    """
    assert announcement_of(structs.replace(ENDED, state=state)) is None


def test_an_event_comes_from_the_target_and_is_about_the_secret() -> None:
    """
    The source is the target's ARM id, the subject the secret's id without its version, the time that of the end.
    """
    announcement = announced(ENDED)

    assert announcement.source == ACCOUNT.arm_id
    assert announcement.subject == f"{VAULT}/secrets/n"
    assert announcement.time == NOW + timedelta(seconds=5)


def test_a_workflows_event_comes_from_the_workflow() -> None:
    """
    The trigger is no part of the source.
    """
    target = workflow(ACCOUNT.names["subscription"], "rg", "site1", "orders", "manual")

    assert announced(ENDED.about(target)).source == target.arm_id


def test_a_rotation_without_a_secret_is_about_its_target() -> None:
    """
    Where no secret is involved the subject is the target.
    """
    announcement = announced(structs.replace(ENDED, secret=None))

    assert announcement.source == announcement.subject == ACCOUNT.arm_id


def test_a_secret_that_names_no_target_speaks_for_itself() -> None:
    """
    An event always has a source and a subject, as CloudEvents demand.
    """
    announcement = announced(structs.replace(ENDED, state=State.FAILED, target=None, provider=None))
    bare = announced(structs.replace(ENDED, state=State.FAILED, target=None, provider=None, secret=None))

    assert announcement.source == announcement.subject == f"{VAULT}/secrets/n"
    assert bare.source == bare.subject == "r-1"


def test_an_event_carries_the_record_as_it_is_shown() -> None:
    """
    Its data equals what GET shows, field by field.
    """
    data = msgspec.to_builtins(announced(ENDED).data)

    assert data == msgspec.to_builtins(ENDED)
    assert data["target"] == ACCOUNT.arm_id
    assert data["secret"]["name"] == "n"
    assert set(data) == {
        "id",
        "state",
        "trigger",
        "provider",
        "target",
        "keyName",
        "previousKeyName",
        "secret",
        "adopted",
        "startedOn",
        "completedOn",
        "attempts",
        "reason",
        "error",
        "proven",
        "requestedBy",
        "skipReason",
    }
