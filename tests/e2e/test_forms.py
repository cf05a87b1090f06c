"""
Ids as portals, shells, spreadsheets and tickets hand them on, through the API and the tags: the rotation completes.
"""

from collections.abc import Callable
from urllib.parse import quote

import pytest

from localcloud.cloud import LocalCloud
from localcloud.kinds.workflow import add_workflow
from tests.e2e.client import Client

Spelling = Callable[[str], str]
JSON = {"Content-Type": "application/json"}

SECRETS: dict[str, Spelling] = {
    "slash at the end": lambda id_: f"{id_}/",
    "upper case": str.upper,
    "blanks around": lambda id_: f" \u00a0{id_}\r\n",
    "byte order mark": lambda id_: f"\ufeff{id_}",
    "quotes": lambda id_: f"\u201c{id_}\u201d",
    "brackets": lambda id_: f"<{id_}>",
    "api-version": lambda id_: f"{id_}?api-version=7.4",
    "reference": lambda id_: f"@Microsoft.KeyVault(SecretUri={id_}/)",
    "portal": lambda id_: f"https://portal.azure.com/#@contoso.com/asset/Microsoft_Azure_KeyVault/Secret/{id_}",
}
TARGETS: dict[str, Spelling] = {
    "slash at the end": lambda id_: f"{id_}/",
    "upper case": str.upper,
    "blanks around": lambda id_: f"\t{id_}\u200b\n",
    "quotes": lambda id_: f"'{id_}'",
    "no slash before it": lambda id_: id_.removeprefix("/"),
    "Resource Manager": lambda id_: f"https://management.azure.com{id_}?api-version=2025-06-01",
    "portal": lambda id_: f"https://portal.azure.com/#@contoso.com/resource{id_}/overview",
    "blade": lambda id_: f"https://portal.azure.com/#view/Some/Blade/resourceId/{quote(id_, safe='')}/open~/true",
    "Markdown": lambda id_: f"(`{id_}`)",
}


@pytest.mark.parametrize("form", SECRETS)
async def test_a_secret_is_rotated_however_its_id_was_copied(client: Client, form: str) -> None:
    """
    With and without version, with what was around it.
    """
    subject = await client.subject()
    id_ = f"{subject.uri}/{subject.version}" if form in {"upper case", "portal"} else subject.uri

    status, record, _ = await client.ask("POST", "/rotations", body={"secret": SECRETS[form](id_)})

    assert (status, record["state"]) == (200, "Completed")
    assert subject.holds("Secondary")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
async def test_a_body_is_read_in_the_encoding_that_it_has(client: Client, encoding: str) -> None:
    """
    As shells and editors write files.
    """
    subject = await client.subject()
    body = f'{{"secret": "{subject.uri}", "reason": "für später"}}\r\n'.encode(encoding)

    status, record, _ = await client.ask("POST", "/rotations", raw=body, headers=JSON)

    assert (status, record["state"], record["reason"]) == (200, "Completed", "für später")


@pytest.mark.parametrize("form", TARGETS)
async def test_a_secret_is_rotated_however_its_target_is_spelled(
    cloud: LocalCloud, client: Client, kind: str, form: str
) -> None:
    """
    In the tag, in the filter of the list, and with what people put around the other tags.
    """
    subject = await client.subject(kind)
    address = subject.target.address
    tags = {"CredentialId": " KEY1\n", "ValidityPeriodDays": "\ufeff90 "}
    cloud.put_secret(subject.secret, subject.target.value("Primary"), TARGETS[form](address), **tags)

    status, record = await client.rotate(subject)

    assert (status, record.get("state")) == (200, "Completed"), record
    assert subject.holds("Secondary")
    status, page, _ = await client.ask("GET", f"/rotations?target=%20{subject.target.arm_id.upper()}/%0A")
    assert [item["id"] for item in page["rotations"]] == [record["id"]]


@pytest.mark.parametrize("trigger", ["Wenn_eine_Anfrage_eingeht_\u00e4", "When a HTTP request is received", "受信時"])
async def test_a_trigger_is_found_whatever_letters_its_name_has(
    cloud: LocalCloud, client: Client, trigger: str
) -> None:
    """
    Named in the tag, in another case, and percent-encoded in addresses.
    """
    site = f"letters{len(trigger)}"
    workflow = await add_workflow(cloud.azure, "orders", site=site, triggers=(trigger,))
    address = f"{workflow.arm_id}/triggers/{trigger.upper()}"
    cloud.put_secret(f"{site}-url", workflow.callback_url(trigger, "Primary"), address)

    status, record, _ = await client.ask("POST", "/rotations", body={"secret": f"{cloud.vault.uri}/secrets/{site}-url"})

    assert (status, record.get("state")) == (200, "Completed"), record
    assert cloud.vault.current(f"{site}-url").value == workflow.callback_url(trigger, "Secondary")
