"""
Storage accounts, as ARM shows and manages them.

It rests on assumptions 11, 14, 15, 112, 113 and 114 of docs/fidelity.md.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from aiohttp import web

from localcloud.azure.access_keys import AccessKeys, KeyName, make_key
from localcloud.azure.arm import LOCATION, Inventory
from localcloud.azure.operation import Call, Operation
from localcloud.kinds.kind import Resource
from localcloud.kinds.storage.consumer import BlobConsumer

API_VERSIONS = frozenset({"2022-05-01", "2023-05-01", "2024-01-01", "2026-09-01"})
ACCOUNT = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Storage/storageAccounts/{account}"
ACCOUNTS = "/subscriptions/{subscription}/providers/Microsoft.Storage/storageAccounts"
_WIRE_NAMES: dict[KeyName, str] = {"Primary": "key1", "Secondary": "key2"}


@dataclass(eq=False)
class StorageAccount(Resource):
    """
    One account, whose secrets hold a connection string. `origin` is where blobs of all accounts are.

    `allows_shared_key` None means that it was never set, which allows them. Keys for Kerberos are listed if asked for;
    nothing keeps these.
    """

    arm_id: str
    name: str
    origin: str
    keys: AccessKeys
    allows_shared_key: bool | None
    has_kerberos_keys: bool
    kerberos_listings: int = 0
    regenerated_on: dict[KeyName, datetime] = field(default_factory=dict)
    created_on: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def blob_endpoint(self) -> str:
        """
        Its part of the data plane.
        """
        return f"{self.origin}/{self.name}"

    def made_on(self, key: KeyName) -> str:
        """
        When a key was made, as ARM writes it.
        """
        return _time(self.regenerated_on.get(key, self.created_on))

    def value(self, key: KeyName) -> str:
        return (
            f"DefaultEndpointsProtocol=https;AccountName={self.name};AccountKey={self.keys[key]};"
            f"BlobEndpoint={self.blob_endpoint};"
        )

    def regenerate(self, key: KeyName) -> None:
        super().regenerate(key)
        self.regenerated_on[key] = datetime.now(UTC)

    def consumer(self) -> BlobConsumer:
        return BlobConsumer(self.arm_id)


class _RegenerateKey(msgspec.Struct, forbid_unknown_fields=True):
    key_name: Literal["key1", "key2"] = msgspec.field(name="keyName")


def operations(inventory: Inventory) -> list[Operation]:
    """
    Return what ARM can be asked about accounts.
    """
    accounts = _Accounts(inventory)
    return [
        Operation("Storage.ListAccounts", "GET", ACCOUNTS, accounts.list_all, ACCOUNTS, API_VERSIONS),
        Operation("Storage.GetAccount", "GET", ACCOUNT, accounts.get, ACCOUNT, API_VERSIONS),
        Operation("Storage.ListKeys", "POST", f"{ACCOUNT}/listKeys", accounts.list_keys, ACCOUNT, API_VERSIONS),
        Operation(
            "Storage.RegenerateKey", "POST", f"{ACCOUNT}/regenerateKey", accounts.regenerate, ACCOUNT, API_VERSIONS
        ),
    ]


class _Accounts:
    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def _find(self, call: Call) -> StorageAccount:
        return self._inventory.find(ACCOUNT.format(**call.names), StorageAccount)

    async def get(self, call: Call) -> web.Response:
        return _answer(_account(self._find(call)))

    async def list_all(self, call: Call) -> web.Response:
        accounts = self._inventory.all_in(call.names["subscription"], StorageAccount)
        return _answer({"value": [_account(each) for each in accounts]})

    async def list_keys(self, call: Call) -> web.Response:
        account = self._find(call)
        keys = _keys(account)
        if account.has_kerberos_keys and call.query("$expand") == "kerb":
            account.kerberos_listings += 1
            keys += [_key(name, make_key(), _time(account.created_on)) for name in ("kerb1", "kerb2")]
        return _answer({"keys": keys})

    async def regenerate(self, call: Call) -> web.Response:
        account = self._find(call)
        wanted = call.decode(_RegenerateKey, "InvalidRequestContent").key_name
        account.regenerate(next(key for key, name in _WIRE_NAMES.items() if name == wanted))
        return _answer({"keys": _keys(account)})


def _account(account: StorageAccount) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "keyCreationTime": {name: account.made_on(key) for key, name in _WIRE_NAMES.items()},
        "minimumTlsVersion": "TLS1_2",
        "supportsHttpsTrafficOnly": True,
        "provisioningState": "Succeeded",
        "creationTime": _time(account.created_on),
        "primaryEndpoints": {"blob": f"{account.blob_endpoint}/"},
        "primaryLocation": LOCATION,
        "statusOfPrimary": "available",
    }
    if account.allows_shared_key is not None:
        properties["allowSharedKeyAccess"] = account.allows_shared_key
    return {
        "sku": {"name": "Standard_LRS", "tier": "Standard"},
        "kind": "StorageV2",
        "id": account.arm_id,
        "name": account.name,
        "type": "Microsoft.Storage/storageAccounts",
        "location": LOCATION,
        "tags": {},
        "properties": properties,
    }


def _keys(account: StorageAccount) -> list[dict[str, str]]:
    return [_key(name, account.keys[key], account.made_on(key)) for key, name in _WIRE_NAMES.items()]


def _key(name: str, value: str, made_on: str) -> dict[str, str]:
    return {"creationTime": made_on, "keyName": name, "value": value, "permissions": "FULL"}


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}0Z"


def _answer(content: object) -> web.Response:
    # Without a charset, as recorded.
    return web.Response(body=msgspec.json.encode(content), headers={"Content-Type": "application/json"})
