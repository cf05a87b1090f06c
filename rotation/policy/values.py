"""
Which key a secret's value holds, and what the value becomes when another one takes its place.

Only credentials are compared, by their fingerprints: what stands around one is the secret's own, and stays.
"""

from collections.abc import Collection

from rotation.vocabulary.credential import Candidate
from rotation.vocabulary.endings import Drift, Misconfigured
from rotation.vocabulary.limits import LARGEST_VALUE
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.target import KeyName, Keys, Target


def active_key(target: Target, keys: Keys, value: KeyMaterial, *, tagged: KeyName | None) -> KeyName | None:
    """
    Return the key that a value holds, None for neither; where both give the same credential, the tagged one or Primary.

    Raises `Misconfigured` for a value in which no key could be exchanged.
    """
    live = {key: target.fingerprint(keys[key]) for key in KeyName}
    held = {place.fingerprint for place in places_of(target, value, live.values())}
    if len(held) > 1:
        raise Misconfigured(
            f"its value holds both keys of {target.arm_id}; it must hold one, or every rotation kills one in use"
        )
    if not held:
        _require_no_hindrance(target, keys, value)
        return None
    matching = [key for key in KeyName if live[key] in held]
    return tagged if tagged in matching else matching[0]


def holds(target: Target, value: KeyMaterial, fingerprint: str) -> bool:
    """
    Return whether a credential stands in a value.
    """
    return any(candidate.fingerprint == fingerprint for candidate in target.held(value))


def places_of(target: Target, value: KeyMaterial, fingerprints: Collection[str]) -> list[Candidate]:
    """
    Return where in a value one of these credentials stands.

    Raises `Misconfigured` where no other one may be put there.
    """
    places = [candidate for candidate in target.held(value) if candidate.fingerprint in fingerprints]
    for place in places:
        if place.hindrance:
            raise Misconfigured(place.hindrance)
    return places


def exchanged(target: Target, value: KeyMaterial, held: str | None, given: KeyMaterial) -> KeyMaterial:
    """
    Return a value in which another credential takes the place of the one with the fingerprint `held`.

    Without that one it is put where the only credential stands that the value has, and replaces a value with none.
    Raises `Drift` where there are several, and `Misconfigured` as `places_of` does.
    """
    places = places_of(target, value, [held]) if held else []
    return target.exchanged(value, places or _places_to_heal(target, value), given)


def require_exchange(target: Target, value: KeyMaterial, held: str | None, keys: Keys, key: KeyName) -> None:
    """
    Raise `Misconfigured` where a value cannot be given a new key, or would keep one besides, and as `exchanged` does.
    """
    made = [exchanged(target, value, held, longest) for longest in target.form.longest(keys[key])]
    size = max(len(each.encoded) for each in made)
    if size > LARGEST_VALUE:
        raise Misconfigured(
            f"its value may become {size:,} bytes long with a new key; Key Vault takes {LARGEST_VALUE:,} at most, so "
            "shorten what stands around the key"
        )
    if any(target.may_hold(each, keys[other]) for each in made for other in KeyName):
        raise Misconfigured(_misspelled(target))
    # The next rotation must find the new key.
    if not places_of(target, exchanged(target, value, held, keys[key]), [target.fingerprint(keys[key])]):
        raise Misconfigured(f"its value has no place in which a key of {target.arm_id} can be found again")


def _places_to_heal(target: Target, value: KeyMaterial) -> list[Candidate]:
    places = [candidate for candidate in target.candidates(value) if not candidate.hindrance]
    if len({place.fingerprint for place in places}) > 1:
        raise Drift(
            f"several parts of the secret's value look like a key of {target.arm_id}, and none of them is one: put the "
            "key that the tag CredentialId names where it belongs"
        )
    return places


def _require_no_hindrance(target: Target, keys: Keys, value: KeyMaterial) -> None:
    """
    Raise `Misconfigured` where a value that holds neither key could not be given one, or has one in a strange spelling.
    """
    candidates = target.candidates(value)
    hindrances = [candidate.hindrance for candidate in candidates if candidate.hindrance]
    if hindrances and len(hindrances) == len(candidates):
        raise Misconfigured(hindrances[0])
    if any(target.may_hold(value, keys[key]) for key in KeyName):
        raise Misconfigured(_misspelled(target))


def _misspelled(target: Target) -> str:
    return (
        f"a key of {target.arm_id} stands in its value in a spelling that cannot be exchanged; it must stand there as "
        "it is, percent-encoded or escaped as in JSON"
    )
