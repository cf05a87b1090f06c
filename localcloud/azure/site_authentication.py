"""
App Service authentication (Easy Auth), as it is configured: what ARM shows of it, and what the Functions host enforces.

It rests on assumptions 95, 96 and 135 of docs/fidelity.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.azure.directory import ALLOWED_APPLICATIONS, AUDIENCES, ISSUER, REGISTRATION

_PAGE = Path(__file__).parents[2] / "dashboard"

EXCLUDED_PATHS = (
    "/runtime/webhooks/eventgrid",
    "/runtime/webhooks/EventGrid",
    "/admin/host/status",
    "/admin/host/synctriggers",
    "/api/health",
    "/api/dashboard",
    "/api/dashboard/",
    *(f"/api/dashboard/{file.name}" for file in sorted(_PAGE.iterdir()) if file.name != "index.html"),
)
"""Those of infra/modules/entra-authentication.bicep: a test compares them."""


@dataclass
class Authentication:
    """
    The part of `authsettingsV2` that matters here.
    """

    is_enabled: bool = False
    is_required: bool = False
    unauthenticated_action: str = "RedirectToLoginPage"
    excluded_paths: Sequence[str] = ()
    client_id: str = ""
    issuer: str = ""
    allowed_audiences: Sequence[str] = ()
    allowed_applications: Sequence[str] = ()

    @property
    def properties(self) -> dict[str, Any]:
        """
        It as ARM shows it.
        """
        return {
            "platform": {"enabled": self.is_enabled, "runtimeVersion": "~1"},
            "globalValidation": {
                "requireAuthentication": self.is_required,
                "unauthenticatedClientAction": self.unauthenticated_action,
                "excludedPaths": list(self.excluded_paths),
            },
            "identityProviders": {"azureActiveDirectory": self._provider} if self.client_id else {},
        }

    @property
    def _provider(self) -> dict[str, Any]:
        return {
            "enabled": True,
            "registration": {"clientId": self.client_id, "openIdIssuer": self.issuer},
            "validation": {
                "allowedAudiences": list(self.allowed_audiences),
                "defaultAuthorizationPolicy": {"allowedApplications": list(self.allowed_applications)},
            },
        }


def as_deployed() -> Authentication:
    """
    Return the configuration that infra/ makes where it is given the app registration.
    """
    return Authentication(
        is_enabled=True,
        is_required=True,
        unauthenticated_action="Return401",
        excluded_paths=EXCLUDED_PATHS,
        client_id=REGISTRATION,
        issuer=ISSUER,
        allowed_audiences=AUDIENCES,
        allowed_applications=ALLOWED_APPLICATIONS,
    )
