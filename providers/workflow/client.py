"""
The access keys of Logic App (Standard) workflows, through azure-mgmt-web.

The keys themselves are never shown: what each of them gives is a callback URL of a Request trigger, signed with it.

It rests on assumptions 14, 15, 28, 29, 30, 32, 33, 34, 35 and 36 of docs/fidelity.md.
"""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

from azure.mgmt.web.aio import WebSiteManagementClient
from msgspec import Struct

from adapters.answers import changing, until_answered
from adapters.arm import ResourceManager
from rotation.ports.providers import Provider
from rotation.vocabulary.endings import Misconfigured
from rotation.vocabulary.errors import Declined, DependencyError, OutOfTime
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.spelling import caseless
from rotation.vocabulary.target import KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline


class _Workflow(Struct, frozen=True):
    """
    The names of a workflow in the order in which every call takes the last three.
    """

    subscription: str
    resource_group: str
    site: str
    workflow: str
    trigger: str | None = None

    @property
    def place(self) -> tuple[str, str, str]:
        return self.resource_group, self.site, self.workflow

    def __str__(self) -> str:
        return f"workflow {self.site}/{self.workflow}"


class Client(Provider):
    """
    The `Provider` of `Microsoft.Web/sites/workflows`.
    """

    def __init__(self, arm: ResourceManager) -> None:
        self._arm = arm

    async def read_keys(self, target: Target, deadline: Deadline) -> Keys:
        return await self._read(target, list(KeyName), deadline)

    async def read_new(self, target: Target, key: KeyName, before: Keys, deadline: Deadline) -> Keys:
        return {**before, **await self._read(target, [key], deadline)}

    async def _read(self, target: Target, keys: Sequence[KeyName], deadline: Deadline) -> Keys:
        workflow = _Workflow(**target.names)
        trigger = workflow.trigger or await self._only_request_trigger(workflow, deadline)
        try:
            urls = await asyncio.gather(*(self._callback_url(workflow, trigger, key, deadline) for key in keys))
        except Declined as error:
            if explanation := await self._explanation(workflow, trigger, deadline):
                raise Misconfigured(explanation) from None
            raise error from None
        return dict(zip(keys, urls, strict=True))

    async def regenerate(self, target: Target, key: KeyName, deadline: Deadline) -> Keys | None:
        workflow = _Workflow(**target.names)
        operations = self._client(workflow).workflows
        await changing(
            f"regenerateAccessKey of {workflow}",
            lambda: operations.regenerate_access_key(*workflow.place, {"keyType": str(key)}, deadline=deadline),
        )
        return None

    async def _callback_url(self, workflow: _Workflow, trigger: str, key: KeyName, deadline: Deadline) -> KeyMaterial:
        async def read() -> KeyMaterial:
            answer = await self._client(workflow).workflow_triggers.list_callback_url(
                *workflow.place,
                trigger,
                deadline=deadline,
                # The SDK's call has no body. For Consumption the documentation names this one; whether Standard reads
                # it is not documented, so nobody may rely on the two URLs differing.
                raw_request_hook=lambda request: request.http_request.set_json_body({"keyType": str(key)}),
            )
            url = _signed_url(answer)
            if url is None:
                raise Misconfigured(
                    f"the callback URL of trigger {trigger!r} of {workflow} has no "
                    "signature: SAS authentication is switched off there, so no key opens it; switch it on, or stop "
                    "managing this secret"
                )
            return KeyMaterial(url)

        what = f"listCallbackUrl of trigger {trigger!r} of {workflow}"
        return await until_answered(what, read, deadline)

    async def _only_request_trigger(self, workflow: _Workflow, deadline: Deadline) -> str:
        """
        Return the name of the only trigger that has a callback URL: only Request triggers do.
        """
        types = await self._trigger_types(workflow, deadline)
        names = [name for name, type_ in types.items() if _is_request(type_)]
        if len(names) != 1:
            found = ", ".join(map(repr, names)) or "none"
            raise Misconfigured(
                f"{workflow} has not one Request trigger ({found}); "
                "name one in the tag ProviderAddress: .../triggers/{trigger}"
            )
        return names[0]

    async def _explanation(self, workflow: _Workflow, trigger: str, deadline: Deadline) -> str | None:
        """
        Return why a trigger has no callback URL, None where its definition does not say so: a refusal alone does not.
        """
        try:
            types = await self._trigger_types(workflow, deadline)
        except (DependencyError, OutOfTime):
            return None
        type_ = next((type_ for name, type_ in types.items() if caseless(name) == caseless(trigger)), None)
        if type_ is None or _is_request(type_):
            return None
        return (
            f"trigger {trigger!r} of {workflow} is of type {type_}: only a Request "
            "trigger has a callback URL; name one in the tag ProviderAddress"
        )

    async def _trigger_types(self, workflow: _Workflow, deadline: Deadline) -> dict[str, str]:
        """
        Return the type of each trigger, from the workflow's definition: the list of triggers does not hold it.
        """

        async def read() -> dict[str, str]:
            found = await self._client(workflow).web_apps.get_workflow(*workflow.place, deadline=deadline)
            if found.properties is None or found.properties.files is None:
                raise ValueError("a workflow without files")
            files = {name.lower(): content for name, content in found.properties.files.items()}
            triggers = files["workflow.json"]["definition"]["triggers"]
            return {name: str(trigger["type"]) for name, trigger in triggers.items()}

        what = (
            f"definition of {workflow}, which says what its triggers are "
            "(not needed where the tag ProviderAddress names a Request trigger)"
        )
        return await until_answered(what, read, deadline)

    def _client(self, workflow: _Workflow) -> WebSiteManagementClient:
        return self._arm.client(WebSiteManagementClient, workflow.subscription)


def _is_request(type_: str) -> bool:
    return type_.lower() == "request"


def _signed_url(answer: Any) -> str | None:
    """
    Return the callback URL that an answer of listCallbackUrl holds, None for one that no key has signed.

    `value` may be absent or unsigned (azure-rest-api-specs issue 32654); then the URL is made of its parts. A template
    in the relative path, such as `orders/{id}`, stays as it is written. Raises `ValueError` where there is no URL.
    """
    value, base, relative = (part or "" for part in (answer.value, answer.base_path, answer.relative_path))
    if _is_signed(value):
        return value
    if not base:
        base, relative = value.partition("?")[0], ""
    if not base or "?" in base:
        raise ValueError("no callback URL")
    path = f"{base.rstrip('/')}/{relative.lstrip('/')}" if relative else base
    queries = {name: text for name, text in (answer.queries or {}).items() if isinstance(text, str)}
    return f"{path}?{urlencode(queries, quote_via=quote)}" if queries.get("sig") else None


def _is_signed(url: str) -> bool:
    return bool(parse_qs(url.partition("?")[2]).get("sig"))
