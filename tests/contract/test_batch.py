import pytest

from localcloud.azure.cloud import LocalAzure
from localcloud.kinds.batch import add_batch_account
from rotation.vocabulary.errors import Declined
from rotation.vocabulary.target import KeyName
from rotation.vocabulary.timing import Deadline
from tests.twins.targets import parse_target
from wiring.parts import Wiring


async def test_an_account_without_shared_key_is_refused_with_the_reason(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline
) -> None:
    """
    ARM's words are passed on, with what the account allows and what to do.
    """
    made = await add_batch_account(azure, "aadonly", authentication_modes=("AAD",))
    target = parse_target(made.arm_id)

    with pytest.raises(Declined, match=r"403 SharedKeyAuthenticationNotAllowed: .*are AAD: allow SharedKey"):
        await (await wiring.providers.provider_for(target)).regenerate(target, KeyName.SECONDARY, deadline)
