"""
A caller without the right role is refused, in the words of each service.
"""

import uuid
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.messaging import CloudEvent
from azure.eventgrid.aio import EventGridPublisherClient
from azure.identity.aio import ManagedIdentityCredential
from azure.keyvault.secrets.aio import SecretClient

from localcloud.azure.arm_rights import Right, right_for
from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION, LocalAzure
from localcloud.azure.dialect import CLIENT_ID, OBJECT_ID
from localcloud.azure.identity import ARM, KEY_VAULT
from localcloud.azure.known_roles import (
    EVENT_GRID_DATA_SENDER,
    KEY_VAULT_SECRETS_OFFICER,
    KEY_VAULT_SECRETS_USER,
    rotation_role,
)
from localcloud.azure.principal import Principal
from localcloud.azure.vault import Vault
from localcloud.kinds import KINDS
from localcloud.kinds.batch import add_batch_account

STRANGER = Principal(str(uuid.uuid4()), str(uuid.uuid4()))
WORKFLOWS = "Microsoft.Web/sites/hostruntime/webhooks/api/workflows"
MANAGEMENT = "hostruntime/runtime/webhooks/workflow/api/management/workflows/{w}"


@pytest.fixture
async def vault(azure: LocalAzure) -> Vault:
    """
    Return a vault with a secret.
    """
    made = await azure.add_vault("kv-demo")
    made.set("demo", "value")
    return made


async def ask(
    azure: LocalAzure, http: aiohttp.ClientSession, url: str, principal: Principal, audience: str = ARM
) -> tuple[int, Any]:
    """
    Read something; return the status and the error.
    """
    headers = {"Authorization": f"Bearer {azure.identity.issue(audience, principal)}"}
    async with http.get(url, headers=headers) as answer:
        return answer.status, (await answer.json()).get("error")


@pytest.mark.parametrize(
    ("method", "path", "action", "scope"),
    [
        ("GET", "/s/providers/Microsoft.X/ys/{y}", "Microsoft.X/ys/read", "/s/providers/Microsoft.X/ys/{y}"),
        ("GET", "/s/providers/Microsoft.X/ys", "Microsoft.X/ys/read", "/s"),
        ("GET", "/s/providers/Microsoft.X/ys/{y}/zs", "Microsoft.X/ys/zs/read", "/s/providers/Microsoft.X/ys/{y}"),
        ("POST", "/s/providers/M.X/ys/{y}/listKeys", "M.X/ys/listKeys/action", "/s/providers/M.X/ys/{y}"),
        (
            "POST",
            "/s/providers/M.X/ys/{y}/config/appsettings/list",
            "M.X/ys/config/list/action",
            "/s/providers/M.X/ys/{y}/config/appsettings",
        ),
        (
            "POST",
            f"/s/providers/Microsoft.Web/sites/{{s}}/{MANAGEMENT}/triggers/{{t}}/listCallbackUrl",
            f"{WORKFLOWS}/triggers/listCallbackUrl/action",
            f"/s/providers/Microsoft.Web/sites/{{s}}/{MANAGEMENT}/triggers/{{t}}",
        ),
    ],
)
def test_a_path_says_what_it_needs(method: str, path: str, action: str, scope: str) -> None:
    """
    Types are what names do not stand in, and the last segment of a POST is what is done.
    """
    assert right_for(method, path) == Right(action, scope)


def test_the_custom_role_fits_what_can_be_asked_of_targets(azure: LocalAzure) -> None:
    """
    Every operation is allowed, and no action is there for none.
    """
    rights = [right_for(each.method, each.path) for kind in KINDS for each in kind.operations(azure.inventory)]
    needed = {right.action for right in rights if right}

    assert [action for action in needed if not azure.rotation_role.allows(action, data=False)] == []
    for granted in azure.rotation_role.permissions[0].actions:
        assert any(rotation_role([granted]).allows(action, data=False) for action in needed), granted


