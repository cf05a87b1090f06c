"""
Where a browser signs in and out: `/.auth/login/aad` and `/.auth/logout`, with a page to choose a person on.

It rests on assumption 136 of docs/fidelity.md.
"""

import html
import re
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from localcloud.azure.directory import PEOPLE
from localcloud.azure.entra_token import sign

COOKIE = "AppServiceAuthSession"
SESSION = "session"
"""The audience of what the cookie holds: no token of an application can stand in for it, nor the other way round."""

LOGIN, CALLBACK, LOGOUT = "/.auth/login/aad", "/.auth/login/aad/callback", "/.auth/logout"
_DONE = "/.auth/login/done"
_SESSION_SECONDS = 8 * 3600
# A path of this site: neither a host behind two slashes, nor what a browser would make one of.
_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in</title>
<h1>Sign in</h1><p>This stands in for the sign-in page of Microsoft Entra. Who are you?</p>
<form method="post" action="{action}">
<input type="hidden" name="post_login_redirect_uri" value="{where}">{people}</form></html>"""
_PERSON = '<p><button name="person" value="{id}">{name}</button> {roles}</p>'


class SignInPages:
    """
    The pages of one site, whose sessions are signed with a key.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._pages: dict[tuple[str, str], Callable[[web.Request], Awaitable[web.Response]]] = {
            ("GET", LOGIN): self._login,
            ("POST", CALLBACK): self._signed_in,
            ("GET", LOGOUT): self._logout,
            ("GET", _DONE): self._done,
        }

    def find(self, request: web.Request) -> Callable[[web.Request], Awaitable[web.Response]] | None:
        """
        Return what answers a request, None where that is none of these pages.
        """
        return self._pages.get((request.method, request.rel_url.raw_path))

    async def _login(self, request: web.Request) -> web.Response:
        people = "".join(
            _PERSON.format(
                id=html.escape(person.principal.principal_id),
                name=html.escape(person.name or ""),
                roles=html.escape(", ".join(person.roles) or "no role"),
            )
            for person in PEOPLE
        )
        where = html.escape(_path_of(request.query.get("post_login_redirect_uri", "")))
        return web.Response(text=_PAGE.format(action=CALLBACK, where=where, people=people), content_type="text/html")

    async def _signed_in(self, request: web.Request) -> web.Response:
        form = await request.post()
        person = next((one for one in PEOPLE if one.principal.principal_id == form.get("person")), None)
        if person is None:
            return web.Response(status=401)
        answer = web.Response(status=302, headers={"Location": _path_of(str(form.get("post_login_redirect_uri", "")))})
        expires_on = int(time.time()) + _SESSION_SECONDS
        session = {**person.claims, "aud": SESSION, "exp": expires_on}
        # With no restriction of its own as to which site a browser sends it for: the app has to hold its own.
        answer.set_cookie(COOKIE, sign(session, self._key), path="/", httponly=True)
        return answer

    async def _logout(self, request: web.Request) -> web.Response:
        where = _path_of(request.query.get("post_logout_redirect_uri", ""))
        answer = web.Response(status=302, headers={"Location": where})
        answer.del_cookie(COOKIE, path="/")
        return answer

    async def _done(self, request: web.Request) -> web.Response:  # noqa: ARG002 - as the others
        return web.Response(text="You are signed in, or out. You can close this page.")


def _path_of(written: str) -> str:
    """
    Return a path of this site: where a browser is sent next must not be anybody's choice.
    """
    return written if _PATH.fullmatch(written) else _DONE
