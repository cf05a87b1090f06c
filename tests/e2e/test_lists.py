import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from localcloud.cloud import LocalCloud
from tests.e2e.client import Client, Subject


async def test_rotations_are_listed_newest_first_a_page_at_a_time(client: Client) -> None:
    """
    Pages continue without a gap or a repetition, and each item is what GET shows.
    """
    subject = await client.subject()
    records = [(await client.rotate(subject, reason=str(number)))[1] for number in range(5)]

    listed, continuation, pages = [], "", 0
    while pages == 0 or continuation:
        more = f"&continuation={continuation}" if continuation else ""
        status, page, _ = await client.ask("GET", f"/rotations?secret={subject.uri}&top=2{more}")
        assert status == 200
        assert len(page["rotations"]) <= 2
        listed += page["rotations"]
        continuation, pages = page["continuation"], pages + 1

    assert listed == records[::-1]
    assert pages == 3


async def test_rotations_are_found_by_target_secret_state_and_time(client: Client, kind: str) -> None:
    """
    Every filter narrows the list, in any spelling of target and secret.
    """
    subject = await client.subject(kind)
    _, done = await client.rotate(subject)
    client.cloud.vault.set(subject.secret, "stale", tags=client.cloud.vault.current(subject.secret).tags)
    _, problem = await client.rotate(subject)
    since = done["completedOn"]

    async def ids(query: str) -> list[str]:
        status, page, _ = await client.ask("GET", f"/rotations?{query}")
        assert status == 200
        return [record["id"] for record in page["rotations"]]

    both = [problem["rotationId"], done["id"]]
    assert await ids(f"target={subject.target.arm_id.upper()}") == both
    assert await ids(f"secret={subject.uri}") == both
    assert await ids(f"secret={subject.uri}&state=Failed") == both[:1]
    assert await ids(f"secret={subject.uri}&since={since}") == both[:1]
    assert await ids(f"secret={subject.uri}&state=Scheduled") == []


@pytest.mark.parametrize(
    "query",
    [
        "top=0",
        "top=201",
        "top=x",
        "state=Done",
        "since=yesterday",
        "since=2026-01-01T00:00:00",
        "target=/subscriptions/x",
        "secret=batch-key",
        "continuation=x",
        "continuation=WyJ4Il0",
        "sort=id",
        "state=null",
        "since=0.5",
        "since=1700000000",
        "top=1e1",
    ],
)
async def test_a_query_that_cannot_be_read_is_malformed(client: Client, query: str) -> None:
    """
    400 that names the parameters there are.
    """
    status, problem, _ = await client.ask("GET", f"/rotations?{query}")

    assert (status, problem["code"]) == (400, "malformed")
    assert "must" in problem["detail"]


async def test_every_managed_secret_is_shown_with_its_status(client: Client) -> None:
    """
    Each kind of status with its reason, the key it holds, and who shares its target.
    """
    vault, group = client.cloud.vault, str(uuid.uuid4())[:8]
    subject = await client.subject()
    soon = datetime.now(UTC).replace(microsecond=0)
    tags = vault.current(subject.secret).tags
    value = subject.target.value("Primary")
    for name, days, more in (
        ("fine", 60, {}),
        ("due", 29, {}),
        ("overdue", 10, {}),
        ("expired", -1, {}),
        ("paused", 10, {"RotationPaused": "true"}),
        ("wrong", 60, {"ValidityPeriodDays": "7"}),
    ):
        vault.set(f"{group}-{name}", value, tags=tags | more, expires_on=soon + timedelta(days=days))
    vault.set(f"{group}-endless", value, tags=tags)
    vault.set(f"{group}-unmanaged", value, tags={})

    status, page, _ = await client.ask("GET", f"/secrets?refresh=true&top=200&target={subject.target.arm_id}")

    assert (status, page["continuation"]) == (200, None)
    found = {line["secret"]["name"].removeprefix(f"{group}-"): line for line in page["secrets"]}
    assert {name: line["status"] for name, line in found.items()} == {
        subject.secret: "Overdue",
        "fine": "UpToDate",
        "due": "Due",
        "overdue": "Overdue",
        "expired": "Expired",
        "paused": "Paused",
        "wrong": "Misconfigured",
        "endless": "Misconfigured",
    }
    assert "RotationPaused" in found["paused"]["why"]
    assert "ValidityPeriodDays is '7'" in found["wrong"]["why"]
    assert "no expiry date" in found["endless"]["why"]
    assert found["fine"]["keyName"] == "Primary"
    assert found["fine"]["target"] == subject.target.arm_id
    assert f"{vault.uri}/secrets/{group}-due" in found["fine"]["sharesTargetWith"]
    assert f"{vault.uri}/secrets/{group}-fine" not in found["fine"]["sharesTargetWith"]
    assert page["asOf"]


