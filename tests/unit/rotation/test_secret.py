import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotation.vocabulary.errors import Malformed
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.secret import SecretId, SecretVersion, parse_secret_id, parse_vault_uri

VAULT = "https://my-vault.vault.azure.net"
SECRET = f"{VAULT}/secrets/batch-key"
VERSION = "0123456789abcdef0123456789abcdef"

names = st.from_regex(re.compile(r"[0-9a-zA-Z-]{1,127}", re.ASCII), fullmatch=True)
versions = st.none() | st.from_regex(re.compile(r"[0-9a-f]{32}", re.ASCII), fullmatch=True)
hosts = st.from_regex(re.compile(r"[a-z][-a-z0-9]{1,20}[a-z0-9]\.vault\.azure\.net", re.ASCII), fullmatch=True)


@pytest.mark.parametrize(
    ("uri", "vault"),
    [
        (VAULT, VAULT),
        (f"{VAULT}/", VAULT),
        (f"{VAULT}:443", VAULT),
        (f"{VAULT}:443/", VAULT),
        (VAULT.upper(), VAULT),
        ("https://localhost:8443", "https://localhost:8443"),
        ("https://127.0.0.1:1", "https://127.0.0.1:1"),
        ("https://kv.vault.azure.cn", "https://kv.vault.azure.cn"),
    ],
)
def test_a_vault_has_one_spelling(uri: str, vault: str) -> None:
    """
    Case, a slash at the end and the usual port make no other vault.
    """
    assert parse_vault_uri(uri) == vault


NO_VAULTS = [
    "",
    "my-vault",
    "my-vault.vault.azure.net",
    "//my-vault.vault.azure.net",
    "http://my-vault.vault.azure.net",
    "ftp://my-vault.vault.azure.net",
    "https:/my-vault.vault.azure.net",
    "https:my-vault.vault.azure.net",
    "https://",
    "https:///",
    "https://.",
    "https://..",
    "https://-",
    "https://.vault.azure.net",
    "https://-kv.vault.azure.net",
    f"{VAULT}.",
    f"{VAULT}-",
    f"{VAULT}:",
    f"{VAULT}:x",
    f"{VAULT}:-1",
    f"{VAULT}:0x1bb",
    f"{VAULT}:123456",
    f"{VAULT}:99999",
    f"{VAULT}:\u0664\u0664\u0663",
    f"{VAULT}//",
    f"{VAULT}?x",
    f"{VAULT}#x",
    f"{VAULT};x",
    f"{VAULT},{VAULT}",
    "https://user@my-vault.vault.azure.net",
    "https://my-vault.vault.azure.net@evil.example",
    "https://my-vault.vault.azure.net:443@evil.example",
    "https://evil.example\\@my-vault.vault.azure.net",
    "https:\\\\my-vault.vault.azure.net",
    "https://evil.example\\.vault.azure.net",
    "https://my vault.vault.azure.net",
    "https://my_vault.vault.azure.net",
    "https://my%2dvault.vault.azure.net",
    "https://[::1]",
    "https://my\n-vault.vault.azure.net",
    "https://my-vault.vault\u3002azure.net",
    "https://my-vault.vault.azure\uff0enet",
    "https://\uff4dy-vault.vault.azure.net",
    "https://my-vault.vau\u217ct.azure.net",
    "https://bac\u212aup.vault.azure.net",
    "https://te\u017ft.vault.azure.net",
    "https://ma\u0130n.vault.azure.net",
    "https://ma\u0131n.vault.azure.net",
    "http\u017f://my-vault.vault.azure.net",
]


@pytest.mark.parametrize("uri", [*NO_VAULTS, f"{VAULT}/secrets", f"{VAULT}/..", f"{VAULT}/."])
def test_anything_else_is_no_vault(uri: str) -> None:
    """
    User info, paths, queries, odd ports, line breaks and look-alikes are refused, not forgiven.
    """
    with pytest.raises(Malformed):
        parse_vault_uri(uri)


@pytest.mark.parametrize(
    "uri", [uri for uri in NO_VAULTS if not uri.endswith("/") and uri != "my-vault.vault.azure.net"]
)
def test_what_is_no_vault_has_no_secrets(uri: str) -> None:
    """
    A secret's id is refused for whatever a vault's URI is refused for.
    """
    with pytest.raises(Malformed):
        parse_secret_id(f"{uri}/secrets/batch-key")


@pytest.mark.parametrize("port", ["0443", "00443", "008443"])
def test_a_port_has_one_spelling(port: str) -> None:
    """
    Noughts before a port make no other vault: they are dropped or refused.
    """
    try:
        vault = parse_vault_uri(f"{VAULT}:{port}")
    except Malformed:
        return
    assert vault == parse_vault_uri(f"{VAULT}:{int(port)}")


