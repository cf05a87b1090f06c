from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rotation.policy.scope import Scopes
from rotation.policy.tags import is_paused, read_target, renewed, tagged_key
from rotation.vocabulary.endings import Misconfigured, OutOfScope
from rotation.vocabulary.errors import Malformed
from rotation.vocabulary.pasted import arm_path, bare, secret_address, unwrapped
from rotation.vocabulary.secret import parse_secret_id, parse_vault_uri
from rotation.vocabulary.spelling import caseless, oddity
from rotation.vocabulary.target import KeyName
from tests.twins.targets import parse_target

VAULT = "https://my-vault.vault.azure.net"
VERSION = "0123456789abcdef0123456789abcdef"
SECRET = f"{VAULT}/secrets/batch-key"
GROUP = "/subscriptions/00000000-0000-4000-8000-00000000abcd/resourceGroups/rg"
BATCH = f"{GROUP}/providers/Microsoft.Batch/batchAccounts/account1"
SITE = f"{GROUP}/providers/Microsoft.Web/sites/site1"
WORKFLOW = f"{SITE}/workflows/orders"

# What is put around a text: by a shell, a spreadsheet, a ticket, a mail program, a text processor.
AROUND = [
    "{}",
    " {} ",
    "\t{}\r\n",
    "\n\n{}\n",
    "\ufeff{}",
    "{}\u200b",
    "\u00a0{}\u00a0",
    "\u2060{}\u00ad",
    '"{}"',
    "'{}'",
    "`{}`",
    "\u201c{}\u201d",
    "\u201e{}\u201c",
    "<{}>",
    "({})",
    "{},",
    "{};",
    ' "{}", ',
    '["{}"]',
    "'{}",
    "\ufeff<{}>\r\n",
]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        f"{SECRET}/",
        f"{VAULT}:443/secrets/batch-key",
        "HTTPS://MY-VAULT.VAULT.AZURE.NET/SECRETS/BATCH-KEY",
        f"{SECRET}/{VERSION}",
        f"{SECRET}/{VERSION.upper()}/",
        f"{SECRET}?api-version=7.4",
        f"{SECRET}/{VERSION}?api-version=7.4#top",
        SECRET.removeprefix("https://"),
        "https%3A%2F%2Fmy-vault.vault.azure.net%2Fsecrets%2Fbatch-key",
        f"@Microsoft.KeyVault(SecretUri={SECRET}/)",
        f"@Microsoft.KeyVault(SecretUri={SECRET}/{VERSION})",
        f"https://portal.azure.com/#@contoso.com/asset/Microsoft_Azure_KeyVault/Secret/{SECRET}/{VERSION}",
        f"https://ms.portal.azure.com/?feature.x=1#@contoso.com/asset/Microsoft_Azure_KeyVault/Secret/{SECRET}/",
        "https://portal.azure.com/#asset/Microsoft_Azure_KeyVault/Secret/https%3A%2F%2Fmy-vault.vault.azure.net%2Fsecrets%2Fbatch-key",
    ],
)
def test_the_id_of_a_secret_is_read_as_people_copy_it(around: str, written: str) -> None:
    """
    Portals, shells, spreadsheets and tickets put things around an id: it is the same secret.
    """
    found = parse_secret_id(around.format(written))

    assert found.identity == SECRET
    assert found.version in {None, VERSION}
    assert (found.version is None) == (VERSION not in written.lower())


@pytest.mark.parametrize(
    "written", ["https://portal.vault.azure.net/secrets/secret", "portal.vault.azure.net/secrets/secret/"]
)
def test_a_vault_may_have_the_name_of_the_portal(written: str) -> None:
    """
    Only an address of the portal that holds the id of a secret is one.
    """
    assert str(parse_secret_id(written)) == "https://portal.vault.azure.net/secrets/secret"


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("written", [VAULT, f"{VAULT}/", f"{VAULT}:443", VAULT.upper()])
def test_the_uri_of_a_vault_is_read_as_people_copy_it(around: str, written: str) -> None:
    """
    It has one spelling, whatever was around it.
    """
    assert parse_vault_uri(around.format(written)) == VAULT


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(
    "written",
    [
        BATCH,
        f"{BATCH}/",
        BATCH.upper(),
        BATCH.lower(),
        BATCH.removeprefix("/"),
        f"/{BATCH}",
        f"https://management.azure.com{BATCH}",
        f"https://management.azure.com/{BATCH}?api-version=2025-06-01",
        f"https://management.usgovcloudapi.net:443{BATCH}",
        f"https://portal.azure.com/#@contoso.com/resource{BATCH}",
        f"HTTPS://Portal.Azure.com/#@contoso.com/RESOURCE{BATCH.upper()}",
        f"https://portal.azure.com/#resource{BATCH}/",
        f"https://ms.portal.azure.com/#@contoso.com/resource{BATCH}",
        f"https://portal.azure.com/#@contoso.com/resource{BATCH}/overview",
        f"https://portal.azure.com/?feature.x=1#resource{BATCH}/accountKeys?x=1",
        f"https://portal.azure.com/#view/Some_Extension/Blade.ReactView/resourceId/{quote(BATCH, safe='')}/open~/true",
        f"https://portal.azure.us/#blade/Some/Blade/resourceId/{quote(BATCH, safe='').lower()}",
    ],
)
def test_an_arm_id_is_read_as_people_copy_it(around: str, written: str) -> None:
    """
    Every spelling has the same claim, or two workers could rotate one target at the same time.
    """
    found = parse_target(around.format(written))

    assert found.identity == BATCH.lower()
    Scopes([around.format(GROUP)]).require(found)
    assert read_target({" providerADDRESS\u00a0": around.format(written)}, parse_target) == found


