import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotation.vocabulary.endings import Misconfigured
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.target import KeyName, Target
from tests.twins.targets import batch_account, parse_target, workflow

SUBSCRIPTION = "00000000-0000-4000-8000-00000000abcd"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
BATCH = f"{GROUP}/providers/Microsoft.Batch/batchAccounts/account1"
SITE = f"{GROUP}/providers/Microsoft.Web/sites/site1"
DESIGNER = "/hostruntime/runtime/webhooks/workflow/api/management"
WORKFLOW = f"{SITE}/workflows/orders"
ACCOUNT = batch_account(SUBSCRIPTION, "rg", "account1")
ORDERS = workflow(SUBSCRIPTION, "rg", "site1", "orders")

KELVIN, LONG_S, DOTTED_I, FULLWIDTH_A = "\u212a", "\u017f", "\u0130", "\uff41"


def named(pattern: str) -> st.SearchStrategy[str]:
    """
    Names that Azure allows, in ASCII.
    """
    return st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True)


groups = named(r"[-\w.()]{0,20}[-\w()]")
subscriptions = st.uuids().map(str)
accounts = st.builds(batch_account, subscriptions, groups, named(r"[a-zA-Z0-9]{3,24}"))
workflows = st.builds(
    workflow,
    subscriptions,
    groups,
    named(r"[a-zA-Z0-9]([-a-zA-Z0-9]{0,20}[a-zA-Z0-9])?"),
    named(r"[-\w]{1,20}"),
    st.none() | named(r"[-\w()]([-\w ()]{0,18}[-\w()])?"),
)
targets: st.SearchStrategy[Target] = accounts | workflows


def respelled(text: str, choices: list[bool]) -> str:
    """
    Return the text with some of its letters in the other case.
    """
    swaps = choices + [False] * len(text)
    return "".join(letter.swapcase() if swapped else letter for letter, swapped in zip(text, swaps, strict=False))


@pytest.mark.parametrize(
    ("arm_id", "target"),
    [
        (BATCH, ACCOUNT),
        (BATCH.upper(), batch_account(SUBSCRIPTION.upper(), "RG", "ACCOUNT1")),
        (WORKFLOW, ORDERS),
        (f"{SITE}{DESIGNER}/workflows/orders", ORDERS),
        (f"{SITE}{DESIGNER.upper()}/WORKFLOWS/orders", ORDERS),
        (f"{WORKFLOW}/triggers/manual", workflow(SUBSCRIPTION, "rg", "site1", "orders", "manual")),
        (
            f"{SITE}{DESIGNER}/workflows/orders/triggers/When a (HTTP) request",
            workflow(SUBSCRIPTION, "rg", "site1", "orders", "When a (HTTP) request"),
        ),
        (BATCH.replace("/rg/", "/r.g_(1)/"), batch_account(SUBSCRIPTION, "r.g_(1)", "account1")),
        (BATCH.replace("/rg/", f"/{'g' * 90}/"), batch_account(SUBSCRIPTION, "g" * 90, "account1")),
    ],
)
def test_an_arm_id_names_its_target(arm_id: str, target: Target) -> None:
    """
    Every documented form of an id, in any case, gives the target that it names.
    """
    assert parse_target(arm_id) == target


@settings(deadline=None)
@given(target=targets, choices=st.lists(st.booleans(), max_size=300))
def test_every_spelling_of_a_target_has_one_claim(target: Target, choices: list[bool]) -> None:
    """
    An id survives a round trip, and however its letters are cased the same target is claimed.
    """
    again = parse_target(target.arm_id)

    assert again.arm_id == target.arm_id
    assert parse_target(respelled(target.arm_id, choices)).identity == again.identity == target.identity


@settings(deadline=None)
@given(target=workflows, trigger=st.from_regex(re.compile(r"[-\w .(),'&@!]{1,20}", re.ASCII), fullmatch=True))
def test_what_is_stored_reads_back(target: Target, trigger: str) -> None:
    """
    A name may begin or end with what people put around an id: a comma, a bracket, a quote.
    """
    encoded = "".join(f"%{byte:02x}" for byte in trigger.encode())
    with suppress(Misconfigured):
        target = parse_target(f"{target.arm_id}/triggers/{encoded}")

    assert parse_target(target.written) == target


@settings(deadline=None)
@given(target=workflows, trigger=named(r"\w[-\w ()]{0,19}"))
def test_all_triggers_of_a_workflow_share_a_claim(target: Target, trigger: str) -> None:
    """
    A workflow's triggers share its keys, so that two of them are never rotated at the same time.
    """
    assert parse_target(f"{target.arm_id}/triggers/{trigger}").identity == target.identity


