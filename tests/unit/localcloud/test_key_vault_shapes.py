"""
What each answer of a vault must have, as recorded: members in their order, codes, texts and headers.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from localcloud.azure.cloud import LocalAzure
from localcloud.azure.faults import Fault
from localcloud.azure.identity import KEY_VAULT
from localcloud.azure.vault import Vault

ATTRIBUTES = ["enabled", "created", "updated", "recoveryLevel", "recoverableDays"]
DATED = ["enabled", "nbf", "exp", *ATTRIBUTES[1:]]
HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "x-ms-keyvault-region": "westus",
    "x-ms-keyvault-service-version": "1.9.3347.1",
    "x-ms-keyvault-network-info": "conn_type=Ipv4;addr=192.0.2.10;act_addr_fam=InterNetwork;",
}
ROLE = "x-ms-keyvault-rbac-assignment-id"
EXPIRES = datetime(2050, 2, 2, tzinfo=UTC)


class Asked:
    """
    An answer: status, headers and body.
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: Any) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def error(self) -> tuple[int, str, str, str | None]:
        """
        Return status, code, message and inner code.
        """
        error = self.body["error"]
        return self.status, error["code"], error["message"], error.get("innererror", {}).get("code")


class Client:
    """
    A client that shows answers as they come.
    """

    def __init__(self, azure: LocalAzure, http: aiohttp.ClientSession, vault: Vault) -> None:
        self.vault = vault
        self._http = http
        self._headers = {"Authorization": f"Bearer {azure.identity.issue(KEY_VAULT)}"}

    async def ask(self, path: str, method: str = "GET", body: object = None, *, token: str | None = None) -> Asked:
        """
        Send a request, with another token or without one if asked.
        """
        url = path if path.startswith("https") else f"{self.vault.uri}{path}"
        url += ("&" if "?" in url else "?") + "api-version=7.6" if "api-version" not in url else ""
        headers = self._headers if token is None else {"Authorization": f"Bearer {token}"} if token else {}
        async with self._http.request(method, url, json=body, headers=headers) as answer:
            return Asked(answer.status, answer.headers, await answer.json() if answer.content_length else None)


@pytest.fixture
async def client(azure: LocalAzure, http: aiohttp.ClientSession) -> Client:
    """
    Return a client of an empty vault.
    """
    return Client(azure, http, await azure.add_vault("demo-vault"))


async def test_what_is_not_set_is_absent(client: Client) -> None:
    """
    No member is null; the value comes first, tags come last, and times are whole seconds.
    """
    made = await client.ask("/secrets/demo", "PUT", {"value": ""})

    assert made.status == 200
    assert list(made.body) == ["value", "id", "attributes"]
    assert made.body["value"] == ""
    assert re.fullmatch(re.escape(client.vault.uri) + "/secrets/demo/[0-9a-f]{32}", made.body["id"])
    assert list(made.body["attributes"]) == ATTRIBUTES
    assert (made.body["attributes"]["recoveryLevel"], made.body["attributes"]["recoverableDays"]) == (
        "Recoverable+Purgeable",
        90,
    )
    assert isinstance(made.body["attributes"]["created"], int)
    assert made.headers.items() >= (HEADERS | {ROLE: "5" * 32}).items()


async def test_what_is_set_comes_back(client: Client) -> None:
    """
    A set, a get of the current version and a get by version answer alike.
    """
    sent = {
        "value": "invented",
        "tags": {"foo": "created tag"},
        "contentType": "password",
        "attributes": {"enabled": True, "nbf": 1422864000, "exp": 2527401600},
    }
    made = await client.ask("/secrets/demo", "PUT", sent)

    assert list(made.body) == ["value", "contentType", "id", "attributes", "tags"]
    assert list(made.body["attributes"]) == DATED
    assert (await client.ask("/secrets/demo/")).body == made.body
    assert (await client.ask(made.body["id"])).body == made.body


async def test_an_update_answers_without_the_value_and_replaces_tags_whole(client: Client) -> None:
    """
    What is left out stays as it is.
    """
    sent = {"value": "v", "tags": {"A": "1", "B": "2"}, "contentType": "t", "attributes": {"exp": 2527401600}}
    await client.ask("/secrets/demo", "PUT", sent)

    changed = await client.ask("/secrets/demo/", "PATCH", {"attributes": {"enabled": True}, "tags": {"D": "5"}})
    kept = await client.ask("/secrets/demo/", "PATCH", {"attributes": {"enabled": False}})

    assert list(changed.body) == ["contentType", "id", "attributes", "tags"]
    assert (changed.body["contentType"], changed.body["tags"]) == ("t", {"D": "5"})
    assert changed.body["attributes"]["exp"] == 2527401600
    assert kept.body["tags"] == {"D": "5"}
    assert kept.body["attributes"]["enabled"] is False


