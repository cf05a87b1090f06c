"""
Azure Table storage in memory, for measurements: Azurite, an emulator for debugging, would be what is measured.

It takes more CPU for a rotation than all the rest of the local cloud, and looks for a row through its whole partition.
This one answers what azure-data-tables sends for our app, as Azurite does (a test holds the two against each other).
SQLite keeps the rows in order, and undoes what a transaction has begun.
"""

import re
import sqlite3
from itertools import count
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from aiohttp import web

_Row = dict[str, Any]
_Address = tuple[str, str, str]  # table, partition and key of a row

_ACCOUNT = "devstoreaccount1"
_KEY = "bm90IGEgc2VjcmV0"  # Signs requests that nobody checks.
_PAGE = 1000
_ENTITY = re.compile(r"(\w+)\(PartitionKey='((?:[^']|'')*)',\s*RowKey='((?:[^']|'')*)'\)")
_STEP = re.compile(rb"\r?\n\r?\n(\w+) (\S+) HTTP/1\.1\r?\n(.*?)\r?\n\r?\n(.*?)(?:\r?\n)*--changeset", re.DOTALL)
_IF_MATCH = re.compile(rb"^If-Match: *(.*?)\r?$", re.MULTILINE | re.IGNORECASE)
_PART = "--changes\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"

_SCHEMA = "CREATE TABLE entities (name, PartitionKey, RowKey, entity, PRIMARY KEY (name, PartitionKey, RowKey))"
_ONE = "WHERE (name, PartitionKey, RowKey) = (?, ?, ?)"
_CONDITION = re.compile(r"(\w+) (eq|ne|gt|ge|lt|le) (?:datetime)?('(?:[^']|'')*')")
_OPERATORS = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}


class _Refused(Exception):
    """
    A request is refused: its arguments are status, code and message.
    """


