import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotation.policy.scope import Scopes
from rotation.vocabulary.endings import Misconfigured, OutOfScope
from tests.twins.targets import DETOURS, parse_target

SUBSCRIPTION = "00000000-0000-4000-8000-00000000abcd"
ELSEWHERE = "00000000-0000-4000-8000-00000000abce"
GROUPS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups"
BATCH = f"{GROUPS}/rg/providers/Microsoft.Batch/batchAccounts/account1"
SITE = f"{GROUPS}/rg/providers/Microsoft.Web/sites/site1"
DESIGNER = "/hostruntime/runtime/webhooks/workflow/api/management"
WORKFLOW = f"{SITE}/workflows/orders"


def allows(prefix: str, arm_id: str) -> bool:
    """
    Return whether a list of this one prefix allows the target.
    """
    try:
        Scopes([prefix], DETOURS).require(parse_target(arm_id))
    except OutOfScope:
        return False
    return True


@pytest.mark.parametrize(
    ("prefix", "arm_id"),
    [
        (f"/subscriptions/{SUBSCRIPTION}", BATCH),
        (f"/subscriptions/{SUBSCRIPTION}/", BATCH),
        (GROUPS, BATCH),
        (f"{GROUPS}/rg", BATCH),
        (f"{GROUPS}/rg/", WORKFLOW),
        (f"{GROUPS}/rg/providers", BATCH),
        (f"{GROUPS}/rg/providers/Microsoft.Batch", BATCH),
        (f"{GROUPS}/rg/providers/Microsoft.Batch/batchAccounts", BATCH),
        (BATCH, BATCH),
        (SITE, WORKFLOW),
        (SITE, f"{WORKFLOW}/triggers/When a (HTTP) request"),
        (WORKFLOW, f"{WORKFLOW}/triggers/manual"),
        (WORKFLOW, f"{SITE}{DESIGNER}/workflows/orders"),
        (f"{SITE}{DESIGNER}/workflows/orders", WORKFLOW),
        (f"{SITE}{DESIGNER.upper()}", WORKFLOW),
        (f"{SITE}/workflows/re\u0301sume\u0301", f"{SITE}/workflows/re\u0301sume\u0301"),
        (f"{GROUPS}/r.g_(1)", BATCH.replace("/rg/", "/R.G_(1)/")),
    ],
)
def test_a_scope_allows_what_lies_below_it(prefix: str, arm_id: str) -> None:
    """
    A prefix of whole segments allows its targets, in any case, with or without a slash at its end.
    """
    for spelled in (prefix, prefix.upper(), prefix.lower()):
        assert allows(spelled, arm_id)
        assert allows(spelled, arm_id.upper())


@pytest.mark.parametrize(
    ("prefix", "arm_id"),
    [
        (f"{GROUPS}/rg", BATCH.replace("/rg/", "/rg2/")),
        (f"{GROUPS}/rg", BATCH.replace("/rg/", "/r/")),
        (f"{GROUPS}/rg/", BATCH.replace("/rg/", "/rg2/")),
        (f"{GROUPS}/rg2", BATCH),
        (f"{GROUPS}/rg", BATCH.replace("/rg/", "/rg-2/")),
        (f"{GROUPS}/r.g", BATCH.replace("/rg/", "/rxg/")),
        (f"{GROUPS}/r.", BATCH),
        (f"{GROUPS}/(rg)", BATCH),
        (f"{GROUPS}/rg", BATCH.replace("/rg/", "/rG2/")),
        (f"{GROUPS}/rg", BATCH.replace(SUBSCRIPTION, ELSEWHERE)),
        (f"/subscriptions/{SUBSCRIPTION}", BATCH.replace(SUBSCRIPTION, ELSEWHERE)),
        (BATCH, BATCH.replace("account1", "account12")),
        (BATCH, BATCH.replace("account1", "account")),
        (BATCH, WORKFLOW),
        (SITE, WORKFLOW.replace("site1", "site12")),
        (WORKFLOW, WORKFLOW.replace("orders", "orders2")),
        (f"{WORKFLOW}/triggers/manual", f"{WORKFLOW}/triggers/manual"),
        (f"{BATCH}/pools", BATCH),
        (f"{GROUPS}/rg/providers/Microsoft.Bat", BATCH),
        (f"{GROUPS}/rg/..", BATCH),
        (f"{GROUPS}/.", BATCH),
        (f"{GROUPS}/..", BATCH),
    ],
)
def test_a_scope_allows_nothing_beside_it(prefix: str, arm_id: str) -> None:
    """
    A name that merely begins like, resembles or contains an allowed one is out of scope.
    """
    assert not allows(prefix, arm_id)


