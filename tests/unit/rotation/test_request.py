import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rotation.vocabulary.caller import Caller
from rotation.vocabulary.errors import Malformed
from rotation.vocabulary.request import RotationRequest, Trigger, keyed_id, new_id, request_for_event
from rotation.vocabulary.secret import SecretId, parse_secret_id
from rotation.vocabulary.target import KeyName

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
VAULT = "https://kv.vault.azure.net"
VERSION = "0123456789abcdef0123456789abcdef"
SECRET = SecretId(VAULT, "batch-key", VERSION)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
times = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


def test_an_event_delivered_twice_is_one_request() -> None:
    """
    The id depends on the version and the kind of event alone, not on the hour or the spelling of the name.
    """
    first = request_for_event(SECRET, Trigger.SECRET_NEAR_EXPIRY, NOW)
    again = request_for_event(
        SecretId(VAULT, "BATCH-Key", VERSION), Trigger.SECRET_NEAR_EXPIRY, NOW + timedelta(days=1)
    )

    assert first.id == again.id
    assert uuid.UUID(first.id).version == 5
    assert (first.secret, first.trigger, first.accepted_on) == (SECRET, Trigger.SECRET_NEAR_EXPIRY, NOW)


def test_an_events_id_does_not_depend_on_the_case_of_the_version() -> None:
    """
    Whichever spelling of a version is accepted, its events stand for the same rotation.
    """
    try:
        respelled = parse_secret_id(f"{VAULT}/secrets/batch-key/{VERSION.upper()}")
    except Malformed:
        return
    first, again = (request_for_event(secret, Trigger.SECRET_EXPIRED, NOW) for secret in (SECRET, respelled))
    assert first.id == again.id


def test_an_idempotency_key_stands_for_one_rotation_in_every_release() -> None:
    """
    A request that is repeated after a deployment is the same; one with another key is another.
    """
    assert keyed_id("order-4711") == "cc178406-b81f-542e-8f68-e90e500bb2d8"
    assert keyed_id("order-4712") != keyed_id("order-4711")


@pytest.mark.parametrize(
    ("secret", "trigger"),
    [
        (SECRET, Trigger.SECRET_EXPIRED),
        (SECRET, Trigger.SWEEP),
        (SECRET.at("f" * 32), Trigger.SECRET_NEAR_EXPIRY),
        (SecretId(VAULT, "batch-key2", VERSION), Trigger.SECRET_NEAR_EXPIRY),
        (SecretId("https://kv2.vault.azure.net", "batch-key", VERSION), Trigger.SECRET_NEAR_EXPIRY),
    ],
)
def test_another_version_or_event_is_another_request(secret: SecretId, trigger: Trigger) -> None:
    """
    Every version, and every kind of event about it, has an id of its own.
    """
    assert request_for_event(secret, trigger, NOW).id != request_for_event(SECRET, Trigger.SECRET_NEAR_EXPIRY, NOW).id


@settings(deadline=None)
@given(now=times)
@example(now=datetime(2038, 1, 20, microsecond=2000, tzinfo=UTC))
def test_a_new_id_is_a_well_formed_uuid_7(now: datetime) -> None:
    """
    It is a UUID of version 7 in RFC 9562's variant and spelling, and begins with the milliseconds of its making.
    """
    written = new_id(now)
    found = uuid.UUID(written)

    assert written == str(found)
    assert found.version == 7
    assert found.variant == uuid.RFC_4122
    assert found.int >> 80 == (now - EPOCH) // timedelta(milliseconds=1)


@settings(deadline=None)
@given(now=times, later=st.timedeltas(timedelta(milliseconds=1), timedelta(days=10_000)))
def test_new_ids_sort_by_the_time_of_their_making(now: datetime, later: timedelta) -> None:
    """
    An id made a millisecond or more later is greater, as text and as a number.
    """
    earlier_id, later_id = new_id(now), new_id(now + later)

    assert earlier_id < later_id
    assert uuid.UUID(earlier_id) < uuid.UUID(later_id)


