"""
Queue triggers: messages are fetched, hidden while a function works on them, then deleted, put back, or poisoned.

The rules are those of Azure's queue listener: https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue
"""

import asyncio
import logging
from enum import Enum

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue import QueueMessage

from localcloud.functions_host import converters
from localcloud.functions_host.app_index import IndexedFunction
from localcloud.functions_host.host_json import QueueOptions
from localcloud.functions_host.invocation import InvocationError, Invoker
from localcloud.functions_host.storage_queues import StorageQueue

_log = logging.getLogger("host.queues")

# Azure polls an idle queue ever more rarely, down to maxPollingInterval. Nobody wants to wait so long here.
_SHORTEST_POLL = 0.01
_LONGEST_POLL = 0.2


class _Outcome(Enum):
    SUCCEEDED = "deleted"
    FAILED = "shown again"
    POISONOUS = "moved to the poison queue"


class QueueListener:
    """
    Runs one function for the messages of one queue.
    """

    def __init__(  # noqa: PLR0913 - the parts it is made of
        self,
        function: IndexedFunction,
        queue: StorageQueue,
        poison_queue: StorageQueue | None,
        *,
        options: QueueOptions,
        hidden_seconds: int,
        invoker: Invoker,
    ) -> None:
        self._function = function
        self._queue = queue
        self._poison_queue = poison_queue
        self._options = options
        self._hidden_seconds = hidden_seconds
        self._invoker = invoker
        self._working: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """
        Create the queue if it is missing, and begin to poll it.
        """
        await self._queue.create()
        self._polling = asyncio.create_task(self._poll())

    async def stop_polling(self) -> None:
        """
        Take no further message. A batch that is on its way is still worked on: it is hidden from everybody else.
        """
        self._stopping.set()
        if self._polling is not None:
            await self._polling

    async def finish(self) -> None:
        """
        Wait until every message that was taken is dealt with.
        """
        await asyncio.gather(*self._working)

    async def _poll(self) -> None:
        longest = min(_LONGEST_POLL, self._options.max_polling_interval)
        pause = _SHORTEST_POLL
        stopping = asyncio.create_task(self._stopping.wait())
        while not stopping.done():
            if len(self._working) > self._options.refill_below:
                await asyncio.wait({stopping, *self._working}, return_when=asyncio.FIRST_COMPLETED)
                continue
            messages = await self._fetch()
            for message in messages:
                task = asyncio.create_task(self._work_on(message))
                self._working.add(task)
                task.add_done_callback(self._working.discard)
            pause = _SHORTEST_POLL if messages else min(2 * pause, longest)
            if not messages:
                await asyncio.wait([stopping], timeout=pause)

    async def _fetch(self) -> list[QueueMessage]:
        try:
            return await self._queue.receive(self._options.batch_size, hidden_seconds=self._hidden_seconds)
        except ResourceNotFoundError:
            await self._queue.create()
        except AzureError:
            _log.exception("queue %s cannot be read", self._queue.name)
        return []

    async def _work_on(self, message: QueueMessage) -> None:
        try:
            await self._settle(message, await self._process(message))
        except AzureError:
            # Somebody else has taken or deleted it meanwhile, or it is gone with its queue.
            _log.exception("message %s of queue %s cannot be settled", message.id, self._queue.name)

    async def _process(self, message: QueueMessage) -> _Outcome:
        dequeue_count = message.dequeue_count or 0
        if dequeue_count > self._options.max_dequeue_count:
            return _Outcome.POISONOUS  # Whoever took it last died over it.
        try:
            body = self._queue.body_of(message).decode()
        except ValueError:
            _log.exception("message %s of queue %s cannot be decoded", message.id, self._queue.name)
            return _Outcome.POISONOUS
        ended = asyncio.Event()
        keeping_hidden = asyncio.create_task(self._keep_hidden(message, ended))
        try:
            await self._invoker.invoke(self._function, converters.text(body), _metadata_of(message))
        except InvocationError:
            return _Outcome.FAILED if dequeue_count < self._options.max_dequeue_count else _Outcome.POISONOUS
        else:
            return _Outcome.SUCCEEDED
        finally:
            ended.set()
            await keeping_hidden

    async def _keep_hidden(self, message: QueueMessage, ended: asyncio.Event) -> None:
        # Ends between two updates, never amid one: the pop receipt of the last is needed to settle the message.
        while not ended.is_set():
            try:
                await asyncio.wait_for(ended.wait(), self._hidden_seconds / 2)
            except TimeoutError:
                await self._hide_again(message)

    async def _hide_again(self, message: QueueMessage) -> None:
        try:
            await self._show_after(message, self._hidden_seconds)
        except AzureError:
            _log.exception("message %s of queue %s cannot be kept hidden", message.id, self._queue.name)

    async def _settle(self, message: QueueMessage, outcome: _Outcome) -> None:
        if outcome is _Outcome.SUCCEEDED:
            await self._queue.client.delete_message(message)
        elif self._poison_queue is None:
            # Nowhere to move it to: it stays hidden for as long as it was, so that it does not fail in a tight loop.
            return
        elif outcome is _Outcome.FAILED:
            await self._show_after(message, int(self._options.visibility_timeout))
        else:
            _log.error(
                "Message has reached MaxDequeueCount of %d. Moving message to queue '%s'.",
                self._options.max_dequeue_count,
                self._poison_queue.name,
            )
            await self._poison_queue.send_content(str(message.content))
            await self._queue.client.delete_message(message)

    async def _show_after(self, message: QueueMessage, seconds: int) -> None:
        updated = await self._queue.client.update_message(message, visibility_timeout=seconds)
        message.pop_receipt = updated.pop_receipt


def _metadata_of(message: QueueMessage) -> converters.Metadata:
    assert message.inserted_on  # noqa: S101 - the service always says so of a message it hands out
    assert message.expires_on  # noqa: S101
    assert message.next_visible_on  # noqa: S101
    return converters.message(
        message_id=message.id,
        dequeue_count=message.dequeue_count or 0,
        pop_receipt=message.pop_receipt or "",
        inserted_on=message.inserted_on,
        expires_on=message.expires_on,
        next_visible_on=message.next_visible_on,
    )
