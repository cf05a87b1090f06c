"""
Microsoft.Web: the Function App, its settings, its functions, and who has to sign in.

It rests on assumption 135 of docs/fidelity.md.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from aiohttp import web

from localcloud.azure.arm import LOCATION, Inventory
from localcloud.azure.control_plane.plane import SUBSCRIPTION, ControlPlane, listing
from localcloud.azure.dialect import TENANT_ID
from localcloud.azure.identity import Identity
from localcloud.azure.json_answer import json_answer
from localcloud.azure.operation import Call, Operation
from localcloud.azure.site_authentication import Authentication

API_VERSIONS = frozenset({"2024-11-01", "2025-03-01", "2025-05-01"})
SITES = f"{SUBSCRIPTION}/providers/Microsoft.Web/sites"
SITE = f"{SUBSCRIPTION}/resourceGroups/{{group}}/providers/Microsoft.Web/sites/{{site}}"
_OF_THE_PLATFORM = ("IDENTITY_", "LOCAL_", "WEBSITE_")
"""How names begin that are no app settings: those which App Service adds, and those of the host on this machine."""


class Host(Protocol):
    """
    The Functions host that runs an app.
    """

    url: str
    functions: list[str]

    @property
    def settings(self) -> Mapping[str, str]:
        """
        What it was started with.
        """


class FunctionSite:
    """
    A Function App as Azure Resource Manager shows it, with the host that runs it at present.
    """

    def __init__(
        self, arm_id: str, identity: Identity, host: Callable[[], Host], authentication: Authentication | None = None
    ) -> None:
        self.arm_id = arm_id
        self.authentication = authentication or Authentication()
        """Who has to sign in. The host enforces what it was started with, which is not changed here."""
        self.state = "Running"
        self.public_network_access = "Enabled"
        self.changed_settings: dict[str, str | None] = {}
        """Settings that stand otherwise here than the host was started with; None takes one away."""
        self._identity = identity
        self._host = host

    @property
    def name(self) -> str:
        """
        Its name, the last part of its id.
        """
        return self.arm_id.rpartition("/")[2]

    @property
    def host_name(self) -> str:
        """
        Where it answers, with the port, which Azure's have not.
        """
        return urlsplit(self._host().url).netloc

    @property
    def settings(self) -> dict[str, str]:
        """
        The app settings.
        """
        stated: dict[str, str | None] = {**self._host().settings, **self.changed_settings}
        return {
            name: value for name, value in stated.items() if value is not None and not name.startswith(_OF_THE_PLATFORM)
        }

    @property
    def functions(self) -> dict[str, bool]:
        """
        The functions that the host has found, and whether a setting disables them.
        """
        settings = {name.casefold(): value.casefold() for name, value in self.settings.items()}
        return {
            each: settings.get(f"azurewebjobs.{each}.disabled".casefold()) in {"true", "1"}
            for each in self._host().functions
        }

    @property
    def identity(self) -> dict[str, Any]:
        """
        The app's identity: assigned by the system, or one of its own.
        """
        principal = self._identity.principal
        if self._identity.client_id is None:
            return {"type": "SystemAssigned", "tenantId": TENANT_ID, "principalId": principal.principal_id}
        group = self.arm_id.partition("/providers/")[0]
        its_id = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-{self.name}"
        ids = {"principalId": principal.principal_id, "clientId": principal.client_id}
        return {"type": "UserAssigned", "userAssignedIdentities": {its_id: ids}}


def operations(plane: ControlPlane) -> list[Operation]:
    """
    Return what can be read of Function Apps.
    """
    sites = _Sites(plane.inventory)
    functions, settings, authentication = (
        f"{SITE}/{below}" for below in ("functions", "config/appsettings", "config/authsettingsV2")
    )
    known = API_VERSIONS
    return [
        Operation("Site.List", "GET", SITES, listing(plane, sites.all), SITES, known),
        Operation("Site.Get", "GET", SITE, sites.get, SITE, known),
        Operation("Site.ListFunctions", "GET", functions, listing(plane, sites.functions), functions, known),
        Operation("Site.ListSettings", "POST", f"{settings}/list", sites.settings, settings, known),
        Operation("Site.GetAuthentication", "GET", authentication, sites.authentication, authentication, known),
    ]


class _Sites:
    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def _find(self, call: Call) -> FunctionSite:
        return self._inventory.find(SITE.format(**call.names), FunctionSite)

    def all(self, call: Call) -> list[object]:
        return [_shown(each) for each in self._inventory.all_in(call.names["subscription"], FunctionSite)]

    async def get(self, call: Call) -> web.Response:
        return json_answer(_shown(self._find(call)))

    def functions(self, call: Call) -> list[object]:
        site = self._find(call)
        return [
            {
                "id": f"{site.arm_id}/functions/{name}",
                "name": f"{site.name}/{name}",
                "type": "Microsoft.Web/sites/functions",
                "location": LOCATION,
                "properties": {"name": name, "language": "python", "isDisabled": is_disabled},
            }
            for name, is_disabled in site.functions.items()
        ]

    async def settings(self, call: Call) -> web.Response:
        site = self._find(call)
        return json_answer(_config(site, "appsettings", site.settings))

    async def authentication(self, call: Call) -> web.Response:
        site = self._find(call)
        return json_answer(_config(site, "authsettingsV2", site.authentication.properties))


def _shown(site: FunctionSite) -> dict[str, Any]:
    return {
        "id": site.arm_id,
        "name": site.name,
        "type": "Microsoft.Web/sites",
        "kind": "functionapp,linux",
        "location": LOCATION,
        "tags": {},
        "properties": {
            "name": site.name,
            "state": site.state,
            "enabled": site.state == "Running",
            "hostNames": [site.host_name],
            "defaultHostName": site.host_name,
            "publicNetworkAccess": site.public_network_access,
        },
        "identity": site.identity,
    }


def _config(site: FunctionSite, name: str, properties: object) -> dict[str, Any]:
    return {
        "id": f"{site.arm_id}/config/{name}",
        "name": name,
        "type": "Microsoft.Web/sites/config",
        "location": LOCATION,
        "properties": properties,
    }
