"""
The one table of the app's own storage account, through azure-data-tables: reading, listing, and asking until answered.

It rests on assumptions 86, 88 and 90 of docs/fidelity.md.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables.aio import TableClient

from adapters.answers import until_answered
from rotation.vocabulary.errors import SettingsError, Unavailable
from rotation.vocabulary.limits import TABLE_WITHIN

R = TypeVar("R")

NAME = "rotations"

#: The rows between two keys, `first` and `last`.
RANGE = "RowKey ge @first and RowKey lt @last"


class Table:
    """
    The table, which is made when it is first missed. Every call may raise a `DependencyError`.
    """

    def __init__(self, client: TableClient) -> None:
        self.client = client

    async def read(self, partition: str, key: str) -> Any:
        """
        Return one row, None if it is not there.
        """
        return await self.ask("read", lambda: self.get(partition, key))

    async def get(self, partition: str, key: str) -> Any:
        """
        Return one row, None if it is not there; within a call of `ask`.
        """
        try:
            return await self.client.get_entity(partition, key)
        except ResourceNotFoundError as error:
            raise_if_no_table(error)
            return None

    async def list(
        self, partition: str, condition: str, values: dict[str, Any], *, select: list[str] | None = None
    ) -> list[Any]:
        """
        Return every row of a partition that meets a condition, with all of its columns or those that are selected.
        """

        async def read() -> list[Any]:
            found = self.client.query_entities(
                f"PartitionKey eq @partition and {condition}", parameters=parameters, select=select
            )
            return [entity async for entity in found]

        parameters = {"partition": partition, **values}
        return await self.ask("list", read)

    async def stream(
        self, partition: str, condition: str, values: dict[str, Any], *, per_page: int
    ) -> AsyncGenerator[Any, None]:
        """
        Yield the rows of a partition that meet a condition, in the order of their keys; one page is kept in memory.
        """
        pages = self.client.query_entities(
            f"PartitionKey eq @partition and {condition}",
            parameters={"partition": partition, **values},
            results_per_page=per_page,
        ).by_page()

        async def read() -> list[Any] | None:
            try:
                return [entity async for entity in await anext(pages)]
            except StopAsyncIteration:
                return None

        while (page := await self.ask("list", read)) is not None:
            for entity in page:
                yield entity

    async def ask(self, what: str, ask: Callable[[], Awaitable[R]]) -> R:
        """
        Return an answer, asked for until there is one, within half a minute.
        """

        async def ask_a_table() -> R:
            try:
                return await ask()
            except HttpResponseError as error:
                if not _is_without_table(error):
                    raise
            # Made when it is missed: looking for it would cost every cold start a request.
            with suppress(ResourceExistsError):
                await self.client.create_table()
            return await ask()

        try:
            async with asyncio.timeout(TABLE_WITHIN):
                return await until_answered(f"ledger: {what}", ask_a_table)
        except TimeoutError:
            raise Unavailable(f"ledger: {what}: no answer within {TABLE_WITHIN} seconds") from None


def open_table(connection_string: str | None, service_uri: str | None, credential: Any, transport: Any) -> Table:
    """
    Return the table of a storage account, by connection string, or by the address of its tables and a credential.

    Raises `SettingsError`.
    """
    options: dict[str, Any] = {"transport": transport, "retry_total": 0}
    if not connection_string:
        return Table(TableClient(str(service_uri), NAME, credential=credential, **options))
    try:
        return Table(TableClient.from_connection_string(connection_string, NAME, **options))
    except ValueError:
        expected = "the connection string of a storage account"
        raise SettingsError("AzureWebJobsStorage", expected, "is no connection string") from None


def raise_if_no_table(error: HttpResponseError) -> None:
    """
    Raise an error again if it says that there is no table.
    """
    if _is_without_table(error):
        raise error


def _is_without_table(error: HttpResponseError) -> bool:
    # Writes of single entities raise it with the code in their text only (azure-data-tables 12.7).
    code = getattr(error, "error_code", None)
    return code == "TableNotFound" or (code is None and "TableNotFound" in str(error))
