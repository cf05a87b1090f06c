"""
The host: an app's functions, and everything that makes them run.

It rests on assumptions 68, 72, 74 and 78 of docs/fidelity.md.
"""

import asyncio
import logging
import os
from collections.abc import Mapping

from aiohttp import web

from localcloud.functions_host import event_grid_webhook
from localcloud.functions_host.admin import Admin
from localcloud.functions_host.app_index import IndexedFunction
from localcloud.functions_host.app_settings import connection_string, resolve
from localcloud.functions_host.background import Background
from localcloud.functions_host.bindings import QueueTrigger, TimerTrigger
from localcloud.functions_host.event_grid_webhook import EventGridWebhook
from localcloud.functions_host.host_json import HostJson
from localcloud.functions_host.http_triggers import HttpTriggers
from localcloud.functions_host.invocation import Invoker
from localcloud.functions_host.keys import Keys
from localcloud.functions_host.queue_triggers import QueueListener
from localcloud.functions_host.sign_in import SignIn
from localcloud.functions_host.storage_queues import StorageQueues
from localcloud.functions_host.timer_table import TimerTable
from localcloud.functions_host.timer_triggers import Timer

_log = logging.getLogger("host")

# As Azure's host: larger requests are refused with 413.
_MAX_REQUEST_BYTES = 100 * 1024 * 1024

# How long Azure hides a message from other workers at a time. A test that kills the host and waits for the message
# may choose less: LOCAL_QUEUE_HIDDEN_SECONDS.
_HIDDEN_SECONDS = 600


class Host:
    """
    Serves the functions of an app from `start` to `stop`.
    """

    def __init__(self, functions: Mapping[str, IndexedFunction], host_json: HostJson, keys: Keys) -> None:
        extensions = host_json.extensions
        self._queues = StorageQueues(extensions.queues.message_encoding)
        self._invoker = Invoker(time_limit=host_json.function_timeout, queues=self._queues)
        self._timer_table = TimerTable()
        self._background: list[Background] = []
        for function in functions.values():
            match function.trigger:
                case QueueTrigger() as trigger:
                    self._background.append(self._listener(function, trigger, host_json))
                case TimerTrigger() as trigger:
                    self._background.append(self._timer(function, trigger))
        self._server = web.AppRunner(
            _web_application(functions, host_json, keys, self._invoker), access_log=None, shutdown_timeout=1
        )

    @property
    def timed_out(self) -> asyncio.Event:
        """
        What is set when a function has exceeded the time limit: then `stop`, and start again.
        """
        return self._invoker.timed_out

    async def start(self, port: int) -> str:
        """
        Begin to serve on that port (0: any free one) and give the URL.
        """
        await self._server.setup()
        site = web.TCPSite(self._server, "127.0.0.1", port)
        await site.start()
        for work in self._background:
            work.start()
        return f"http://localhost:{self._server.addresses[0][1]}"

    async def stop(self) -> None:
        """
        Take no more work, and wait for what runs, however long that takes: a platform that loses patience kills it.
        """
        for work in self._background:
            work.stop()
        _log.info("Stopping JobHost")
        for site in list(self._server.sites):
            await site.stop()
        await self._invoker.drain()
        for work in self._background:
            await work.finish()
        await self._server.cleanup()
        await self._queues.close()
        await self._timer_table.close()

    def _listener(self, function: IndexedFunction, trigger: QueueTrigger, host_json: HostJson) -> QueueListener:
        where = f"function {function.name}"
        name = resolve(trigger.queue_name, where=where)
        connection = connection_string(trigger.connection, where=where)
        return QueueListener(
            function,
            self._queues.queue(connection, name),
            # A poison queue has none of its own: what fails there is tried again until the message expires.
            None if name.endswith("-poison") else self._queues.queue(connection, f"{name}-poison"),
            options=host_json.extensions.queues,
            hidden_seconds=int(os.environ.get("LOCAL_QUEUE_HIDDEN_SECONDS", _HIDDEN_SECONDS)),
            invoker=self._invoker,
        )

    def _timer(self, function: IndexedFunction, trigger: TimerTrigger) -> Timer:
        return Timer(
            function,
            resolve(trigger.schedule, where=f"function {function.name}"),
            run_on_startup=trigger.run_on_startup,
            invoker=self._invoker,
            row=self._timer_table.row(function.name),
        )


def _web_application(
    functions: Mapping[str, IndexedFunction], host_json: HostJson, keys: Keys, invoker: Invoker
) -> web.Application:
    sign_in = SignIn.from_environment()
    application = web.Application(
        client_max_size=_MAX_REQUEST_BYTES, middlewares=sign_in.middlewares if sign_in else ()
    )
    application.add_routes(Admin(functions, keys=keys, invoker=invoker).routes())
    webhook = EventGridWebhook(functions, keys=keys, invoker=invoker)
    application.router.add_route("*", event_grid_webhook.PATH, webhook.handle)
    http = HttpTriggers(
        functions.values(), route_prefix=host_json.extensions.http.route_prefix, keys=keys, invoker=invoker
    )
    application.router.add_route("*", "/{path:.*}", http.handle)
    return application
