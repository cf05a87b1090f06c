"""
Values of secrets, as people store them.
"""

from collections.abc import Callable
from urllib.parse import quote

from hypothesis import strategies as st

from rotation.policy.values import exchanged
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.target import Target

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
