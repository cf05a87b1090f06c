from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from localcloud.azure.cloud_events import ReceivedEvent
from localcloud.azure.instant import Instant
from localcloud.narrator import WIDTH, Narrator, listed
from localcloud.rotation_feed import ObservedRotation, Step

BEGAN = datetime(2026, 11, 22, 4, 19, 40, tzinfo=UTC)
ROTATION = "0cca73ed-b22b-5161-b890-a99da0511610"
SECRET = {"name": "batch-key", "expiresOn": "2027-02-20T04:17:01Z"}


@pytest.fixture
def narrator() -> Narrator:
    """
    Return one that writes to no terminal.
    """
    return Narrator()


def rotation_of(subject: str | None) -> ObservedRotation:
    """
    Return a rotation that has just begun.
    """
    return ObservedRotation(ROTATION, BEGAN, subject=subject)


def step(text: str, seconds: float = 0.453) -> Step:
    """
    Return a step of it.
    """
    return Step(text, timedelta(seconds=seconds))


def event(state: str = "Completed", **fields: Any) -> ReceivedEvent:
    """
    Return the event about its end.
    """
    record = {"id": ROTATION, "state": state, "secret": SECRET, "keyName": "Secondary", "previousKeyName": "Primary"}
    received = Instant.now()
    ended = (received.wall - timedelta(seconds=0.067)).isoformat()
    return ReceivedEvent(
        received, {"type": f"KeyRotator.Rotation{state}", "data": record | {"completedOn": ended} | fields}
    )


@pytest.mark.parametrize(
    ("items", "sentence"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c"), (["a", "b", "c", "d"], "a, b, c and d")],
)
def test_a_list_reads_as_in_a_sentence(items: list[str], sentence: str) -> None:
    """
    However many there are.
    """
    assert listed(items) == sentence


def test_steps_of_rotations_that_interleave_name_their_secrets(narrator: Narrator) -> None:
    """
    A rotation that nothing is known of but its id is named by the end of that.
    """
    narrator.tell_step(rotation_of(None), step("accepted the near-expiry event", 0))
    narrator.tell_step(rotation_of("storage-connection"), step("regenerated Primary", 12))
    narrator.tell_step(rotation_of("batch-key"), step("regenerated Secondary"))
    narrator.tell_outcome(event())

    assert narrator.said.splitlines() == [
        "   a0511610  +0.00 s  accepted the near-expiry event",
        "   storage-connection  +12.00 s  regenerated Primary",
        "   batch-key           +0.45 s  regenerated Secondary",
        "   batch-key                    the secret now holds Secondary instead of Primary (expires",
        "                                2027-02-20)",
        "   batch-key                    a subscriber received the event 67 ms after the end",
    ]


def test_below_its_heading_a_secret_is_not_named_again(narrator: Narrator) -> None:
    """
    What happens to another one meanwhile still is.
    """
    narrator.head("batch-key", "1. batch-key is near its expiry.")
    narrator.tell_step(rotation_of(None), step("accepted the near-expiry event", 0))
    narrator.tell_step(rotation_of("batch-key"), step("claimed the target"))
    narrator.tell_step(rotation_of("workflow-url"), step("claimed the target"))
    narrator.tell_outcome(event())

    assert narrator.said.splitlines() == [
        "",
        "1. batch-key is near its expiry.",
        "   +0.00 s  accepted the near-expiry event",
        "   +0.45 s  claimed the target",
        "   workflow-url  +0.45 s  claimed the target",
        "            the secret now holds Secondary instead of Primary (expires 2027-02-20)",
        "            a subscriber received the event 67 ms after the end",
    ]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"previousKeyName": "Secondary"}, ["the secret now holds Secondary (expires 2027-02-20)"]),
        ({"previousKeyName": None}, ["the secret now holds Secondary (expires 2027-02-20)"]),
        ({"state": "Failed"}, []),
        ({"secret": None}, []),
    ],
)
def test_only_what_changed_is_told(narrator: Narrator, fields: dict[str, Any], told: list[str]) -> None:
    """
    A rotation in place changes no name, one that failed nothing, and one of a target alone no secret.
    """
    narrator.tell_outcome(event(**fields))

    lines = [line[13 if fields.get("secret", SECRET) else 12 :].strip() for line in narrator.said.splitlines()]
    assert lines == [*told, "a subscriber received the event 67 ms after the end"]


@pytest.mark.parametrize(("why", "reason"), [(None, ""), ("it holds neither key", ": it holds neither key")])
def test_a_secret_that_needs_a_person_is_told(narrator: Narrator, why: str | None, reason: str) -> None:
    """
    With the reason, if there is one; and the end of a rotation as ever.
    """
    item = {"secret": {"vault": "https://v", "name": "batch-key"}, "status": "Drifted", "why": why}
    narrator.tell_event(
        ReceivedEvent(Instant.now(), {"type": "KeyRotator.SecretNeedsAttention", "data": item}),
    )
    narrator.tell_event(event())

    said = " ".join(narrator.said.split())
    assert said.startswith(f"batch-key a subscriber was told that the secret is Drifted and needs a person{reason} ")
    assert said.endswith("a subscriber received the event 67 ms after the end")


def test_what_is_too_long_for_a_line_goes_on_below_itself(narrator: Narrator) -> None:
    """
    Only a line to be copied stays whole.
    """
    narrator.head("batch-key", "heading " * 30)
    narrator.say("https://localhost/" + "x" * 200)
    narrator.tell_step(rotation_of("batch-key"), step("reason " * 30))

    lines = narrator.said.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[-1].startswith(" " * 12 + "reason")

    narrator.show("curl " * 30)
    assert narrator.said.splitlines()[-1] == "curl " * 30
