"""
A JSON answer, as every service gives it.
"""

from typing import Any

import msgspec
from aiohttp import web


def json_answer(content: Any, *, status: int = 200) -> web.Response:
    """
    `content` as `application/json; charset=utf-8`.
    """
    return web.Response(
        status=status, body=msgspec.json.encode(content), content_type="application/json", charset="utf-8"
    )
