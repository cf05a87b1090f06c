import json
from typing import Any

import pytest

from handlers.key_vault_events import read_secret, read_trigger
from rotation.vocabulary.errors import Malformed
from rotation.vocabulary.request import Trigger
from rotation.vocabulary.secret import SecretId

VERSION = "0123456789abcdef0123456789abcdef"
VAULT = "https://kv.vault.azure.net"
VAULTS = [VAULT, "https://other.vault.azure.net", "https://kv-two.example.com:8443"]
NAMED = {"VaultName": "kv", "ObjectName": "batch-key", "Version": VERSION}
ID = f"{VAULT}/secrets/batch-key/{VERSION}"


@pytest.mark.parametrize(
    "data",
    [
        {"Id": ID},
        {"id": ID, "exp": "1789999999", "nbf": None},
        {" ID\t": f" {VAULT}/secrets/batch-key/ {VERSION}\r\n"},
        {"\ufeffId": f"\ufeff{ID}\u200b"},
        {"Id": f"{VAULT}:443/secrets/batch-key/{VERSION}"},
        {"Id": f"{ID}/"},
        {"Id": f"{ID}?api-version=7.4"},
        {"Id": f"{ID}#overview"},
        {"Id": ID.replace("/", "%2F").replace(":", "%3A")},
        {"Id": ID.removeprefix("https://")},
        {"Id": f"{VAULT}/secrets/batch-key", "Version": VERSION},
        {"Id": f"{VAULT}/secrets/batch-key/", "Version": f" {VERSION.upper()}"},
        {"Id": ID, "VaultName": "elsewhere", "ObjectName": "another", "Version": "f" * 32},
        NAMED,
        NAMED | {"Id": None},
        NAMED | {"Id": " "},
        NAMED | {"Id": 7},
        {"vaultname": "kv", "objectname": "batch-key", "version": VERSION},
        {"VaultName ": " KV ", "ObjectName ": "\tbatch-key", " Version": f" {VERSION}", "EXP": 1.5, "NBF": "0"},
        NAMED | {"VaultName": VAULT},
        NAMED | {"VaultName": f"{VAULT}/"},
        NAMED | {"VaultName": "kv.vault.azure.net"},
        NAMED | {"VaultName": "KV.VAULT.AZURE.NET:443"},
        json.dumps({"Id": ID}),
        "\ufeff" + json.dumps(NAMED),
        [{"Id": ID}],
        json.dumps([{"Id": ID}]),
        [json.dumps(NAMED)],
    ],
    ids=lambda data: json.dumps(data)[:70],
)
def test_one_version_is_read_in_every_form(data: Any) -> None:
    """
    The same vault, name and version, whatever a sample or a relay made of them.
    """
    secret = read_secret(data, VAULTS)

    assert secret == SecretId(VAULT, "batch-key", VERSION)


@pytest.mark.parametrize(
    "data",
    [
        {"Id": f"{VAULT}/secrets/batch-key"},
        {"Id": f"{VAULT}/secrets/batch-key/", "Version": None},
        {"Id": f"{VAULT}/secrets/batch-key", "Version": ""},
        NAMED | {"Version": None},
        NAMED | {"Version": "  "},
        {"VaultName": "kv", "ObjectName": "batch-key"},
    ],
    ids=lambda data: json.dumps(data)[:70],
)
def test_an_event_without_a_version_means_the_secret(data: Any) -> None:
    """
    Which version that is, the worker decides.
    """
    assert read_secret(data, VAULTS) == SecretId(VAULT, "batch-key")


@pytest.mark.parametrize("written", ["HTTPS://KV.VAULT.AZURE.NET/SECRETS/BATCH-KEY/" + VERSION.upper(), ID.upper()])
def test_an_id_in_upper_case_is_the_same_secret(written: str) -> None:
    """
    The case of a name does not matter to Key Vault, and stays as it is written.
    """
    secret = read_secret({"Id": written}, VAULTS)

    assert (secret.identity, secret.version) == (f"{VAULT}/secrets/batch-key", VERSION)


def test_a_short_vault_name_is_the_first_label_of_a_configured_vault() -> None:
    """
    With the port that the settings name; a name that none of them has is another vault's.
    """
    ours = read_secret({"VaultName": "kv-two", "ObjectName": "n"}, VAULTS)
    foreign = read_secret({"VaultName": "kv-three", "ObjectName": "n"}, VAULTS)

    assert ours.vault == "https://kv-two.example.com:8443"
    assert foreign.vault not in VAULTS


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({}, "data.Id"),
        (None, "data.Id"),
        ("not JSON", "data.Id"),
        ([], "data.Id"),
        ([{"Id": ID}, {"Id": ID}], "data.Id"),
        ({"VaultName": "kv"}, "data.ObjectName"),
        ({"ObjectName": "n", "Version": VERSION}, "data.VaultName"),
        ({"Id": f"{VAULT}/keys/n/{VERSION}"}, "is not the id of a secret"),
        ({"Id": f"{VAULT}@evil.example/secrets/n/{VERSION}"}, "is not a vault's URI"),
        ({"Id": f"{VAULT}/secrets/n", "Version": "latest"}, "is not the id of a secret"),
        (NAMED | {"Version": "latest"}, "is not the id of a secret"),
        (NAMED | {"VaultName": "kv/secrets/x"}, "is not a vault's URI"),
        (NAMED | {"VaultName": "k v!"}, "is not a vault's URI"),
        (NAMED | {"ObjectName": "../keys/n"}, "is not the id of a secret"),
        (NAMED | {"ObjectName": f"n/{VERSION}"}, "is not the name of a secret"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_what_cannot_be_read_says_which_part(data: Any, says: str) -> None:
    """
    One sentence for the log.
    """
    with pytest.raises(Malformed, match=says):
        read_secret(data, VAULTS)


def test_a_short_name_that_several_vaults_have_is_ambiguous() -> None:
    """
    None is guessed: the message names them, and asks for the id.
    """
    vaults = ["https://kv.vault.azure.net", "https://kv.private.example"]

    with pytest.raises(
        Malformed, match=r"'kv' means several of ROTATION_VAULTS: https://kv\.vault\.azure\.net, https://kv"
    ):
        read_secret(NAMED, vaults)


@pytest.mark.parametrize(
    ("kind", "trigger"),
    [
        ("Microsoft.KeyVault.SecretNearExpiry", Trigger.SECRET_NEAR_EXPIRY),
        ("microsoft.keyvault.SECRETEXPIRED ", Trigger.SECRET_EXPIRED),
        ("Microsoft.KeyVault.KeyNearExpiry", None),
        ("SecretNearExpiry", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_a_type_is_read_in_any_case(kind: object, trigger: Trigger | None) -> None:
    """
    Event Grid compares types without regard to case; another type starts nothing.
    """
    assert read_trigger(kind) is trigger