def test_ids_of_one_millisecond_differ() -> None:
    """
    Two workers at the same moment do not make the same id, and chance fills all that the time leaves.
    """
    made = {new_id(NOW) for _ in range(1000)}
    chance = [uuid.UUID(one).int & ((1 << 80) - 1) for one in made]
    always, ever = (1 << 80) - 1, 0
    for bits in chance:
        always, ever = always & bits, ever | bits

    assert len(made) == 1000
    assert always == 7 << 76 | 0b10 << 62
    assert ever == 7 << 76 | 0xFFF << 64 | 0b10 << 62 | (1 << 62) - 1


requests = st.builds(
    RotationRequest,
    id=st.uuids().map(str),
    trigger=st.sampled_from(Trigger),
    secret=st.builds(SecretId, st.just(VAULT), st.sampled_from(["a", "B-2"]), st.none() | st.just(VERSION)),
    accepted_on=times,
    key=st.none() | st.sampled_from(KeyName),
    force=st.booleans(),
    reason=st.none() | st.text(max_size=50),
    claimed=st.none() | st.text(max_size=50),
)


@settings(deadline=None)
@given(request=requests)
def test_a_request_survives_the_queue(request: RotationRequest) -> None:
    """
    Its JSON is read back as the same request, whatever a caller gave as the reason.
    """
    assert msgspec.json.decode(msgspec.json.encode(request), type=RotationRequest) == request


@pytest.mark.parametrize(
    "change",
    [
        {"forse": True},
        {"target": "/subscriptions/x"},
        {"key": "Both"},
        {"key": "primary"},
        {"trigger": "Http2"},
        {"force": "true"},
        {"accepted_on": "yesterday"},
        {"secret": f"{VAULT}/secrets/n"},
        {"id": 7},
    ],
)
def test_a_message_that_is_no_request_is_refused(change: dict[str, object]) -> None:
    """
    An unknown field or word is an error and never a request for something else.
    """
    message = msgspec.to_builtins(request_for_event(SECRET, Trigger.SECRET_EXPIRED, NOW)) | change

    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(message), type=RotationRequest)


def test_an_event_without_a_version_has_its_own_id() -> None:
    """
    Equal for every delivery and every spelling, another one for another event, type or secret.
    """
    plain = SecretId(VAULT, "batch-key")

    def id_of(secret: SecretId, event_id: str, trigger: Trigger = Trigger.SECRET_NEAR_EXPIRY) -> str:
        return request_for_event(secret, trigger, NOW, event_id=event_id).id

    assert id_of(plain, "e1") == id_of(SecretId(VAULT, "BATCH-Key"), "e1")
    others = {
        id_of(plain, "e1"),
        id_of(plain, "e2"),
        id_of(plain, "e1", Trigger.SECRET_EXPIRED),
        id_of(SecretId(VAULT, "other"), "e1"),
        id_of(SECRET, "e1"),
    }
    assert len(others) == 5
    assert id_of(SECRET, "e1") == id_of(SECRET, "e2")


def test_a_message_of_a_version_that_did_not_know_who_asks_is_read() -> None:
    """
    And one that says nothing of it looks as it did then, so that a version of then can read it.
    """
    asked = request_for_event(SECRET, Trigger.SECRET_EXPIRED, NOW)
    message = msgspec.json.encode(asked)

    assert b"requested_by" not in message
    assert msgspec.json.decode(message, type=RotationRequest).requested_by is None


def test_who_asks_travels_with_the_message() -> None:
    """
    In the form that records show.
    """
    asked = msgspec.structs.replace(
        request_for_event(SECRET, Trigger.HTTP, NOW), requested_by=Caller("ada@example.com", None, "11111111")
    )
    message = msgspec.json.encode(asked)

    assert b'{"name":"ada@example.com","objectId":null,"appId":"11111111"}' in message
    assert msgspec.json.decode(message, type=RotationRequest) == asked
