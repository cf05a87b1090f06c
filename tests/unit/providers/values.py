"""
Values of secrets, as people store them.
"""

from collections.abc import Callable
from urllib.parse import quote

from hypothesis import strategies as st

from rotation.policy.values import active_key, exchanged, require_exchange
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.target import KeyName, Keys, Target

Spelling = Callable[[str], str]

SPELLINGS: dict[str, Spelling] = {
    "as it is": lambda key: key,
    "percent-encoded": lambda key: quote(key, safe=""),
    "percent-encoded in lower case": lambda key: key.replace("+", "%2b").replace("/", "%2f").replace("=", "%3d"),
    "percent-encoded but for slashes": quote,
    "JSON": lambda key: key.replace("/", r"\/"),
    "JSON of .NET": lambda key: key.replace("+", r"\u002B"),
    "JSON of Gson": lambda key: key.replace("=", r"\u003d"),
    "JSON, all of it": lambda key: key.replace("/", r"\u002f").replace("+", r"\u002b").replace("=", r"\u003D"),
}

#: Text that may stand around a key: whatever people write, but for what would be a part of it.
around = st.lists(
    st.one_of(
        st.text(st.characters(exclude_characters="\\%", exclude_categories=[]), max_size=20),
        st.sampled_from(
            [r"\u0026", r"\n", "%3D", "%2c", "\ufeff", "\r\n", '{"key": "', '"}', "AccountName=mystorage;"]
        ),
    ),
    max_size=5,
).map("".join)


def rotated(target: Target, value: str, held: str, given: str) -> str:
    """
    Return what a value becomes when the credential of `given` takes the place of that of `held`.
    """
    fingerprint = target.fingerprint(KeyMaterial(held))
    return exchanged(target, KeyMaterial(value), fingerprint, KeyMaterial(given)).reveal()


def require_rotatable(target: Target, value: KeyMaterial, keys: Keys) -> None:
    """
    Raise what the rotation of a value raises before a key is regenerated.
    """
    active = active_key(target, keys, value, tagged=None)
    require_exchange(target, value, active and target.fingerprint(keys[active]), keys, KeyName.SECONDARY)
