"""
The settings, read once and checked: design contract "settings".
"""

import re
from collections.abc import Mapping
from datetime import timedelta

from msgspec import Struct

from rotation.errors import Malformed, SettingsError
from rotation.quoting import quoted
from rotation.scope import Scopes
from rotation.secret import parse_vault_uri

_LEAD_DAYS, _LONGEST_LEAD_DAYS = 30, 365
_TABLE_URI = "AzureWebJobsStorage__tableServiceUri"

#: Every setting that the code reads by itself; the Functions host reads more of `AzureWebJobsStorage__*`.
NAMES = (
    "ROTATION_VAULTS",
    "ROTATION_ALLOWED_SCOPES",
    "ROTATION_TOPIC_ENDPOINT",
    "ROTATION_LEAD_DAYS",
    "ROTATION_CLOUD",
    "ROTATION_ARM_ENDPOINT",
    "ROTATION_VERIFY_VAULT_DOMAIN",
    "AZURE_CLIENT_ID",
    "AzureWebJobsStorage",
    _TABLE_URI,
    "AzureWebJobsStorage__clientId",
)

_HTTPS = re.compile(r"https://[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?(?::[0-9]{1,5})?(?:/[-\w./]*)?", re.IGNORECASE | re.ASCII)


class Cloud(Struct, frozen=True):
    """
    The addresses of one Azure cloud (azure-mgmt-core `get_arm_endpoints`; Azure documentation of each cloud).
    """

    arm_endpoint: str
    arm_scope: str
    vault_domain: str
    event_grid_scope: str
    authority: str


CLOUDS = {
    "AzurePublicCloud": Cloud(
        "https://management.azure.com",
        "https://management.azure.com/.default",
        "vault.azure.net",
        "https://eventgrid.azure.net/.default",
        "https://login.microsoftonline.com",
    ),
    "AzureUSGovernment": Cloud(
        "https://management.usgovcloudapi.net",
        "https://management.core.usgovcloudapi.net/.default",
        "vault.usgovcloudapi.net",
        "https://eventgrid.azure.us/.default",
        "https://login.microsoftonline.us",
    ),
    "AzureChinaCloud": Cloud(
        "https://management.chinacloudapi.cn",
        "https://management.chinacloudapi.cn/.default",
        "vault.azure.cn",
        "https://eventgrid.azure.cn/.default",
        "https://login.chinacloudapi.cn",
    ),
}


class Storage(Struct, frozen=True):
    """
    The app's own storage account: by connection string, or by identity and the address of its tables.
    """

    connection_string: str | None
    table_service_uri: str | None
    client_id: str | None

    def __repr__(self) -> str:
        # A connection string holds an account key.
        return f"Storage({self.table_service_uri or 'by connection string'})"


class Settings(Struct, frozen=True):
    """
    What the settings say.

    `lead` is how long before its expiry a sweep finds a secret due; `in_azure` whether there is a managed identity.
    """

    vaults: list[str]
    scopes: Scopes
    topic_endpoint: str
    lead: timedelta
    storage: Storage
    client_id: str | None
    cloud: Cloud
    arm_endpoint: str
    verify_vault_domain: bool
    in_azure: bool


def read_settings(environment: Mapping[str, str]) -> Settings:
    """
    Return the settings.

    Raises `SettingsError`, which names the setting and what it must be.
    """
    cloud = _read_cloud(environment)
    verify = _read_flag(environment, "ROTATION_VERIFY_VAULT_DOMAIN", default=True)
    return Settings(
        vaults=_read_vaults(environment, cloud.vault_domain if verify else None),
        scopes=_read_scopes(environment),
        topic_endpoint=_read_https(environment, "ROTATION_TOPIC_ENDPOINT", "the endpoint of an Event Grid topic"),
        lead=_read_lead(environment),
        storage=_read_storage(environment),
        client_id=environment.get("AZURE_CLIENT_ID") or None,
        cloud=cloud,
        arm_endpoint=_read_https(environment, "ROTATION_ARM_ENDPOINT", "an ARM endpoint", default=cloud.arm_endpoint),
        verify_vault_domain=verify,
        # App Service and Functions set it wherever the app has an identity.
        in_azure="IDENTITY_ENDPOINT" in environment,
    )


