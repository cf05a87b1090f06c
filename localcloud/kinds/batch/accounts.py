"""
Batch accounts, as ARM shows and manages them.

It rests on assumptions 11, 14, 15, 22, 25 and 26 of docs/fidelity.md.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from localcloud.azure.access_keys import AccessKeys, KeyName
from localcloud.azure.arm import LOCATION, Inventory
from localcloud.azure.dialect import request_lines
from localcloud.azure.json_answer import json_answer
from localcloud.azure.operation import Call, Operation
from localcloud.azure.refusal import Refusal
from localcloud.kinds.batch.consumer import BatchConsumer
from localcloud.kinds.kind import Resource

API_VERSIONS = frozenset({"2023-11-01", "2024-02-01", "2024-07-01", "2025-06-01"})
ACCOUNT = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Batch/batchAccounts/{account}"


@dataclass(eq=False)
class BatchAccount(Resource):
    """
    One account. `endpoint` is its data plane; `authentication_modes` None means that it never said: all are allowed.
    """

    arm_id: str
    name: str
    endpoint: str
    authentication_modes: Sequence[str] | None
    keys: AccessKeys
    is_gone: bool = False
    """Its provider has deleted it, and Azure Resource Manager does not know yet."""
    changed_on: datetime = field(default_factory=lambda: datetime.now(UTC))

    def consumer(self) -> BatchConsumer:
        return BatchConsumer(self.arm_id, self.name, self.endpoint)

    @property
    def allows_shared_key(self) -> bool:
        """
        Whether a key opens anything.
        """
        return self.authentication_modes is None or "SharedKey" in self.authentication_modes


class _RegenerateKey(msgspec.Struct, forbid_unknown_fields=True):
    key_name: KeyName = msgspec.field(name="keyName")


def operations(inventory: Inventory) -> list[Operation]:
    """
    Return what ARM can be asked about accounts.
    """
    accounts = _Accounts(inventory)
    return [
        Operation("Batch.GetAccount", "GET", ACCOUNT, accounts.get, ACCOUNT, API_VERSIONS),
        Operation("Batch.ListKeys", "POST", f"{ACCOUNT}/listKeys", accounts.list_keys, ACCOUNT, API_VERSIONS),
        Operation(
            "Batch.RegenerateKeys", "POST", f"{ACCOUNT}/regenerateKeys", accounts.regenerate, ACCOUNT, API_VERSIONS
        ),
    ]


class _Accounts:
    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def _find(self, call: Call) -> BatchAccount:
        account = self._inventory.find(ACCOUNT.format(**call.names), BatchAccount)
        if account.is_gone:
            raise _refusal(404, "AccountNotFound", "The specified account does not exist.")
        return account

    async def get(self, call: Call) -> web.Response:
        account = self._find(call)
        answer = json_answer(_account(account))
        # Two reads of an account that nobody changed may differ in it.
        answer.headers["ETag"] = f'"0x8D{secrets.token_hex(7).upper()}"'
        answer.headers["Last-Modified"] = format_datetime(account.changed_on, usegmt=True)
        return answer

    async def list_keys(self, call: Call) -> web.Response:
        account = self._find(call)
        _require_shared_key(account, "getting")
        return _keys_answer(account)

    async def regenerate(self, call: Call) -> web.Response:
        account = self._find(call)
        try:
            wanted = call.decode(_RegenerateKey, "InvalidRequestBody")
        except Refusal as refusal:
            details = [{"code": "Reason", "message": refusal.message}]
            message = "The specified Request Body is not syntactically valid."
            raise _refusal(refusal.status, refusal.code, message, details=details) from refusal
        _require_shared_key(account, "regenerating")
        account.regenerate(wanted.key_name)
        return _keys_answer(account)


def _account(account: BatchAccount) -> dict[str, Any]:
    properties = {
        "accountEndpoint": urlsplit(account.endpoint).netloc,
        "nodeManagementEndpoint": f"22222222-2222-4222-8222-222222222222.{LOCATION}.service.batch.azure.com",
        "provisioningState": "Succeeded",
        "dedicatedCoreQuota": 500,
        "dedicatedCoreQuotaPerVMFamily": [{"name": "standardDv3Family", "coreQuota": 500}],
        "dedicatedCoreQuotaPerVMFamilyEnforced": True,
        "lowPriorityCoreQuota": 500,
        "poolQuota": 100,
        "activeJobAndJobScheduleQuota": 300,
        "poolAllocationMode": "BatchService",
        "publicNetworkAccess": "Enabled",
        "privateEndpointConnections": [],
        "encryption": {"keySource": "Microsoft.Batch"},
    }
    if account.authentication_modes is not None:
        properties["allowedAuthenticationModes"] = account.authentication_modes
    return {
        "id": account.arm_id,
        "name": account.name,
        "type": "Microsoft.Batch/batchAccounts",
        "location": LOCATION,
        "properties": properties,
        "identity": {"type": "None"},
    }


def _refusal(status: int, code: str, message: str, **more: object) -> Refusal:
    """
    Return a refusal of the provider itself, which ends with the lines of its request and names what it is about.
    """
    return Refusal(status, code, message + request_lines(), more={"target": "BatchAccount", **more})


def _require_shared_key(account: BatchAccount, doing: str) -> None:
    # The reference of both operations says that this fails, not how: status and code are our guess.
    if not account.allows_shared_key:
        message = (
            f"The account '{account.name}' does not allow SharedKey authentication: {doing} its keys is not possible."
        )
        raise _refusal(403, "SharedKeyAuthenticationNotAllowed", message)


def _keys_answer(account: BatchAccount) -> web.Response:
    return json_answer(
        {"accountName": account.name, "primary": account.value("Primary"), "secondary": account.value("Secondary")}
    )
