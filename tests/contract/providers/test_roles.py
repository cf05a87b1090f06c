"""
What providers/*/role.json allows is what the app does, in the local cloud, which enforces roles.
"""

import pytest

from localcloud.azure.cloud import LocalAzure
from localcloud.azure.known_roles import rotation_role
from localcloud.kinds import KINDS
from localcloud.kinds.kind import LocalKind
from rotation.vocabulary.errors import Declined
from rotation.vocabulary.target import KeyName, Target
from rotation.vocabulary.timing import Deadline
from tests.twins.targets import parse_target
from wiring.parts import Wiring


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> LocalKind:
    """
    Return a kind of target.
    """
    found: LocalKind = request.param
    return found


async def do_everything(wiring: Wiring, target: Target, deadline: Deadline) -> None:
    """
    Find out what the target is, read its keys, regenerate one, and find out where it takes keys.
    """
    whole = parse_target(target.arm_id)
    provider = await wiring.providers.provider_for(whole)
    await provider.read_keys(whole, deadline)
    await provider.regenerate(whole, KeyName.SECONDARY, deadline)
    if prober := await wiring.providers.prober_for(whole):
        await prober.probe(whole, deadline)


@pytest.mark.parametrize("kind", KINDS, ids=str, indirect=True)
async def test_the_role_is_enough_for_all_that_the_app_does(
    azure: LocalAzure, wiring: Wiring, kind: LocalKind, target: Target, deadline: Deadline
) -> None:
    """
    Also where it is assigned on the target alone, which for a workflow is its site.
    """
    app = azure.identity.principal_id
    azure.roles.remove(app, azure.rotation_role)
    azure.roles.assign(app, rotation_role(kind.actions), target.arm_id.partition("/workflows/")[0])

    await do_everything(wiring, target, deadline)

    assert azure.requests.count(kind.regenerate, took_effect=True) == 1


@pytest.mark.parametrize(
    ("kind", "missing"),
    [pytest.param(kind, action, id=action) for kind in KINDS for action in kind.actions],
    indirect=["kind"],
)
@pytest.mark.usefixtures("impatience")
async def test_no_action_of_the_role_can_be_left_out(
    azure: LocalAzure, wiring: Wiring, kind: LocalKind, target: Target, deadline: Deadline, missing: str
) -> None:
    """
    The app is refused, and passes on which action it lacks.
    """
    azure.roles.remove(azure.identity.principal_id, azure.rotation_role)
    others = rotation_role([action for each in KINDS for action in each.actions if action != missing])
    azure.roles.assign(azure.identity.principal_id, others)

    with pytest.raises(Declined, match=r"403 AuthorizationFailed: .* perform action '") as refused:
        await do_everything(wiring, target, deadline)

    lacked = str(refused.value).partition("perform action '")[2].partition("'")[0]
    assert rotation_role([missing]).allows(lacked, data=False)
