from datetime import timedelta
from itertools import product

import msgspec
import pytest
from msgspec import UNSET, structs

from rotation.run.acceptance import accept, accept_target
from rotation.run.leaks import report_leak
from rotation.run.rehearsal import rehearse
from rotation.vocabulary.errors import Busy, Declined, NoAnswer, NotFound, Unavailable
from rotation.vocabulary.record import Rotation, State
from rotation.vocabulary.request import RotationRequest
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName
from tests.twins.targets import batch_account
from tests.twins.world import SUBSCRIPTION, TARGETS, VAULT, TwinWorld

PRIMARY, SECONDARY = KeyName
HOUR = timedelta(hours=1)

# All that a dry run may ask for.
LOOKS = {
    "bound_secrets",
    "list_leaks",
    "list_managed",
    "read_current",
    "read_keys",
    "read_open",
    "read_properties",
    "read_revocation",
    "vault_facts",
}


@pytest.fixture(params=list(TARGETS))
def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world for each kind of target, whose one secret holds the primary key.
    """
    return TwinWorld(request.param)


async def plan_for(world: TwinWorld, request: RotationRequest | None = None) -> Rotation:
    """
    Rehearse, and hold that it asked for nothing but looks and left everything as it was.
    """
    asked = request or world.manual()
    before = world.ledger.snapshot(), len(world.vaults.history(world.secret)), world.regenerations()
    calls = len(world.faults.calls)

    plan = await rehearse(world.ports, asked)

    assert set(world.faults.calls[calls:]) <= LOOKS
    assert (world.ledger.snapshot(), len(world.vaults.history(world.secret)), world.regenerations()) == before
    assert world.announcer.published == []
    assert (plan.id, plan.state, plan.completed_on) == (asked.id, State.PLANNED, None)
    assert await world.ledger.find(asked.id) is None
    return plan


def steps(plan: Rotation) -> list[str]:
    """
    Return the names of the steps.
    """
    assert plan.steps is not UNSET
    return [step.step for step in plan.steps]


def ends(plan: Rotation) -> str:
    """
    Return how the rotation would end.
    """
    assert plan.steps is not UNSET
    (detail,) = [step.detail for step in plan.steps if step.step == "end"]
    return detail


def details(plan: Rotation) -> dict[str, str]:
    """
    Return what each step would do.
    """
    assert plan.steps is not UNSET
    return {step.step: step.detail for step in plan.steps}


async def test_a_rotation_is_told_step_by_step(world: TwinWorld) -> None:
    """
    Which key is regenerated and which secret gets a version, with its validity, in the order of the real thing.
    """
    plan = await plan_for(world)

    proof = ["prove"] if world.target is TARGETS["batch"] else []
    assert steps(plan) == [
        "claim", "look", "inspect", "journal", "regenerate", *proof, "store", "end", "announce", "tidy",
    ]  # fmt: skip
    assert (plan.key_name, plan.previous_key_name, plan.adopted, plan.error) == (SECONDARY, PRIMARY, False, None)
    assert (plan.target, plan.provider) == (world.target.arm_id, world.target.provider)
    text = str(plan.steps)
    for word in ("holds Primary", "regenerate Secondary", world.secret.unversioned, "90 days"):
        assert word in text
    assert ends(plan) == "Completed"
    assert details(plan)["announce"] == "publish KeyRotator.RotationCompleted"
    assert details(plan)["store"].endswith("which expires in 90 days")


async def test_a_key_that_a_neighbour_holds_is_adopted(world: TwinWorld) -> None:
    """
    The neighbour is named, and nothing is regenerated.
    """
    world.put("two", key=SECONDARY)

    plan = await plan_for(world)

    assert plan.adopted
    assert "adopt" in steps(plan)
    assert not {"journal", "regenerate", "tidy"} & set(steps(plan))
    assert "/secrets/two" in str(plan.steps)
    assert details(plan)["store"].endswith("in 90 days, or with the secret whose key it adopts")


async def test_a_gap_is_told(world: TwinWorld) -> None:
    """
    In place, clients fail until they read the new version: the plan says so.
    """
    world.put(tags={"RotationStrategy": "InPlace"})

    plan = await plan_for(world)

    assert ends(plan) == "Completed, with a gap in which the secret holds a dead key"
    assert (plan.key_name, plan.previous_key_name) == (PRIMARY, PRIMARY)


async def test_a_drift_fails_unless_forced(world: TwinWorld) -> None:
    """
    The problem that would be answered stands in the record; with force a live key is stored.
    """
    world.put(value="https://drifted.example/?sig=x")

    plan = await plan_for(world)
    forced = await plan_for(world, world.manual(force=True))

    assert plan.error is not None
    assert (plan.error.code, plan.error.retryable) == ("drift", False)
    assert "Failed (drift)" in ends(plan)
    assert "store" not in steps(plan)
    assert (forced.error, forced.key_name, forced.previous_key_name) == (None, PRIMARY, None)
    assert details(forced)["inspect"].endswith("the secret holds neither key")
    assert "store" in steps(forced)
    assert "regenerate" not in steps(forced)


async def test_a_taken_target_is_told_with_the_rotation_that_has_it(world: TwinWorld) -> None:
    """
    As the real request would be refused.
    """
    other = world.event()
    plans: list[Rotation] = []

    async def ask() -> None:
        plans.append(await rehearse(world.ports, world.manual()))

    world.faults.before("regenerate", ask)
    await world.rotate(other)

    (plan,) = plans
    assert plan.error is not None
    assert (plan.error.code, plan.error.retryable) == ("busy", True)
    assert other.id in plan.error.message


@pytest.mark.parametrize(
    ("tags", "word"),
    [({"RotationPaused": "true"}, "paused"), ({"RotationPaused": "TRUE", "CredentialId": "x"}, "paused")],
)
async def test_what_would_be_skipped_says_why(world: TwinWorld, tags: dict[str, str], word: str) -> None:
    """
    Skipping is no failure.
    """
    world.put(tags=tags)

    plan = await plan_for(world)

    assert plan.error is None
    assert f"Skipped: {word}" in ends(plan)
    assert plan.key_name is None


async def test_a_version_that_is_not_current_any_more_would_be_superseded(world: TwinWorld) -> None:
    """
    And the leaked key that it reports is revoked all the same.
    """
    old = await accept(world.ports, world.secret, revoke_previous_after=HOUR)
    world.put()

    plan = await plan_for(world, old)

    assert "superseded" in ends(plan)
    assert "schedule" in steps(plan)


async def test_a_revocation_is_a_step(world: TwinWorld) -> None:
    """
    With the time after which it comes.
    """
    request = await accept(world.ports, world.secret, revoke_previous_after=timedelta(minutes=90))

    plan = await plan_for(world, request)

    assert steps(plan)[0] == "schedule"
    assert "1.5 hours" in str(plan.steps)
    assert plan.revocation is UNSET


async def test_a_report_of_a_leak_names_what_it_moves(world: TwinWorld) -> None:
    """
    Every other secret that holds the leaked key.
    """
    world.put("two", key=PRIMARY)
    world.put("three", key=SECONDARY)
    request = await accept(world.ports, world.secret, revoke_previous_after=HOUR)

    plan = await plan_for(world, request)

    assert plan.steps is not UNSET
    (moves,) = [step.detail for step in plan.steps if step.step == "move"]
    assert "/secrets/two" in moves
    assert "/secrets/three" not in moves


async def test_a_report_that_would_be_refused_is_planned_as_such(world: TwinWorld) -> None:
    """
    Another key of the target waits to be revoked.
    """
    world.put("two", key=SECONDARY)
    await report_leak(world.ports, await accept(world.ports, world.secret, revoke_previous_after=HOUR))
    request = await accept(world.ports, SecretId(VAULT, "two"), revoke_previous_after=HOUR)

    plan = await plan_for(world, request)

    assert plan.error is not None
    assert plan.error.code == "revocation_pending"


async def test_regenerating_a_key_of_a_target_is_told(world: TwinWorld) -> None:
    """
    Where its new value goes: nowhere.
    """
    plan = await plan_for(world, accept_target(world.ports, world.target, SECONDARY))

    assert steps(plan) == ["claim", "inspect", "journal", "regenerate", "end", "announce"]
    assert (plan.secret, plan.key_name, plan.target) == (None, SECONDARY, world.target.arm_id)
    assert ends(plan) == "Completed. The new value goes nowhere"


async def test_a_key_that_a_secret_holds_is_not_regenerated_unless_forced(world: TwinWorld) -> None:
    """
    The secret is named, and what force would do to it.
    """
    plan = await plan_for(world, accept_target(world.ports, world.target, PRIMARY))
    forced = await plan_for(world, accept_target(world.ports, world.target, PRIMARY, force=True))

    assert plan.error is not None
    assert plan.error.code == "active_key"
    assert world.secret.unversioned in plan.error.message
    assert forced.error is None
    assert world.secret.unversioned in ends(forced)
    assert "dead key" in ends(forced)


@pytest.mark.parametrize("call", ["read_current", "read_keys", "read_open", "bound_secrets", "list_managed"])
@pytest.mark.parametrize("error", [Unavailable("503"), NoAnswer("dropped")], ids=["unavailable", "no answer"])
async def test_what_cannot_be_found_out_is_not_guessed(world: TwinWorld, call: str, error: Exception) -> None:
    """
    Anyone who asked is told to ask again.
    """
    request = world.manual()
    world.faults.before(call, error)

    with pytest.raises(type(error)):
        await rehearse(world.ports, request)

    assert world.ledger.snapshot() == TwinWorld().ledger.snapshot()


@pytest.mark.parametrize(
    ("call", "error", "code"),
    [
        ("read_current", Declined("403 Forbidden"), "vault_refused"),
        ("read_keys", Declined("403 AuthorizationFailed"), "provider_refused"),
        ("read_keys", NotFound("404 ResourceNotFound"), "target_not_found"),
        ("list_managed", Declined("403 Forbidden"), "vault_refused"),
    ],
)
async def test_a_clear_no_is_how_it_would_fail(world: TwinWorld, call: str, error: Exception, code: str) -> None:
    """
    With the service's own words.
    """
    request = world.manual()
    world.faults.before(call, error)

    plan = await rehearse(world.ports, request)

    assert plan.error is not None
    assert plan.error.code == code
    assert str(error) in plan.error.message


async def test_a_target_out_of_scope_is_not_even_read(world: TwinWorld) -> None:
    """
    As in a rotation.
    """
    foreign = batch_account(SUBSCRIPTION, "rg2", "account1")
    world.put(tags={"ProviderAddress": foreign.arm_id})

    plan = await plan_for(world)

    assert plan.error is not None
    assert plan.error.code == "forbidden"
    assert world.faults.count("read_keys") == 0


SETTINGS = list(
    product(
        TARGETS,
        [{}, {"RotationStrategy": "InPlace"}, {"ValidityPeriodDays": "7"}, {"RotationPaused": "true"}],
        ["primary", "secondary", "neither", "disabled"],
        [None, *KeyName],
        [False, True],
        [None, *KeyName],
        [False, True],
    )
)


def predicted(plan: Rotation) -> tuple[object, ...]:
    """
    Return what a plan says about the end.
    """
    if plan.error:
        return (State.FAILED, plan.error.code, None)
    said = ends(plan)
    if said.startswith("Skipped"):
        return (State.SKIPPED, said.removeprefix("Skipped: ").partition(".")[0], None)
    return (State.COMPLETED, plan.key_name, plan.previous_key_name, plan.adopted, "regenerate" in steps(plan))


def happened(rotation: Rotation, regenerations: int) -> tuple[object, ...]:
    """
    Return how a rotation ended, in the same words.
    """
    if rotation.error:
        return (State.FAILED, rotation.error.code, None)
    if rotation.state is State.SKIPPED:
        return (State.SKIPPED, rotation.skip_reason, None)
    return (rotation.state, rotation.key_name, rotation.previous_key_name, rotation.adopted, regenerations == 1)


@pytest.mark.parametrize("kind", TARGETS)
async def test_what_is_planned_is_what_happens(kind: str) -> None:
    """
    For every mixture of tags, values, neighbours and wishes: the plan's end, keys and adoption are the rotation's.
    """
    outcomes = set()
    for _, tags, held, key, force, neighbour, one_key in (mixture for mixture in SETTINGS if mixture[0] == kind):
        if one_key and (kind == "batch" or "secondary" in {held, str(key).lower()}):
            continue  # The twin's one key is the primary; what comes of regenerating the other is not to be seen.
        world = TwinWorld(kind)
        world.provider.signs_with_one_key = one_key
        value = "https://drifted.example/?sig=x" if held == "neither" else None
        holds = SECONDARY if held == "secondary" else PRIMARY
        world.put(tags=tags, key=holds, value=value, enabled=held != "disabled")
        if neighbour:
            world.put("two", key=neighbour)
        request = world.manual(key=key, force=force)

        plan = await plan_for(world, request)
        rotation = await world.rotate(request)

        mixture = (tags, held, key, force, neighbour, one_key)
        assert predicted(plan) == happened(rotation, world.regenerations()), mixture
        outcomes.add(predicted(plan)[:2])
    assert {(State.SKIPPED, "paused"), (State.SKIPPED, "disabled")} <= outcomes
    failures = {code for state, code in outcomes if state is State.FAILED}
    assert failures >= {"misconfigured", "drift", "active_key"}
    assert ("single_key" in failures) == (kind == "workflow")
    assert {(State.COMPLETED, PRIMARY), (State.COMPLETED, SECONDARY)} <= outcomes


@pytest.mark.parametrize(("key", "force", "holds"), list(product(KeyName, [False, True], KeyName)))
async def test_what_is_planned_for_a_target_is_what_happens(
    world: TwinWorld, key: KeyName, force: bool, holds: KeyName
) -> None:
    """
    Regenerated or refused, as the plan says.
    """
    world.put(key=holds)
    request = accept_target(world.ports, world.target, key, force=force)

    plan = await plan_for(world, request)
    rotation = await world.rotate(request)

    assert (plan.error is None) == (rotation.state is State.COMPLETED)
    assert (plan.error and plan.error.code) == (rotation.error and rotation.error.code)
    assert (plan.error is None) == world.regenerations()


async def test_a_plan_tells_no_key(world: TwinWorld) -> None:
    """
    Neither a value nor its fingerprint.
    """
    world.put("two", key=SECONDARY)
    plans = [await plan_for(world), await plan_for(world, accept_target(world.ports, world.target, PRIMARY))]

    shown = msgspec.json.encode(plans).decode()
    for key in KeyName:
        value = world.provider.value(world.target, key)
        assert (value.partition("sig=")[2] or value) not in shown


async def test_a_plan_claims_nothing(world: TwinWorld) -> None:
    """
    Another rotation begins right after it, and is not busy.
    """
    request = world.manual()
    await plan_for(world, request)

    try:
        rotation = await world.rotate(structs.replace(world.event()))
    except Busy as busy:
        pytest.fail(f"busy with {busy.running}")
    assert rotation.state is State.COMPLETED
