"""
The settings, read once and checked: design contract "settings".

It rests on assumptions 38, 47 and 93 of docs/fidelity.md.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

from msgspec import Struct

from providers import KINDS
from providers.kind import Kind
from rotation.policy.scope import Scopes
from rotation.vocabulary.errors import Malformed, SettingsError
from rotation.vocabulary.limits import (
    DEFAULT_GRACE,
    DEFAULT_LEAD,
    DEFAULT_VERIFY_EVERY,
    LONGEST_GRACE,
    LONGEST_LEAD,
    LONGEST_VERIFY_EVERY,
)
from rotation.vocabulary.quoting import quoted
from rotation.vocabulary.secret import parse_vault_uri
from wiring.authentication import NAME as AUTHENTICATION
from wiring.authentication import Authentication, read_authentication
from wiring.clouds import CLOUDS, Cloud
from wiring.written import read_days, read_flag, read_hours, read_https, read_list, read_text

_TABLE_URI = "AzureWebJobsStorage__tableServiceUri"
_ACCOUNT_NAME = "AzureWebJobsStorage__accountName"

#: Every setting that the code reads by itself; the Functions host reads more of `AzureWebJobsStorage__*`.
NAMES = (
    "ROTATION_VAULTS",
    "ROTATION_ALLOWED_SCOPES",
    "ROTATION_TOPIC_ENDPOINT",
    "ROTATION_LEAD_DAYS",
    "ROTATION_GRACE_HOURS",
    "ROTATION_VERIFY_DAYS",
    "ROTATION_MODE",
    AUTHENTICATION,
    "ROTATION_CLOUD",
    "ROTATION_ARM_ENDPOINT",
    "ROTATION_VERIFY_VAULT_DOMAIN",
    "ROTATION_PROVE_KEYS",
    "ROTATION_DATA_PLANE_SUFFIXES",
    "AZURE_CLIENT_ID",
    "AzureWebJobsStorage",
    _TABLE_URI,
    _ACCOUNT_NAME,
    "AzureWebJobsStorage__clientId",
)

_ROTATE, _OBSERVE = _MODES = ("rotate", "observe")

_HOST = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")


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

    `lead` is how long before its expiry a sweep finds a secret due, `grace` how long clients may go on with what they
    have read, `verify_every` how often each secret is compared with its target, None for never; `observes` says whether
    nothing is to be changed, `authentication` who may call, and `in_azure` whether there is a managed identity.
    """

    vaults: list[str]
    scopes: Scopes
    topic_endpoint: str
    lead: timedelta
    grace: timedelta
    verify_every: timedelta | None
    observes: bool
    authentication: Authentication
    storage: Storage
    client_id: str | None
    cloud: Cloud
    arm_endpoint: str
    prove_keys: bool
    data_plane_suffixes: list[str]
    in_azure: bool

    def suffixes_of(self, kind: Kind) -> Sequence[str]:
        """
        Return the suffixes of the hosts that may be asked with the keys of a kind; none where they are not proven.
        """
        if not (self.prove_keys and kind.data_plane):
            return ()
        return [*kind.data_plane.get(self.cloud.name, ()), *self.data_plane_suffixes]


def read_settings(environment: Mapping[str, str]) -> Settings:
    """
    Return the settings.

    Raises `SettingsError`, which names the setting and what it must be.
    """
    cloud = _read_cloud(environment)
    verify = read_flag(environment, "ROTATION_VERIFY_VAULT_DOMAIN", default=True)
    return Settings(
        vaults=_read_vaults(environment, cloud.vault_domain if verify else None),
        scopes=_read_scopes(environment),
        topic_endpoint=read_https(environment, "ROTATION_TOPIC_ENDPOINT", "the endpoint of an Event Grid topic"),
        lead=_read_lead(environment),
        grace=_read_grace(environment),
        verify_every=_read_verify_every(environment),
        observes=_read_mode(environment) == _OBSERVE,
        authentication=read_authentication(environment),
        storage=_read_storage(environment, cloud),
        client_id=read_text(environment, "AZURE_CLIENT_ID") or None,
        cloud=cloud,
        arm_endpoint=read_https(environment, "ROTATION_ARM_ENDPOINT", "an ARM endpoint", default=cloud.arm_endpoint),
        prove_keys=read_flag(environment, "ROTATION_PROVE_KEYS", default=True),
        data_plane_suffixes=_read_suffixes(environment),
        # App Service and Functions set it wherever the app has an identity.
        in_azure="IDENTITY_ENDPOINT" in environment,
    )