@settings(deadline=None)
@given(one=targets, other=targets)
def test_different_targets_have_different_claims(one: Target, other: Target) -> None:
    """
    Two targets share a claim only if their ids differ in case alone.
    """
    assert (one.identity == other.identity) == (one.arm_id.lower() == other.arm_id.lower())


@pytest.mark.parametrize(
    "arm_id",
    [
        "",
        " ",
        "/",
        "account1",
        f"{BATCH}\r\nX-Header: 1",
        f"{BATCH}/pools/p",
        f"{BATCH}#f",
        f"{BATCH};x",
        f"{BATCH},{BATCH}",
        BATCH.replace("/", "\\"),
        BATCH.replace("/", "%2f"),
        BATCH.replace("/", "//"),
        BATCH.replace("/rg/", "/../"),
        BATCH.replace("/rg/", "/./"),
        BATCH.replace("/rg/", "/.../"),
        BATCH.replace("/rg/", "/rg./"),
        BATCH.replace("/rg/", "/rg/../rg2/"),
        BATCH.replace("/rg/", "/%2e%2e/"),
        BATCH.replace("/rg/", "/rg%2frg2/"),
        BATCH.replace("/batchAccounts/", "/batchAccounts%2f"),
        BATCH.replace("/rg/", "//"),
        BATCH.replace("/rg/", "/ /"),
        BATCH.replace("/rg/", "/r g/"),
        BATCH.replace("/rg/", "/r@g/"),
        BATCH.replace("/rg/", "/r:g/"),
        BATCH.replace("/rg/", "/r\x00g/"),
        BATCH.replace("/rg/", "/rg\n/"),
        BATCH.replace("/rg/", f"/{'g' * 91}/"),
        BATCH.replace("account1", "a1"),
        BATCH.replace("account1", "a" * 25),
        BATCH.replace("account1", "acc-ount"),
        BATCH.replace("account1", "acc_ount"),
        BATCH.replace("account1", "..."),
        BATCH.replace("account1", "account1."),
        BATCH.replace("account1", ""),
        BATCH.replace("Microsoft.Batch", "MicrosoftXBatch"),
        BATCH.replace("Microsoft.Batch", "Microsoft.Storage"),
        BATCH.replace(SUBSCRIPTION, "not-a-guid"),
        BATCH.replace(SUBSCRIPTION, SUBSCRIPTION.replace("-", "")),
        BATCH.replace(SUBSCRIPTION, f"{{{SUBSCRIPTION}}}"),
        BATCH.replace(SUBSCRIPTION, ".."),
        SITE,
        f"{SITE}/workflows/",
        f"{SITE}/workflows/..",
        f"{SITE}/workflows/.",
        f"{SITE}/workflows/orders.",
        f"{SITE}/workflows/a.b",
        f"{SITE}/workflows/a%2e",
        f"{SITE}/workflows/{'w' * 81}",
        f"{SITE}/slots/staging/workflows/orders",
        f"{SITE}/hostruntime/admin/host/systemkeys/_master",
        f"{SITE}/hostruntime/runtime/webhooks/workflow/api/workflows/orders",
        f"{SITE}{DESIGNER}{DESIGNER}/workflows/orders",
        WORKFLOW.replace("site1", "-site"),
        WORKFLOW.replace("site1", "site-"),
        WORKFLOW.replace("site1", ".."),
        WORKFLOW.replace("site1", "s" * 61),
        f"{WORKFLOW}/triggers",
        f"{WORKFLOW}/triggers/",
        f"{WORKFLOW}/triggers/..",
        f"{WORKFLOW}/triggers/manual/listCallbackUrl",
        f"{WORKFLOW}/triggers/{'t' * 81}",
        f"{WORKFLOW}/regenerateAccessKey",
    ],
)
def test_anything_else_is_no_target(arm_id: str) -> None:
    """
    What is not exactly an id of the two kinds is refused, whatever it would mean to a URL parser.
    """
    with pytest.raises(Misconfigured):
        parse_target(arm_id)