async def test_a_rotation_shows_in_the_inventory_before_the_next_sweep(client: Client, kind: str) -> None:
    """
    The key, the expiry and the last rotation follow the rotation, a failed one included.
    """
    subject = await client.subject(kind)
    await client.ask("GET", "/secrets?refresh=true")
    _, record = await client.rotate(subject)

    async def line() -> dict[str, object]:
        _, page, _ = await client.ask("GET", f"/secrets?target={subject.target.arm_id}")
        (only,) = page["secrets"]
        return dict(only)

    after = await line()
    assert (after["keyName"], after["status"]) == ("Secondary", "UpToDate")
    assert after["expiresOn"] == record["secret"]["expiresOn"]
    assert after["lastRotation"] == {
        "id": record["id"],
        "state": "Completed",
        "trigger": "Http",
        "completedOn": record["completedOn"],
        "error": None,
    }
    _, problem = await client.rotate(subject, key="Secondary")
    failed = await line()
    assert (failed["status"], failed["keyName"]) == ("UpToDate", "Secondary")
    assert failed["lastRotation"] | {"completedOn": ""} == {  # type: ignore[operator]
        "id": problem["rotationId"],
        "state": "Failed",
        "trigger": "Http",
        "completedOn": "",
        "error": "active_key",
    }


async def test_secrets_are_listed_a_page_at_a_time_and_by_status(cloud: LocalCloud, client: Client) -> None:
    """
    Pages continue without a gap or a repetition.
    """
    for _ in range(3):
        await client.subject(RotationPaused="true")
    await client.ask("GET", "/secrets?refresh=true")

    async def names(query: str) -> list[str]:
        found: list[str] = []
        continuation = ""
        while True:
            more = f"&continuation={continuation}" if continuation else ""
            _, page, _ = await client.ask("GET", f"/secrets?{query}{more}")
            found += [line["secret"]["name"] for line in page["secrets"]]
            continuation = page["continuation"]
            if not continuation:
                return found

    assert await names("status=Paused&top=2") == await names("status=Paused&top=200")
    everything = await names("top=2")
    assert everything == sorted(set(everything))
    managed = [
        name
        for name in {secret.name for secret in map(cloud.vault.current, cloud.vault.names())}
        if "ProviderAddress" in cloud.vault.current(name).tags
    ]
    assert sorted(name.lower() for name in managed) == everything


@pytest.mark.parametrize("query", ["top=0", "status=Fine", "refresh=maybe", "target=x", "continuation=WyJ4IiwieSJd"])
async def test_a_query_for_secrets_that_cannot_be_read_is_malformed(client: Client, query: str) -> None:
    """
    400 with the parameter.
    """
    status, problem, _ = await client.ask("GET", f"/secrets?{query}")

    assert (status, problem["code"]) == (400, "malformed")


def path_of(subject: Subject) -> str:
    """
    Return the path of a secret: the authority of its vault's URI, and its name.
    """
    return f"/secrets/{subject.uri.removeprefix('https://').replace('/secrets/', '/')}"


async def get_secret(client: Client, path: str) -> tuple[int, Any]:
    """
    Return what is answered about one secret.
    """
    status, answer, _ = await client.ask("GET", path)
    return status, answer


async def test_one_secret_is_shown_as_the_list_shows_it_with_the_others_of_its_target(
    client: Client, kind: str
) -> None:
    """
    Each with the key that a tag claims and the one that was seen in its value.
    """
    subject = await client.subject(kind)
    twin = f"{subject.secret}-twin"
    client.cloud.put_secret(twin, subject.target.value("Primary"), subject.target.address)
    await client.ask("GET", "/secrets?refresh=true")
    await client.rotate(subject)

    status, shown = await get_secret(client, path_of(subject))

    _, page, _ = await client.ask("GET", f"/secrets?target={subject.target.arm_id}")
    (line,) = [each for each in page["secrets"] if each["secret"]["name"] == subject.secret]
    assert (status, {name: value for name, value in shown.items() if name in line}) == (200, line)
    assert set(shown) - set(line) == {"heldKey", "neighbours"}
    assert (shown["keyName"], shown["heldKey"], shown["verified"]["result"]) == ("Secondary", "Secondary", "Live")
    (neighbour,) = shown["neighbours"]
    assert neighbour == {
        "secret": {"vault": client.cloud.vault.uri, "name": twin},
        "keyName": "Primary",
        "heldKey": None,
        "status": neighbour["status"],
        "verified": None,
        "leakedKey": None,
    }


