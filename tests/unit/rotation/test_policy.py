from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rotation.policy.tags import (
    RotationPolicy,
    Strategy,
    is_managed,
    is_paused,
    read_policy,
    read_target,
    renewed,
    stored_by,
    tagged_key,
)
from rotation.vocabulary.endings import Misconfigured
from rotation.vocabulary.limits import MAX_TAGS
from rotation.vocabulary.target import KeyName
from tests.twins.targets import batch_account, parse_target

SUBSCRIPTION = "00000000-0000-4000-8000-00000000abcd"
ADDRESS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Batch/batchAccounts/account1"
TAGS = {"ProviderAddress": ADDRESS, "CredentialId": "Primary", "ValidityPeriodDays": "90"}
OURS = ("ProviderAddress", "CredentialId", "ValidityPeriodDays", "RotationPaused", "RotationStrategy", "RotationId")


def policy_of(tags: dict[str, str]) -> RotationPolicy:
    """
    Return the policy that tags spell out.
    """
    return read_policy(tags, read_target(tags, parse_target))


def read_all(tags: dict[str, str]) -> RotationPolicy:
    """
    Read every tag.
    """
    is_paused(tags)
    return policy_of(tags)


def test_microsofts_own_tags_are_enough() -> None:
    """
    A secret set up for Microsoft's dual-credential tutorial is read as it is.
    """
    policy = policy_of(TAGS)

    assert policy.target == batch_account(SUBSCRIPTION, "rg", "account1")
    assert policy.tagged_key is KeyName.PRIMARY
    assert policy.validity == timedelta(days=90)
    assert policy.strategy is Strategy.ALTERNATE


@pytest.mark.parametrize("respell", [str.lower, str.upper, str.swapcase, "  {} ".format])
def test_tag_names_are_found_in_any_case(respell: Callable[[str], str]) -> None:
    """
    A tag that a person spelled otherwise is not overlooked: the secret is managed, paused and marked all the same.
    """
    tags = {respell(name): value for name, value in TAGS.items()}
    more = {respell("RotationPaused"): "true", respell("RotationId"): "r", respell("RotationStrategy"): "InPlace"}

    assert is_managed(tags)
    assert policy_of(tags) == policy_of(TAGS)
    assert is_paused(tags | more)
    assert stored_by(tags | more) == "r"
    assert policy_of(tags | more).strategy is Strategy.IN_PLACE


@pytest.mark.parametrize("tags", [{}, {"Provider": ADDRESS}, {"CredentialId": "Primary"}, {"x": "ProviderAddress"}])
def test_a_secret_without_an_address_is_not_managed(tags: dict[str, str]) -> None:
    """
    The app leaves secrets alone that nobody gave to it.
    """
    assert not is_managed(tags)
    assert not is_paused(tags)
    assert stored_by(tags) is None


@pytest.mark.parametrize("tag", OURS)
def test_a_tag_in_two_spellings_is_refused(tag: str) -> None:
    """
    Where two spellings contradict each other nobody guesses which one counts.
    """
    tags = TAGS | {tag: TAGS.get(tag, "x"), tag.lower(): "y"}

    with pytest.raises(Misconfigured, match=tag):
        read_all(tags)


@pytest.mark.parametrize(("value", "paused"), [("true", True), (" TRUE ", True), ("false", False), ("False", False)])
def test_a_paused_secret_says_so(value: str, *, paused: bool) -> None:
    """
    True means paused and false means not, in any case.
    """
    assert is_paused(TAGS | {"RotationPaused": value}) is paused


@pytest.mark.parametrize("value", ["yes", "1", "0", "on", "true!", "truefalse", "tr\u200bue", "\uff54rue", "true\x00"])
def test_a_pause_that_cannot_be_read_is_refused(value: str) -> None:
    """
    Who meant to pause a secret and misspelled it does not find it rotated.
    """
    with pytest.raises(Misconfigured, match="RotationPaused"):
        is_paused(TAGS | {"RotationPaused": value})


@pytest.mark.parametrize("days", ["31", "90", "3650", " 365 ", "90\n"])
def test_a_validity_of_31_to_3650_days_is_read(days: str) -> None:
    """
    The number of days in the tag is the validity of the next version.
    """
    assert policy_of(TAGS | {"ValidityPeriodDays": days}).validity == timedelta(days=int(days))