@pytest.mark.parametrize(
    "arm_id",
    [
        BATCH.replace("account1", f"bac{KELVIN}up"),
        BATCH.replace("account1", f"te{LONG_S}t"),
        BATCH.replace("account1", f"ma{DOTTED_I}n"),
        BATCH.replace("account1", f"{FULLWIDTH_A}ccount1"),
        BATCH.replace("account1", "account\u0661"),
        BATCH.replace("subscriptions", f"{LONG_S}ubscriptions"),
        BATCH.replace("Microsoft.Batch", f"M{DOTTED_I}crosoft.Batch"),
        BATCH.replace(SUBSCRIPTION, SUBSCRIPTION.replace("4000", "\u0664000")),
        WORKFLOW.replace("site1", f"{KELVIN}site"),
        WORKFLOW.replace("site1", f"{LONG_S}ite1"),
        WORKFLOW.replace("workflows", f"wor{KELVIN}flows"),
        BATCH.replace("/rg/", "/rg\u200b/"),
        BATCH.replace("/", "\u2215"),
    ],
)
def test_a_look_alike_is_no_target(arm_id: str) -> None:
    """
    Letters that merely look like, or lower to, the ASCII letters of a name make it another name, which is refused.
    """
    with pytest.raises(Misconfigured):
        parse_target(arm_id)


@pytest.mark.parametrize(
    ("group", "look_alike"),
    [("rk", f"r{KELVIN}"), ("rs", f"r{LONG_S}"), ("ri", f"r{DOTTED_I}"), ("ra", f"r{FULLWIDTH_A}"), ("r1", "r\u0661")],
)
def test_a_look_alike_group_never_shares_a_claim(group: str, look_alike: str) -> None:
    """
    A group whose name only looks like another's is refused, or has claims of its own.
    """
    try:
        found = parse_target(BATCH.replace("/rg/", f"/{look_alike}/"))
    except Misconfigured:
        return
    assert found.identity != parse_target(BATCH.replace("/rg/", f"/{group}/")).identity


@pytest.mark.parametrize(
    "arm_id", ["x" * 1_000_000, BATCH * 20_000, f"{BATCH}\n" * 10_000], ids=["letters", "ids", "lines"]
)
def test_a_refusal_is_short_and_says_what_an_id_looks_like(arm_id: str) -> None:
    """
    However long the text was, the message fits a log line and tells what to write instead.
    """
    with pytest.raises(Misconfigured) as refusal:
        parse_target(arm_id)

    message = str(refusal.value)
    assert len(message) < 1000
    assert "\n" not in message
    assert "Microsoft.Batch/batchAccounts/{account}" in message
    assert "/workflows/{workflow}[/triggers/{trigger}]" in message


@pytest.mark.parametrize("key", KeyName)
def test_each_key_has_one_other(key: KeyName) -> None:
    """
    The alternate of the alternate is the key itself.
    """
    assert key.other is not key
    assert key.other.other is key


@pytest.mark.parametrize("target", [ACCOUNT, ORDERS])
@settings(deadline=None)
@given(one=st.text(min_size=8), other=st.text(min_size=8))
def test_a_fingerprint_tells_keys_apart_and_tells_nobody_the_key(target: Target, one: str, other: str) -> None:
    """
    It is 64 hexadecimal digits whatever the value is, the same for the same value and none of the value's text.
    """
    found = target.fingerprint(KeyMaterial(f"key {one}"))

    assert re.fullmatch(r"[0-9a-f]{64}", found)
    assert (found == target.fingerprint(KeyMaterial(f"key {other}"))) == (one == other)
    assert one not in found


@pytest.mark.parametrize(
    "url",
    [
        "https://site1.azurewebsites.net:443/api/orders?api-version=1&sp=%2Ftriggers&sv=1.0&sig=abc",
        "https://another.example/elsewhere?sig=abc",
        "https://site1.azurewebsites.net/?sig=abc&sp=other",
        "https://site1.azurewebsites.net/?sig=%61bc#fragment",
    ],
)
def test_a_callback_urls_signature_is_all_that_counts(url: str) -> None:
    """
    Two URLs with the same signature come from the same key, whatever else differs.
    """
    assert ORDERS.fingerprint(KeyMaterial(url)) == ORDERS.fingerprint(KeyMaterial("https://x.example/?sig=abc"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "unsigned abc",
        "sig=abc",
        "https://x.example/",
        "https://x.example/?sig=",
        "https://x.example/?sig=abd",
        "https://x.example/?SIG=abc",
        "https://x.example/?sp=1#sig=abc",
        "https://x.example/sig=abc",
        "https://[broken?sig=abd",
        "https://[::1",
        "https://a\u2100b/?sig=x",
        "https://x.example/?sig=\ud800",
        "\ud800",
        "\x00",
    ],
)
@pytest.mark.parametrize("target", [ACCOUNT, ORDERS])
def test_every_text_has_a_fingerprint(target: Target, text: str) -> None:
    """
    A secret may hold anything a person typed: it has a fingerprint, and it is not the one of a live credential.
    """
    live = KeyMaterial("https://x.example/?sig=abc")

    assert target.fingerprint(KeyMaterial(text)) != target.fingerprint(live)
