from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.faults import Fault
from localcloud.cloud import LocalCloud
from localcloud.kinds import KINDS
from localcloud.kinds.batch import add_batch_account
from rotation.vocabulary.request import request_for_sweep
from rotation.vocabulary.secret import SecretId
from tests.e2e.client import Client, Subject
from tests.e2e.conftest import assert_nothing_leaked

SECRETS = 60
VAULTS = ("kv-one", "kv-two")


@pytest.fixture
async def client(ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """
    Yield a client of an app with two vaults of its own, in which nothing is due yet.
    """
    directory = tmp_path_factory.mktemp("swept-cloud")
    async with LocalCloud(directory, ca=ca, vault_names=VAULTS, is_impatient=True) as cloud:
        yield Client(cloud)
        assert_nothing_leaked(cloud)


async def sweep(client: Client) -> None:
    """
    Let the timer come, and wait until what it has found is done.
    """
    await client.host.run("sweep_vaults")
    await client.idle()


def sweeps_id(subject: Subject) -> str:
    """
    Return the id of the rotation that a sweep asks for today.
    """
    uri, _, name = subject.uri.rpartition("/secrets/")
    return request_for_sweep(SecretId(uri, name, subject.version), datetime.now(UTC)).id


async def test_a_due_secret_whose_event_never_came_is_rotated_once_by_the_sweep(client: Client) -> None:
    """
    One of each kind; also when another sweep runs, and when the event comes late after all.
    """
    subjects = [await client.subject(kind.name) for kind in KINDS]
    versions = [subject.version for subject in subjects]
    await client.cloud.subscribe()
    expected = [sweeps_id(subject) for subject in subjects]
    late = [subject.rotation_id() for subject in subjects]

    await sweep(client)
    records = [await client.ended(rotation_id) for rotation_id in expected]
    for version in versions:
        await client.cloud.vault.publish(version)
    ended = [await client.ended(rotation_id) for rotation_id in late]
    for version in versions:
        await client.cloud.vault.publish(version, "SecretExpired")
    await sweep(client)

    assert [(record["state"], record["trigger"]) for record in records] == [("Completed", "Sweep")] * len(KINDS)
    assert [record["secret"]["previousVersion"] for record in records] == versions
    assert all(subject.holds("Secondary") for subject in subjects)
    await client.idle()
    assert [subject.regenerations() for subject in subjects] == [1] * len(KINDS)
    assert [len(client.cloud.vault.versions(subject.secret)) for subject in subjects] == [2] * len(KINDS)
    assert [(record["state"], record["skipReason"]) for record in ended] == [("Skipped", "superseded")] * len(KINDS)


async def test_a_sweep_that_verifies_nothing_asks_for_pages_and_for_what_is_due(
    tmp_path: Path, ca: CertificateAuthority
) -> None:
    """
    Two vaults, many secrets: no request for one that is not due, and none to ARM.
    """
    async with LocalCloud(tmp_path, ca=ca, vault_names=VAULTS, is_impatient=True, ROTATION_VERIFY_DAYS="0") as cloud:
        account = await add_batch_account(cloud.azure, "shared")
        expires_on = datetime.now(UTC).replace(microsecond=0)
        tags = {"ProviderAddress": account.arm_id, "CredentialId": "Primary", "ValidityPeriodDays": "90"}
        for vault in cloud.vaults:
            for number in range(SECRETS):
                vault.set(f"s{number}", account.value("Primary"), tags=tags, expires_on=expires_on + timedelta(days=31))
        cloud.vault.set("due", account.value("Primary"), tags=tags, expires_on=expires_on + timedelta(days=29))
        # What is put into the queue is kept from running.
        cloud.azure.faults.add(Fault(operation="Vault.GetSecret", kind="hang", skip=1, times=None))
        requests = cloud.azure.requests
        requests.clear()

        await cloud.host.run("sweep_vaults")

        assert requests.count("Vault.ListSecrets") == sum(-(-len(vault.names()) // 25) for vault in cloud.vaults)
        read = [entry for entry in requests if entry.took_effect and entry.operation == "Vault.GetSecret"]
        assert [entry.target for entry in read] == [f"{cloud.vault.uri}/secrets/due"]
        assert not [entry for entry in requests if "List" in str(entry.operation) and "Vault" not in entry.operation]
        cloud.azure.faults.clear()
        await Client(cloud).idle()


async def test_a_broken_vault_or_secret_stops_nothing_else_and_is_shown(client: Client) -> None:
    """
    The first vault cannot be listed, a secret of the second cannot be read, and another one there is rotated.
    """
    subject = await client.subject()
    one, two = client.cloud.vaults
    for name in (subject.secret, "unreadable", "mistagged"):
        held = client.cloud.vault.current(subject.secret)
        tags = held.tags | ({"CredentialId": "third"} if name == "mistagged" else {})
        two.set(name, held.value, tags=tags, expires_on=held.expires_on)
    # Once it has been looked through, what it holds is known while it is broken.
    await client.ask("GET", "/secrets?refresh=true")
    faults = client.cloud.azure.faults
    faults.add(
        Fault(operation="Vault.ListSecrets", kind="answer", status=403, code="Forbidden", target=one.uri, times=None)
    )
    faults.add(
        Fault(
            operation="Vault.GetSecret",
            kind="answer",
            status=403,
            code="Forbidden",
            target=f"{two.uri}/secrets/unreadable",
        )
    )

    await sweep(client)
    faults.clear()

    _, page, _ = await client.ask("GET", "/secrets")
    lines = {(line["secret"]["vault"], line["secret"]["name"]): line for line in page["secrets"]}
    vault_line = lines[one.uri, None]
    assert (vault_line["status"], "403" in vault_line["why"]) == ("Misconfigured", True)
    assert lines[two.uri, "unreadable"]["status"] == "Misconfigured"
    assert "403" in lines[two.uri, "unreadable"]["why"]
    assert "CredentialId is 'third'" in lines[two.uri, "mistagged"]["why"]
    assert lines[two.uri, subject.secret]["status"] == "UpToDate"
    assert len(two.versions(subject.secret)) == 2
    _, health, _ = await client.ask("GET", "/health")
    assert health["checks"]["secrets"] == "needs attention"
    assert health["status"] == "Healthy"


async def test_secrets_that_share_a_target_end_on_live_keys_whichever_is_due(client: Client) -> None:
    """
    A sweep finds both due at once, for each kind; whichever comes first, neither loses the key that it holds.
    """
    vault = client.cloud.vault
    others = {f"other-{kind}": await client.subject(kind.name) for kind in KINDS}
    for other, subject in others.items():
        held = vault.current(subject.secret)
        tags = held.tags | {"CredentialId": "Secondary"}
        vault.set(other, subject.target.value("Secondary"), tags=tags, expires_on=held.expires_on)

    await sweep(client)
    await client.pass_time()
    await client.host.run("resume_rotations")
    await client.idle()

    for other, subject in others.items():
        live = {subject.target.value("Primary"), subject.target.value("Secondary")}
        assert vault.current(subject.secret).value in live
        assert vault.current(other).value in live
        _, page, _ = await client.ask("GET", f"/secrets?target={subject.target.arm_id}")
        shares = {line["secret"]["name"]: line["sharesTargetWith"] for line in page["secrets"]}
        assert shares == {other: [subject.uri], subject.secret: [f"{vault.uri}/secrets/{other}"]}


async def test_drift_is_healed_by_the_sweep_where_the_app_itself_stored_the_version(client: Client) -> None:
    """
    A key regenerated by hand after a rotation: when the secret is due, a live value is stored without force.
    """
    subject = await client.subject()
    await client.rotate(subject)
    vault = client.cloud.vault
    current = vault.current(subject.secret)
    subject.target.regenerate("Secondary")
    vault.expire(subject.secret, datetime.now(UTC) + timedelta(days=10))
    foreign = await client.subject()
    foreign.target.regenerate("Primary")

    expected, failing = sweeps_id(subject), sweeps_id(foreign)
    await sweep(client)

    assert (await client.ended(expected))["state"] == "Completed"
    assert subject.holds("Secondary")
    assert vault.current(subject.secret).version != current.version
    assert (await client.ended(failing))["error"]["code"] == "drift"


async def test_what_a_sweep_finds_is_in_the_log(client: Client) -> None:
    """
    One line for each vault, with what it has counted, and one for each secret that is misconfigured.
    """
    await client.subject(ValidityPeriodDays="7")
    await client.subject(RotationPaused="true")

    await sweep(client)

    swept = [line for line in client.host.log_lines() if line.get("step") == "swept"]
    found = {line["vault"]: (line["secrets"], line["due"], line["misconfigured"]) for line in swept}
    assert found == {client.cloud.vaults[0].uri: (2, 0, 1), client.cloud.vaults[1].uri: (0, 0, 0)}
    assert client.log_lines("is misconfigured")