@pytest.mark.parametrize(
    "days",
    [
        "",
        " ",
        "0",
        "7",
        "30",
        "3651",
        "-90",
        "+90",
        "90.0",
        "90,5",
        "9e1",
        "0x5a",
        "1_000",
        "9 0",
        "P90D",
        "ninety",
        "nan",
        "\u0669\u0660",
        "9\u00b2",
        "90\x00",
        "9" * 256,
        "9" * 5000,
        "00000000030",
        "0000000310000000",
        "000000031" + "0" * 20,
        "000000090" + "9" * 247,
    ],
)
def test_any_other_validity_is_refused(days: str) -> None:
    """
    What is not a plain number of 31 to 3650 is an error that names the tag and the range.
    """
    with pytest.raises(Misconfigured, match=r"ValidityPeriodDays.*31 to 3650") as refusal:
        policy_of(TAGS | {"ValidityPeriodDays": days})
    assert len(str(refusal.value)) < 1000


def test_a_missing_validity_is_refused() -> None:
    """
    How long a new version is valid is never guessed.
    """
    with pytest.raises(Misconfigured, match="ValidityPeriodDays is missing"):
        policy_of({"ProviderAddress": ADDRESS})


@pytest.mark.parametrize("address", ["", "account1", f"{ADDRESS}/..", f"{ADDRESS}/x", f"https://evil.example{ADDRESS}"])
def test_a_wrong_address_is_refused(address: str) -> None:
    """
    The error names the tag, and whatever it says is part of no request.
    """
    with pytest.raises(Misconfigured, match="tag ProviderAddress: "):
        policy_of(TAGS | {"ProviderAddress": address})


def test_a_missing_address_is_refused() -> None:
    """
    Asked for its target, a secret without the tag has a clear answer.
    """
    with pytest.raises(Misconfigured, match="tag ProviderAddress"):
        read_target({}, parse_target)


def test_blanks_around_an_address_do_not_matter() -> None:
    """
    A pasted address may have them.
    """
    assert read_target({"ProviderAddress": f" {ADDRESS}\n"}, parse_target) == read_target(TAGS, parse_target)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("Primary", KeyName.PRIMARY),
        ("SECONDARY", KeyName.SECONDARY),
        (" secondary ", KeyName.SECONDARY),
        ("key1", KeyName.PRIMARY),
        ("Key2", KeyName.SECONDARY),
        ("kEY2", KeyName.SECONDARY),
    ],
)
def test_a_tagged_key_is_read_in_either_style(written: str, key: KeyName) -> None:
    """
    Primary and key1, Secondary and key2 mean the same, in any case.
    """
    assert tagged_key({"CredentialId": written}) is key
    assert policy_of(TAGS | {"CredentialId": written}).tagged_key is key


def test_a_secret_need_not_say_which_key_it_holds() -> None:
    """
    Its value says so; the tag is missing, not wrong.
    """
    assert tagged_key({}) is None


@pytest.mark.parametrize("written", ["", "key", "key3", "key0", "1", "both", "Pr\u0131mary", "key1,key2"])
def test_another_key_is_refused(written: str) -> None:
    """
    The error names the tag and the words that it may hold.
    """
    with pytest.raises(Misconfigured, match=r"CredentialId.*Primary or Secondary, or key1 or key2"):
        tagged_key({"CredentialId": written})


@pytest.mark.parametrize(("written", "strategy"), [("alternate", "Alternate"), (" INPLACE ", "InPlace")])
def test_a_strategy_is_read_in_any_case(written: str, strategy: str) -> None:
    """
    There are two, and their case does not matter.
    """
    assert policy_of(TAGS | {"RotationStrategy": written}).strategy is Strategy(strategy)


@pytest.mark.parametrize("written", ["", "In-Place", "in place", "\u0130nPlace", "both"])
def test_another_strategy_is_refused(written: str) -> None:
    """
    Whether the key in use dies is never guessed.
    """
    with pytest.raises(Misconfigured, match=r"RotationStrategy.*Alternate or InPlace"):
        policy_of(TAGS | {"RotationStrategy": written})


