"""
Several things at the same time, in an order that tests can rely on.
"""

from collections.abc import Coroutine
from typing import Any


async def one_after_another(*work: Coroutine[Any, Any, Any]) -> tuple[Any, ...]:
    """
    Carry out several things: a `Gather`, one thing after the other. Where the process dies, the rest is not begun.
    """
    results: list[Any] = []
    errors: list[Exception] = []
    waiting = list(work)
    try:
        while waiting:
            try:
                results.append(await waiting.pop(0))
            except Exception as error:  # noqa: BLE001 - whatever it is, the others are carried out first
                errors.append(error)
    finally:
        for coroutine in waiting:
            coroutine.close()
    if errors:
        raise errors[0]
    return tuple(results)