async def test_a_page_of_secrets_has_no_versions_and_a_link_with_a_port(client: Client) -> None:
    """
    By name, case ignored; the link of the last page is null, not absent.
    """
    for name in ("Gamma", "beta", "ALPHA"):
        client.vault.set(name, "v", tags={"file-encoding": "utf-8"} if name == "beta" else None)

    first = await client.ask("/secrets?maxresults=2")
    last = await client.ask(first.body["nextLink"])

    alpha, beta = first.body["value"]
    assert alpha["id"] == f"{client.vault.uri}/secrets/ALPHA"
    assert (list(alpha), list(beta)) == (["id", "attributes"], ["id", "attributes", "tags"])
    assert first.body["nextLink"].startswith(f"{client.vault.uri}/secrets?api-version=7.6&$skiptoken=")
    assert first.body["nextLink"].endswith("&maxresults=2")
    assert last.body == {"value": [last.body["value"][0]], "nextLink": None}
    assert last.body["value"][0]["id"].endswith("/Gamma")


async def test_the_secret_of_a_certificate_shows_its_key_in_a_get_alone(client: Client) -> None:
    """
    Managed is true in both; a list has no kid.
    """
    version = client.vault.set_certificate("demo-certificate", expires_on=EXPIRES)

    (listed,) = (await client.ask("/secrets")).body["value"]
    found = await client.ask("/secrets/demo-certificate/")

    assert list(listed) == ["contentType", "id", "managed", "attributes"]
    assert listed["managed"] is True
    assert list(found.body) == ["value", "contentType", "id", "managed", "attributes", "kid"]
    assert found.body["kid"] == f"{client.vault.uri}/keys/demo-certificate/{version}"


async def test_versions_come_by_id_and_not_by_time(client: Client) -> None:
    """
    However they were made; times are whole seconds, so that several share one.
    """
    made = [client.vault.set("demo", f"v{number}") for number in range(30)]

    first = await client.ask("/secrets/demo/versions")
    last = await client.ask(first.body["nextLink"])

    listed = [item["id"].rpartition("/")[2] for page in (first, last) for item in page.body["value"]]
    assert listed == sorted(made) != made
    assert {tuple(item) for item in first.body["value"]} == {("id", "attributes")}
    assert all(isinstance(item["attributes"]["created"], int) for item in first.body["value"])


async def test_versions_of_an_unknown_secret_are_none(client: Client) -> None:
    """
    That is no 404.
    """
    answer = await client.ask("/secrets/no-such-secret/versions")

    assert (answer.status, answer.body) == (200, {"value": [], "nextLink": None})


async def test_what_cannot_be_read_says_why(client: Client) -> None:
    """
    Disabled in innererror alone; unknown with the name, and the version where one was asked for.
    """
    version = client.vault.set("demo", "v", enabled=False)
    unknown = (
        "A secret with (name/id) {} was not found in this key vault. If you recently deleted this secret you may be "
        "able to recover it using the correct recovery command. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125182"
    )

    disabled = 403, "Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled"
    assert (await client.ask("/secrets/demo/")).error == disabled
    assert (await client.ask(f"/secrets/demo/{version}")).error == disabled
    missing = await client.ask("/secrets/none/")
    assert missing.error == (404, "SecretNotFound", unknown.format("none"), None)
    assert missing.headers.items() >= (HEADERS | {ROLE: "5" * 32}).items()
    other = f"demo/{'0' * 32}"
    assert (await client.ask(f"/secrets/{other}")).error == (404, "SecretNotFound", unknown.format(other), None)


async def test_the_challenge_is_one_line(client: Client, azure: LocalAzure) -> None:
    """
    It names tenant and resource; a slash at the end makes another audience.
    """
    challenge = re.compile(
        r'Bearer authorization="https://login\.microsoftonline\.com/[0-9a-f-]{36}", resource="https://vault\.azure\.net"'
    )
    missing = await client.ask("/secrets/demo", "PUT", token="")
    wrong = await client.ask("/secrets/demo/", token=azure.identity.issue(f"{KEY_VAULT}/"))

    text = "AKV10000: Request is missing a Bearer, PoP, or MTLS_POP token."
    assert missing.error == (401, "Unauthorized", text, None)
    text = "AKV10022: Invalid audience. Expected https://vault.azure.net, found: https://vault.azure.net/."
    assert wrong.error == (401, "Unauthorized", text, None)
    for answer in (missing, wrong):
        assert challenge.fullmatch(answer.headers["WWW-Authenticate"])
        assert answer.headers.items() >= HEADERS.items()
        assert ROLE not in answer.headers