def _read_cloud(environment: Mapping[str, str]) -> Cloud:
    name = environment.get("ROTATION_CLOUD") or "AzurePublicCloud"
    if name not in CLOUDS:
        raise SettingsError("ROTATION_CLOUD", f"one of {', '.join(CLOUDS)}", f"is {quoted(name)}")
    return CLOUDS[name]


def _read_vaults(environment: Mapping[str, str], domain: str | None) -> list[str]:
    name = "ROTATION_VAULTS"
    expected = "vault URIs with commas between them, such as https://my-vault.vault.azure.net"
    vaults = []
    for uri in _list(environment, name):
        try:
            vault = parse_vault_uri(uri)
        except Malformed:
            raise SettingsError(name, expected, f"holds {quoted(uri)}") from None
        if domain and not vault.endswith(f".{domain}"):
            raise SettingsError(name, f"vault URIs in the domain {domain} of ROTATION_CLOUD", f"holds {quoted(uri)}")
        vaults.append(vault)
    if not vaults:
        raise SettingsError(name, expected)
    return list(dict.fromkeys(vaults))


def _read_lead(environment: Mapping[str, str]) -> timedelta:
    name = "ROTATION_LEAD_DAYS"
    written = environment.get(name) or str(_LEAD_DAYS)
    days = written.strip()
    is_short = days.isascii() and days.isdigit() and len(days) <= len(str(_LONGEST_LEAD_DAYS))
    if not (is_short and 1 <= int(days) <= _LONGEST_LEAD_DAYS):
        raise SettingsError(name, f"a number of days from 1 to {_LONGEST_LEAD_DAYS}", f"is {quoted(written)}")
    return timedelta(days=int(days))


def _read_scopes(environment: Mapping[str, str]) -> Scopes:
    name = "ROTATION_ALLOWED_SCOPES"
    prefixes = _list(environment, name)
    if name not in environment:
        raise SettingsError(name, "ARM id prefixes with commas between them; empty allows nothing")
    try:
        return Scopes(prefixes)
    except ValueError as error:
        expected = "ARM id prefixes in whole segments, such as /subscriptions/{id}/resourceGroups/{group}"
        raise SettingsError(name, expected, f"holds {quoted(str(error))}") from None


def _read_storage(environment: Mapping[str, str]) -> Storage:
    connection_string = environment.get("AzureWebJobsStorage") or None
    table_uri = None
    if connection_string is None:
        if not environment.get(_TABLE_URI):
            raise SettingsError(
                "AzureWebJobsStorage",
                f"a connection string, or {_TABLE_URI} the address of the storage account's tables",
            )
        table_uri = _read_https(environment, _TABLE_URI, "https://{account}.table.core.windows.net")
    client_id = environment.get("AzureWebJobsStorage__clientId") or environment.get("AZURE_CLIENT_ID") or None
    return Storage(connection_string, table_uri, client_id)


def _read_https(environment: Mapping[str, str], name: str, expected: str, *, default: str | None = None) -> str:
    uri = environment.get(name) or default
    if uri is None or not _HTTPS.fullmatch(uri):
        # Not quoted: a connection string or a signed URL that was put here by mistake must not reach a log.
        problem = "is missing" if uri is None else "is no such address"
        raise SettingsError(name, f"{expected}, an https URI without query", problem)
    return uri.rstrip("/")


def _read_flag(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    written = environment.get(name) or str(default)
    if written.lower() not in {"true", "false"}:
        raise SettingsError(name, "true or false", f"is {quoted(written)}")
    return written.lower() == "true"


def _list(environment: Mapping[str, str], name: str) -> list[str]:
    return [item.strip() for item in environment.get(name, "").split(",") if item.strip()]
