"""
What a request to a storage account asks for, and how the account answers one that fails.

It rests on assumption 90 of docs/fidelity.md.
"""

import re
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

import msgspec
from aiohttp import web

_ROW_KEY = re.compile(r"RowKey='((?:[^']|'')*)'")
_CREATED_KEY = re.compile(r'"RowKey": ?"([^"]*)"')
_FIRST_KEY = re.compile(r"RowKey ge '((?:[^']|'')*)'")
_MESSAGE = "A scripted fault."


def of_tables(request: web.Request, body: bytes) -> tuple[str, str]:
    """
    Return what a request asks of the tables, and the row it is about.

    Of a query that is the first key of its range, of a transaction its first row.
    """
    path = unquote(urlsplit(request.raw_path).path)
    if path.endswith("/$batch"):
        text = body.decode(errors="replace")
        row = _ROW_KEY.search(unquote(text)) or _CREATED_KEY.search(text)
        return "Ledger.Transaction", row[1] if row else ""
    if path.endswith("/Tables"):
        return "Ledger.CreateTable", ""
    if row := _ROW_KEY.search(path):
        return _of_one_row(request), row[1]
    if request.method == "POST":
        return "Ledger.Insert", _inserted_key(body)
    first = _FIRST_KEY.search(request.query.get("$filter", ""))
    return "Ledger.Query", first[1] if first else ""


def of_queues(request: web.Request) -> tuple[str, str]:
    """
    Return what a request asks of the queues, and the name of the queue it is about.

    `Queue.Update` hides a message for longer, or releases it; `Queue.Other` is about queues, not messages.
    """
    _, _, queue, *rest = f"{urlsplit(request.raw_path).path}//".split("/")
    if rest[:1] != ["messages"]:
        return "Queue.Other", queue
    if "peekonly" in request.query:
        return "Queue.Peek", queue
    operations = {"GET": "Queue.Receive", "POST": "Queue.Send", "PUT": "Queue.Update"}
    return operations.get(request.method, "Queue.Delete"), queue


def table_error(code: str) -> bytes:
    """
    Return the body of an error of the tables.
    """
    return msgspec.json.encode({"odata.error": {"code": code, "message": {"lang": "en-US", "value": _MESSAGE}}})


def queue_error(code: str) -> bytes:
    """
    Return the body of an error of the queues.
    """
    error = f"<Error><Code>{escape(code)}</Code><Message>{_MESSAGE}</Message></Error>"
    return f'<?xml version="1.0" encoding="utf-8"?>{error}'.encode()


def _of_one_row(request: web.Request) -> str:
    match request.method:
        case "GET":
            return "Ledger.Read"
        case "DELETE":
            return "Ledger.Delete"
        case _:
            return "Ledger.Replace" if "If-Match" in request.headers else "Ledger.Upsert"


def _inserted_key(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Entity).row_key
    except msgspec.DecodeError:
        return ""


class _Entity(msgspec.Struct):
    row_key: str = msgspec.field(name="RowKey")
