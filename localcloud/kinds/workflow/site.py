"""
A Logic App (Standard) as its callers see it: the address that callback URLs point to.

It rests on assumption 37 of docs/fidelity.md.
"""

from aiohttp import web

from localcloud.azure.operation import Call, Operation
from localcloud.azure.refusal import Refusal
from localcloud.kinds.workflow.workflow import CALLBACK_API_VERSION, SIGNATURE_VERSION, Workflow

CALLBACK = "/api/{workflow}/triggers/{trigger}/invoke"


class WorkflowSite:
    """
    The workflows of one Logic App, each started by a POST to a callback URL that a present key signed.
    """

    def __init__(self, name: str, origin: str) -> None:
        self.name = name
        self.origin = origin
        self._workflows: dict[str, Workflow] = {}

    def add(self, workflow: Workflow) -> None:
        """
        Take in a workflow. Raises `ValueError` if there is one of its name.
        """
        if workflow.name.casefold() in self._workflows:
            raise ValueError(f"{workflow.arm_id} exists already")
        self._workflows[workflow.name.casefold()] = workflow

    def workflow(self, name: str) -> Workflow | None:
        """
        Return a workflow by its name, or None.
        """
        return self._workflows.get(name.casefold())

    def operations(self) -> list[Operation]:
        """
        Return the only thing that a callback URL is good for.
        """
        return [
            Operation(
                "WorkflowSite.Invoke", "POST", CALLBACK, self._invoke, api_versions=frozenset({CALLBACK_API_VERSION})
            )
        ]

    def admit(self, call: Call) -> None:
        """
        Admit who shows a signature of a present key. The error codes for a wrong one are our guess.
        """
        workflow = self._named(call)
        call.entry.target = f"{workflow.arm_id}/triggers/{call.names['trigger']}"
        sig = call.query("sig")
        if sig is None:
            message = "The request must be authenticated only by Shared Access scheme."
            raise Refusal(401, "DirectApiAuthorizationRequired", message)
        permission = f"/triggers/{call.names['trigger']}/run"
        claims_match = (call.query("sp") or "").casefold() == permission.casefold() and call.query(
            "sv"
        ) == SIGNATURE_VERSION
        if not claims_match or not workflow.accepts(call.names["trigger"], sig):
            raise Refusal(
                401, "DirectApiInvalidSignature", "The signature of the request does not match any access key."
            )
        if call.query("api-version") not in call.operation.api_versions:
            raise Refusal(400, "InvalidApiVersionParameter", f"The api-version must be {CALLBACK_API_VERSION}.")

    def _named(self, call: Call) -> Workflow:
        workflow = self.workflow(call.names["workflow"])
        if workflow is not None:
            trigger = workflow.triggers.get(call.names["trigger"].casefold())
            if trigger is not None and trigger.has_callback_url:
                return workflow
        raise Refusal(404, "WorkflowTriggerNotFound", "There is no such workflow or no such Request trigger.")

    async def _invoke(self, call: Call) -> web.Response:
        self._named(call).runs += 1
        return web.Response(status=202)
