"""
A client that starts a workflow.

It rests on assumption 37 of docs/fidelity.md.
"""

import aiohttp

from localcloud.consumers import CallFailed, code_in

_PATIENCE = aiohttp.ClientTimeout(total=30)


class WorkflowConsumer:
    """
    Starts a workflow by its callback URL.
    """

    client = "HTTP"
    service = "the Logic App"

    def __init__(self, arm_id: str) -> None:
        self.target = arm_id

    async def use(self, version: str, value: str, session: aiohttp.ClientSession) -> None:  # noqa: ARG002 - A URL is all.
        try:
            async with session.post(value, json={}, timeout=_PATIENCE) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise CallFailed(type(error).__name__) from None
        if not answer.ok:
            raise CallFailed(code_in(body) or str(answer.reason), answer.status)

    async def forget(self, version: str) -> None:
        pass  # Nothing was kept.
