"""
A client that starts a workflow.

It rests on assumption 37 of docs/fidelity.md.
"""

import aiohttp

from localcloud.consumers import call_over_http


class WorkflowConsumer:
    """
    Starts a workflow by its callback URL.
    """

    client = "HTTP"
    service = "the Logic App"

    def __init__(self, arm_id: str) -> None:
        self.target = arm_id

    async def use(self, version: str, value: str, session: aiohttp.ClientSession) -> None:  # noqa: ARG002 - A URL is all.
        await call_over_http(session, "POST", value, json={})

    async def forget(self, version: str) -> None:
        pass  # Nothing was kept.
