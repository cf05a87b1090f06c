"""
Several requests under way at the same time.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def gather(*work: Coroutine[Any, Any, Any]) -> tuple[Any, ...]:
    """
    Carry out several things at the same time: the `Gather` of asyncio.
    """
    tasks = [asyncio.ensure_future(coroutine) for coroutine in work]
    await asyncio.gather(*tasks, return_exceptions=True)
    # Of the tasks, not of what was gathered: a result may be an error that was caught on purpose.
    return tuple(task.result() for task in tasks)
