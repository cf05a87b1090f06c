"""
What `rotator doctor` makes of the sign-in before the app.
"""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from localcloud.azure.site_authentication import EXCLUDED_PATHS, Authentication, as_deployed
from rotator.doctor.auth_settings import AuthSettings
from rotator.doctor.finding import Finding
from rotator.doctor.resources import Site
from rotator.doctor.sign_in import look_at_sign_in

SITE = msgspec.convert({"id": "/subscriptions/x/sites/my-rotator", "name": "my-rotator"}, Site)


class Shown:
    """
    An Azure Resource Manager that shows one thing.
    """

    def __init__(self, authentication: Authentication) -> None:
        self._authentication = authentication

    async def get(self, kind: type[AuthSettings], path: str, version: str) -> AuthSettings:
        """
        Return it.
        """
        return msgspec.convert({"properties": self._authentication.properties}, kind)


async def findings(mode: str | None, **changed: Any) -> list[Finding]:
    """
    Return what is found where the sign-in is as infra/ makes it, but for some changes.
    """
    return await look_at_sign_in(Shown(replace(as_deployed(), **changed)), SITE, mode)  # type: ignore[arg-type]


def codes(found: list[Finding]) -> list[str]:
    """
    Return the codes of findings.
    """
    return [one.code for one in found]


async def test_what_the_templates_make_is_well() -> None:
    """
    One line says so.
    """
    assert codes(await findings("entra")) == ["ok"]
    assert codes(await findings("Entra")) == ["ok"]


@pytest.mark.parametrize(
    "changed",
    [{"is_enabled": False}, {"is_required": False}, {"unauthenticated_action": "AllowAnonymous"}],
    ids=str,
)
async def test_an_app_that_believes_a_principal_needs_a_sign_in(changed: dict[str, Any]) -> None:
    """
    Where strangers get through, the platform vouches for nobody; with function keys that is as it should be.
    """
    assert codes(await findings("entra", **changed)) == ["sign_in_off"]
    assert await findings("key", **changed) == []
    assert await findings(None, **changed) == []


async def test_a_sign_in_beside_function_keys_is_a_warning() -> None:
    """
    It works, but roles decide nothing.
    """
    (found,) = await findings("key")
    assert (found.code, found.verdict) == ("sign_in_beside_key", "warning")


@pytest.mark.parametrize(
    "path",
    [
        "*",
        "/",
        "/*",
        "/api",
        "/api/*",
        "/api/secrets",
        "/api/dashboard/*",
        "/api/dashboard/..",
        "/api/dashboard/../secrets",
        "/api/dashboardx",
        "/api/dashboard/a/b",
        "/runtime/webhooks/*",
        "/admin/functions",
    ],
)
async def test_a_path_that_needs_no_sign_in_is_a_fault(path: str) -> None:
    """
    Whatever is more than the templates leave out; nothing else is said of it.
    """
    found = await findings("entra", excluded_paths=[*EXCLUDED_PATHS, path])

    assert codes(found) == ["paths_without_sign_in"]
    assert path in found[0].detail


async def test_events_and_the_page_are_left_out() -> None:
    """
    The one is a fault where it is not, the other a warning, and none where there is no page to sign in at.
    """
    assert codes(await findings("entra", excluded_paths=["/api/health"])) == [
        "events_behind_sign_in",
        "page_behind_sign_in",
    ]
    assert "page_behind_sign_in" not in codes(await findings("key", excluded_paths=["/api/health"]))


async def test_strangers_are_answered_and_not_redirected() -> None:
    """
    A program cannot sign in on a page, and a page cannot follow to another site.
    """
    found = await findings("entra", unauthenticated_action="RedirectToLoginPage")

    assert codes(found) == ["strangers_redirected"]
    assert "RedirectToLoginPage" in found[0].detail


async def test_the_applications_that_may_call_are_named_and_the_registration_is_one() -> None:
    """
    In any case.
    """
    assert codes(await findings("entra", allowed_applications=())) == ["any_application"]
    assert codes(await findings("entra", allowed_applications=("other",))) == ["people_refused"]
    registration = as_deployed().client_id.upper()
    assert codes(await findings("entra", allowed_applications=(registration,))) == ["ok"]