async def test_arm_says_which_action_is_missing_where(azure: LocalAzure, http: aiohttp.ClientSession) -> None:
    """
    In its own words, and before it says whether there is such a resource.
    """
    account = await add_batch_account(azure, "demobatch")
    azure.roles.remove(azure.identity.principal_id, azure.rotation_role)
    for arm_id in (account.arm_id, f"{account.arm_id}-nowhere"):
        status, error = await ask(
            azure, http, f"{azure.arm_uri}{arm_id}?api-version=2024-07-01", azure.identity.principal
        )
        assert status == 403
        assert error == {
            "code": "AuthorizationFailed",
            "message": f"The client '{CLIENT_ID}' with object id '{OBJECT_ID}' does not have authorization to perform "
            f"action 'Microsoft.Batch/batchAccounts/read' over scope '{arm_id}' or the scope is invalid. If access was "
            "recently granted, please refresh your credentials.",
        }


async def test_a_refused_request_has_no_effect(azure: LocalAzure, http: aiohttp.ClientSession) -> None:
    """
    The log shows it, and the key stays as it was.
    """
    account = await add_batch_account(azure, "demobatch")
    before = account.value("Primary")
    headers = {"Authorization": f"Bearer {azure.identity.issue(ARM, STRANGER)}"}
    url = f"{azure.arm_uri}{account.arm_id}/regenerateKeys?api-version=2024-07-01"

    async with http.post(url, json={"keyName": "Primary"}, headers=headers) as answer:
        assert answer.status == 403

    assert account.value("Primary") == before
    assert azure.requests.count("Batch.RegenerateKeys", took_effect=False) == 1


async def test_a_role_on_one_resource_reaches_no_other(azure: LocalAzure, http: aiohttp.ClientSession) -> None:
    """
    The role at all scopes can be replaced by one at a single resource.
    """
    one, two = await add_batch_account(azure, "one"), await add_batch_account(azure, "two")
    azure.roles.remove(azure.identity.principal_id, azure.rotation_role)
    azure.roles.assign(azure.identity.principal_id, azure.rotation_role, one.arm_id)

    answers = [
        await ask(azure, http, f"{azure.arm_uri}{arm_id}?api-version=2024-07-01", azure.identity.principal)
        for arm_id in (one.arm_id, one.arm_id.upper(), two.arm_id)
    ]

    assert [status for status, _ in answers] == [200, 200, 403]


async def test_a_vault_says_which_action_is_missing(
    azure: LocalAzure, vault: Vault, credential: ManagedIdentityCredential
) -> None:
    """
    In the words of Azure RBAC, about the secret.
    """
    azure.roles.remove(azure.identity.principal_id, KEY_VAULT_SECRETS_OFFICER)
    async with SecretClient(vault.uri, credential, verify_challenge_resource=False) as client:
        with pytest.raises(HttpResponseError) as refused:
            await client.get_secret("demo")

    error = refused.value.error
    assert error is not None
    assert (refused.value.status_code, error.code) == (403, "Forbidden")
    assert error.innererror == {"code": "ForbiddenByRbac"}
    assert (error.message or "").split("\r\n") == [
        "Caller is not authorized to perform action on resource.",
        (
            "If role assignments, deny assignments or role definitions were changed recently, please observe "
            "propagation time."
        ),
        f"Caller: appid={CLIENT_ID};oid={OBJECT_ID};iss=https://sts.windows.net/66666666-6666-4666-8666-666666666666/",
        "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'",
        f"Resource: '{vault.arm_id}/secrets/demo'",
        "Assignment: (not found)",
        "DenyAssignmentId: null",
        "DecisionReason: 'DeniedWithNoValidRBAC' ",
        "Vault: kv-demo;location=westeurope",
        "",
    ]


