import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.data.tables import TableTransactionError, UpdateMode
from azure.data.tables.aio import TableClient

from benchmarks.tables import TablesInMemory
from localcloud.azurite import Azurite
from localcloud.storage_tap import StorageTap

Do = Callable[[TableClient], Awaitable[Any]]

STALE: dict[str, Any] = {"etag": 'W/"stale"', "match_condition": MatchConditions.IfNotModified}
REPLACE: dict[str, Any] = {"mode": UpdateMode.REPLACE}
MERGE: dict[str, Any] = {"mode": UpdateMode.MERGE}
VARYING = {"date", "version", "etag", "content", "preference_applied"}
LOOKED = datetime(2026, 1, 2, tzinfo=UTC)


def row(key: str, partition: str = "p", **columns: Any) -> dict[str, Any]:
    """
    Return a row.
    """
    return {"PartitionKey": partition, "RowKey": key, **columns}


async def replace_what_was_read(table: TableClient) -> None:
    """
    Replace a row twice by what it was when it was read.
    """
    found = await table.get_entity("p", "b|' c")
    known: dict[str, Any] = {"etag": found.metadata["etag"], "match_condition": MatchConditions.IfNotModified}
    await table.update_entity(row("b|' c", n=2), **REPLACE, **known)
    await table.update_entity(row("b|' c", n=3), **REPLACE, **known)


def query(condition: str, **values: Any) -> Do:
    """
    Return a query.
    """

    async def do(table: TableClient) -> list[dict[str, Any]]:
        return [dict(found) async for found in table.query_entities(condition, parameters=values)]

    return do


async def pages(table: TableClient) -> list[list[str]]:
    """
    Return the keys on each page.
    """
    found = table.query_entities("PartitionKey eq 'p'", results_per_page=2).by_page()
    return [[entity["RowKey"] async for entity in page] async for page in found]


def transact(*steps: Any) -> Do:
    """
    Return a transaction.
    """
    return lambda table: table.submit_transaction(list(steps))


# In this order, each on what those before it have left.
SCRIPT: list[Do] = [
    lambda table: table.get_entity("p", "a"),
    lambda table: table.create_entity(row("a")),
    lambda table: table.update_entity(row("a"), **REPLACE),
    query("PartitionKey eq 'p'"),
    transact(("create", row("a"))),
    lambda table: table.create_table(),
    lambda table: table.create_table(),
    lambda table: table.create_entity(row("b|' c", n=1, text='{"ü": "\'"}', seen=LOOKED)),
    lambda table: table.create_entity(row("b|' c")),
    lambda table: table.get_entity("p", "b|' c"),
    lambda table: table.get_entity("p", "a"),
    lambda table: table.get_entity("q", "b|' c"),
    replace_what_was_read,
    lambda table: table.get_entity("p", "b|' c"),
    lambda table: table.update_entity(row("a"), **REPLACE),
    lambda table: table.update_entity(row("a"), **REPLACE, **STALE),
    lambda table: table.upsert_entity(row("z", n=1, m=1), **MERGE),
    lambda table: table.upsert_entity(row("z", n=2), **MERGE),
    lambda table: table.get_entity("p", "z"),
    lambda table: table.upsert_entity(row("z", k=1), **REPLACE),
    lambda table: table.get_entity("p", "z"),
    lambda table: table.delete_entity("p", "z", **STALE),
    lambda table: table.delete_entity("p", "a"),
    lambda table: table.delete_entity("p", "a", **STALE),
    query("PartitionKey eq @p and RowKey ge @first and RowKey lt @last", p="p", first="b", last="z"),
    query("PartitionKey eq @p and RowKey gt @after", p="p", after="b|' c"),
    query("PartitionKey eq @p and n eq @n", p="p", n="2"),
    transact(("delete", row("z")), ("create", row("y", n="ü")), ("upsert", row("x"), MERGE), ("update", row("b|' c"))),
    query("PartitionKey eq 'p'"),
    transact(("upsert", row("x", n=9), MERGE), ("delete", row("y")), ("create", row("b|' c"))),
    transact(("delete", row("y"), STALE), ("create", row("w"))),
    transact(("create", row("w")), ("delete", row("gone"))),
    query("PartitionKey eq 'p'"),
    transact(("create", row("v", seen=LOOKED)), ("create", row("u", seen=LOOKED.replace(day=1)))),
    query("PartitionKey eq 'p' and seen lt @looked", looked=LOOKED),
    pages,
    lambda table: table.delete_entity("p", "x"),
    pages,
]


@pytest.fixture
async def azurites(azurite: Azurite) -> AsyncIterator[TableClient]:
    """
    Yield a table of Azurite's that is not there yet.
    """
    async with TableClient.from_connection_string(azurite.connection_string, "measured", retry_total=0) as table:
        yield table
        await table.delete_table()


@pytest.fixture
async def tap() -> AsyncIterator[StorageTap]:
    """
    Yield a tap before tables in memory.
    """
    with closing(TablesInMemory()) as tables:
        async with StorageTap(tables, tables.answer) as running:
            yield running


@pytest.fixture
async def ours(tap: StorageTap) -> AsyncIterator[TableClient]:
    """
    Yield a table in memory that is not there yet.
    """
    async with TableClient.from_connection_string(tap.connection_string, "measured", retry_total=0) as table:
        yield table


async def outcomes(table: TableClient) -> list[Any]:
    """
    Play the script, and return what a caller sees of each step, without what differs from write to write.
    """
    seen: list[Any] = []
    for step in SCRIPT:
        try:
            seen.append(shown(await step(table)))
        except TableTransactionError as error:
            seen.append((error.status_code, error.index))
        except HttpResponseError as error:
            code = re.search(r"ErrorCode:(\w+)", str(error))
            seen.append((type(error).__name__, error.status_code, code and code[1]))
    return seen


def shown(result: Any) -> Any:
    """
    Return a result without what differs from write to write.
    """
    if isinstance(result, list):
        return [shown(item) for item in result]
    if isinstance(result, dict):
        return {name: value for name, value in result.items() if name not in VARYING}
    return None if type(result).__name__ == "TableItem" else result


async def test_tables_in_memory_answer_as_azurite_does(azurites: TableClient, ours: TableClient) -> None:
    """
    What is measured against a table in memory would go the same way against Azurite.
    """
    expected, found = await outcomes(azurites), await outcomes(ours)

    for number, (theirs, mine) in enumerate(zip(expected, found, strict=True)):
        assert mine == theirs, number


async def test_the_log_shows_how_long_a_request_to_a_table_took(tap: StorageTap, ours: TableClient) -> None:
    """
    The latency is a part of it, or the log would show requests one after the other that went out together.
    """
    tap.latency = 0.05
    await ours.create_table()

    (entry,) = tap.requests
    assert entry.ended is not None
    assert entry.ended.monotonic - entry.received.monotonic >= 0.05