@pytest.mark.parametrize(
    ("uri", "secret"),
    [
        (SECRET, SecretId(VAULT, "batch-key")),
        (f"{SECRET}/{VERSION}", SecretId(VAULT, "batch-key", VERSION)),
        ("HTTPS://MY-VAULT.vault.azure.net/Secrets/Batch-Key", SecretId(VAULT, "Batch-Key")),
        (f"{VAULT}:443/secrets/n", SecretId(VAULT, "n")),
        (f"https://localhost:8443/secrets/n/{VERSION}", SecretId("https://localhost:8443", "n", VERSION)),
        (f"{VAULT}/secrets/{'n' * 127}", SecretId(VAULT, "n" * 127)),
    ],
)
def test_an_id_names_a_secret_or_a_version(uri: str, secret: SecretId) -> None:
    """
    Both forms of Key Vault's ids are read, the vault in its one spelling.
    """
    assert parse_secret_id(uri) == secret


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "batch-key",
        VAULT,
        f"{VAULT}/secrets",
        f"{VAULT}/secrets/",
        f"{VAULT}/keys/batch-key",
        f"{VAULT}/secrets/..",
        f"{VAULT}/secrets/.",
        f"{VAULT}/secrets/../keys/k",
        f"{VAULT}/keys/../secrets/n",
        f"{VAULT}//secrets/n",
        f"{VAULT}/secrets//n",
        f"{VAULT}/x/secrets/n",
        f"{VAULT}/deletedsecrets/n",
        f"{VAULT}/secrets/n%2f..",
        f"{VAULT}/secrets/a.b",
        f"{VAULT}/secrets/a_b",
        f"{VAULT}/secrets/a b",
        f"{VAULT}/secrets/n\\..",
        f"{VAULT}/secrets/{'n' * 128}",
        f"{VAULT}/secrets/te\u017ft",
        f"{VAULT}/secrets/bac\u212aup",
        f"{VAULT}/secrets/\uff4e",
        f"{VAULT}/secrets/n\u0661",
        f"{SECRET}/latest",
        f"{SECRET}/..",
        f"{SECRET}/backup",
        f"{SECRET}/{VERSION}0",
        f"{SECRET}/{VERSION[:-1]}",
        f"{SECRET}/{VERSION[:-1]}g",
        f"{SECRET}/{VERSION[:-1]}\u0661",
        f"{SECRET}/{VERSION}/{VERSION}",
        f"{SECRET}\\{VERSION}",
        "https://evil.example/?https://my-vault.vault.azure.net/secrets/n",
        "https://evil.example/https://my-vault.vault.azure.net/secrets/n",
        "https://evil.example#@my-vault.vault.azure.net/secrets/n",
    ],
)
def test_anything_else_is_no_secret(uri: str) -> None:
    """
    No path trick, other collection, query or odd version passes for a secret's id.
    """
    with pytest.raises(Malformed):
        parse_secret_id(uri)


@settings(deadline=None)
@given(host=hosts, name=names, version=versions)
def test_a_secrets_id_survives_a_round_trip(host: str, name: str, version: str | None) -> None:
    """
    What an id prints is read back as the same id, and its parts are found again.
    """
    secret = SecretId(f"https://{host}", name, version)

    assert parse_secret_id(str(secret)) == secret
    assert parse_secret_id(secret.unversioned) == SecretId(secret.vault, name)
    assert parse_secret_id(str(secret).upper()).identity == parse_secret_id(str(secret).lower()).identity
    assert secret.at(VERSION) == SecretId(secret.vault, name, VERSION)


def test_a_versions_case_makes_no_other_version() -> None:
    """
    Every spelling of a version that is accepted is the same version, so that a pin finds it.
    """
    try:
        found = parse_secret_id(f"{SECRET}/{VERSION.upper()}")
    except Malformed:
        return
    assert found.version == VERSION


@pytest.mark.parametrize(
    "uri",
    [
        "x" * 1_000_000,
        f"{SECRET}/" * 100_000,
        f"https://{'a-' * 500_000}",
        "https://a:" * 9_999,
        "(" * 500_000 + ")" * 500_000,
    ],
    ids=["letters", "ids", "host", "ports", "brackets"],
)
def test_a_refusal_is_short_and_says_what_an_id_looks_like(uri: str) -> None:
    """
    However long the text was, the message fits a log line and shows an example.
    """
    for parse in (parse_vault_uri, parse_secret_id):
        with pytest.raises(Malformed, match=r"it must look like https://my-vault\.vault\.azure\.net") as refusal:
            parse(uri)
        assert len(str(refusal.value)) < 600


def test_a_version_shown_does_not_show_its_value() -> None:
    """
    The representation of a secret's version, which a log may get, hides the value.
    """
    secret = SecretId(VAULT, "n", VERSION)
    made_on, expires_on = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    version = SecretVersion(secret, KeyMaterial("s3cr3t"), True, {"a": "b"}, None, expires_on, made_on)

    assert version.version == VERSION
    for shown in (repr(version), str(version), f"{version}"):
        assert VERSION in shown
        assert "s3cr3t" not in shown
