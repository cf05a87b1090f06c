"""
Azure's own Python worker library, spoken to as the Functions host speaks to it, without the gRPC in between.
"""

import json
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime as runtime


class Message:
    """
    A protocol message: whatever fields it was made with.
    """

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def WhichOneof(self, _: str) -> str | None:  # noqa: N802 - protobuf's name
        """
        Return the name of the one field that is set.
        """
        return next((name for name in ("http", "json", "string", "bytes", "data") if name in self.__dict__), None)


class StatusResult(Message):
    """
    How a request to the worker ended.
    """

    Failure = 0
    Success = 1


class BindingInfo(Message):
    """
    One binding, with the protocol's numbers of the directions.
    """

    undefined = 0
    out = 1
    inout = 2


class Protocol:
    """
    The message types of the worker's protocol, each as it is asked for.
    """

    StatusResult = StatusResult
    BindingInfo = BindingInfo

    def __getattr__(self, name: str) -> type[Message]:
        return type(name, (Message,), {})


class AzureWorker:
    """
    The worker with one app in it.
    """

    def __init__(self, app: Path) -> None:
        self._app = app
        self.functions: dict[str, Any] = {}

    async def start(self) -> str | None:
        """
        Index the app; return the error that Azure would show, None if there is none.
        """
        runtime.start_threadpool_executor()
        response = await runtime.worker_init_request(
            self._request("worker_init_request", capabilities={}, function_app_directory=str(self._app))
        )
        if response.result.status == StatusResult.Failure:
            return str(response.result.exception.message)
        metadata = await runtime.functions_metadata_request(self._request("functions_metadata_request"))
        self.functions = {found.name: found for found in metadata.function_metadata_results}
        return None

    def bindings(self, function: str) -> set[tuple[str, str, str]]:
        """
        Return type, direction and the telling part of each binding: queue, schedule or route.
        """
        found = [json.loads(raw) for raw in self.functions[function].raw_bindings]
        return {
            (
                binding["type"],
                binding["direction"].lower(),
                binding.get("queueName") or binding.get("schedule") or binding.get("route") or "",
            )
            for binding in found
        }

    def levels(self) -> dict[str, str]:
        """
        Return what a caller has to show to each HTTP function.
        """
        found = {name: [json.loads(raw) for raw in each.raw_bindings] for name, each in self.functions.items()}
        return {
            name: binding["authLevel"]
            for name, bindings in found.items()
            for binding in bindings
            if binding["type"] == "httpTrigger"
        }

    async def invoke(self, function: str, **data: Message) -> Any:
        """
        Run a function with one trigger's data; return the worker's response.
        """
        inputs = [Message(name=name, data=value) for name, value in data.items()]
        return await runtime.invocation_request(
            self._request(
                "invocation_request",
                invocation_id=str(uuid.uuid4()),
                function_id=self.functions[function].function_id,
                input_data=inputs,
                trigger_metadata={},
                trace_context=Message(trace_parent="", trace_state="", attributes={}),
                retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
            )
        )

    async def succeed(self, function: str, **data: Message) -> Any:
        """
        Run a function that must succeed; return the worker's response.
        """
        response = await self.invoke(function, **data)
        assert response.result.status == StatusResult.Success, response.result.exception.message
        return response

    def _request(self, kind: str, **fields: Any) -> Any:
        request = SimpleNamespace(**{kind: Message(**fields)})
        return SimpleNamespace(request=request, properties={"host": "127.0.0.1", "protos": Protocol()})


def http(
    method: str,
    path: str,
    *,
    body: str = "",
    params: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> Message:
    """
    Return the data of an HTTP trigger.
    """
    return Message(
        http=Message(
            method=method,
            url=f"https://app.azurewebsites.net/api{path}",
            headers={"Content-Type": "application/json"} | (headers or {}),
            body=Message(string=body),
            params=params or {},
            query=query or {},
        )
    )
