from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from rotation.overview.standing import IS_DUE, entry_of, facts_of, urgency_of
from rotation.policy.eligibility import Case
from rotation.policy.scope import Scopes
from rotation.ports.inventory import Entry, Facts, Result, Status, Verification
from rotation.run import outcome
from rotation.vocabulary.endings import Drift
from rotation.vocabulary.record import Rotation
from rotation.vocabulary.request import request_for_sweep
from rotation.vocabulary.secret import ListedSecret, SecretId
from rotation.vocabulary.target import KeyName
from tests.twins.targets import accepted_record, parse_target
from tests.twins.world import SUBSCRIPTION, TARGETS, VAULT

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SECRET = SecretId(VAULT, "One")
SCOPES = Scopes([f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"])
BATCH = TARGETS["batch"]
TAGS = {"ProviderAddress": BATCH.arm_id, "CredentialId": "key2", "ValidityPeriodDays": "90"}


def listed(tags: dict[str, str] | None = None) -> ListedSecret:
    """
    Return a secret as a listing shows it.
    """
    return ListedSecret(SECRET, TAGS if tags is None else tags, True, NOW + 40 * DAY)


def completed(completed_on: datetime) -> Rotation:
    """
    Return the record of a rotation that has stored a version.
    """
    request = request_for_sweep(SECRET.at("a" * 32), NOW)
    record = accepted_record(request, NOW).about(BATCH).stored(SECRET.at("b" * 32), completed_on + 90 * DAY)
    return outcome.completed_record(structs.replace(record, key_name=KeyName.PRIMARY), completed_on)


def stored(on: datetime) -> Verification:
    """
    Return what a rotation has seen of the key that it stored.
    """
    return Verification(on, Result.LIVE, BATCH.identity, key=KeyName.PRIMARY)


def expiring(expires_on: datetime | None, validity_days: int | None = 90) -> Facts:
    """
    Return the facts of a secret in order.
    """
    return Facts(SECRET, NOW, expires_on=expires_on, validity_days=validity_days)


def test_a_listing_says_all_that_an_operator_needs() -> None:
    """
    Target, key by its tag, expiry and validity, without a value being read.
    """
    assert facts_of(Case(listed(), parse_target, SCOPES), NOW) == Facts(
        SECRET,
        NOW,
        target=BATCH.arm_id,
        provider="Microsoft.Batch/batchAccounts",
        key=KeyName.SECONDARY,
        expires_on=NOW + 40 * DAY,
        validity_days=90,
    )


def test_a_workflows_secret_is_shown_with_its_workflow() -> None:
    """
    Whichever trigger the tag names: all triggers are one target.
    """
    workflow = TARGETS["workflow"]
    facts = facts_of(
        Case(listed(TAGS | {"ProviderAddress": f"{workflow.arm_id}/triggers/manual"}), parse_target, SCOPES), NOW
    )

    assert facts is not None
    assert (facts.target, facts.target_identity) == (workflow.arm_id, workflow.identity)


def test_a_secret_without_the_tag_is_not_shown() -> None:
    """
    It is not ours.
    """
    assert facts_of(Case(listed({"CredentialId": "Primary"}), parse_target, SCOPES), NOW) is None


@pytest.mark.parametrize(
    ("tags", "word"),
    [
        ({"ProviderAddress": "x", "provideraddress": "y"}, "ProviderAddress"),
        ({"ProviderAddress": "x"}, "ProviderAddress"),
        (TAGS | {"CredentialId": "both"}, "CredentialId"),
        (TAGS | {"credentialid": "key1"}, "CredentialId"),
        (TAGS | {"ValidityPeriodDays": "30"}, "ValidityPeriodDays"),
        ({name: value for name, value in TAGS.items() if name != "ValidityPeriodDays"}, "ValidityPeriodDays"),
        (TAGS | {"RotationPaused": "perhaps"}, "RotationPaused"),
        (TAGS | {"RotationStrategy": "x"}, "RotationStrategy"),
    ],
)
def test_a_wrong_tag_is_named(tags: dict[str, str], word: str) -> None:
    """
    The reason says which one, and what is right about the rest is shown all the same.
    """
    facts = facts_of(Case(listed(tags), parse_target, SCOPES), NOW)

    assert facts is not None
    assert word in str(facts.misconfigured)
    assert urgency_of(facts, NOW, 30 * DAY) is Status.MISCONFIGURED
    assert facts.expires_on == NOW + 40 * DAY
    assert facts.target_identity == (BATCH.identity if tags.get("ProviderAddress") == BATCH.arm_id else None)


def test_a_paused_secret_is_paused_unless_something_is_wrong_with_it() -> None:
    """
    What is wrong stays wrong when somebody resumes it: that is what a person has to see.
    """
    for tags, status in (({}, Status.PAUSED), ({"ValidityPeriodDays": "x"}, Status.MISCONFIGURED)):
        facts = facts_of(Case(listed(TAGS | {"rotationpaused": "TRUE"} | tags), parse_target, SCOPES), NOW)

        assert facts is not None
        assert facts.paused == "its tag RotationPaused is true"
        assert urgency_of(facts, NOW, 30 * DAY) is status


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"expires_on": None}, "expiry"),
        ({"is_certificate": True}, "certificate"),
    ],
)
def test_what_cannot_be_rotated_says_why(change: dict[str, object], word: str) -> None:
    """
    Long before it would fail.
    """
    facts = facts_of(Case(structs.replace(listed(), **change), parse_target, SCOPES), NOW)

    assert facts is not None
    assert word in str(facts.misconfigured)
    assert urgency_of(facts, NOW, 30 * DAY) is Status.MISCONFIGURED


