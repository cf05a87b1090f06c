"""
The rights that the app needs, as infra/ and the folders of the kinds give them: tests hold the two together.
"""

from collections.abc import Mapping, Sequence

#: The actions on a target, by the type of the resource on which they are assigned, in lower case.
ON_TARGETS: Mapping[str, Sequence[str]] = {
    "microsoft.batch/batchaccounts": (
        "Microsoft.Batch/batchAccounts/read",
        "Microsoft.Batch/batchAccounts/listkeys/action",
        "Microsoft.Batch/batchAccounts/regeneratekeys/action",
    ),
    "microsoft.web/sites": (
        "Microsoft.Web/sites/workflows/read",
        "Microsoft.Web/sites/hostruntime/webhooks/api/workflows/*",
    ),
    "microsoft.storage/storageaccounts": (
        "Microsoft.Storage/storageAccounts/read",
        "Microsoft.Storage/storageAccounts/listkeys/action",
        "Microsoft.Storage/storageAccounts/regeneratekey/action",
    ),
    "microsoft.cognitiveservices/accounts": (
        "Microsoft.CognitiveServices/accounts/read",
        "Microsoft.CognitiveServices/accounts/listkeys/action",
        "Microsoft.CognitiveServices/accounts/regenerateKey/action",
    ),
}

#: Data actions on a vault: part of Key Vault Secrets Officer.
ON_VAULTS = (
    "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    "Microsoft.KeyVault/vaults/secrets/getSecret/action",
    "Microsoft.KeyVault/vaults/secrets/setSecret/action",
    "Microsoft.KeyVault/vaults/secrets/update/action",
)
#: The permissions of an access policy that stand for the same.
IN_ACCESS_POLICIES = ("list", "get", "set")

#: Data actions on the topic: EventGrid Data Sender.
ON_TOPIC = ("Microsoft.EventGrid/events/send/action",)

#: Data actions on the app's own storage account, by the role that has them.
ON_STORAGE: Mapping[str, Sequence[str]] = {
    "Storage Table Data Contributor": (
        "Microsoft.Storage/storageAccounts/tableServices/tables/entities/read",
        "Microsoft.Storage/storageAccounts/tableServices/tables/entities/write",
        "Microsoft.Storage/storageAccounts/tableServices/tables/entities/delete",
    ),
    "Storage Queue Data Contributor": (
        "Microsoft.Storage/storageAccounts/queueServices/queues/messages/read",
        "Microsoft.Storage/storageAccounts/queueServices/queues/messages/write",
        "Microsoft.Storage/storageAccounts/queueServices/queues/messages/delete",
    ),
    # The Functions host's: without its locks no timer runs.
    "Storage Blob Data Owner": (
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete",
    ),
}

#: The functions without which nothing is rotated by itself.
FUNCTIONS = ("on_secret_event", "run_rotation", "on_poisoned_rotation", "sweep_vaults", "resume_rotations")


def type_of(resource_id: str) -> str:
    """
    Return the type of the resource in an ARM id on which roles are assigned, in lower case; empty for a group.
    """
    parts = resource_id.lower().strip("/").split("/")
    return "/".join(parts[5:7]) if len(parts) > 7 and parts[4] == "providers" else ""  # noqa: PLR2004 - .../type/name