async def test_a_deletion_has_its_time(client: Client) -> None:
    """
    The secret is gone at once; its name is refused while the deletion lasts, and after it until somebody acts.
    """
    client.vault.set("demo", "v", content_type="text/plain", tags={"foo": "tag"})
    client.vault.set("other", "v")
    client.vault.delete("other")
    client.vault.delete("demo", takes=3600)

    assert (await client.ask("/secrets/demo/")).error[:2] == (404, "SecretNotFound")
    assert (await client.ask("/secrets")).body["value"] == []
    gone = await client.ask("/deletedsecrets/demo")
    assert gone.error == (404, "SecretNotFound", "Deleted Secret not found: demo", None)
    assert (await client.ask("/secrets/demo", "PUT", {"value": "v"})).error == (
        409,
        "Conflict",
        "Secret demo is currently being deleted and cannot be re-created; retry later.",
        "ObjectIsBeingDeleted",
    )
    client.vault.settle()
    assert (await client.ask("/secrets/demo", "PUT", {"value": "v"})).error == (
        409,
        "Conflict",
        (
            "Secret demo is currently in a deleted but recoverable state, and its name cannot be reused; in this "
            "state, the secret can only be recovered or purged."
        ),
        "ObjectIsDeletedButRecoverable",
    )
    deleted = await client.ask("/deletedsecrets/demo")
    members = ["recoveryId", "deletedDate", "scheduledPurgeDate", "contentType", "id", "attributes", "tags"]
    assert list(deleted.body) == members
    assert deleted.body["recoveryId"] == f"{client.vault.uri}/deletedsecrets/demo"
    assert deleted.body["scheduledPurgeDate"] - deleted.body["deletedDate"] == 90 * 86_400
    listed = (await client.ask("/deletedsecrets")).body["value"]
    assert [item["id"].split("/")[-2] for item in listed] == ["demo", "other"]


async def test_a_deleted_secret_is_recovered_or_purged(client: Client) -> None:
    """
    By requests: recovering takes its time too, and brings every version back; purging frees the name.
    """
    versions = [client.vault.set("demo", "v1"), client.vault.set("demo", "v2")]
    deleted = await client.ask("/secrets/demo", "DELETE")
    assert list(deleted.body) == ["recoveryId", "deletedDate", "scheduledPurgeDate", "id", "attributes"]

    recovered = await client.ask("/deletedsecrets/demo/recover", "POST")
    assert recovered.body["id"].endswith(versions[-1])
    assert [version.version for version in client.vault.versions("demo")] == versions

    client.vault.delete("demo")
    client.vault.recover("demo", takes=3600)
    refused = await client.ask("/secrets/demo", "PUT", {"value": "v3"})
    assert refused.error[::3] == (409, "ObjectIsBeingRecovered")
    assert (await client.ask("/secrets/demo/")).status == 404
    client.vault.settle()
    assert (await client.ask("/secrets/demo/")).body["value"] == "v2"

    await client.ask("/secrets/demo", "DELETE")
    assert (await client.ask("/deletedsecrets/demo", "DELETE")).status == 204
    assert (await client.ask("/deletedsecrets/demo", "DELETE")).status == 404
    assert (await client.ask("/secrets/demo", "PUT", {"value": "v4"})).status == 200
    assert len(client.vault.versions("demo")) == 1


@pytest.mark.parametrize(
    ("status", "code", "inner", "text"),
    [
        (401, "Unauthorized", None, "AKV10022: Invalid audience."),
        (403, "Forbidden", "ForbiddenByRbac", "\r\nCaller: appid="),
        (404, "SecretNotFound", None, "A secret with (name/id) demo was not found in this key vault."),
        (409, "Conflict", "ObjectIsBeingDeleted", "Secret demo is currently being deleted"),
        (429, "Throttled", None, "Reason: VaultRequestTypeLimitReached"),
        (500, "InternalServerError", None, ""),
        (503, "ServiceUnavailable", None, ""),
    ],
)
async def test_a_scripted_status_is_worded_as_key_vault_does(
    azure: LocalAzure, client: Client, status: int, code: str, inner: str | None, text: str
) -> None:
    """
    Whatever a fault breaks looks like the real thing.
    """
    client.vault.set("demo", "v")
    azure.faults.add(Fault(operation="Vault.GetSecret", kind="answer", status=status))

    answer = await client.ask("/secrets/demo/")

    assert answer.error[:2] == (status, code)
    assert answer.error[3] == inner
    assert text in answer.error[2]
    assert ("WWW-Authenticate" in answer.headers) is (status == 401)
    assert answer.headers.items() >= HEADERS.items()
