"""
A function that answers a call of the HTTP API: it is admitted first, and may raise what it means.
"""

import os
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import azure.functions as func

from handlers import problems
from handlers.admission import admit, log_change
from rotation.vocabulary.errors import RotationError
from wiring.authentication import asks_for_keys

_Answer = Callable[..., Awaitable[func.HttpResponse]]


def answers(blueprint: func.Blueprint, method: str, route: str) -> Callable[[_Answer], Any]:
    """
    Return a decorator that makes a function of the app of a handler. It comes last, below those of outputs.

    A function that is made otherwise needs a function key, unless it says itself that it does not.
    """
    level = func.AuthLevel.FUNCTION if asks_for_keys(os.environ) else func.AuthLevel.ANONYMOUS
    add = blueprint.route(route=route, methods=[method], trigger_arg_name="request", auth_level=level)
    return lambda handler: add(_answering(handler))


def _answering(handler: _Answer) -> _Answer:
    @wraps(handler)
    async def answer(request: func.HttpRequest, **outputs: Any) -> func.HttpResponse:
        caller = None
        try:
            caller = admit(request)
            response = await handler(request, **outputs)
        except RotationError as error:
            response = problems.answer_to(error)
        log_change(request, caller, response.status_code)
        return response

    return answer