async def test_a_secret_that_no_sweep_has_found_yet_is_shown(client: Client, kind: str) -> None:
    """
    It was put under management a moment ago.
    """
    subject = await client.subject(kind)

    status, shown = await get_secret(client, path_of(subject))

    assert (status, shown["keyName"], shown["heldKey"], shown["verified"]) == (200, "Primary", None, None)
    assert shown["target"] == subject.target.arm_id
    _, page, _ = await client.ask("GET", f"/secrets?target={subject.target.arm_id}")
    assert page["secrets"] == []


async def test_a_secret_is_verified_on_demand_also_where_no_sweep_does(client: Client, kind: str) -> None:
    """
    With ROTATION_VERIFY_DAYS=0; what was found is shown from then on, with the neighbours too.
    """
    subject = await client.subject(kind)
    twin = f"{subject.secret}-twin"
    client.cloud.put_secret(twin, subject.target.value("Secondary"), subject.target.address)

    for path in (path_of(subject), path_of(subject).replace(subject.secret, twin)):
        status, verified, _ = await client.ask("POST", f"{path}/verify")
        assert (status, verified["verified"]["result"]) == (200, "Live")

    _, shown = await get_secret(client, path_of(subject))
    (neighbour,) = shown["neighbours"]
    assert (shown["keyName"], shown["heldKey"]) == ("Primary", "Primary")
    assert (neighbour["keyName"], neighbour["heldKey"]) == ("Primary", "Secondary")


async def test_vault_and_name_are_read_as_people_copy_them(client: Client) -> None:
    """
    Upper case, blanks, a whole URI, and whatever is percent-encoded, once or twice.
    """
    subject = await client.subject()
    vault = client.cloud.vault.uri.removeprefix("https://")
    spellings = [
        (vault.upper(), subject.secret.upper()),
        (quote(f" {vault} "), quote(f"{subject.secret}\t")),
        (quote(client.cloud.vault.uri, safe=""), quote(f'"{subject.secret}"')),
        (quote(quote(f"{client.cloud.vault.uri}/", safe=""), safe=""), subject.secret.replace("-", "%2D")),
    ]

    answers = [await get_secret(client, f"/secrets/{host}/{name}") for host, name in spellings]

    assert [(status, shown["secret"]["name"].lower()) for status, shown in answers] == [(200, subject.secret)] * 4


@pytest.mark.parametrize(
    ("path", "expected", "said"),
    [
        ("/secrets/other.vault.azure.net/one", (403, "forbidden"), "ROTATION_VAULTS"),
        ("/secrets/not%20a%20vault/one", (403, "forbidden"), "such as my-vault.vault.azure.net"),
        ("/secrets/{vault}/nothing-like-it", (404, "secret_not_found"), "GET /api/secrets lists"),
        ("/secrets/{vault}/no_name", (404, "secret_not_found"), "such as my-secret"),
        ("/secrets/{vault}/plain", (404, "secret_not_found"), "it has no tag ProviderAddress"),
        ("/secrets/{vault}/plain?refresh=true", (400, "malformed"), "no parameters"),
    ],
)
async def test_a_path_that_names_no_managed_secret_says_what_is_wrong(
    client: Client, path: str, expected: tuple[int, str], said: str
) -> None:
    """
    A vault of somebody else, a name that is not there, and a secret that nobody has put under management.
    """
    client.cloud.vault.set("plain", "a value", tags={})

    status, problem = await get_secret(client, path.format(vault=client.cloud.vault.uri.removeprefix("https://")))

    assert (status, problem["code"]) == expected
    assert said in problem["detail"]


async def test_nothing_is_asked_of_a_vault_that_is_not_ours(client: Client) -> None:
    """
    It exists, and holds such a secret.
    """
    subject = await client.subject()
    foreign = await client.cloud.azure.add_vault(f"kv-{uuid.uuid4().hex[:8]}")
    foreign.set(subject.secret, "value", tags=client.cloud.vault.current(subject.secret).tags)
    before = len(list(client.cloud.azure.requests))

    status, problem = await get_secret(client, f"/secrets/{foreign.uri.removeprefix('https://')}/{subject.secret}")

    assert (status, problem["code"]) == (403, "forbidden")
    assert len(list(client.cloud.azure.requests)) == before
