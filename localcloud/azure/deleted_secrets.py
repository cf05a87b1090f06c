"""
What a vault can be asked about its deleted secrets.

The answers of recover and purge are not recorded: their shapes are those of the documentation.

It rests on assumption 52 of docs/fidelity.md.
"""

from aiohttp import web

from localcloud.azure.json_answer import json_answer
from localcloud.azure.key_vault import API_VERSIONS, DeletedSecret, SecretStore
from localcloud.azure.operation import Call, Operation
from localcloud.azure.refusal import Refusal
from localcloud.azure.secret_shapes import bundle, deleted_bundle, page_of
from localcloud.azure.vault_rights import PURGE, READ_METADATA, RECOVER


def operations(store: SecretStore) -> list[Operation]:
    """
    Return the operations on the deleted secrets of a vault.
    """

    def find(call: Call) -> DeletedSecret:
        found = store.find_deleted(call.names["name"])
        if found is None:
            raise Refusal(404, "SecretNotFound", f"Deleted Secret not found: {call.names['name']}")
        return found

    async def list_all(call: Call) -> web.Response:
        found = sorted(store.deleted(), key=lambda deleted: deleted.current.name.casefold())
        page, link = page_of(call, f"{store.uri}/deletedsecrets", found)
        return json_answer({"value": [deleted_bundle(store.uri, deleted) for deleted in page], "nextLink": link})

    async def get(call: Call) -> web.Response:
        return json_answer(deleted_bundle(store.uri, find(call)))

    async def recover(call: Call) -> web.Response:
        secret = find(call).current
        store.recover(secret.name)
        return json_answer(bundle(secret, secret.id))

    async def purge(call: Call) -> web.Response:
        store.purge(find(call).current.name)
        return web.Response(status=204)

    one, target = "/deletedsecrets/{name}", f"{store.uri}/secrets/{{name}}"
    return [
        Operation("Vault.ListDeleted", "GET", "/deletedsecrets", list_all, store.uri, API_VERSIONS, READ_METADATA),
        Operation("Vault.GetDeleted", "GET", one, get, target, API_VERSIONS, READ_METADATA),
        Operation("Vault.RecoverSecret", "POST", f"{one}/recover", recover, target, API_VERSIONS, RECOVER),
        Operation("Vault.PurgeSecret", "DELETE", one, purge, target, API_VERSIONS, PURGE),
    ]
