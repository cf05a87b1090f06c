"""
A browser in which a person signs in to the app: it keeps the session's cookie, and sends it with every call.
"""

import json
from types import TracebackType
from typing import Any, Self

import aiohttp
import yarl

from localcloud.azure.directory import Member
from localcloud.functions_host.process import FunctionsHost
from localcloud.functions_host.sign_in_pages import CALLBACK, COOKIE

MARK = {"X-Rotator": "1"}
"""What the page sends with each change, and no other site can."""


class Browser:
    """
    One browser, for `async with`.
    """

    def __init__(self, host: FunctionsHost) -> None:
        self._url = host.url
        self.answers: list[str] = []

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()

    @property
    def cookie(self) -> str | None:
        """
        The session, None where nobody is signed in.
        """
        found = self._session.cookie_jar.filter_cookies(yarl.URL(self._url)).get(COOKIE)
        return found.value if found else None

    async def sign_in(self, person: Member, *, then: str = "/api/dashboard") -> str:
        """
        Choose a person on the page for signing in; return where the browser is sent next.
        """
        form = {"person": person.principal.principal_id, "post_login_redirect_uri": then}
        async with self._session.post(f"{self._url}{CALLBACK}", data=form, allow_redirects=False) as answer:
            assert answer.status == 302
            return str(answer.headers["Location"])

    async def ask(
        self, method: str, path: str, *, body: Any = None, data: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """
        Return status and JSON of a call, whose path is sent as it is written; None for what is not JSON.
        """
        url = yarl.URL(f"{self._url}{path}", encoded=True)
        content = data if body is None else json.dumps(body)
        async with self._session.request(method, url, data=content, headers=headers, allow_redirects=False) as answer:
            text = await answer.text()
            self.answers.append(text)
            is_json = "json" in answer.content_type
            return answer.status, json.loads(text) if is_json and text else None