@pytest.mark.parametrize(
    "name",
    [
        "manual",
        "When_a_HTTP_request_is_received",
        "When a HTTP request is received",
        "Wenn_eine_HTTP-Anfrage_eingeht_ä",
        "Lorsqu'une requête est reçue",
        "При_получении_запроса",
        "受信時",
        "요청",
        "नमस्ते",
        "e\u0301 as two characters",
    ],
)
def test_a_trigger_may_have_any_letters(name: str) -> None:
    """
    The designer names triggers in the language of the person; in addresses the name is percent-encoded.
    """
    plain = parse_target(f"{WORKFLOW}/triggers/{name}")
    encoded = parse_target(f"{WORKFLOW}/triggers/{''.join(f'%{byte:02x}' for byte in name.encode())}")

    assert plain.names["trigger"] == name
    assert encoded == plain
    assert parse_target(f"{WORKFLOW}/triggers/{name.upper()}").identity == plain.identity


@pytest.mark.parametrize("before", ["https://portal.azure.com/#@contoso.com/resource", "https://management.azure.com"])
def test_an_address_is_taken_off_whatever_letters_follow(before: str) -> None:
    """
    The dotted capital I is two characters in lower case.
    """
    id_ = BATCH.replace("/rg/", "/\u0130\u0130/")

    assert parse_target(before + id_) == parse_target(id_)


def test_a_resource_group_may_have_any_letters() -> None:
    """
    Its claim is the same in any case, and so is its scope.
    """
    id_ = BATCH.replace("/rg/", "/Größe-ЖЗ_(1).x/")
    other = BATCH.replace("/rg/", "/GRößE-жз_(1).X/")

    assert parse_target(id_).identity == parse_target(other).identity
    Scopes([id_.partition("/providers")[0].upper().replace("SS", "ß")]).require(parse_target(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("backup", "bac\u212aup"),  # the Kelvin sign
        ("ibis", "\u0131b\u0131s"),  # the dotless i
        ("ibis", "\u0130bis"),
        ("test", "te\u017ft"),  # the long s
        ("stra\u00dfe", "strasse"),
        ("ffi", "\ufb03"),
        ("abc", "\uff41bc"),
    ],
)
def test_names_that_only_look_alike_are_different_targets(one: str, other: str) -> None:
    """
    Azure compares letter by letter: a look-alike is in no scope that names the other, and has a claim of its own.
    """
    ids = [BATCH.replace("/rg/", f"/x{name}/") for name in (one, other)]
    scopes = Scopes([ids[0].partition("/providers")[0]])

    assert caseless(one) != caseless(other)
    with pytest.raises(OutOfScope):
        scopes.require(parse_target(ids[1]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u03c3", "\u03c2"),  # the two small sigmas, which have one capital letter
        ("\u01c6", "\u01c5"),
        ("\u1fb3", "\u1fbc"),
    ],
)
def test_letters_with_one_capital_letter_are_the_same_target(one: str, other: str) -> None:
    """
    Azure compares capital letters.
    """
    ids = [BATCH.replace("/rg/", f"/x{name}/") for name in (one, other)]

    Scopes([ids[0].partition("/providers")[0]]).require(parse_target(ids[1]))
    assert parse_target(ids[0]).identity == parse_target(ids[1]).identity


def test_an_accent_of_its_own_makes_another_name() -> None:
    """
    Nothing is composed or decomposed.
    """
    one, other = (parse_target(f"{SITE}/workflows/{name}") for name in ("caf\u00e9", "cafe\u0301"))

    assert one.identity != other.identity


