import pytest

from handlers.reading import read_secret_path, require_nothing_else
from rotation.vocabulary.errors import Forbidden, Malformed, UnknownSecret
from rotation.vocabulary.secret import SecretId

SECRET = SecretId("https://my-vault.vault.azure.net", "my-secret")


@pytest.mark.parametrize(
    "vault",
    [
        "my-vault.vault.azure.net",
        "MY-VAULT.vault.Azure.net",
        " my-vault.vault.azure.net\t",
        "my-vault.vault.azure.net:443",
        "my-vault.vault.azure.net/",
        "https://my-vault.vault.azure.net/",
        "https%3A%2F%2Fmy-vault.vault.azure.net%2F",
        "my%2Dvault.vault.azure.net",
        "'my-vault.vault.azure.net'",
        "\ufeffmy-vault.vault.azure.net",
    ],
)
def test_a_vault_in_a_path_is_read_as_people_copy_it(vault: str) -> None:
    """
    The host of its URI, or the URI, also where the host has left an encoded character as it was.
    """
    assert read_secret_path(vault, "my-secret") == SECRET


@pytest.mark.parametrize("name", [" my-secret ", "my-secret/", "my%2Dsecret", '"my-secret"', "my%2dsecret%20"])
def test_a_name_in_a_path_is_read_as_people_copy_it(name: str) -> None:
    """
    What surrounds it is taken off; its case is the vault's affair.
    """
    assert read_secret_path("my-vault.vault.azure.net", name) == SECRET
    assert read_secret_path("my-vault.vault.azure.net", "MY-Secret").identity == SECRET.identity


def test_a_port_belongs_to_the_vault() -> None:
    """
    A private cloud has one.
    """
    assert read_secret_path("localhost:8443", "one") == SecretId("https://localhost:8443", "one")
    assert read_secret_path("localhost%3A8443", "one") == SecretId("https://localhost:8443", "one")


@pytest.mark.parametrize(
    "vault",
    [
        "",
        "my vault",
        "http://my-vault.vault.azure.net",
        "user@my-vault.vault.azure.net",
        "my-vault.vault.azure.net:99999",
        "my-vault.vault.azure.net/secrets/other",
        "my-vault.vault.azure.net?x",
        "my-vault.vault.azure.net#",
        "my-vault.vault.azure.net\\x",
        "..",
        "my-v\u0430ult.vault.azure.net",
    ],
)
def test_what_is_no_vault_is_none_of_ours_and_the_form_is_shown(vault: str) -> None:
    """
    It is no other vault either, whatever stands behind it.
    """
    with pytest.raises(Forbidden, match=r"such as my-vault\.vault\.azure\.net"):
        read_secret_path(vault, "my-secret")


@pytest.mark.parametrize("name", ["", "o ne", "one/two", "one?x", "../one", "x" * 128, "s\u00e9cret", "one%00", "%"])
def test_what_is_no_name_is_no_secret_and_the_form_is_shown(name: str) -> None:
    """
    Nothing is cut off to make it one.
    """
    with pytest.raises(UnknownSecret, match="such as my-secret"):
        read_secret_path("my-vault.vault.azure.net", name)


def test_a_key_that_was_pasted_into_a_path_is_not_shown() -> None:
    """
    An error quotes what it was given, but for what may be a key.
    """
    key = "q" * 40 + "+/=="
    for vault, name in ((key, "one"), ("my-vault.vault.azure.net", key)):
        with pytest.raises((Forbidden, UnknownSecret)) as refused:
            read_secret_path(vault, name)
        assert "qqq" not in str(refused.value)


@pytest.mark.parametrize("body", [b"", b"  \r\n", b"{}", "\ufeff{}".encode(), "{}".encode("utf-16")])
def test_a_call_that_its_path_says_all_of_takes_an_empty_body(body: bytes) -> None:
    """
    Some clients send an empty object with every POST.
    """
    require_nothing_else({}, body)


@pytest.mark.parametrize(
    ("query", "body", "said"),
    [
        ({"refresh": "true"}, b"", "the query has 'refresh'"),
        ({}, b'{"force": true}', "no body"),
        ({}, b"null", "no body"),
        ({}, b"\xff\xfe\xff", "no body"),
    ],
)
def test_what_would_be_left_out_is_refused(query: dict[str, str], body: bytes, said: str) -> None:
    """
    And the error says what the call takes.
    """
    with pytest.raises(Malformed, match=said):
        require_nothing_else(query, body)
