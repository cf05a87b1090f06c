import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from providers import KINDS
from providers.openai import OPENAI_ACCOUNT
from providers.workflow import WORKFLOW
from rotation.policy.values import active_key, require_exchange
from rotation.vocabulary.endings import Misconfigured
from rotation.vocabulary.limits import LARGEST_VALUE
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.target import KeyName, Target
from tests.unit.providers.test_kinds import example
from tests.unit.providers.values import SPELLINGS, around, require_rotatable, rotated

base64_keys = st.binary(min_size=64, max_size=64).map(lambda data: base64.b64encode(data).decode())
# With each of the characters that are spelled in several ways: what a key lacks, nobody can learn from it.
odd_keys = base64_keys.map(lambda key: f"+/{key[2:]}")
hex_keys = st.binary(min_size=16, max_size=16).map(bytes.hex)
long_keys = st.text("ABCXYZabcxyz0189", min_size=84, max_size=84)
keys = {
    kind.provider: (hex_keys | long_keys) if kind is OPENAI_ACCOUNT else odd_keys
    for kind in KINDS
    if kind is not WORKFLOW
}
TARGETS = [example(kind) for kind in KINDS if kind.provider in keys]
each_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.provider)
quick = settings(deadline=None, max_examples=12)


@each_target
@pytest.mark.parametrize("spelling", SPELLINGS)
@quick
@given(data=st.data(), before=around, after=around)
def test_only_the_key_changes(target: Target, spelling: str, data: st.DataObject, before: str, after: str) -> None:
    """
    Whatever text stands around it and however it is spelled; twice gives what once with the second key gives.
    """
    one, two, three = (data.draw(keys[target.provider]) for _ in range(3))
    spelled = SPELLINGS[spelling]
    before, after = f"{before} ", f" {after}"
    value = f"{before}{spelled(one)}{after}"

    second = rotated(target, value, one, two)

    assert second == f"{before}{spelled(two)}{after}"
    assert rotated(target, second, two, three) == rotated(target, value, one, three)
    assert rotated(target, second, two, one) == value


@each_target
@quick
@given(data=st.data())
def test_each_occurrence_keeps_its_spelling(target: Target, data: st.DataObject) -> None:
    """
    The same key several times, beside one that is not ours.
    """
    one, two, other = (data.draw(keys[target.provider]) for _ in range(3))
    if other == one:
        return

    def written(key: str) -> str:
        return "".join(f"<{spell(key)}>{spell(other)};" for spell in SPELLINGS.values())

    assert rotated(target, written(one), one, two) == written(two)


@each_target
@quick
@given(data=st.data())
def test_what_reads_the_text_finds_the_new_key(target: Target, data: st.DataObject) -> None:
    """
    JSON stays JSON, whichever characters the two keys have.
    """
    kind = keys[target.provider] if target.provider == OPENAI_ACCOUNT.provider else base64_keys
    one, two = data.draw(kind), data.draw(kind)
    for spelling in ("JSON", "JSON of .NET", "JSON of Gson", "JSON, all of it"):
        value = (
            f'{{"account": "a\\/b", "key": "{SPELLINGS[spelling](one)}", "more": [1, "{SPELLINGS[spelling](one)}"]}}'
        )

        assert json.loads(rotated(target, value, one, two)) == {"account": "a/b", "key": two, "more": [1, two]}


@each_target
@pytest.mark.parametrize(
    "form",
    ["{}", "{}\n", "{}\r\n", "\ufeff{}", " {}\t", "key={}", "'{}'", '"{}",', "a: {}\nb: {}\n", "\u200b{}\u00a0", ""],
)
def test_what_surrounds_a_key_alone_stays(target: Target, form: str) -> None:
    """
    Line ends, byte order marks, blanks and quotes.
    """
    one, two = (
        ("f" * 32, "0" * 32) if target.provider == OPENAI_ACCOUNT.provider else ("k" * 86 + "==", "+" * 86 + "==")
    )

    assert rotated(target, form.format(one, one), one, two) == (form.format(two, two) or two)


@each_target
def test_a_key_of_an_unexpected_form_is_found_where_it_stands_alone(target: Target) -> None:
    """
    Azure may lengthen its keys one day: most secrets would not notice.
    """
    assert rotated(target, "\ufeffanother-form \n", "another-form", "yet-another") == "\ufeffyet-another \n"


@each_target
@pytest.mark.parametrize(
    "text", ["", "a", "k" * 85 + "==", "k" * 89 + "==", "0" * 31, "0" * 33, "k" * 83, "%", "\\", "\\u12", "\ud800"]
)
def test_what_is_not_a_key_is_none(target: Target, text: str) -> None:
    """
    Also where it is nearly one.
    """
    assert target.candidates(KeyMaterial(text)) == []