def _read_cloud(environment: Mapping[str, str]) -> Cloud:
    name = read_text(environment, "ROTATION_CLOUD") or "AzurePublicCloud"
    for known, cloud in CLOUDS.items():
        if known.lower() == name.lower():
            return cloud
    raise SettingsError("ROTATION_CLOUD", f"one of {', '.join(CLOUDS)}", f"is {quoted(name)}")


def _read_suffixes(environment: Mapping[str, str]) -> list[str]:
    name = "ROTATION_DATA_PLANE_SUFFIXES"
    suffixes = [suffix.removeprefix("*.").removeprefix(".").lower() for suffix in read_list(environment, name)]
    for suffix in suffixes:
        if not re.fullmatch(_HOST, suffix):
            expected = "host names with commas between them, such as batch.azurestack.example"
            raise SettingsError(name, expected, f"holds {quoted(suffix)}")
    return suffixes


def _read_vaults(environment: Mapping[str, str], domain: str | None) -> list[str]:
    name = "ROTATION_VAULTS"
    expected = "vault URIs with commas between them, such as https://my-vault.vault.azure.net"
    vaults = []
    for uri in read_list(environment, name):
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
    name, bounds = "ROTATION_LEAD_DAYS", f"a whole number of days from 1 to {LONGEST_LEAD.days}"
    lead = read_days(environment, name, bounds, default=DEFAULT_LEAD, longest=LONGEST_LEAD)
    if not lead:
        raise SettingsError(name, bounds, "is '0'")
    return lead


def _read_verify_every(environment: Mapping[str, str]) -> timedelta | None:
    bounds = f"a whole number of days from 0 to {LONGEST_VERIFY_EVERY.days}, where 0 turns it off"
    longest = LONGEST_VERIFY_EVERY
    return read_days(environment, "ROTATION_VERIFY_DAYS", bounds, default=DEFAULT_VERIFY_EVERY, longest=longest) or None


def _read_grace(environment: Mapping[str, str]) -> timedelta:
    longest = LONGEST_GRACE // timedelta(hours=1)
    bounds = f"a number of hours from 0 to {longest}, with a dot before parts of one (1.5), where 0 turns it off"
    return read_hours(environment, "ROTATION_GRACE_HOURS", bounds, default=DEFAULT_GRACE, longest=LONGEST_GRACE)


def _read_mode(environment: Mapping[str, str]) -> str:
    mode = read_text(environment, "ROTATION_MODE") or _ROTATE
    if mode.lower() not in _MODES:
        raise SettingsError("ROTATION_MODE", f"{_ROTATE} or {_OBSERVE}", f"is {quoted(mode)}")
    return mode.lower()


def _read_scopes(environment: Mapping[str, str]) -> Scopes:
    name = "ROTATION_ALLOWED_SCOPES"
    prefixes = read_list(environment, name)
    if name not in environment:
        raise SettingsError(name, "ARM id prefixes with commas between them; empty allows nothing")
    try:
        return Scopes(prefixes, [detour for kind in KINDS for detour in kind.detours])
    except ValueError as error:
        expected = "ARM id prefixes in whole segments, such as /subscriptions/{id}/resourceGroups/{group}"
        raise SettingsError(name, expected, f"holds {quoted(str(error))}") from None


def _read_storage(environment: Mapping[str, str], cloud: Cloud) -> Storage:
    # The order of the Functions host: a connection string, the address of the service, the name of the account.
    connection_string = read_text(environment, "AzureWebJobsStorage") or None
    table_uri = None
    if connection_string is None:
        table_uri = _read_tables(environment, cloud)
    client_id = (
        read_text(environment, "AzureWebJobsStorage__clientId") or read_text(environment, "AZURE_CLIENT_ID") or None
    )
    return Storage(connection_string, table_uri, client_id)


def _read_tables(environment: Mapping[str, str], cloud: Cloud) -> str:
    if read_text(environment, _TABLE_URI):
        return read_https(environment, _TABLE_URI, f"https://{{account}}.table.{cloud.storage_suffix}")
    account = read_text(environment, _ACCOUNT_NAME).lower()
    if not account:
        raise SettingsError(
            "AzureWebJobsStorage",
            f"a connection string, or {_TABLE_URI} the address of the storage account's tables,"
            f" or {_ACCOUNT_NAME} its name",
        )
    if not _ACCOUNT.fullmatch(account):
        # Not quoted: it may be a connection string.
        expected = "the name of a storage account, 3 to 24 letters and digits"
        raise SettingsError(_ACCOUNT_NAME, expected, "is no such name")
    return f"https://{account}.table.{cloud.storage_suffix}"
