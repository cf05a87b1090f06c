"""
Azure Batch accounts. An account key stands in a secret's value.
"""

from providers.kind import Kind, Name

BATCH_ACCOUNT = Kind(
    provider="Microsoft.Batch/batchAccounts",
    title="an Azure Batch account",
    form="/providers/Microsoft.Batch/batchAccounts/{account}",
    names={"account": Name("[a-z0-9]{3,24}")},
    package=__name__,
    example={"account": "mybatch"},
    data_plane={
        "AzurePublicCloud": ("batch.azure.com",),
        "AzureUSGovernment": ("batch.usgovcloudapi.net",),
        "AzureChinaCloud": ("batch.chinacloudapi.cn",),
    },
)