@each_target
@pytest.mark.parametrize("spelling", SPELLINGS)
@quick
@given(data=st.data())
def test_a_text_with_both_keys_holds_both(target: Target, spelling: str, data: st.DataObject) -> None:
    """
    None of them may die for it, and the secret itself is not rotated. The error shows neither.
    """
    one, two = data.draw(keys[target.provider]), data.draw(keys[target.provider])
    if one == two:
        return
    live = {KeyName.PRIMARY: KeyMaterial(one), KeyName.SECONDARY: KeyMaterial(two)}
    value = KeyMaterial(f'{{"a": "{SPELLINGS[spelling](one)}", "b": "{SPELLINGS[spelling](two)}"}}')

    assert target.may_hold(value, live[KeyName.PRIMARY])
    assert target.may_hold(value, live[KeyName.SECONDARY])
    with pytest.raises(Misconfigured, match="both keys") as refused:
        active_key(target, live, value, tagged=None)
    assert one[:20] not in str(refused.value)
    assert two[:20] not in str(refused.value)


@pytest.mark.parametrize(
    "spell",
    [
        lambda key: SPELLINGS["percent-encoded"](SPELLINGS["percent-encoded"](key)),
        lambda key: json.dumps(SPELLINGS["JSON of .NET"](key)),
    ],
)
@quick
@given(one=odd_keys, two=odd_keys)
def test_a_key_in_a_spelling_that_cannot_be_exchanged_is_protected_and_refused(spell: Any, one: str, two: str) -> None:
    """
    It is no drift: force would replace all of a text that clients read.
    """
    target = TARGETS[0]
    live = {KeyName.PRIMARY: KeyMaterial(one), KeyName.SECONDARY: KeyMaterial(two)}
    value = KeyMaterial(f"key: {spell(one)}")
    if one == two:
        return

    assert target.may_hold(value, live[KeyName.PRIMARY])
    assert not target.may_hold(value, live[KeyName.SECONDARY])
    with pytest.raises(Misconfigured, match="spelling"):
        active_key(target, live, value, tagged=None)


@each_target
@pytest.mark.parametrize("spelling", SPELLINGS)
@quick
@given(data=st.data())
def test_what_has_room_for_the_longest_key_has_room_for_every_one(
    target: Target, spelling: str, data: st.DataObject
) -> None:
    """
    It is asked before a key is regenerated: afterwards it would be too late.
    """
    one, two = data.draw(keys[target.provider]), data.draw(keys[target.provider])
    spelled = SPELLINGS[spelling](one)
    value = "x " * ((LARGEST_VALUE - len(spelled)) // 2) + spelled

    assert not has_room(target, value, one) or len(rotated(target, value, one, two)) <= LARGEST_VALUE


def has_room(target: Target, value: str, held: str) -> bool:
    """
    Return whether a value is not refused for its length.
    """
    try:
        keys = dict.fromkeys(KeyName, KeyMaterial(held))
        require_exchange(target, KeyMaterial(value), target.fingerprint(KeyMaterial(held)), keys, KeyName.PRIMARY)
    except Misconfigured:
        return False
    return True


@each_target
def test_a_value_as_long_as_key_vault_takes_has_room(target: Target) -> None:
    """
    A key that stands in it as it is takes the place of one that is as long.
    """
    one = "k" * 84 if target.provider == OPENAI_ACCOUNT.provider else "k" * 86 + "=="

    assert has_room(target, " " * (LARGEST_VALUE - len(one)) + one, one)


ODD_SPELLINGS: dict[str, Callable[[str], str]] = {
    "percent-encoded twice": lambda key: quote(quote(key, safe=""), safe=""),
    "percent-encoded four times": lambda key: quote(quote(quote(quote(key, safe=""), safe=""), safe=""), safe=""),
    "JSON three times": lambda key: json.dumps(json.dumps(json.dumps(key.replace("+", "\u002b").replace("/", r"\/")))),
    "base64url": lambda key: key.replace("+", "-").replace("/", "_"),
    "without padding": lambda key: key.rstrip("="),
    "in a path": lambda key: f"https://h/{key}",
    "in lines": lambda key: f"{key[:40]}\n  {key[40:]}",
    "HTML": lambda key: key.replace("+", "&#x2B;").replace("=", "&#61;"),
}


@pytest.mark.parametrize("spelling", ODD_SPELLINGS)
@pytest.mark.parametrize("which", KeyName)
@quick
@given(one=odd_keys, two=odd_keys)
def test_no_key_is_left_behind_in_another_spelling(spelling: str, which: KeyName, one: str, two: str) -> None:
    """
    Beside a key that could be exchanged, the same one or the other: it would die, in this secret or in a neighbour.
    """
    assume(one != two)
    target = TARGETS[0]
    live = {KeyName.PRIMARY: KeyMaterial(one), KeyName.SECONDARY: KeyMaterial(two)}
    odd = ODD_SPELLINGS[spelling](live[which].reveal())
    value = KeyMaterial(f"AccountKey={one}\nBACKUP={odd};")

    assert target.may_hold(KeyMaterial(f"BACKUP={odd};"), live[which])
    assert not target.may_hold(KeyMaterial(f"BACKUP={odd};"), live[which.other])
    with pytest.raises(Misconfigured, match=r"spelling|both keys") as refused:
        require_rotatable(target, value, live)
    assert one[:20] not in str(refused.value)
