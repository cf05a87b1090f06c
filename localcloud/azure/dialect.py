"""
How a service words its answers: its headers, its errors, and what it says about a status that a fault asks for.

It rests on assumption 17 of docs/fidelity.md.
"""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

from aiohttp import web

from localcloud.azure.faults import Fault
from localcloud.azure.refusal import Refusal, error_body
from localcloud.azure.request_log import LoggedRequest

TENANT_ID = "66666666-6666-4666-8666-666666666666"
CLIENT_ID = "77777777-7777-4777-8777-777777777777"
OBJECT_ID = "88888888-8888-4888-8888-888888888888"

_ARM_ID = re.compile(
    "/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    "/providers/(?P<resource>(?P<type>(?P<provider>[^/]+)/[^/]+)/.+)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Wording:
    """
    What a service says with a status: the code, and the message with `{names}` for what differs from time to time.
    """

    status: int
    code: str
    message: str
    inner_code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, object] = field(default_factory=dict)
    """Further members of the error."""
    explain: Callable[[Refusal], object] | None = None
    """Another format than the service's own."""


@dataclass(frozen=True)
class Dialect:
    """
    The way one service speaks. `explain` puts a refusal into its error format.

    `headers` are on every answer, by request and status. `wordings` are what it says about a request; of those with one
    status the first is meant where a fault names no code.
    """

    explain: Callable[[Refusal], object] = error_body
    headers: Callable[[web.BaseRequest, int], Mapping[str, str]] = lambda *_: {}
    wordings: Callable[[LoggedRequest], Sequence[Wording]] = lambda _: ()

    def refusal(self, fault: Fault, request: LoggedRequest) -> Refusal:
        """
        Return how the service refuses a request with the status, and the code if there is one, of a fault.
        """
        known = [wording for wording in self.wordings(request) if wording.status == fault.status]
        wording = next((known for known in known if known.code == fault.code), None) or next(iter(known), None)
        if wording is None:
            phrase = HTTPStatus(fault.status).phrase
            wording = Wording(fault.status, phrase.replace(" ", ""), f"{phrase}.")
        headers = dict(wording.headers)
        if fault.retry_after is not None:
            headers["Retry-After"] = str(fault.retry_after)
        return Refusal(
            wording.status,
            fault.code or wording.code,
            wording.message.format(**_facts(request), wait=fault.retry_after or 1),
            headers=headers,
            inner_code=wording.inner_code,
            more=wording.more,
            explain=wording.explain,
        )


def request_lines() -> str:
    """
    Return the two lines with which Batch and Storage end each message. No two are equal.
    """
    return f"\nRequestId:{uuid.uuid4()}\nTime:{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


def american(moment: datetime) -> str:
    """
    Return a time as Azure Resource Manager writes it in messages.
    """
    return f"{moment.month}/{moment.day}/{moment:%Y} {moment.hour % 12 or 12}:{moment:%M:%S %p}"


def _facts(request: LoggedRequest) -> dict[str, str]:
    found = _ARM_ID.match(request.target)
    arm = found.groupdict() if found else dict.fromkeys(_ARM_ID.groupindex, "")
    is_read = request.method == "GET"
    verb = "read" if is_read else request.path.rpartition("/")[2] + "/action"
    return arm | {
        "target": request.target,
        "name": request.target.partition("/secrets/")[2],
        "action": f"{arm['type']}/{verb}",
        "reads_or_writes": "read" if is_read else "write",
        "tenant": TENANT_ID,
        "client": CLIENT_ID,
        "object": OBJECT_ID,
        "request_lines": request_lines(),
        "now": american(datetime.now(UTC)),
    }
