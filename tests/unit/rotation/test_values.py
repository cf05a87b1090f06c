"""
What is decided about a value, whatever its kind.
"""

from urllib.parse import quote

import pytest

from rotation.policy.values import active_key, exchanged, holds, require_exchange
from rotation.vocabulary.endings import Drift, Misconfigured
from rotation.vocabulary.limits import LARGEST_VALUE
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.target import KeyName
from tests.twins.targets import batch_account

PRIMARY, SECONDARY = KeyName
TARGET = batch_account("11111111-1111-4111-8111-111111111111", "rg", "account1")
LIVE = {PRIMARY: KeyMaterial(f"{'p' * 86}=="), SECONDARY: KeyMaterial(f"{'s' * 86}==")}
DEAD, GONE = f"{'d' * 86}==", f"{'g' * 86}=="


@pytest.mark.parametrize("key", KeyName)
@pytest.mark.parametrize("form", ["{}", '{{"a": "{}", "dead": "' + DEAD + '"}}', "{0} {0}"])
def test_the_live_key_that_stands_in_a_value_is_the_active_one(form: str, key: KeyName) -> None:
    """
    Whatever else stands there, dead keys included.
    """
    value = KeyMaterial(form.format(LIVE[key].reveal()))

    assert active_key(TARGET, LIVE, value, tagged=key.other) is key
    assert holds(TARGET, value, TARGET.fingerprint(LIVE[key]))
    assert not holds(TARGET, value, TARGET.fingerprint(LIVE[key.other]))


@pytest.mark.parametrize("value", ["", "placeholder\n", '{"key": ""}', "k" * 85])
def test_a_value_without_any_key_is_replaced_as_a_whole(value: str) -> None:
    """
    There is no place in it to put one.
    """
    assert active_key(TARGET, LIVE, KeyMaterial(value), tagged=None) is None
    assert exchanged(TARGET, KeyMaterial(value), None, LIVE[PRIMARY]) == LIVE[PRIMARY]


@pytest.mark.parametrize("form", ['{{"key": "{}"}}\n', "{0};{0}"])
@pytest.mark.parametrize("held", [None, TARGET.fingerprint(KeyMaterial(GONE))])
def test_the_only_dead_key_gives_its_place(form: str, held: str | None) -> None:
    """
    Also where it is not the one that was expected: there is no other place.
    """
    value = KeyMaterial(form.format(DEAD))

    assert exchanged(TARGET, value, held, LIVE[PRIMARY]).reveal() == form.format(LIVE[PRIMARY].reveal())


def test_of_several_dead_keys_none_is_chosen() -> None:
    """
    A person has to say which.
    """
    with pytest.raises(Drift, match="several parts"):
        exchanged(TARGET, KeyMaterial(f"{DEAD} {GONE}"), None, LIVE[PRIMARY])


def test_the_dead_key_that_was_held_gives_its_place() -> None:
    """
    A rotation in place that is resumed knows it by its fingerprint.
    """
    value = KeyMaterial(f"{DEAD} {GONE}")

    changed = exchanged(TARGET, value, TARGET.fingerprint(KeyMaterial(GONE)), LIVE[PRIMARY])

    assert changed.reveal() == f"{DEAD} {LIVE[PRIMARY].reveal()}"


def test_a_value_that_key_vault_would_not_take_is_refused() -> None:
    """
    Its size counts in bytes.
    """
    key = LIVE[PRIMARY]
    around = "\u6f22" * ((LARGEST_VALUE - 88) // 3)

    require_exchange(TARGET, KeyMaterial(around + key.reveal()), TARGET.fingerprint(key), LIVE, SECONDARY)
    # In another key more characters may be written as three.
    text = KeyMaterial(f"{around} {quote(key.reveal(), safe='')}")
    with pytest.raises(Misconfigured, match=r"may become 25,\d\d\d bytes long .* 25,000 for sure"):
        require_exchange(TARGET, text, TARGET.fingerprint(key), LIVE, SECONDARY)


def test_a_value_that_key_vault_has_taken_has_room_for_a_key_as_long() -> None:
    """
    Also where it is longer than Key Vault promises to take.
    """
    key = LIVE[PRIMARY]
    long = KeyMaterial(" " * LARGEST_VALUE + key.reveal())

    require_exchange(TARGET, long, TARGET.fingerprint(key), LIVE, SECONDARY)
