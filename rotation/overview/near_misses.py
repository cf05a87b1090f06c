"""
Secrets that are not managed, and whose tags look as if they should be: a name that is misspelt overlooks a secret.
"""

from collections.abc import Mapping
from difflib import SequenceMatcher

from rotation.policy.tags import KEY, TARGET, VALIDITY
from rotation.vocabulary.limits import ALIKE
from rotation.vocabulary.quoting import quoted


def near_miss(tags: Mapping[str, str]) -> str | None:
    """
    Return what to do about the tags of a secret that is not managed, None where they do not look like ours.

    Upper and lower case do not matter in ours.
    """
    for name in tags:
        if _resembles(name, TARGET):
            return f"its tag {quoted(name)} must be named {TARGET}; as it stands, the secret is not managed"
    if all(any(_resembles(name, ours) for name in tags) for ours in (KEY, VALIDITY)):
        return f"it has {KEY} and {VALIDITY}, and no {TARGET}: add that tag, or remove those; the secret is not managed"
    return None


def _resembles(name: str, ours: str) -> bool:
    letters, wanted = _letters(name), _letters(ours)
    most = SequenceMatcher(None, letters, wanted)
    return most.real_quick_ratio() >= ALIKE and most.quick_ratio() >= ALIKE and most.ratio() >= ALIKE


def _letters(name: str) -> str:
    return "".join(filter(str.isalpha, name)).lower()
