"""
What role definitions and their assignments allow.
"""

import pytest

from localcloud.azure.roles import Permission, RoleDefinition, Roles, is_within

APP = "app"
ACCOUNT = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Batch/batchAccounts/acc"
READ = "Microsoft.Batch/batchAccounts/read"


def role(**permission: tuple[str, ...]) -> RoleDefinition:
    """
    Return a role with one permission.
    """
    return RoleDefinition(id="1", name="a role", permissions=(Permission(**permission),), is_custom=True)


@pytest.mark.parametrize(
    ("granted", "action", "allowed"),
    [
        ("*", READ, True),
        ("*/read", READ, True),
        ("*/read", "Microsoft.Batch/batchAccounts/listKeys/action", False),
        ("microsoft.batch/BATCHACCOUNTS/read", READ, True),
        ("Microsoft.Batch/*/read", "Microsoft.Batch/batchAccounts/pools/read", True),
        ("Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/read", False),
        ("Microsoft.Batch/batchAccounts/rea", READ, False),
        ("Microsoft.Batch.batchAccounts/read", READ, False),
        ("MicrosoftXBatch/batchAccounts/read", READ, False),
    ],
)
def test_an_action_is_compared_as_azure_does(granted: str, action: str, allowed: bool) -> None:
    """
    Without regard to case, as a whole, with `*` for any characters and no other character special.
    """
    assert role(actions=(granted,)).allows(action, data=False) is allowed


def test_what_is_excepted_is_not_allowed_unless_another_permission_allows_it() -> None:
    """
    `notActions` take from the permission that they stand in, and are no denial.
    """
    excepting = Permission(actions=("*",), not_actions=("*/read",))
    assert not RoleDefinition(id="1", name="r", permissions=(excepting,)).allows(READ, data=False)

    both = (excepting, Permission(actions=(READ,)))
    assert RoleDefinition(id="1", name="r", permissions=both).allows(READ, data=False)


def test_actions_on_data_are_apart() -> None:
    """
    An Owner reads no secret, and who may read secrets manages nothing.
    """
    owner, reader = role(actions=("*",)), role(data_actions=("*",), not_data_actions=("*/delete",))

    assert not owner.allows("Microsoft.KeyVault/vaults/secrets/getSecret/action", data=True)
    assert not reader.allows(READ, data=False)
    assert reader.allows("Microsoft.KeyVault/vaults/secrets/getSecret/action", data=True)
    assert not reader.allows("Microsoft.KeyVault/vaults/secrets/delete", data=True)


@pytest.mark.parametrize(
    ("scope", "covers"),
    [
        ("/", True),
        ("/subscriptions/s", True),
        ("/SUBSCRIPTIONS/S/resourcegroups/RG", True),
        ("/subscriptions/s/resourceGroups/rg/", True),
        ("/subscriptions/s/resourceGroups/r", False),
        (ACCOUNT, True),
        (f"{ACCOUNT}/pools/p", False),
        (ACCOUNT[:-1], False),
    ],
)
def test_a_scope_covers_what_is_below_it_in_whole_segments(scope: str, covers: bool) -> None:
    """
    And itself; a name that only begins alike is another one.
    """
    assert is_within(ACCOUNT, scope) is covers


def test_a_role_counts_from_its_assignment_until_its_removal() -> None:
    """
    For the principal that has it, at the scope, and at once.
    """
    roles, reader = Roles(), role(actions=(READ,))
    assert not roles.allows(APP, READ, ACCOUNT)

    roles.assign(APP, reader, ACCOUNT)
    assert roles.allows(APP, READ, ACCOUNT)
    assert not roles.allows(APP, READ, f"{ACCOUNT}2")
    assert not roles.allows("another", READ, ACCOUNT)

    roles.remove(APP, reader)
    assert not roles.allows(APP, READ, ACCOUNT)
    assert roles.definition("1") == reader


def test_a_role_is_removed_at_one_scope_or_at_all() -> None:
    """
    What is assigned elsewhere stays where a scope is named.
    """
    roles, reader = Roles(), role(actions=(READ,))
    for scope in ("/", ACCOUNT, f"{ACCOUNT}2"):
        roles.assign(APP, reader, scope)

    roles.remove(APP, reader, "/")
    assert [each.scope for each in roles.assignments(APP)] == [ACCOUNT, f"{ACCOUNT}2"]
    roles.remove(APP, reader)
    assert roles.assignments() == []


def test_what_changes_nothing_is_an_error() -> None:
    """
    So that a test which plants a missing role has planted it.
    """
    roles, reader = Roles(), role(actions=(READ,))
    with pytest.raises(ValueError, match="has not the role a role at any scope"):
        roles.remove(APP, reader)
    roles.assign(APP, reader, ACCOUNT)
    with pytest.raises(ValueError, match="already"):
        roles.assign(APP, reader, f"{ACCOUNT.upper()}/")
    with pytest.raises(ValueError, match=f"has not the role a role at {ACCOUNT}2"):
        roles.remove(APP, reader, f"{ACCOUNT}2")
