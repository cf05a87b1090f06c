"""
Azure Table storage in memory, for measurements: Azurite, an emulator for debugging, would be what is measured.

It takes more CPU for a rotation than all the rest of the local cloud, and looks for a row through its whole partition.
This one answers what azure-data-tables sends for our app, as Azurite does (a test holds the two against each other).
"""

import re
from urllib.parse import unquote, urlsplit

import msgspec
from aiohttp import web

from benchmarks.table_rows import Address, Row, Rows, TableError

_ACCOUNT = "devstoreaccount1"
_KEY = "bm90IGEgc2VjcmV0"  # Signs requests that nobody checks.
_ENTITY = re.compile(r"(\w+)\(PartitionKey='((?:[^']|'')*)',\s*RowKey='((?:[^']|'')*)'\)")
_STEP = re.compile(rb"\r?\n\r?\n(\w+) (\S+) HTTP/1\.1\r?\n(.*?)\r?\n\r?\n(.*?)(?:\r?\n)*--changeset", re.DOTALL)
_IF_MATCH = re.compile(rb"^If-Match: *(.*?)\r?$", re.MULTILINE | re.IGNORECASE)
_PAGE = 1000
_JSON = "application/json;odata=minimalmetadata"


class TablesInMemory:
    """
    The tables of one account. Give `answer` to a StorageTap: that listens, logs and takes its time.
    """

    connection_string = (
        f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_KEY};"
        f"TableEndpoint=http://localhost/{_ACCOUNT};"
    )

    def __init__(self) -> None:
        self._tables: dict[str, Rows] = {}

    async def answer(self, request: web.Request, body: bytes) -> web.Response:
        """
        Do what a request asks for.
        """
        path = _resource(request.raw_path)
        try:
            if path == "$batch":
                return self._transact(body)
            if path == "Tables":
                return self._create_table(body)
            if request.method == "GET" and path.endswith("()"):
                return self._query(path.removesuffix("()"), request)
            return self._do(request.method, path, body, request.headers.get("If-Match"))
        except TableError as error:
            return _refuse(error)

    def _create_table(self, body: bytes) -> web.Response:
        name = msgspec.json.decode(body)["TableName"]
        if name in self._tables:
            raise TableError(409, "TableAlreadyExists", "The table specified already exists.")
        self._tables[name] = Rows()
        return _answer(201, {"TableName": name})

    def _do(self, method: str, path: str, body: bytes, etag: str | None) -> web.Response:
        """
        Read or write one row.
        """
        table, address = _address(path, body)
        rows = self._rows(table)
        match method:
            case "GET":
                return _answer(200, rows.get(address))
            case "POST":
                row = rows.insert(_row(body))
                return _answer(201, row, row)
            case "DELETE":
                rows.delete(address, etag or "*")
                return web.Response(status=204)
            case _:
                row = rows.replace(_row(body), etag, merge=method in {"PATCH", "MERGE"})
                return _answer(204, None, row)

    def _query(self, table: str, request: web.Request) -> web.Response:
        size = min(int(request.query.get("$top", _PAGE)), _PAGE)
        found = self._rows(table).find(request.query["$filter"], request.query.get("NextRowKey", ""))
        page = [row for _, row in zip(range(size + 1), found, strict=False)]
        answer = _answer(200, {"value": page[:size]})
        if len(page) > size:
            answer.headers["x-ms-continuation-NextPartitionKey"] = page[size]["PartitionKey"]
            answer.headers["x-ms-continuation-NextRowKey"] = page[size]["RowKey"]
        return answer

    def _transact(self, body: bytes) -> web.Response:
        """
        Do all steps of a transaction, or none.
        """
        done: list[tuple[Rows, Address, Row | None]] = []
        parts: list[str] = []
        for number, (method, url, headers, content) in enumerate(_STEP.findall(body)):
            path, etag = _resource(url.decode()), _IF_MATCH.search(headers)
            try:
                table, address = _address(path, content)
                rows = self._rows(table)
                done.append((rows, address, rows.peek(address)))
                answer = self._do(method.decode(), path, content, etag[1].decode() if etag else None)
            except TableError as error:
                for rows, address, former in reversed(done):
                    rows.put(address, former)
                parts = [_part(_refuse(TableError(error.status, error.code, f"{number}:{error}")))]
                break
            parts.append(_part(answer))
        content = "".join(f"--changesetresponse\r\n{part}\r\n" for part in parts) + "--changesetresponse--\r\n"
        return web.Response(
            status=202,
            text=(
                "--batchresponse\r\nContent-Type: multipart/mixed; boundary=changesetresponse\r\n\r\n"
                f"{content}--batchresponse--\r\n"
            ),
            content_type="multipart/mixed; boundary=batchresponse",
        )

    def _rows(self, table: str) -> Rows:
        if table not in self._tables:
            raise TableError(404, "TableNotFound", "The table specified does not exist.")
        return self._tables[table]


def _resource(url: str) -> str:
    """
    Return what stands behind the account's name.
    """
    return unquote(urlsplit(url).path).removeprefix(f"/{_ACCOUNT}/")


def _address(path: str, body: bytes) -> tuple[str, Address]:
    """
    Return table and keys of a row. An insert has the keys in its body.
    """
    if found := _ENTITY.fullmatch(path):
        table, partition, key = found.groups()
        return table, (partition.replace("''", "'"), key.replace("''", "'"))
    row = msgspec.json.decode(body)
    return path, (row["PartitionKey"], row["RowKey"])


def _row(body: bytes) -> Row:
    """
    Return a row without what everybody knows of its columns.
    """
    sent: Row = msgspec.json.decode(body)
    return {name: value for name, value in sent.items() if value != "Edm.String" or not name.endswith("@odata.type")}


def _answer(status: int, content: object, written: Row | None = None) -> web.Response:
    headers = {"ETag": written["odata.etag"]} if written else {}
    if content is None:
        return web.Response(status=status, headers=headers)
    return web.Response(status=status, body=msgspec.json.encode(content), headers=headers | {"Content-Type": _JSON})


def _refuse(error: TableError) -> web.Response:
    content = {"odata.error": {"code": error.code, "message": {"lang": "en-US", "value": str(error)}}}
    answer = _answer(error.status, content)
    answer.headers["x-ms-error-code"] = error.code
    return answer


def _part(answer: web.Response) -> str:
    """
    Return an answer as a part of a transaction's.
    """
    headers = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items() if name != "Content-Length")
    body = answer.body.decode() if isinstance(answer.body, bytes) else ""
    return (
        "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        f"HTTP/1.1 {answer.status} {answer.reason}\r\n{headers}\r\n{body}"
    )
