import json
from pathlib import Path

import pytest

from rotator.doctor.needs import FUNCTIONS, ON_TARGETS
from rotator.doctor.resources import Permission
from rotator.doctor.rights import Grant

ROOT = Path(__file__).parents[3]
GROUP = "/subscriptions/0f9c2b1a-5a0b-4c57-9a5e-5d4a3f1b7c20/resourceGroups/rg-a"
ACCOUNT = f"{GROUP}/providers/Microsoft.Batch/batchAccounts/mybatch"
REGENERATE = "Microsoft.Batch/batchAccounts/regeneratekeys/action"


@pytest.mark.parametrize(
    ("scope", "is_covered"),
    [
        (ACCOUNT, True),
        (GROUP, True),
        (f"{GROUP.upper()}/", True),
        ("/subscriptions/0f9c2b1a-5a0b-4c57-9a5e-5d4a3f1b7c20", True),
        ("/providers/Microsoft.Management/managementGroups/all", True),
        ("/", True),
        (f"{GROUP}b", False),
        (GROUP[:-1], False),
        (f"{ACCOUNT}/pools/p", False),
        ("/subscriptions/another", False),
    ],
)
def test_a_role_holds_from_its_scope_downwards(scope: str, is_covered: bool) -> None:
    """
    In whole segments, whatever the case.
    """
    assert Grant(scope, []).covers(ACCOUNT) is is_covered


@pytest.mark.parametrize(
    ("permission", "is_allowed"),
    [
        (Permission(actions=[REGENERATE.upper()]), True),
        (Permission(actions=["*"]), True),
        (Permission(actions=["Microsoft.Batch/*"]), True),
        (Permission(actions=["Microsoft.Batch/*/action"]), True),
        (Permission(actions=["*/read"]), False),
        (Permission(actions=["Microsoft.Batch/batchAccounts/regeneratekeys"]), False),
        (Permission(actions=["*"], not_actions=["Microsoft.Batch/batchAccounts/regenerateKeys/*"]), False),
        (Permission(data_actions=["*"]), False),
    ],
)
def test_an_action_is_allowed_by_patterns_and_what_they_leave_out(permission: Permission, is_allowed: bool) -> None:
    """
    Actions on data are others.
    """
    assert Grant(GROUP, [permission]).allows(REGENERATE, is_data=False) is is_allowed


def test_what_one_permission_leaves_out_another_may_give() -> None:
    """
    Each is read for itself.
    """
    permissions = [Permission(actions=["*"], not_actions=[REGENERATE]), Permission(actions=[REGENERATE])]

    assert Grant(GROUP, permissions).allows(REGENERATE, is_data=False)


def test_the_actions_on_targets_are_those_that_the_kinds_need() -> None:
    """
    Of which infra makes the custom role.
    """
    needed = [json.loads(path.read_text(encoding="utf-8")) for path in ROOT.glob("providers/*/role.json")]

    assert sorted(action for actions in ON_TARGETS.values() for action in actions) == sorted(
        action for role in needed for action in role
    )


def test_the_functions_are_those_of_the_app_that_nobody_calls() -> None:
    """
    Its triggers but for HTTP.
    """
    source = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("handlers/*.py"))

    assert all(f"async def {name}(" in source for name in FUNCTIONS)