async def test_who_may_read_secrets_may_not_store_them(
    azure: LocalAzure, vault: Vault, credential: ManagedIdentityCredential
) -> None:
    """
    Every operation has an action of its own; a role on another vault does not help.
    """
    other = await azure.add_vault("kv-demo2")
    azure.roles.remove(azure.identity.principal_id, KEY_VAULT_SECRETS_OFFICER)
    azure.roles.assign(azure.identity.principal_id, KEY_VAULT_SECRETS_OFFICER, other.arm_id)
    azure.roles.assign(azure.identity.principal_id, KEY_VAULT_SECRETS_USER, vault.arm_id)
    async with SecretClient(vault.uri, credential, verify_challenge_resource=False) as client:
        assert (await client.get_secret("demo")).value == "value"
        assert [each.name async for each in client.list_properties_of_secrets()] == ["demo"]
        assert [each.name async for each in client.list_properties_of_secret_versions("demo")] == ["demo"]
        assert [each.name async for each in client.list_deleted_secrets()] == []
        for request, action in (
            (client.set_secret("demo", "x"), "setSecret/action"),
            (client.update_secret_properties("demo", tags={}), "update/action"),
            (client.delete_secret("demo"), "delete"),
            (client.purge_deleted_secret("demo"), "purge/action"),
        ):
            with pytest.raises(HttpResponseError, match=f"Action: 'Microsoft.KeyVault/vaults/secrets/{action}'"):
                await request

    assert vault.current("demo").value == "value"


async def test_a_vault_with_access_policies_lets_nobody_in(
    azure: LocalAzure, vault: Vault, http: aiohttp.ClientSession
) -> None:
    """
    Roles do not count there, and no policy is there.
    """
    vault.uses_rbac = False

    status, error = await ask(
        azure, http, f"{vault.uri}/secrets/demo?api-version=7.6", azure.identity.principal, KEY_VAULT
    )

    assert (status, error["code"], error["innererror"]) == (403, "Forbidden", {"code": "AccessDenied"})
    assert "does not have secrets get permission on key vault 'kv-demo;location=westeurope'" in error["message"]


async def test_a_topic_takes_nothing_from_who_may_not_send(
    azure: LocalAzure, credential: ManagedIdentityCredential
) -> None:
    """
    401, as reported, and nothing is kept.
    """
    azure.roles.remove(azure.identity.principal_id, EVENT_GRID_DATA_SENDER)
    async with EventGridPublisherClient(azure.topic_uri, credential) as client:
        with pytest.raises(HttpResponseError, match=f"does not have permission to send data to {azure.topic.arm_id}"):
            await client.send(CloudEvent(source="s", type="t"))
        assert azure.events == []

        azure.roles.assign(azure.identity.principal_id, EVENT_GRID_DATA_SENDER, azure.topic.arm_id)
        await client.send(CloudEvent(source="s", type="t"))
        assert len(azure.events) == 1


async def test_a_topic_for_another_schema_takes_no_cloud_events(
    azure: LocalAzure, credential: ManagedIdentityCredential
) -> None:
    """
    400, and nothing is kept.
    """
    azure.topic.input_schema = "EventGridSchema"
    async with EventGridPublisherClient(azure.topic_uri, credential) as client:
        with pytest.raises(HttpResponseError, match="configured to receive event in 'EventGridSchema' schema"):
            await client.send(CloudEvent(source="s", type="t"))
    assert azure.events == []


async def test_the_operator_has_no_identity_of_the_app(azure: LocalAzure, http: aiohttp.ClientSession) -> None:
    """
    A client id that is not assigned to whom the header belongs is refused.
    """
    person = azure.operator_environment()
    url = f"{person['IDENTITY_ENDPOINT']}?resource={ARM}&api-version=2019-08-01&client_id={CLIENT_ID}"
    async with http.get(url, headers={"X-IDENTITY-HEADER": person["IDENTITY_HEADER"]}) as answer:
        assert answer.status == 400


def test_the_app_has_what_infra_gives_it(azure: LocalAzure) -> None:
    """
    The custom role with the actions of all kinds, and two built-in ones.
    """
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}"
    assert [each.role.name for each in azure.roles.assignments(azure.identity.principal_id)] == [
        "Azure Key Rotator (local)",
        "Key Vault Secrets Officer",
        "EventGrid Data Sender",
    ]
    assert sorted(azure.rotation_role.permissions[0].actions) == sorted(a for kind in KINDS for a in kind.actions)
    assert not azure.roles.allows(azure.identity.principal_id, "Microsoft.Batch/batchAccounts/write", group)
