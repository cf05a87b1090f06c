"""
The addresses of Azure's clouds.

It rests on assumption 64 of docs/fidelity.md.
"""

from msgspec import Struct


class Cloud(Struct, frozen=True):
    """
    The addresses of one Azure cloud (azure-mgmt-core `get_arm_endpoints`; Azure documentation of each cloud).
    """

    name: str
    arm_endpoint: str
    arm_scope: str
    vault_domain: str
    event_grid_scope: str
    authority: str
    storage_suffix: str


_CLOUDS = (
    Cloud(
        "AzurePublicCloud",
        "https://management.azure.com",
        "https://management.azure.com/.default",
        "vault.azure.net",
        "https://eventgrid.azure.net/.default",
        "https://login.microsoftonline.com",
        "core.windows.net",
    ),
    Cloud(
        "AzureUSGovernment",
        "https://management.usgovcloudapi.net",
        "https://management.core.usgovcloudapi.net/.default",
        "vault.usgovcloudapi.net",
        "https://eventgrid.azure.us/.default",
        "https://login.microsoftonline.us",
        "core.usgovcloudapi.net",
    ),
    Cloud(
        "AzureChinaCloud",
        "https://management.chinacloudapi.cn",
        "https://management.chinacloudapi.cn/.default",
        "vault.azure.cn",
        "https://eventgrid.azure.cn/.default",
        "https://login.chinacloudapi.cn",
        "core.chinacloudapi.cn",
    ),
)
CLOUDS = {cloud.name: cloud for cloud in _CLOUDS}