@pytest.mark.parametrize(
    ("written", "named"),
    [
        (BATCH.replace("/rg/", "/r\u200bg/"), r"ZERO WIDTH SPACE \(U\+200B\)"),
        (BATCH.replace("account1", "acc\u00adount1"), r"SOFT HYPHEN \(U\+00AD\)"),
        (BATCH.replace("/rg/", "/r\u00a0g/"), r"NO-BREAK SPACE \(U\+00A0\)"),
        (BATCH.replace("Accounts/", "Accounts\u2044"), r"FRACTION SLASH \(U\+2044\)"),
        (BATCH.replace("/rg/", "/r\u3164g/"), r"HANGUL FILLER \(U\+3164\)"),
        (f"{WORKFLOW}\u034f", r"COMBINING GRAPHEME JOINER \(U\+034F\)"),
        (f"{WORKFLOW}/triggers/a\ufe0fb", r"VARIATION SELECTOR-16 \(U\+FE0F\)"),
    ],
)
def test_what_nobody_sees_inside_an_id_is_named(written: str, named: str) -> None:
    """
    It is not left out, which would be a guess: the error says which character it is.
    """
    with pytest.raises(Misconfigured, match=named):
        parse_target(written)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\u200bb", "; it holds ZERO WIDTH SPACE (U+200B), which must be taken out"),
        ("a\u00a0b", "; it holds NO-BREAK SPACE (U+00A0), which must be taken out"),
        ("a\u115fb", "; it holds HANGUL CHOSEONG FILLER (U+115F), which must be taken out"),
        ("a\u0007b", "; it holds a control character (U+0007), which must be taken out"),
        ("a\u2013b", "; it holds EN DASH (U+2013), which no id has"),
        ("a\u2013\u200b", "; it holds EN DASH (U+2013), which no id has"),
        ("a b", ""),
        ("cafe\u0301", ""),
        ("gr\u00f6\u00dfe1+/=", ""),
        ("", ""),
    ],
)
def test_an_overlooked_character_is_named_with_what_to_do(text: str, words: str) -> None:
    """
    The first one; nothing is said of blanks, accents and letters, which a name may have, nor of visible ASCII.
    """
    assert oddity(text) == words


@pytest.mark.parametrize(
    "written",
    [
        f"{VAULT}/secrets/batch\u200bkey",
        f"{VAULT}/secrets/batch\u2013key",
        f"https://portal.azure.com/#@contoso.com/resource{GROUP}",
        "@Microsoft.KeyVault(VaultName=my-vault;SecretName=batch-key)",
        f"{VAULT} /secrets/batch-key",
        f"{VAULT}\u00a0/secrets/batch-key",
        f"{SECRET} {SECRET}",
        f"{SECRET},{SECRET}",
        f"http://my-vault.vault.azure.net/secrets/{VERSION}/x",
    ],
)
def test_what_could_mean_something_else_is_no_secret(written: str) -> None:
    """
    Only what surrounds an id is forgiven.
    """
    with pytest.raises(Malformed):
        parse_secret_id(written)


@pytest.mark.parametrize("around", ["{}", " {}\u00a0", "\ufeff{}\r\n", "\u200b{}"])
@pytest.mark.parametrize("quotes", ["{}", '"{}"', "'{}", "\u201c{}\u201d"])
def test_tags_are_read_without_what_surrounds_them(around: str, quotes: str) -> None:
    """
    A pause that was pasted is a pause.
    """
    assert is_paused({around.format("RotationPaused"): around.format(quotes.format("True"))})
    assert tagged_key({around.format("CredentialId"): around.format(quotes.format("KEY2"))}) is KeyName.SECONDARY


@pytest.mark.parametrize("written", ['"key1"', "'key1", "key1,", "\u201cKEY1\u201d"])
def test_the_next_key_is_written_in_the_style_that_was_pasted(written: str) -> None:
    """
    What surrounds the tag does not hide its style.
    """
    assert renewed({"CredentialId": written}, KeyName.SECONDARY, "id")["CredentialId"].lower() == "key2"


def test_a_look_alike_is_no_key() -> None:
    """
    The Kelvin sign is not a k.
    """
    with pytest.raises(Misconfigured):
        tagged_key({"CredentialId": "\u212aey1"})


@settings(deadline=None)
@given(text=st.text(max_size=60))
@example(text=",?")
def test_taking_off_what_surrounds_a_text_is_done_once(text: str) -> None:
    """
    Nothing is left to be taken off, and what is taken off is never inside.
    """
    for take_off in (bare, unwrapped):
        assert take_off(take_off(text)) == take_off(text)
        assert take_off(text) in text
    assert arm_path(arm_path(text)) == arm_path(text)
    assert secret_address(text).removeprefix("https://") in text or "%" in text


@settings(deadline=None)
@given(text=st.text(max_size=30))
def test_a_text_in_any_case_of_its_letters_is_caseless_once(text: str) -> None:
    """
    The one spelling is its own, has as many letters, and no letter of ASCII comes of another.
    """
    assert caseless(caseless(text)) == caseless(text)
    assert len(caseless(text)) == len(text)
    assert [c.isascii() for c in caseless(text)] == [c.isascii() for c in text]


@given(one=st.text(max_size=30), other=st.text(max_size=30))
@example(one="/ResourceGroups/RG", other="/Gr\u00f6\u00dfe")
@example(one="\u00c4", other="\u0130Stra\u1e9ee")
def test_a_part_of_an_id_is_spelled_as_it_is_alone(one: str, other: str) -> None:
    """
    Whatever letters stand beside it: a scope is found at the beginning of an id.
    """
    assert caseless(one + other) == caseless(one) + caseless(other)


def test_a_name_in_other_letters_is_below_a_scope_in_ascii() -> None:
    """
    The letters of one segment change the spelling of no other.
    """
    Scopes([GROUP]).require(parse_target(f"{SITE}/workflows/Gr\u00f6\u00dfe"))
