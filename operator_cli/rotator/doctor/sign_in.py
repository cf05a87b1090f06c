"""
App Service's sign-in before the app, and whether it fits what the app makes of it.
"""

import re

from rotator.doctor.auth_settings import AuthProperties, AuthSettings
from rotator.doctor.finding import Area, Finding
from rotator.doctor.resource_manager import ResourceManager
from rotator.doctor.resources import Site

_AREA = Area("app")
_VERSION = "2025-03-01"
_TEMPLATE = "infra/modules/entra-authentication.bicep"
_EVENTS_PATH = "/runtime/webhooks/eventgrid"
_PAGE_PATH = "/api/dashboard"
# Paths whose callers show a key of the host, or who get nothing that is worth one.
_MAY_BE_LEFT_OUT = re.compile(
    rf"{_EVENTS_PATH}|/admin/host/(?:status|synctriggers)|/api/health|{_PAGE_PATH}(?:/[\w-]+(?:\.[\w-]+)*)?", re.ASCII
)


async def look_at_sign_in(manager: ResourceManager, site: Site, mode: str | None) -> list[Finding]:
    """
    Return how the sign-in stands; `mode` is ROTATION_AUTHENTICATION, None where the settings cannot be read.
    """
    settings = (await manager.get(AuthSettings, f"{site.id}/config/authsettingsV2", _VERSION)).properties
    is_entra = mode is not None and mode.lower() == "entra"
    if not settings.asks_to_sign_in:
        return [_off()] if is_entra else []
    findings = _of_paths(settings, is_entra=is_entra)
    if is_entra:
        findings += [*_of_strangers(settings), *_of_callers(settings)]
    if mode is not None and not is_entra:
        findings.append(
            _AREA.warning(
                "sign_in_beside_key",
                "App Service's sign-in is on, and the app asks for a function key all the same",
                "set ROTATION_AUTHENTICATION=entra, so that app roles decide: docs/deploy.md",
            )
        )
    return findings or [_AREA.ok("its sign-in lets the events of Event Grid through, and callers who may call")]


def _off() -> Finding:
    return _AREA.fault(
        "sign_in_off",
        "ROTATION_AUTHENTICATION is entra, and App Service asks nobody to sign in: the app lets nobody in",
        f"switch the sign-in on as {_TEMPLATE} does, or set ROTATION_AUTHENTICATION=key",
    )


def _of_paths(settings: AuthProperties, *, is_entra: bool) -> list[Finding]:
    findings, left_out = [], {_plain(path): path for path in settings.global_validation.excluded_paths}
    if _EVENTS_PATH not in left_out:
        findings.append(
            _AREA.fault(
                "events_behind_sign_in",
                "App Service's sign-in is on, and answers the events of Event Grid with 401",
                f"exclude /runtime/webhooks/EventGrid and /runtime/webhooks/eventgrid from it, as {_TEMPLATE} does",
            )
        )
    if is_entra and _PAGE_PATH not in left_out:
        findings.append(
            _AREA.warning(
                "page_behind_sign_in",
                f"the sign-in answers strangers at {_PAGE_PATH} with 401, so that the page cannot ask them to sign in",
                f"exclude {_PAGE_PATH} and its files from it, as {_TEMPLATE} does",
            )
        )
    if beyond := [path for plain, path in left_out.items() if not _MAY_BE_LEFT_OUT.fullmatch(plain)]:
        findings.append(
            _AREA.fault(
                "paths_without_sign_in",
                f"the sign-in leaves out {', '.join(beyond)}, where callers may say themselves who they are",
                f"exclude nothing but what {_TEMPLATE} names, each path as it is",
            )
        )
    return findings


def _of_strangers(settings: AuthProperties) -> list[Finding]:
    action = settings.global_validation.unauthenticated_client_action
    if action == "Return401":
        return []
    return [
        _AREA.warning(
            "strangers_redirected",
            f"the sign-in answers strangers with {action or 'a page'}, which no page and no program understands",
            f"let it return 401, as {_TEMPLATE} does: the page sends people to sign in by itself",
        )
    ]


def _of_callers(settings: AuthProperties) -> list[Finding]:
    provider = settings.identity_providers.azure_active_directory
    client_id = provider.registration.client_id.lower()
    allowed = {one.lower() for one in provider.validation.default_authorization_policy.allowed_applications}
    if not allowed:
        return [
            _AREA.fault(
                "any_application",
                "the sign-in names no application that may call, and so lets in every one of the tenant",
                f"name the app registration and the callers as allowed applications, as {_TEMPLATE} does",
            )
        ]
    if client_id and client_id not in allowed:
        return [
            _AREA.fault(
                "people_refused",
                f"people who sign in with a browser do so with the app registration {client_id}, which may not call",
                f"add {client_id} to the allowed applications, as {_TEMPLATE} does",
            )
        ]
    return []


def _plain(path: str) -> str:
    return path.lower().rstrip("/")