class TablesInMemory:
    """
    The tables of one account. Give `answer` to a StorageTap: that listens, logs and takes its time.
    """

    connection_string = (
        f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_KEY};"
        f"TableEndpoint=http://localhost/{_ACCOUNT};"
    )

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._writes = count(1)
        connection = sqlite3.connect(":memory:", isolation_level=None)
        self._sql, self.close = connection.execute, connection.close
        self._sql(_SCHEMA)

    def clear(self) -> None:
        """
        Forget all rows. The tables stay.
        """
        self._sql("DELETE FROM entities")

    async def answer(self, request: web.Request, body: bytes) -> web.Response:
        """
        Do what a request asks for.
        """
        path = _behind_the_account(request.raw_path)
        try:
            if path == "$batch":
                return self._transact(body)
            if path == "Tables":
                return self._create_table(msgspec.json.decode(body)["TableName"])
            if request.method == "GET" and path.endswith("()"):
                return self._query(path.removesuffix("()"), request)
            return self._read_or_write(request.method, self._address(path, body), body, request.headers.get("If-Match"))
        except _Refused as refused:
            return _refusal(*refused.args)

    def _create_table(self, name: str) -> web.Response:
        if name in self._names:
            raise _Refused(409, "TableAlreadyExists", "The table specified already exists.")
        self._names.add(name)
        return _answer(201, {"TableName": name})

    def _read_or_write(self, method: str, address: _Address, body: bytes, etag: str | None) -> web.Response:
        found = self._sql(f"SELECT entity FROM entities {_ONE}", address).fetchone()  # noqa: S608 - of our own words
        row: _Row = msgspec.json.decode(found[0]) if found else {}
        if method == "POST" and row:
            raise _Refused(409, "EntityAlreadyExists", "The specified entity already exists.")
        if (etag is not None or method in {"GET", "DELETE"}) and not row:
            raise _Refused(404, "ResourceNotFound", "The specified resource does not exist.")
        if etag not in {None, "*", row.get("odata.etag")}:
            message = "The update condition specified in the request was not satisfied."
            raise _Refused(412, "UpdateConditionNotSatisfied", message)
        if method == "GET":
            return _answer(200, row)
        if method == "DELETE":
            self._sql(f"DELETE FROM entities {_ONE}", address)  # noqa: S608 - as above
            return _answer(204)
        sent: _Row = msgspec.json.decode(body)
        if method in {"PATCH", "MERGE"}:
            sent = row | sent
        # Without what everybody knows of its columns.
        new = {name: value for name, value in sent.items() if value != "Edm.String" or not name.endswith("@odata.type")}
        new["odata.etag"] = f'W/"{next(self._writes)}"'
        self._sql("REPLACE INTO entities VALUES (?, ?, ?, ?)", (*address, msgspec.json.encode(new).decode()))
        answer = _answer(201, new) if method == "POST" else _answer(204)
        answer.headers["ETag"] = new["odata.etag"]
        return answer

    def _query(self, name: str, request: web.Request) -> web.Response:
        size = min(int(request.query.get("$top", _PAGE)), _PAGE)
        where = _CONDITION.sub(_in_sql, request.query["$filter"])
        rows = self._sql(
            f"SELECT entity FROM entities WHERE name = ? AND {where} AND RowKey >= ? ORDER BY RowKey LIMIT ?",  # noqa: S608 - rows in memory
            (self._existing(name), request.query.get("NextRowKey", ""), size + 1),
        )
        page: list[_Row] = [msgspec.json.decode(entity) for (entity,) in rows]
        answer = _answer(200, {"value": page[:size]})
        for row in page[size:]:
            answer.headers["x-ms-continuation-NextPartitionKey"] = row["PartitionKey"]
            answer.headers["x-ms-continuation-NextRowKey"] = row["RowKey"]
        return answer

    def _transact(self, body: bytes) -> web.Response:
        """
        Do all steps of a transaction, or none.
        """
        parts: list[web.Response] = []
        self._sql("BEGIN")
        for number, (method, url, headers, content) in enumerate(_STEP.findall(body)):
            etag = _IF_MATCH.search(headers)
            try:
                address = self._address(_behind_the_account(url.decode()), content)
                parts.append(self._read_or_write(method.decode(), address, content, etag[1].decode() if etag else None))
            except _Refused as refused:
                self._sql("ROLLBACK")
                status, code, message = refused.args
                parts = [_refusal(status, code, f"{number}:{message}")]
                break
        else:
            self._sql("COMMIT")
        changes = "".join(map(_as_part, parts))
        text = (
            f"--batch\r\nContent-Type: multipart/mixed; boundary=changes\r\n\r\n{changes}--changes--\r\n--batch--\r\n"
        )
        return web.Response(status=202, text=text, content_type="multipart/mixed; boundary=batch")

    def _address(self, path: str, body: bytes) -> _Address:
        """
        Return where a row is. An insert has the keys in its body.
        """
        if found := _ENTITY.fullmatch(path):
            name, partition, key = found.groups()
            return self._existing(name), partition.replace("''", "'"), key.replace("''", "'")
        row = msgspec.json.decode(body)
        return self._existing(path), row["PartitionKey"], row["RowKey"]

    def _existing(self, name: str) -> str:
        if name not in self._names:
            raise _Refused(404, "TableNotFound", "The table specified does not exist.")
        return name


def _in_sql(condition: re.Match[str]) -> str:
    name, how, value = condition.groups()  # SQL writes a text in the same way.
    column = name if name in {"PartitionKey", "RowKey"} else f"json_extract(entity, '$.{name}')"
    return f"{column} {_OPERATORS[how]} {value}"


def _behind_the_account(url: str) -> str:
    return unquote(urlsplit(url).path).removeprefix(f"/{_ACCOUNT}/")


def _answer(status: int, content: object = None) -> web.Response:
    if content is None:
        return web.Response(status=status)
    headers = {"Content-Type": "application/json;odata=minimalmetadata"}
    return web.Response(status=status, body=msgspec.json.encode(content), headers=headers)


def _refusal(status: int, code: str, message: str) -> web.Response:
    answer = _answer(status, {"odata.error": {"code": code, "message": {"lang": "en-US", "value": message}}})
    answer.headers["x-ms-error-code"] = code
    return answer


def _as_part(answer: web.Response) -> str:
    headers = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items() if name != "Content-Length")
    body = answer.body.decode() if isinstance(answer.body, bytes) else ""
    return f"{_PART}HTTP/1.1 {answer.status} {answer.reason}\r\n{headers}\r\n{body}\r\n"
