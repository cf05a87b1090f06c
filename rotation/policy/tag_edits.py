"""
Changing the tags by which a secret is managed; everybody else's stay as they are.
"""

from collections.abc import Mapping

from rotation.policy.tags import KEY, PAUSED, ROTATION, STRATEGY, TARGET, VALIDITY, in_style, spellings_of
from rotation.vocabulary.endings import Misconfigured
from rotation.vocabulary.limits import MAX_TAGS
from rotation.vocabulary.target import KeyName

OURS = (TARGET, KEY, VALIDITY, PAUSED, STRATEGY, ROTATION)


def edited(tags: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """
    Return the tags with some of ours set, or left out where they are to be None, each in one spelling: that found.

    Raises `Misconfigured` where there is no room for them, and for those that every rotation writes.
    """
    made = dict(tags)
    for tag, value in changes.items():
        found = spellings_of(made, tag)
        for spelling in found:
            del made[spelling]
        if value is not None:
            made[found[0] if found else tag] = value
    needed = len(made) + sum(not spellings_of(made, tag) for tag in (KEY, ROTATION))
    if len(made) > len(tags) and needed > MAX_TAGS:
        raise Misconfigured(
            f"the secret would need {needed} tags and Key Vault allows {MAX_TAGS}: remove one that is not needed"
        )
    return made


def without_ours(tags: Mapping[str, str]) -> dict[str, str]:
    """
    Return the tags without those by which a secret is managed.
    """
    return edited(tags, dict.fromkeys(OURS))


def named_key(tags: Mapping[str, str], key: KeyName) -> dict[str, str | None]:
    """
    Return the change by which the tags name a key, in the style found.
    """
    return {KEY: in_style(tags, key)}