@pytest.mark.parametrize(
    ("written", "primary", "secondary"),
    [
        ("Primary", "Primary", "Secondary"),
        ("secondary", "primary", "secondary"),
        ("PRIMARY", "PRIMARY", "SECONDARY"),
        ("key1", "key1", "key2"),
        ("Key2", "Key1", "Key2"),
        ("KEY1", "KEY1", "KEY2"),
        (" key2 ", "key1", "key2"),
        (None, "Primary", "Secondary"),
    ],
)
def test_the_key_is_written_in_the_style_found(written: str | None, primary: str, secondary: str) -> None:
    """
    Clients that read the tag find the words that they know.
    """
    tags = {} if written is None else {"CredentialId": written}

    assert renewed(tags, KeyName.PRIMARY, "r")["CredentialId"] == primary
    assert renewed(tags, KeyName.SECONDARY, "r")["CredentialId"] == secondary


@pytest.mark.parametrize("written", ["kEY1", "kEy2", "KEy1", "keY2"])
@pytest.mark.parametrize("key", KeyName)
def test_a_numbered_key_stays_a_numbered_key(written: str, key: KeyName) -> None:
    """
    However oddly key1 is cased, the next tag says key1 or key2 and not Primary or Secondary.
    """
    expected = "key1" if key is KeyName.PRIMARY else "key2"
    assert renewed({"CredentialId": written}, key, "r")["CredentialId"] == expected


@pytest.mark.parametrize(
    ("present", "others"),
    [
        (("CredentialId", "RotationId"), MAX_TAGS - 4),
        (("CredentialId",), MAX_TAGS - 4),
        (("RotationId",), MAX_TAGS - 4),
        ((), MAX_TAGS - 4),
    ],
)
def test_there_is_room_for_our_tags_up_to_the_last(present: tuple[str, ...], others: int) -> None:
    """
    With our four tags and eleven others a secret is full, and it is rotated; with one more it is refused.
    """
    tags = {"ProviderAddress": ADDRESS, "ValidityPeriodDays": "90"}
    tags |= dict.fromkeys(present, "Primary") | {f"other-{number}": "x" for number in range(others)}

    policy_of(tags)
    assert len(renewed(tags, KeyName.PRIMARY, "r")) == MAX_TAGS
    with pytest.raises(Misconfigured, match="RotationId"):
        policy_of(tags | {"one-more": "x"})


anything = st.text(max_size=20)
keys_as_written = st.sampled_from(["Primary", "SECONDARY", "key1", "Key2", " primary"])


@settings(deadline=None)
@given(
    unknown=st.dictionaries(anything, anything, max_size=16),
    ours=st.fixed_dictionaries(
        {"ProviderAddress": st.just(ADDRESS), "ValidityPeriodDays": st.just("90")},
        optional={"credentialid": keys_as_written, "ROTATIONID": anything, "RotationStrategy": st.just("InPlace")},
    ),
    key=st.sampled_from(KeyName),
    rotation_id=st.uuids().map(str),
)
def test_renewed_tags_keep_what_is_not_ours_and_fit(
    unknown: dict[str, str], ours: dict[str, str], key: KeyName, rotation_id: str
) -> None:
    """
    Unknown tags stay, the policy stays, the key and the rotation are written, and Key Vault can take them all.
    """
    assume(not any(name.strip().lower() == tag.lower() for name in unknown for tag in OURS))
    tags = unknown | ours
    before = dict(tags)
    try:
        policy = policy_of(tags)
    except Misconfigured:
        assert len(tags) + len({"credentialid", "ROTATIONID"} - tags.keys()) > MAX_TAGS
        return

    after = renewed(tags, key, rotation_id)

    assert len(after) <= MAX_TAGS
    assert unknown.items() <= after.items()
    assert tags == before
    assert stored_by(after) == rotation_id
    assert tagged_key(after) is key
    again = policy_of(after)
    assert (again.target, again.validity, again.strategy) == (policy.target, policy.validity, policy.strategy)
    assert len(renewed(after, key.other, "next")) == len(after)