NAME = re.compile(r"[-a-z0-9_()]{1,10}", re.ASCII)


@settings(deadline=None)
@given(
    group=st.from_regex(NAME, fullmatch=True),
    account=st.from_regex(re.compile(r"[a-z0-9]{3,20}", re.ASCII), fullmatch=True),
    more=st.from_regex(NAME, fullmatch=True),
    depth=st.sampled_from([4, 8]),
)
def test_a_scope_allows_nothing_in_a_sibling_group(group: str, account: str, more: str, depth: int) -> None:
    """
    Lengthen the last name of a scope by anything, or shorten the target's, and the target is a sibling.
    """
    arm_id = f"{GROUPS}/{group}/providers/Microsoft.Batch/batchAccounts/{account}"
    prefix = "/".join(arm_id.split("/")[: depth + 1])

    assert allows(prefix, arm_id)
    assert not allows(f"{prefix}{more}", arm_id)
    assert not allows(prefix, arm_id.replace(f"/{group}/", f"/{group}{more}/"))
    assert not allows(prefix, arm_id.replace(f"/{group}/", f"/{more}{group}/"))


@pytest.mark.parametrize(
    ("group", "look_alike"),
    [("rk", "r\u212a"), ("rs", "r\u017f"), ("ri", "r\u0130"), ("ra", "r\uff41"), ("r1", "r\u0661")],
)
def test_a_scope_allows_nothing_in_a_look_alike_group(group: str, look_alike: str) -> None:
    """
    A group whose name only looks like the allowed one's, or lowers to it, is another group, whichever is allowed.
    """
    here, there = (BATCH.replace("/rg/", f"/{name}/") for name in (group, look_alike))

    with pytest.raises((OutOfScope, Misconfigured)):
        Scopes([f"{GROUPS}/{group}"]).require(parse_target(there))
    with pytest.raises((OutOfScope, ValueError)):
        Scopes([f"{GROUPS}/{look_alike}"]).require(parse_target(here))


def test_the_designers_path_is_dropped_in_whole_segments() -> None:
    """
    A prefix in which that path goes on as a longer word names no other site by accident.
    """
    assert not allows(f"{SITE}{DESIGNER}xyz", WORKFLOW.replace("site1", "site1xyz"))


@pytest.mark.parametrize("arm_id", [BATCH, WORKFLOW, f"{WORKFLOW}/triggers/manual"])
def test_an_empty_list_allows_nothing(arm_id: str) -> None:
    """
    Without a prefix every target is out of scope, and the error says where to add it.
    """
    with pytest.raises(OutOfScope, match="ROTATION_ALLOWED_SCOPES") as refusal:
        Scopes([]).require(parse_target(arm_id))
    assert refusal.value.code == "forbidden"


def test_one_prefix_of_several_is_enough() -> None:
    """
    Prefixes add up, and none takes away what another allows.
    """
    scopes = Scopes([f"{GROUPS}/elsewhere", f"{GROUPS}/rg", f"/subscriptions/{ELSEWHERE}"])

    scopes.require(parse_target(BATCH))
    scopes.require(parse_target(BATCH.replace(SUBSCRIPTION, ELSEWHERE).replace("/rg/", "/any/")))
    with pytest.raises(OutOfScope):
        scopes.require(parse_target(BATCH.replace("/rg/", "/rg2/")))


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "/",
        "*",
        "/*",
        "/subscriptions",
        "/subscriptions/",
        "/subscriptions/*",
        "/subscriptions/..",
        f"/subscriptions/{SUBSCRIPTION}//resourceGroups/rg",
        f"/subscriptions/{SUBSCRIPTION}0",
        f"/subscriptions/{SUBSCRIPTION[:-1]}",
        f"{GROUPS}/*",
        f"{GROUPS}/rg*",
        f"{GROUPS}/rg#x",
        f"{GROUPS}/r%67",
        f"{GROUPS}\\rg",
        f"{GROUPS}/rg,{GROUPS}/rg2",
        "/providers/Microsoft.Management/managementGroups/root",
    ],
)
def test_what_is_no_arm_id_is_no_scope(prefix: str) -> None:
    """
    A prefix that cannot be meant is an error at the start and never an empty, that is unlimited, one.
    """
    with pytest.raises(ValueError, match=rf"\A{re.escape(prefix)}\Z"):
        Scopes([f"{GROUPS}/rg", prefix])
