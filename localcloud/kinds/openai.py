"""
Azure OpenAI accounts: ARM's side, and a data plane that serves a region.

A regional endpoint tells accounts apart by their keys alone. Recorded are the keys; the rest of ARM's answer about an
account is documented, the refusals of the data plane are reported.

It rests on assumptions 11, 14, 15, 117, 118 and 119 of docs/fidelity.md.
"""

import secrets
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
import msgspec
from aiohttp import web

from localcloud.azure.access_keys import AccessKeys, KeyName
from localcloud.azure.arm import LOCATION, Inventory
from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION, LocalAzure
from localcloud.azure.json_answer import json_answer
from localcloud.azure.operation import Call, Operation
from localcloud.azure.refusal import Refusal
from localcloud.consumers import call_over_http
from localcloud.kinds.kind import LocalKind, Resource
from providers.openai import OPENAI_ACCOUNT

API_VERSIONS = frozenset({"2022-03-01", "2024-10-01", "2025-09-01"})
ACCOUNT = (
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.CognitiveServices/accounts/{account}"
)
REGION = f"/providers/Microsoft.CognitiveServices/locations/{LOCATION}"
MODELS = "/openai/models"
MODELS_API_VERSION = "2024-10-21"
_WIRE_NAMES: dict[KeyName, str] = {"Primary": "Key1", "Secondary": "Key2"}


@dataclass(eq=False)
class OpenAIAccount(Resource):
    """
    One account. `disables_local_auth` None means that it was never set: keys are allowed.
    """

    arm_id: str
    name: str
    endpoint: str
    keys: AccessKeys
    disables_local_auth: bool | None
    kind: str | None = "OpenAI"

    def consumer(self) -> "OpenAIConsumer":
        return OpenAIConsumer(self.arm_id, self.endpoint)


class OpenAIConsumer:
    """
    Lists the models of an account, as every client of it can.
    """

    client = "HTTP"
    service = "Azure OpenAI"

    def __init__(self, arm_id: str, endpoint: str) -> None:
        self.target = arm_id
        self._url = f"{endpoint}{MODELS}?api-version={MODELS_API_VERSION}"

    async def use(self, version: str, value: str, session: aiohttp.ClientSession) -> None:  # noqa: ARG002 - A key is all.
        await call_over_http(session, "GET", self._url, headers={"api-key": value})

    async def forget(self, version: str) -> None:
        pass  # Nothing was kept.


class OpenAIService:
    """
    The data plane of a region: it lists models for any caller with a key of an account that allows keys.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.accounts: list[OpenAIAccount] = []

    def operations(self) -> list[Operation]:
        """
        Return a read that changes nothing.
        """
        return [
            Operation("OpenAI.ListModels", "GET", MODELS, _list_models, api_versions=frozenset({MODELS_API_VERSION}))
        ]

    def admit(self, call: Call) -> None:
        """
        Admit a caller with a key that works at this instant.
        """
        key = call.request.headers.get("api-key", "")
        account = next((each for each in self.accounts if key in each.keys.accepted()), None)
        if account is None:
            message = (
                "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key "
                "for an active subscription and use a correct regional API endpoint for your resource."
            )
            raise Refusal(401, "401", message)
        call.entry.target = account.arm_id
        if account.disables_local_auth:
            message = "Key based authentication is disabled for this resource."
            raise Refusal(403, "AuthenticationTypeDisabled", message)
        if call.query("api-version") not in call.operation.api_versions:
            raise Refusal(404, "404", "Resource not found")


async def _list_models(_: Call) -> web.Response:
    return json_answer({"data": [], "object": "list"})


class _RegenerateKey(msgspec.Struct, forbid_unknown_fields=True):
    key_name: Literal["Key1", "Key2"] = msgspec.field(name="keyName")


def operations(inventory: Inventory) -> list[Operation]:
    """
    Return what ARM can be asked about accounts.
    """

    def find(call: Call) -> OpenAIAccount:
        return inventory.find(ACCOUNT.format(**call.names), OpenAIAccount)

    async def get(call: Call) -> web.Response:
        return json_answer(_shown(find(call)))

    async def list_keys(call: Call) -> web.Response:
        return _keys_answer(find(call))

    async def regenerate(call: Call) -> web.Response:
        account = find(call)
        wanted = call.decode(_RegenerateKey, "InvalidRequestContent").key_name
        account.regenerate(next(key for key, name in _WIRE_NAMES.items() if name == wanted))
        return _keys_answer(account)

    return [
        Operation("OpenAI.GetAccount", "GET", ACCOUNT, get, ACCOUNT, API_VERSIONS),
        Operation("OpenAI.ListKeys", "POST", f"{ACCOUNT}/listKeys", list_keys, ACCOUNT, API_VERSIONS),
        Operation("OpenAI.RegenerateKey", "POST", f"{ACCOUNT}/regenerateKey", regenerate, ACCOUNT, API_VERSIONS),
    ]


def _keys_answer(account: OpenAIAccount) -> web.Response:
    return json_answer({"key1": account.keys["Primary"], "key2": account.keys["Secondary"]})


def _shown(account: OpenAIAccount) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "endpoint": f"{account.endpoint}/",
        "provisioningState": "Succeeded",
        "publicNetworkAccess": "Enabled",
    }
    if account.disables_local_auth is not None:
        properties["disableLocalAuth"] = account.disables_local_auth
    return {
        "id": account.arm_id,
        "name": account.name,
        "type": "Microsoft.CognitiveServices/accounts",
        "kind": account.kind,
        "location": LOCATION,
        "sku": {"name": "S0"},
        "properties": properties,
    }


async def add_openai_account(
    azure: LocalAzure,
    name: str,
    *,
    subscription: str = SUBSCRIPTION,
    resource_group: str = RESOURCE_GROUP,
    disables_local_auth: bool | None = None,
) -> OpenAIAccount:
    """
    Create an account with two keys.
    """
    service = await azure.data_plane("openai", REGION, OpenAIService)
    arm_id = ACCOUNT.format(subscription=subscription, group=resource_group, account=name)
    keys = azure.access_keys(arm_id, lambda: secrets.token_hex(16))
    account = OpenAIAccount(arm_id, name, service.uri, keys, disables_local_auth)
    azure.inventory.add(arm_id, account)
    service.accounts.append(account)
    return account


OPENAI = LocalKind(
    name="openai",
    deployed=OPENAI_ACCOUNT,
    secret="openai-key",
    make=add_openai_account,
    namespace="Microsoft.CognitiveServices",
    operations=operations,
    read="OpenAI.ListKeys",
    regenerate="OpenAI.RegenerateKey",
    proof=("OpenAI.GetAccount", "OpenAI.ListModels"),
)
