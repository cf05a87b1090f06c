"""
Queue triggers: messages are fetched, hidden while a function works on them, then deleted, put back, or poisoned.

The rules are those of Azure's queue listener: https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue

It rests on assumptions 72, 73, 75, 76 and 82 of docs/fidelity.md.
"""

import asyncio
import logging
from enum import Enum

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.queue import QueueMessage

from localcloud.functions_host import converters
from localcloud.functions_host.app_index import IndexedFunction
from localcloud.functions_host.background import Background
from localcloud.functions_host.ending import end_abruptly
from localcloud.functions_host.host_json import QueueOptions
from localcloud.functions_host.invocation import InvocationError, Invoker
from localcloud.functions_host.storage_queues import StorageQueue

_log = logging.getLogger("host.queues")

_SHORTEST_POLL = 0.1  # seconds; an idle queue is polled ever more rarely, down to maxPollingInterval
_MISSING = 3.0  # seconds until a queue that was missing is looked for again
# The message was deleted or handed out again, or its queue is gone.
_NOT_OURS_ANY_MORE = {400, 404, 409}


class _Outcome(Enum):
    SUCCEEDED = "deleted"
    FAILED = "released"
    POISONOUS = "moved to the poison queue"


class QueueListener(Background):
    """
    Runs one function for the messages of one queue.

    It never creates the queue. A batch that is on its way when it stops is lost for as long as it is hidden. A storage
    account that fails while a message is renewed, deleted, released or moved ends the whole host, as it ends Azure's
    (WebScriptHostExceptionHandler.cs).
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
        super().__init__()
        self._function = function
        self._queue = queue
        self._poison_queue = poison_queue
        self._options = options
        self._hidden_seconds = hidden_seconds
        self._invoker = invoker
        self._working: set[asyncio.Task[None]] = set()

    async def _run(self) -> None:
        pause = _SHORTEST_POLL
        stopping = asyncio.create_task(self._stopping.wait())
        while not stopping.done():
            if len(self._working) > self._options.refill_below:
                await asyncio.wait({stopping, *self._working}, return_when=asyncio.FIRST_COMPLETED)
                continue
            try:
                messages = await self._queue.receive(self._options.batch_size, hidden_seconds=self._hidden_seconds)
            except ResourceNotFoundError:
                messages, pause = [], _MISSING
            except AzureError:
                _log.exception("queue %s cannot be read", self._queue.name)
                messages = []
            if messages:
                self._take(messages)
                pause = _SHORTEST_POLL
            else:
                pause = min(pause, self._options.max_polling_interval)
                await asyncio.wait([stopping], timeout=pause)
                pause *= 2
        await asyncio.gather(*self._working)

    def _take(self, messages: list[QueueMessage]) -> None:
        if self._stopping.is_set():
            _log.warning("queue %s: %d messages came too late, they stay hidden", self._queue.name, len(messages))
            return
        for message in messages:
            task = asyncio.create_task(self._work_on(message))
            self._working.add(task)
            task.add_done_callback(self._working.discard)

    async def _work_on(self, message: QueueMessage) -> None:
        try:
            await self._settle(message, await self._process(message))
        except AzureError as error:
            self._judge(message, error)

    def _judge(self, message: QueueMessage, error: AzureError) -> None:
        """
        Go on if the message is gone or was handed out again; end the host otherwise.
        """
        if not isinstance(error, HttpResponseError) or error.status_code not in _NOT_OURS_ANY_MORE:
            end_abruptly(error)
        _log.warning("message %s of queue %s is in other hands: %s", message.id, self._queue.name, error)

    async def _process(self, message: QueueMessage) -> _Outcome:
        dequeue_count = message.dequeue_count or 0
        is_last_try = dequeue_count >= self._options.max_dequeue_count
        if self._poison_queue and dequeue_count > self._options.max_dequeue_count:
            return _Outcome.POISONOUS  # The worker that took it last has died.
        try:
            body = self._queue.body_of(message)
        except ValueError:
            _log.exception("message %s of queue %s is not base64", message.id, self._queue.name)
            return _Outcome.POISONOUS
        ended = asyncio.Event()
        keeping_hidden = asyncio.create_task(self._keep_hidden(message, ended))
        try:
            await self._invoker.invoke(self._function, converters.text(body.decode()), _metadata_of(message))
        except UnicodeDecodeError:
            _log.exception("message %s: Exception binding parameter '%s'", message.id, self._function.trigger.name)
        except InvocationError:
            pass
        else:
            return _Outcome.SUCCEEDED
        finally:
            ended.set()
            await keeping_hidden
        return _Outcome.POISONOUS if is_last_try else _Outcome.FAILED

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
        except AzureError as error:
            self._judge(message, error)

    async def _settle(self, message: QueueMessage, outcome: _Outcome) -> None:
        if outcome is _Outcome.SUCCEEDED:
            await self._queue.client.delete_message(message)
        elif self._poison_queue is None:
            # There is nowhere to move it: it is tried again when its time in hiding is over, until it expires.
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
    """
    Describe the message that a text came in.
    """
    assert message.inserted_on  # noqa: S101 - the service always says so of a message it hands out
    assert message.expires_on  # noqa: S101
    assert message.next_visible_on  # noqa: S101
    return {
        "Id": converters.text(message.id),
        "DequeueCount": converters.from_json(message.dequeue_count or 0),
        "PopReceipt": converters.text(message.pop_receipt or ""),
        "InsertionTime": converters.from_json(message.inserted_on.isoformat()),
        "ExpirationTime": converters.from_json(message.expires_on.isoformat()),
        "NextVisibleTime": converters.from_json(message.next_visible_on.isoformat()),
    }