def test_a_target_out_of_scope_is_misconfigured() -> None:
    """
    Nothing would be regenerated there.
    """
    facts = facts_of(Case(listed(), parse_target, Scopes([])), NOW)

    assert facts is not None
    assert "ROTATION_ALLOWED_SCOPES" in str(facts.misconfigured)


@pytest.mark.parametrize(
    ("left", "status"),
    [
        (30 * DAY + timedelta(seconds=1), Status.UP_TO_DATE),
        (30 * DAY, Status.DUE),
        (28 * DAY + timedelta(seconds=1), Status.DUE),
        (28 * DAY, Status.OVERDUE),
        (timedelta(seconds=1), Status.OVERDUE),
        (timedelta(), Status.EXPIRED),
        (-DAY, Status.EXPIRED),
    ],
)
def test_a_secrets_status_follows_from_its_expiry(left: timedelta, status: Status) -> None:
    """
    Due for two days, then overdue, then expired.
    """
    assert urgency_of(expiring(NOW + left), NOW, 30 * DAY) is status


def test_without_expiry_or_reason_a_secret_is_misconfigured() -> None:
    """
    It is never taken for up to date.
    """
    assert urgency_of(expiring(None), NOW, 30 * DAY) is Status.MISCONFIGURED


@settings(deadline=None)
@given(lead=st.integers(1, 365), validity=st.integers(31, 3650), age=st.floats(0, 29.99))
def test_a_version_is_never_due_soon_after_its_birth(lead: int, validity: int, age: float) -> None:
    """
    Whatever the settings: for 30 days it is left alone, or until Key Vault itself says that its expiry is near.
    """
    facts = expiring(NOW + timedelta(days=validity), validity)
    now = NOW + timedelta(days=age)

    is_near = timedelta(days=validity - age) <= 30 * DAY
    assert (urgency_of(facts, now, timedelta(days=lead)) in IS_DUE) <= is_near


@settings(deadline=None)
@given(lead=st.integers(1, 365), validity=st.integers(31, 3650) | st.none(), left=st.floats(-10, 4000))
def test_whatever_has_expired_is_due(lead: int, validity: int | None, left: float) -> None:
    """
    No setting hides it, and a status never goes back as time passes.
    """
    facts = expiring(NOW + timedelta(days=left), validity)
    order = [Status.UP_TO_DATE, Status.DUE, Status.OVERDUE, Status.EXPIRED]
    found = [
        order.index(urgency_of(facts, NOW + timedelta(days=days), timedelta(days=lead))) for days in (0, 1, 2, 5000)
    ]

    assert found == sorted(found)
    assert found[-1] == order.index(Status.EXPIRED)


def test_what_was_stored_counts_over_an_older_look() -> None:
    """
    Key, target and expiry are the new version's, and no old reason stands in its way.
    """
    record = completed(NOW + DAY)
    for seen in (
        Facts(SECRET, NOW, validity_days=90, paused="paused"),
        Facts(SECRET, NOW, validity_days=90, misconfigured="it has no expiry date"),
    ):
        entry = entry_of(seen, record, record)

        assert entry == Entry(
            Facts(
                SECRET,
                NOW + DAY,
                target=BATCH.arm_id,
                provider=BATCH.provider,
                key=KeyName.PRIMARY,
                expires_on=NOW + 91 * DAY,
                validity_days=90,
                made_on=NOW + DAY,
            ),
            record,
            stored(NOW + DAY),
        )


def test_a_look_at_the_same_moment_or_later_counts_over_what_was_stored() -> None:
    """
    It has seen the new version.
    """
    for later in (timedelta(), DAY):
        record = completed(NOW)
        seen = Facts(SECRET, NOW + later, BATCH.arm_id, paused="paused")

        assert entry_of(seen, record, record) == Entry(seen, record, stored(NOW))


def test_what_was_seen_of_a_key_is_about_the_version_that_was_current_then() -> None:
    """
    The latest counts, whether a comparison or a rotation has seen it; none that is older than the version.
    """
    record, drift = completed(NOW), Verification(NOW + DAY, Result.DRIFT, BATCH.identity)

    def known(made_on: datetime | None, verified: Verification | None) -> Verification | None:
        entry = entry_of(Facts(SECRET, NOW + 3 * DAY, BATCH.arm_id, made_on=made_on), record, record, verified)
        assert entry is not None
        return entry.verified

    assert known(NOW, drift) == known(None, drift) == known(NOW + DAY, drift) == drift
    assert known(NOW, Verification(NOW - DAY, Result.DRIFT, BATCH.identity)) == stored(NOW)
    assert known(NOW + 2 * DAY, drift) is None
    elsewhere = structs.replace(drift, target="/subscriptions/another")
    assert known(NOW, elsewhere) == stored(NOW)


def test_nothing_is_known_of_a_secret_that_nobody_has_seen_or_stored() -> None:
    """
    A failed rotation alone makes no line.
    """
    failed = outcome.ended_record(completed(NOW), Drift("drift"), NOW)

    assert entry_of(None, failed, None) is None
    assert entry_of(None, None, None) is None
