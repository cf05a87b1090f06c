"""
The Function App itself: where it is, what it is told, as whom it acts, and whether its functions are there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from rotator.doctor.estate import is_within, subscriptions_of
from rotator.doctor.finding import Area, Finding
from rotator.doctor.needs import FUNCTIONS
from rotator.doctor.resource_manager import NotShown, ResourceManager
from rotator.doctor.resources import AppSettings, Function, Site

_AREA = Area("app")
_VERSION = "2025-03-01"
_READ = ("AZURE_CLIENT_ID", "ROTATION_ALLOWED_SCOPES", "ROTATION_TOPIC_ENDPOINT", "ROTATION_VAULTS")


@dataclass(frozen=True)
class Named:
    """
    How a person names the app: its name and its resource group, and its subscription if they say so.
    """

    app: str
    resource_group: str
    subscription: str | None


@dataclass(frozen=True)
class Deployment:
    """
    The app as Azure shows it.
    """

    site: Site
    settings: Mapping[str, str]

    @property
    def hosts(self) -> list[str]:
        """
        The app's host names.
        """
        return self.site.properties.host_names

    @property
    def vaults(self) -> list[str]:
        """
        The URIs of ROTATION_VAULTS, in lower case and without a slash at the end.
        """
        return [one.lower().rstrip("/").removesuffix(":443") for one in self._items("ROTATION_VAULTS")]

    @property
    def scopes(self) -> list[str]:
        """
        The ids of ROTATION_ALLOWED_SCOPES.
        """
        return [one.rstrip("/") for one in self._items("ROTATION_ALLOWED_SCOPES")]

    @property
    def topic_host(self) -> str:
        """
        The host of ROTATION_TOPIC_ENDPOINT, with its port where that is another than 443.
        """
        return urlsplit(self.text("ROTATION_TOPIC_ENDPOINT")).netloc.lower().removesuffix(":443")

    @property
    def references(self) -> list[str]:
        """
        The settings that hold a reference, to a Key Vault or an App Configuration, in place of their value.
        """
        return sorted(name for name in _READ if self.text(name).startswith("@Microsoft."))

    def storage_account(self, part: str) -> str | None:
        """
        Return the name of the account with the app's tables, queues or blobs (`table`, `queue`, `blob`).

        None where it does not sign in to it with its identity.
        """
        if self.text("AzureWebJobsStorage"):
            return None
        host = urlsplit(self.text(f"AzureWebJobsStorage__{part}ServiceUri")).hostname or ""
        return (host.partition(".")[0] or self.text("AzureWebJobsStorage__accountName")).lower() or None

    def allows(self, target: str) -> bool:
        """
        Return whether a target lies in an allowed scope, in whole segments.
        """
        return any(is_within(target, scope) for scope in self.scopes)

    def text(self, name: str) -> str:
        """
        Return a setting as the app reads it, empty where there is none.
        """
        return self.settings.get(name, "").strip().strip("\"'").strip()

    def function_id(self, name: str) -> str:
        """
        Return the id by which an event subscription names a function.
        """
        return f"{self.site.id}/functions/{name}".lower()

    def _items(self, name: str) -> list[str]:
        parts = (part.strip().strip("\"'").strip() for part in re.split(r"[,;\r\n]", self.text(name)))
        return [part for part in parts if part]


async def find_site(manager: ResourceManager, named: Named) -> Site | None:
    """
    Return the app, None where the person sees none of that name in such a resource group.
    """
    refused = None
    for subscription in [named.subscription] if named.subscription else await subscriptions_of(manager):
        group = f"/subscriptions/{quote(subscription)}/resourceGroups/{quote(named.resource_group)}"
        try:
            return await manager.get(Site, f"{group}/providers/Microsoft.Web/sites/{quote(named.app)}", _VERSION)
        except NotShown as error:
            # Rights come before existence: in a subscription of which little is seen, anything is refused.
            refused = refused or (None if error.is_missing else error)
    if refused:
        raise refused
    return None


async def read_deployment(manager: ResourceManager, site: Site) -> Deployment:
    """
    Return the app with its settings. Those that hold a key are read, too, and go nowhere.
    """
    settings = await manager.post(AppSettings, f"{site.id}/config/appsettings/list", _VERSION)
    return Deployment(site, settings.properties)


def principal_of(deployment: Deployment) -> str | Finding:
    """
    Return the object id of the identity that the app acts as, or what is wrong with it.
    """
    return _principal(deployment, "AZURE_CLIENT_ID")


def principal_for_storage(deployment: Deployment) -> str | Finding:
    """
    Return the same of the identity with which it signs in to its own storage.
    """
    own = "AzureWebJobsStorage__clientId"
    return _principal(deployment, own if deployment.text(own) else "AZURE_CLIENT_ID")


def look_at_references(deployment: Deployment) -> list[Finding]:
    """
    Return which settings cannot be read here, since their values lie elsewhere.
    """
    return [
        _AREA.unknown(
            "setting_referenced",
            f"{name} is a reference, whose value is not looked up here: what follows from it was not looked at",
            "put the value itself into the setting: none of them is a secret",
        )
        for name in deployment.references
    ]


def _principal(deployment: Deployment, setting: str) -> str | Finding:
    identity, client_id = deployment.site.identity, deployment.text(setting)
    if not client_id:
        if identity.principal_id:
            return identity.principal_id
        return _AREA.fault(
            "identity_missing",
            "the app has no system-assigned identity, and AZURE_CLIENT_ID names no other",
            "set AZURE_CLIENT_ID to the client id of an identity of the app, or give the app a system-assigned one",
        )
    known = list(identity.user_assigned_identities.values())
    for one in known:
        if one.client_id.lower() == client_id.lower():
            return one.principal_id
    return _AREA.fault(
        "identity_unknown",
        f"{setting} is {client_id}, which is not an identity of the app",
        f"assign that identity to the app, or set {setting} to one of its own: "
        f"{', '.join(one.client_id for one in known) or 'it has none'}",
    )


def look_at_site(site: Site, host: str | None) -> list[Finding]:
    """
    Return whether the app runs, and whether it is the one that was asked over HTTP; `host` is None for a local one.
    """
    findings = []
    if site.properties.state.lower() != "running":
        findings.append(
            _AREA.fault(
                "app_stopped",
                f"{site.name} is {site.properties.state or 'not running'}",
                "start it: az functionapp start",
            )
        )
    names = [name.lower() for name in site.properties.host_names]
    if host and names and host.lower() not in names:
        findings.append(
            _AREA.warning(
                "other_app",
                f"{host} is not a host name of {site.name}",
                "compare KEY_ROTATOR_URL with KEY_ROTATOR_APP: what follows is about the latter",
            )
        )
    return findings or [_AREA.ok(f"{site.name} is running")]


async def look_at_functions(manager: ResourceManager, site: Site) -> list[Finding]:
    """
    Return whether the functions are there that rotate keys without being asked.
    """
    found = {one.short_name: one for one in await manager.read_list(Function, f"{site.id}/functions", _VERSION)}
    findings = []
    if missing := [name for name in FUNCTIONS if name not in found]:
        findings.append(
            _AREA.fault(
                "function_missing",
                f"the host of {site.name} has not found {', '.join(missing)}",
                "deploy the app again; where its own log stream shows an error at the start, correct that first",
            )
        )
    if disabled := [name for name in FUNCTIONS if name in found and found[name].properties.is_disabled]:
        findings.append(
            _AREA.fault(
                "function_disabled",
                f"{', '.join(disabled)} of {site.name} is disabled",
                f"remove the setting AzureWebJobs.{disabled[0]}.Disabled, or set it to false",
            )
        )
    return findings or [_AREA.ok(f"its {len(FUNCTIONS)} functions for events, queues and timers are there")]
