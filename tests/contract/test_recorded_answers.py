"""
The app as it is wired, and answers of Azure in their recorded shapes.
"""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.throttling import Throttling
from localcloud.azure.cloud import LocalAzure
from localcloud.azure.dialect import CLIENT_ID, OBJECT_ID, TENANT_ID
from localcloud.azure.faults import Fault
from localcloud.azure.request_log import LoggedRequest
from localcloud.azure.vault import Vault
from localcloud.kinds.batch import add_batch_account
from localcloud.kinds.batch.accounts import BatchAccount
from localcloud.kinds.workflow import add_workflow
from rotation.vocabulary.errors import Declined, NoAnswer, NotFound, Unavailable
from rotation.vocabulary.record import State
from rotation.vocabulary.request import Trigger, request_for_event
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName
from rotation.vocabulary.timing import Deadline
from tests.twins.clock import HandClock
from tests.twins.targets import parse_target
from wiring.parts import Wiring


@pytest.fixture
async def account(azure: LocalAzure) -> BatchAccount:
    """
    Return a Batch account in the scope of the app.
    """
    return await add_batch_account(azure, "account1")


def manage(vault: Vault, account: BatchAccount) -> SecretId:
    """
    Put the account's primary key into a managed secret.
    """
    tags = {"ProviderAddress": account.arm_id, "CredentialId": "Primary", "ValidityPeriodDays": "90"}
    expires_on = datetime.now(UTC) + timedelta(days=20)
    return SecretId(vault.uri, "one", vault.set("one", account.value("Primary"), tags=tags, expires_on=expires_on))


async def test_equal_refusals_read_alike(
    azure: LocalAzure, vault: Vault, wiring: Wiring, account: BatchAccount, deadline: Deadline
) -> None:
    """
    In one line, without ids of requests, tenants, clients and objects.
    """
    vault.set("one", "value")
    target = parse_target(account.arm_id)
    provider = await wiring.providers.provider_for(target)
    said = set()
    for status in (403, 404):
        azure.faults.add(Fault(operation="Vault.GetSecret", kind="answer", status=status, times=2))
        azure.faults.add(Fault(operation="Batch.ListKeys", kind="answer", status=status, times=2))
        for _ in range(2):
            with pytest.raises((Declined, NotFound)) as refused:
                await wiring.vaults.read_current(SecretId(vault.uri, "one"), deadline)
            said.add(str(refused.value))
            with pytest.raises((Declined, NotFound)) as refused:
                await provider.read_keys(target, deadline)
            said.add(str(refused.value))

    assert len(said) == 4
    for message in said:
        assert message.isprintable()
        assert not [word for word in (CLIENT_ID, OBJECT_ID, TENANT_ID, "RequestId") if word in message]
    assert any("action 'Microsoft.Batch/batchAccounts/listKeys/action'" in message for message in said)


@pytest.mark.parametrize("is_known_to_arm", [True, False])
async def test_an_account_that_is_gone_is_not_found_in_every_answer_that_says_so(
    wiring: Wiring, account: BatchAccount, deadline: Deadline, *, is_known_to_arm: bool
) -> None:
    """
    Its provider or Azure Resource Manager.
    """
    account.is_gone = True
    target = parse_target(account.arm_id if is_known_to_arm else account.arm_id.replace("account1", "account2"))
    provider = await wiring.providers.provider_for(target)

    with pytest.raises(NotFound, match="AccountNotFound" if is_known_to_arm else "ResourceNotFound"):
        await provider.regenerate(target, KeyName.PRIMARY, deadline)


