"""
Rows of a table in memory, as Azure Table storage keeps them: in the order of their keys, each with an ETag.
"""

import operator
import re
import sys
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

Row = dict[str, Any]
Address = tuple[str, str]
"""Partition and key of a row."""

_CONDITION = re.compile(r"(\w+) (eq|ne|gt|ge|lt|le) (?:datetime)?'((?:[^']|'')*)'")
_COMPARE = {how: getattr(operator, how) for how in ("eq", "ne", "gt", "ge", "lt", "le")}
_LAST = chr(sys.maxunicode)  # Comes after every key.


class TableError(Exception):
    """
    A request that Table storage refuses, by status and code.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Rows:
    """
    All rows of one table. A row is a dict with its own copy of both keys and of `odata.etag`.
    """

    def __init__(self) -> None:
        self._rows: dict[Address, Row] = {}
        self._in_order: list[Address] = []
        self._writes = 0

    def get(self, address: Address) -> Row:
        """
        Return a row. Raises `TableError`.
        """
        row = self._rows.get(address)
        if row is None:
            raise TableError(404, "ResourceNotFound", "The specified resource does not exist.")
        return row

    def insert(self, row: Row) -> Row:
        """
        Write a row that must not be there. Raises `TableError`.
        """
        if _address(row) in self._rows:
            raise TableError(409, "EntityAlreadyExists", "The specified entity already exists.")
        return self._write(row)

    def replace(self, row: Row, etag: str | None, *, merge: bool) -> Row:
        """
        Write a row; with an ETag, or `*`, only in the place of the one that has it. Raises `TableError`.
        """
        if etag is not None:
            self._require(_address(row), etag)
        return self._write(self._rows.get(_address(row), {}) | row if merge else row)

    def delete(self, address: Address, etag: str) -> None:
        """
        Delete the row that has an ETag. Raises `TableError`.
        """
        self._require(address, etag)
        self.put(address, None)

    def find(self, condition: str, first: str) -> Iterator[Row]:
        """
        Yield the rows of one partition that meet a filter, from a key on.
        """
        if _CONDITION.sub("", condition).replace(" and ", ""):
            raise TableError(501, "NotImplemented", f"The filter {condition!r} is none of those that are known here.")
        wanted = [(name, how, value.replace("''", "'")) for name, how, value in _CONDITION.findall(condition)]
        (partition,) = (value for name, how, value in wanted if (name, how) == ("PartitionKey", "eq"))
        keys = [(how, value) for name, how, value in wanted if name == "RowKey"]
        least = max([first, *(value for how, value in keys if how in {"gt", "ge"})])
        most = min([_LAST, *(value for how, value in keys if how in {"lt", "le"})])
        since = bisect_left(self._in_order, (partition, least))
        until = bisect_right(self._in_order, (partition, most))
        for address in self._in_order[since:until]:
            row = self._rows[address]
            if all(name in row and _COMPARE[how](row[name], value) for name, how, value in wanted):
                yield row

    def peek(self, address: Address) -> Row | None:
        """
        Return a row if it is there.
        """
        return self._rows.get(address)

    def put(self, address: Address, row: Row | None) -> None:
        """
        Write a row as it is, or delete it with None.
        """
        if address not in self._rows and row is not None:
            insort(self._in_order, address)
        if row is not None:
            self._rows[address] = row
        elif self._rows.pop(address, None) is not None:
            del self._in_order[bisect_left(self._in_order, address)]

    def _require(self, address: Address, etag: str) -> None:
        if etag not in {"*", self.get(address)["odata.etag"]}:
            message = "The update condition specified in the request was not satisfied."
            raise TableError(412, "UpdateConditionNotSatisfied", message)

    def _write(self, row: Row) -> Row:
        self._writes += 1
        etag = quote(f"0001-01-01T00:00:00.{self._writes:07d}Z", safe="")
        written = row | {"odata.etag": f"W/\"datetime'{etag}'\""}
        self.put(_address(row), written)
        return written


def _address(row: Row) -> Address:
    return row["PartitionKey"], row["RowKey"]
