"""
What an answer of Azure means, in the rotator's terms.

azure-core raises one type for many meanings and the same meaning in many types; here it is sorted once, by what the
caller may do next. docs/architecture.md, "How an answer is judged", has the rules in one table.

Measured with azure-core 1.41 on aiohttp: a connection that drops after the request was received raises
`ServiceRequestError`, just like one that was refused, so only a failure to connect proves that nothing was sent.

It rests on assumptions 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 17, 20, 43, 49 and 53 of docs/fidelity.md.
"""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import TypeVar

from aiohttp import ClientConnectorError
from azure.core.exceptions import (
    AzureError,
    DecodeError,
    HttpResponseError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
)

from adapters.arm_answers import is_of_resource_manager, text_of
from adapters.error_bodies import StatedError, stated_error
from adapters.service_messages import one_line
from rotation.vocabulary.errors import Declined, DependencyError, NoAnswer, NotFound, Unavailable
from rotation.vocabulary.limits import (
    LONGEST_ERROR_CODE,
    LONGEST_ERROR_TEXT,
    LONGEST_RETRY_AFTER,
    LONGEST_WAIT_FOR_A_READ,
    MOST_DIGITS,
    READ_AGAIN_AFTER,
)
from rotation.vocabulary.timing import Deadline

_log = logging.getLogger(__name__)

T = TypeVar("T")

# What an SDK, or reading its models, raises over a body of another shape.
_ODD = (ValueError, TypeError, KeyError, AttributeError)
_OVER = {429, 500, 503}  # Answered by the service itself: that request is over.
_NOT_FOUND, _TIMED_OUT, _THROTTLED = 404, 408, 429


async def once(what: str, send: Callable[[], Awaitable[T]]) -> T:
    """
    Return the answer to a request that is sent once.

    Raises a `DependencyError` that says what was asked; a success with an unusable body is `NoAnswer`.
    """
    meaning: DependencyError
    try:
        return await send()
    except AzureError as error:
        meaning = meaning_of(error, what)
    except _ODD as error:
        # Told without its text, which may quote the answer, but with the place: it may as well be a bug of ours.
        place = traceback.extract_tb(error.__traceback__)[-1]
        _log.warning("%s: %s in %s, line %s", what, type(error).__name__, place.name, place.lineno)
        meaning = NoAnswer(f"{what}: the answer cannot be used ({type(error).__name__})")
    # Raised out here, so that the original does not travel along as its context: it holds the response.
    raise meaning


def meaning_of(error: AzureError, what: str) -> DependencyError:
    """
    Return what an error of azure-core means for the request that met it.
    """
    if isinstance(error, HttpResponseError) and error.status_code:
        return _meaning_of_status(error, error.status_code, what)
    if isinstance(error, ServiceRequestTimeoutError) or isinstance(error.inner_exception, ClientConnectorError):
        return Unavailable(f"{what}: no connection")
    if isinstance(error, ServiceRequestError):
        return NoAnswer(f"{what}: the connection dropped")
    return NoAnswer(f"{what}: no usable answer ({type(error).__name__})")


async def changing(what: str, send: Callable[[], Awaitable[T]]) -> T | None:
    """
    Send a request that changes something, once; return what its answer holds.

    None is a success whose body is empty or of another shape: what was to be changed is changed. Raises a
    `DependencyError`.
    """

    async def send_and_forgive() -> T | None:
        try:
            return await send()
        except DecodeError as error:
            if not _is_success(error):
                raise
        except _ODD:
            # Such as the bare JSONDecodeError of azure-mgmt-batch on an empty body.
            pass
        return None

    return await once(what, send_and_forgive)


async def until_answered(what: str, ask: Callable[[], Awaitable[T]], deadline: Deadline | None = None) -> T:
    """
    Return the answer to a request that may be sent more than once; it is, while that is worth it.

    Such are reads, and conditional writes that find out whether an earlier try has succeeded.

    Raises a `DependencyError`, or `OutOfTime` where no time is left.
    """
    for pause in READ_AGAIN_AFTER:
        try:
            return await once(what, ask)
        except (Unavailable, NoAnswer) as error:
            wait = error.pause(pause)
            if wait > LONGEST_WAIT_FOR_A_READ:
                raise
        if deadline:
            await deadline.wait(wait)
        else:
            await asyncio.sleep(wait)
    return await once(what, ask)


def _meaning_of_status(error: HttpResponseError, status: int, what: str) -> DependencyError:
    body = text_of(error.response)
    stated = stated_error(body)
    said = f"{what}: {_said(error, status, stated)}"
    if _is_over(error, status, body):
        return Unavailable(said, retry_after=_retry_after(error))
    if not (_is_refusal(status) and stated and stated.is_of_the_service):
        return NoAnswer(said, retry_after=_retry_after(error))
    return NotFound(said) if status == _NOT_FOUND else Declined(said)


def _is_over(error: HttpResponseError, status: int, body: str) -> bool:
    """
    Return whether a failed request will have no effect that it does not have yet.
    """
    if _passed_through_a_site(error):
        # A proxy answers for a site that may still be at work. A 429 of ARM's own was passed on to nobody.
        return status == _THROTTLED and is_of_resource_manager(status, _headers(error), body)
    return status in _OVER


def _is_refusal(status: int) -> bool:
    return 400 <= status < 500 and status not in {_TIMED_OUT, _THROTTLED}  # noqa: PLR2004 - HTTP statuses


def _passed_through_a_site(error: HttpResponseError) -> bool:
    """
    Return whether ARM passed a request on to the host of one site.
    """
    request = getattr(error.response, "request", None)
    return "/hostruntime/" in str(getattr(request, "url", "")).lower()


def _is_success(error: HttpResponseError) -> bool:
    return error.status_code is not None and 200 <= error.status_code < 300  # noqa: PLR2004 - HTTP statuses


def _said(error: HttpResponseError, status: int, stated: StatedError | None) -> str:
    """
    Return the service's status, code and message: `403 AuthorizationFailed: ...`.
    """
    code = (stated and stated.code) or error.reason or "no code"
    message = (stated and stated.message) or "no message"
    return f"{status} {one_line(str(code), LONGEST_ERROR_CODE)}: {one_line(str(message), LONGEST_ERROR_TEXT)}"


def _retry_after(error: HttpResponseError) -> timedelta | None:
    written = str(_headers(error).get("Retry-After", ""))
    # The date form is not used by ARM or Key Vault; a wait that is not plain seconds is ours to choose.
    if not (written.isascii() and written.isdigit()):
        return None
    if len(written) > MOST_DIGITS:
        return LONGEST_RETRY_AFTER
    return min(timedelta(seconds=int(written)), LONGEST_RETRY_AFTER)


def _headers(error: HttpResponseError) -> Mapping[str, str]:
    return getattr(error.response, "headers", None) or {}