async def test_a_throttled_site_does_not_stop_its_subscription(
    azure: LocalAzure, wiring: Wiring, account: BatchAccount, clock: HandClock
) -> None:
    """
    Microsoft.Web's 429 has no writes header; a Batch account of the subscription is read meanwhile.
    """
    wiring.__dict__["throttling"] = Throttling(clock)
    workflow = await add_workflow(azure, "orders", site="site1")
    site, batch = parse_target(f"{workflow.arm_id}/triggers/manual"), parse_target(account.arm_id)
    azure.faults.add(
        Fault(operation="Workflow.ListCallbackUrl", kind="answer", status=429, retry_after=300, times=None)
    )
    with pytest.raises(NoAnswer, match="429"):
        await (await wiring.providers.provider_for(site)).read_keys(site, Deadline(clock))
    assert azure.requests.count("Workflow.ListCallbackUrl") == len(KeyName)

    keys = await (await wiring.providers.provider_for(batch)).read_keys(batch, Deadline(clock))

    assert set(keys) == set(KeyName)


async def test_arms_own_429_stops_the_subscription_whichever_request_it_meets(
    azure: LocalAzure, wiring: Wiring, account: BatchAccount, clock: HandClock
) -> None:
    """
    Also one of Microsoft.Web, which has no writes header.
    """
    wiring.__dict__["throttling"] = Throttling(clock)
    workflow = await add_workflow(azure, "orders", site="site1")
    site, batch = parse_target(f"{workflow.arm_id}/triggers/manual"), parse_target(account.arm_id)
    own = {"status": 429, "code": "SubscriptionRequestsThrottled", "retry_after": 60}
    azure.faults.add(Fault(operation="Workflow.ListCallbackUrl", kind="answer", **own, times=None))  # type: ignore[arg-type]
    with pytest.raises(Unavailable, match="429"):
        await (await wiring.providers.provider_for(site)).read_keys(site, Deadline(clock))

    with pytest.raises(Unavailable, match="was not sent"):
        await (await wiring.providers.provider_for(batch)).read_keys(batch, Deadline(clock))


@pytest.mark.parametrize(
    ("operation", "skip", "state", "regenerations"),
    [
        ("Vault.GetSecret", 0, State.SKIPPED, 0),
        ("Vault.GetSecret", 1, State.SKIPPED, 0),
        ("Batch.RegenerateKeys", 0, State.FAILED, 1),
        ("Vault.SetSecret", 0, State.FAILED, 1),
        ("Vault.ListVersions", 0, State.COMPLETED, 1),
    ],
)
async def test_a_deleted_secret_is_not_stored(
    azure: LocalAzure,
    vault: Vault,
    wiring: Wiring,
    account: BatchAccount,
    operation: str,
    skip: int,
    state: State,
    regenerations: int,
) -> None:
    """
    Deleted right before a request of its rotation, it ends that with what to do, and its old key lives.
    """
    secret, key = manage(vault, account), account.value("Primary")
    seen = 0

    async def delete(_: LoggedRequest) -> None:
        nonlocal seen
        seen += 1
        if seen == skip + 1:
            vault.delete("one")

    azure.faults.before(operation, delete)

    record = await wiring.rotator.rotate(request_for_event(secret, Trigger.SECRET_NEAR_EXPIRY, datetime.now(UTC)))

    assert record.state is state
    assert azure.requests.count("Batch.RegenerateKeys") == regenerations
    assert account.value("Primary") == key
    assert vault.names() == []
    if record.error:
        assert record.error.code == "vault_refused"
        assert "Recover the deleted secret" in record.error.message


async def test_a_secret_that_is_recovered_is_stored_by_the_same_rotation(
    azure: LocalAzure, vault: Vault, wiring: Wiring, account: BatchAccount
) -> None:
    """
    A deletion under way suspends it; resumed after the recovery it stores the key that it has regenerated.
    """
    secret = manage(vault, account)

    async def delete(_: LoggedRequest) -> None:
        if vault.names():
            vault.delete("one", takes=3600)

    azure.faults.before("Batch.RegenerateKeys", delete)
    request = request_for_event(secret, Trigger.SECRET_NEAR_EXPIRY, datetime.now(UTC))

    suspended = await wiring.rotator.rotate(request)
    vault.settle()
    vault.recover("one")
    ended = await wiring.rotator.rotate(request)

    assert (suspended.state, ended.state) == (State.REGENERATING, State.COMPLETED)
    assert vault.current("one").value == account.value("Secondary")
    assert azure.requests.count("Batch.RegenerateKeys") == 1
