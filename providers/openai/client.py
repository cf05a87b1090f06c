"""
The keys of Azure OpenAI and other Cognitive Services accounts, through azure-mgmt-cognitiveservices.

It rests on assumptions 14, 15, 117 and 118 of docs/fidelity.md.
"""

from typing import Any

from azure.mgmt.cognitiveservices.aio import CognitiveServicesManagementClient

from providers.accounts import AccountClient, both, place_of
from providers.questions import ApiKeyQuestion, Question
from rotation.vocabulary.target import KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline

# The other kinds have no read in common.
_WITH_MODELS = {"openai", "aiservices"}
_API_VERSION = "2024-10-21"
_WIRE_NAMES = {KeyName.PRIMARY: "Key1", KeyName.SECONDARY: "Key2"}


class Client(AccountClient):
    """
    The `Provider` of `Microsoft.CognitiveServices/accounts`.
    """

    noun = "Cognitive Services account"

    async def list_keys(self, target: Target, deadline: Deadline) -> Keys:
        answer = await self._accounts(target).list_keys(*place_of(target), deadline=deadline)
        return both(answer.key1, answer.key2)

    async def regenerate_key(self, target: Target, key: KeyName, deadline: Deadline) -> Keys:
        answer = await self._accounts(target).regenerate_key(*place_of(target), _WIRE_NAMES[key], deadline=deadline)
        return both(answer.key1, answer.key2)

    async def obstacle(self, target: Target, deadline: Deadline) -> str | None:
        account = await self._accounts(target).get(*place_of(target), deadline=deadline)
        if not account.properties.disable_local_auth:
            return None
        return "its disableLocalAuth is true: allow keys, or stop managing a key that cannot be used"

    async def question(self, target: Target, deadline: Deadline) -> Question | None:
        account = await self._accounts(target).get(*place_of(target), deadline=deadline)
        if (account.kind or "").casefold() not in _WITH_MODELS:
            return None
        endpoint = account.properties.endpoint.rstrip("/")
        return ApiKeyQuestion(f"{endpoint}/openai/models?api-version={_API_VERSION}")

    def _accounts(self, target: Target) -> Any:
        return self._arm.client(CognitiveServicesManagementClient, target.names["subscription"]).accounts
