"""
What the tags of a managed secret say about its rotation.

The first three tags are Microsoft's dual-credential convention (Key Vault documentation, "Automate the rotation of a
secret for resources with two sets of authentication credentials"), so a secret set up for it works unchanged. Tag names
are found in any case: `rotationpaused` must not be overlooked.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum

from msgspec import Struct

from rotation.vocabulary.endings import Misconfigured
from rotation.vocabulary.limits import LONGEST_VALIDITY, MAX_TAGS, SHORTEST_VALIDITY
from rotation.vocabulary.pasted import bare, unwrapped
from rotation.vocabulary.quoting import quoted
from rotation.vocabulary.spelling import caseless
from rotation.vocabulary.target import KeyName, ParseTarget, Target

TARGET = "ProviderAddress"
KEY = "CredentialId"
VALIDITY = "ValidityPeriodDays"
PAUSED = "RotationPaused"
STRATEGY = "RotationStrategy"
ROTATION = "RotationId"


_KEY_STYLES = (
    {KeyName.PRIMARY: "Primary", KeyName.SECONDARY: "Secondary"},
    {KeyName.PRIMARY: "primary", KeyName.SECONDARY: "secondary"},
    {KeyName.PRIMARY: "PRIMARY", KeyName.SECONDARY: "SECONDARY"},
    {KeyName.PRIMARY: "key1", KeyName.SECONDARY: "key2"},
    {KeyName.PRIMARY: "Key1", KeyName.SECONDARY: "Key2"},
    {KeyName.PRIMARY: "KEY1", KeyName.SECONDARY: "KEY2"},
)


class Strategy(StrEnum):
    """
    Which key is regenerated: the one not in use, or, where there is only one to speak of, that one.
    """

    ALTERNATE = "Alternate"
    IN_PLACE = "InPlace"


class RotationPolicy(Struct, frozen=True):
    """
    A secret's tags, read and checked. `tagged_key` is what the tag claims, which may be wrong.
    """

    target: Target
    tagged_key: KeyName | None
    validity: timedelta
    strategy: Strategy


def is_managed(tags: Mapping[str, str]) -> bool:
    """
    Return whether a secret with these tags is for this app to rotate.
    """
    return bool(spellings_of(tags, TARGET))


def is_paused(tags: Mapping[str, str]) -> bool:
    """
    Return whether the secret is to be left alone.

    Raises `Misconfigured` for a value that is neither `true` nor `false`.
    """
    value = unwrapped(_find(tags, PAUSED) or "false").lower()
    if value not in {"true", "false"}:
        raise _wrong(PAUSED, value, "it must be 'true' or 'false'")
    return value == "true"


def stored_by(tags: Mapping[str, str]) -> str | None:
    """
    Return the id of the rotation that made this version, if one did.
    """
    return _find(tags, ROTATION)


def read_target(tags: Mapping[str, str], parse: ParseTarget) -> Target:
    """
    Return what the secret's key belongs to.

    Raises `Misconfigured`.
    """
    address = _find(tags, TARGET) or ""
    try:
        return parse(address)
    except Misconfigured as error:
        raise Misconfigured(f"tag {TARGET}: {error}") from None


def possible_targets(tags: Mapping[str, str], parse: ParseTarget) -> list[Target]:
    """
    Return every target that the tags could mean, also where they mean several: a neighbour must not be overlooked.
    """
    targets = []
    for name in spellings_of(tags, TARGET):
        with suppress(Misconfigured):
            targets.append(parse(tags[name]))
    return targets


def read_policy(tags: Mapping[str, str], target: Target) -> RotationPolicy:
    """
    Return the policy that the tags of a managed secret spell out, which name this target.

    Raises `Misconfigured`, which names the tag, what it is and what it must be.
    """
    policy = RotationPolicy(
        target=target,
        tagged_key=tagged_key(tags),
        validity=read_validity(tags),
        strategy=_read_strategy(tags),
    )
    if len(renewed(tags, KeyName.PRIMARY, "")) > MAX_TAGS:
        raise Misconfigured(
            f"the secret has {len(tags)} tags and Key Vault allows {MAX_TAGS}: remove one to make room for {ROTATION}"
        )
    return policy


def tagged_key(tags: Mapping[str, str]) -> KeyName | None:
    """
    Return the key that the tag claims the value to be, which may be wrong; None without the tag.

    Raises `Misconfigured`.
    """
    written = _find(tags, KEY)
    if written is None:
        return None
    for style in _KEY_STYLES[::3]:
        for key, name in style.items():
            if caseless(unwrapped(written)) == name.lower():
                return key
    raise _wrong(KEY, written, "it must be Primary or Secondary, or key1 or key2")


def renewed(tags: Mapping[str, str], key: KeyName, rotation_id: str) -> dict[str, str]:
    """
    Return the tags of the next version: unknown ones kept, the key written in the style found.
    """
    next_tags = dict(tags)
    next_tags[_spelling(tags, KEY)] = in_style(tags, key)
    next_tags[_spelling(tags, ROTATION)] = rotation_id
    return next_tags


def in_style(tags: Mapping[str, str], key: KeyName) -> str:
    """
    Return a key's name in the style in which the tags name one.
    """
    written = unwrapped(next((tags[name] for name in spellings_of(tags, KEY)), ""))
    like = _KEY_STYLES[3] if written.lower().startswith("key") else _KEY_STYLES[0]
    return next((style for style in _KEY_STYLES if written in style.values()), like)[key]


def spellings_of(tags: Mapping[str, str], tag: str) -> list[str]:
    """
    Return the names by which a tag of ours is there: in any case, and with what people put around it.
    """
    wanted = tag.lower()
    return [name for name in tags if bare(name).lower() == wanted]


def late_tags(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """
    Return the tags that were set between two looks, but for those that every rotation writes itself.
    """
    ours = {*spellings_of(now, KEY), *spellings_of(now, ROTATION)}
    return {name: value for name, value in now.items() if name not in ours and before.get(name) != value}


def with_late(tags: Mapping[str, str], late: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """
    Return the tags with late ones among them, and the names of those for which there is no room.

    What says how the secret is rotated comes first, and takes the place of the same tag in another spelling.
    """
    merged, lost = dict(tags), []
    for name in sorted(late, key=lambda name: not _is_ours(name)):
        for spelling in spellings_of(merged, bare(name)) if _is_ours(name) else ():
            del merged[spelling]
        if name in merged or len(merged) < MAX_TAGS:
            merged[name] = late[name]
        else:
            lost.append(name)
    return merged, lost


def _is_ours(name: str) -> bool:
    return any(spellings_of({name: ""}, tag) for tag in (TARGET, VALIDITY, PAUSED, STRATEGY))


def read_validity(tags: Mapping[str, str]) -> timedelta:
    """
    Return how long a new version is valid.

    Raises `Misconfigured`.
    """
    written = _find(tags, VALIDITY)
    shortest, longest = SHORTEST_VALIDITY.days, LONGEST_VALIDITY.days
    allowed = f"it must be {shortest} to {longest}, or the new version is near expiry at birth"
    if written is None:
        raise Misconfigured(f"tag {VALIDITY} is missing; {allowed}")
    days = unwrapped(written)
    is_short = days.isascii() and days.isdigit() and len(days) <= len(str(longest))
    if not (is_short and shortest <= int(days) <= longest):
        raise _wrong(VALIDITY, written, allowed)
    return timedelta(days=int(days))


def _read_strategy(tags: Mapping[str, str]) -> Strategy:
    written = _find(tags, STRATEGY)
    if written is None:
        return Strategy.ALTERNATE
    for strategy in Strategy:
        if unwrapped(written).lower() == strategy.lower():
            return strategy
    raise _wrong(STRATEGY, written, "it must be Alternate or InPlace")


def _find(tags: Mapping[str, str], tag: str) -> str | None:
    return tags.get(_spelling(tags, tag))


def _spelling(tags: Mapping[str, str], tag: str) -> str:
    spellings = spellings_of(tags, tag)
    if len(spellings) > 1:
        raise Misconfigured(f"tag {tag} is there {len(spellings)} times in different spellings; keep one of them")
    return spellings[0] if spellings else tag


def _wrong(tag: str, value: str, remedy: str) -> Misconfigured:
    return Misconfigured(f"tag {tag} is {quoted(value)}; {remedy}")
