"""
Rows of tables in memory, as Azure Table storage keeps them: by partition and key, each with an ETag.
"""

import re
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

Row = dict[str, Any]

_CONDITION = re.compile(r"(\w+) (eq|ne|gt|ge|lt|le) (?:datetime)?'((?:[^']|'')*)'")
_COMPARE: dict[str, Callable[[str, str], bool]] = {
    "eq": lambda mine, theirs: mine == theirs,
    "ne": lambda mine, theirs: mine != theirs,
    "gt": lambda mine, theirs: mine > theirs,
    "ge": lambda mine, theirs: mine >= theirs,
    "lt": lambda mine, theirs: mine < theirs,
    "le": lambda mine, theirs: mine <= theirs,
}


class TableError(Exception):
    """
    A request that Table storage refuses, by status and code.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Partition:
    """
    The rows of one partition, in the order of their keys.
    """

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._keys: list[str] = []

    def put(self, key: str, row: Row | None) -> None:
        """
        Write a row, or delete it with None.
        """
        if key not in self.rows and row is not None:
            insort(self._keys, key)
        if row is not None:
            self.rows[key] = row
        elif self.rows.pop(key, None) is not None:
            del self._keys[bisect_left(self._keys, key)]

    def since(self, first: str) -> Iterator[Row]:
        """
        Yield the rows from a key on.
        """
        for index in range(bisect_left(self._keys, first), len(self._keys)):
            yield self.rows[self._keys[index]]


class Rows:
    """
    All rows of one table. A row is a dict with its own copy of both keys and of `odata.etag`.
    """

    def __init__(self) -> None:
        self._partitions: dict[str, Partition] = {}
        self._writes = 0

    def get(self, partition: str, key: str) -> Row:
        """
        Return a row. Raises `TableError`.
        """
        row = self._partition(partition).rows.get(key)
        if row is None:
            raise TableError(404, "ResourceNotFound", "The specified resource does not exist.")
        return row

    def insert(self, row: Row) -> Row:
        """
        Write a row that must not be there. Raises `TableError`.
        """
        if row["RowKey"] in self._partition(row["PartitionKey"]).rows:
            raise TableError(409, "EntityAlreadyExists", "The specified entity already exists.")
        return self._write(row)

    def replace(self, row: Row, etag: str | None, *, merge: bool) -> Row:
        """
        Write a row; with an ETag, or `*`, only in the place of the one that has it. Raises `TableError`.
        """
        former = self._partition(row["PartitionKey"]).rows.get(row["RowKey"])
        if etag is not None:
            self._require(row["PartitionKey"], row["RowKey"], etag)
        return self._write((former or {}) | row if merge else row)

    def delete(self, partition: str, key: str, etag: str) -> None:
        """
        Delete the row that has an ETag. Raises `TableError`.
        """
        self._require(partition, key, etag)
        self._partition(partition).put(key, None)

    def find(self, condition: str, first: str) -> Iterator[Row]:
        """
        Yield the rows of one partition that meet a filter, from a key on.
        """
        if _CONDITION.sub("", condition).replace(" and ", ""):
            raise TableError(501, "NotImplemented", f"The filter {condition!r} is none of those that are known here.")
        wanted = [(name, how, value.replace("''", "'")) for name, how, value in _CONDITION.findall(condition)]
        (partition,) = (value for name, how, value in wanted if (name, how) == ("PartitionKey", "eq"))
        keys = [(how, value) for name, how, value in wanted if name == "RowKey"]
        least = max([first, *(value for how, value in keys if how in {"gt", "ge", "eq"})])
        most = min((value for how, value in keys if how in {"lt", "le", "eq"}), default=None)
        for row in self._partition(partition).since(least):
            if most is not None and row["RowKey"] > most:
                return
            if all(name in row and _COMPARE[how](row[name], value) for name, how, value in wanted):
                yield row

    def peek(self, partition: str, key: str) -> Row | None:
        """
        Return a row if it is there.
        """
        return self._partition(partition).rows.get(key)

    def put_back(self, partition: str, key: str, row: Row | None) -> None:
        """
        Undo what was done to a row since it was peeked at.
        """
        self._partition(partition).put(key, row)

    def _partition(self, name: str) -> Partition:
        return self._partitions.setdefault(name, Partition())

    def _require(self, partition: str, key: str, etag: str) -> None:
        if etag not in {"*", self.get(partition, key)["odata.etag"]}:
            message = "The update condition specified in the request was not satisfied."
            raise TableError(412, "UpdateConditionNotSatisfied", message)

    def _write(self, row: Row) -> Row:
        self._writes += 1
        etag = quote(f"0001-01-01T00:00:00.{self._writes:07d}Z", safe="")
        written = row | {"odata.etag": f"W/\"datetime'{etag}'\""}
        self._partition(row["PartitionKey"]).put(row["RowKey"], written)
        return written
