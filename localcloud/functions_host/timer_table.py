"""
What the hosts of one app share about its timers: when each ran last, and which host is running it now.

Azure's host keeps this in blobs, a status and a lease for each timer; here it is a row of a table.

It rests on assumptions 81 and 83 of docs/fidelity.md.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableEntity, UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient

from localcloud.functions_host.app_settings import connection_string

TABLE = "functionshosttimers"

_PARTITION = "timers"
_LEASE = timedelta(seconds=15)  # How long a timer stays with a host that was killed.
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class TimerTable:
    """
    The table, in the app's own storage account.
    """

    def __init__(self) -> None:
        self._service: TableServiceClient | None = None

    def row(self, function: str) -> "TimerRow":
        """
        Return the row of one timer.
        """
        if self._service is None:
            connection = connection_string("", where=f"function {function}")
            self._service = TableServiceClient.from_connection_string(connection)
        return TimerRow(self._service.get_table_client(TABLE), function)

    async def close(self) -> None:
        """
        Close the connections.
        """
        if self._service is not None:
            await self._service.close()


class TimerRow:
    """
    One timer, as all hosts see it.
    """

    def __init__(self, table: TableClient, function: str) -> None:
        self._table = table
        self._function = function
        self._holder = uuid.uuid4().hex

    async def last_run(self, *, or_begin: datetime) -> datetime:
        """
        Return when it ran last. A timer that no host has seen yet is entered as if it had run just now.
        """
        try:
            return _last_of(await self._read())
        except ResourceNotFoundError:
            with suppress(ResourceExistsError):
                await self._table.create_table()
        with suppress(ResourceExistsError):
            entity = self._entity(Last=or_begin.isoformat(), Holder="", HeldUntil=_NEVER.isoformat())
            await self._table.create_entity(entity)
        return _last_of(await self._read())

    @asynccontextmanager
    async def held(self, last: datetime, *, ran_on: datetime) -> AsyncIterator[bool]:
        """
        Keep other hosts from running it, and enter `ran_on` as its last run when that is over.

        It gives False if another host is running it, or has run it since `last`.
        """
        if not await self._take(last):
            yield False
            return
        renewing = asyncio.create_task(self._renew())
        try:
            yield True
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])
            released = self._entity(Last=ran_on.isoformat(), HeldUntil=_NEVER.isoformat())
            await self._table.update_entity(released, UpdateMode.MERGE)

    async def _take(self, last: datetime) -> bool:
        there = await self._read()
        now = datetime.now(UTC)
        if _last_of(there) != last or datetime.fromisoformat(there["HeldUntil"]) > now:
            return False
        taken = self._entity(Holder=self._holder, HeldUntil=(now + _LEASE).isoformat())
        try:
            await self._table.update_entity(
                taken, UpdateMode.MERGE, etag=there.metadata["etag"], match_condition=MatchConditions.IfNotModified
            )
        except ResourceModifiedError:
            return False
        return True

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_LEASE.total_seconds() / 3)
            with suppress(AzureError):
                renewed = self._entity(HeldUntil=(datetime.now(UTC) + _LEASE).isoformat())
                await self._table.update_entity(renewed, UpdateMode.MERGE)

    async def _read(self) -> TableEntity:
        return await self._table.get_entity(_PARTITION, self._function)

    def _entity(self, **columns: str) -> dict[str, str]:
        return {"PartitionKey": _PARTITION, "RowKey": self._function, **columns}


def _last_of(entity: TableEntity) -> datetime:
    return datetime.fromisoformat(entity["Last"])
