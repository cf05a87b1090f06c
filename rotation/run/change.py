"""
The two requests that change something: one regenerates a key (step 6), one stores a new version (step 7).

Each is sent once and never by an SDK's own retries. What to do next depends on how it was answered; what each answer
means, the adapters say (docs/architecture.md, "How an answer is judged"):

- a clear no: the rotation fails;
- the request is over, by throttling or a failure: look at what it did, and ask again if it did nothing;
- no usable answer: it may take effect yet, so this attempt ends and its claim is kept.
"""

from collections.abc import Iterator

from rotation.policy.tags import stored_by
from rotation.ports.providers import Provider
from rotation.ports.vaults import NewVersion, Vaults
from rotation.vocabulary.endings import Misconfigured, Refused, TargetNotFound, VaultRefused
from rotation.vocabulary.errors import Declined, DependencyError, NoAnswer, NotFound, OutOfTime, Unavailable, Unfinished
from rotation.vocabulary.limits import FIRST_PAUSE, LONGEST_PAUSE, LOOKS
from rotation.vocabulary.record import Journal
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import Keys, Target
from rotation.vocabulary.timing import Deadline


async def regenerate(provider: Provider, target: Target, journal: Journal, before: Keys, deadline: Deadline) -> Keys:
    """
    Return the keys once the journaled one has changed; `before` is what they were.

    Raises `Refused` or `TargetNotFound` if it cannot be, `Unfinished` if that is not known in time.
    """
    for pause in pauses():
        try:
            answer = await provider.regenerate(target, journal.key, deadline)
        except Unavailable as error:
            failure = error
        except NoAnswer as error:
            # Where the key was not in use, a change may as well be somebody else's, and this request's is yet to come.
            if journal.in_place and (keys := await _look_for_change(provider, target, journal, deadline)):
                return keys
            raise Unfinished(str(error), in_flight=True) from error
        except NotFound as error:
            raise TargetNotFound(str(error)) from error
        except Declined as error:
            raise Refused(str(error)) from error
        else:
            if answer is not None and _is_credible(target, answer, journal, before):
                return answer
            return await _await_change(provider, target, journal, before, deadline)
        keys = await _read_again(provider, target, deadline)
        if has_changed(target, keys, journal):
            return keys
        await deadline.wait(failure.pause(pause))
    raise AssertionError("the pauses never end")


def has_changed(target: Target, keys: Keys, journal: Journal) -> bool:
    """
    Return whether the journaled key is no longer what it was when the journal was written.
    """
    return target.fingerprint(keys[journal.key]) != journal.fingerprint


def _is_credible(target: Target, answer: Keys, journal: Journal, before: Keys) -> bool:
    """
    Return whether the keys that an answer holds are those of the target: one new, the other as it was.
    """
    other = journal.key.other
    is_same = target.fingerprint(answer[other]) == target.fingerprint(before[other])
    return is_same and has_changed(target, answer, journal)


async def _read_again(provider: Provider, target: Target, deadline: Deadline) -> Keys:
    """
    Return what each key gives, once a key was to be regenerated: a diagnosis ends the attempt, not the rotation.
    """
    try:
        return await provider.read_keys(target, deadline)
    except Misconfigured as error:
        raise Unfinished(str(error), in_flight=False) from error


async def _look_for_change(provider: Provider, target: Target, journal: Journal, deadline: Deadline) -> Keys | None:
    """
    Return the keys if the journaled one has changed, None if it has not, or that is not known.
    """
    try:
        keys = await _read_again(provider, target, deadline)
    except (DependencyError, Unfinished):
        return None
    return keys if has_changed(target, keys, journal) else None


async def _await_change(provider: Provider, target: Target, journal: Journal, before: Keys, deadline: Deadline) -> Keys:
    for pause, _ in zip(pauses(), range(LOOKS), strict=False):
        try:
            keys = await provider.read_new(target, journal.key, before, deadline)
            if has_changed(target, keys, journal):
                return keys
            await deadline.wait(pause)
        except (DependencyError, Unfinished, Misconfigured) as error:
            # It was answered with success, so it takes effect, if it has not yet.
            raise Unfinished(str(error), in_flight=True) from error
    raise Unfinished(
        f"{target.arm_id} answered that {journal.key} is regenerated, and shows the old one", in_flight=True
    )


async def store(vaults: Vaults, seen: SecretVersion, new: NewVersion, deadline: Deadline) -> SecretId:
    """
    Return the id of the new version, which comes after the one that was seen.

    Raises `VaultRefused` if there cannot be one, `Unfinished` if that is not known in time.
    """
    for pause in pauses():
        try:
            return await vaults.store(seen.id, new, deadline)
        except (Unavailable, NoAnswer) as error:
            failure = error
        except (Declined, NotFound) as error:
            raise VaultRefused(str(error)) from error
        if isinstance(failure, Unavailable):
            await deadline.wait(failure.pause(pause))
        if made := await _look(vaults, seen, stored_by(new.tags), failure, deadline):
            return made
    raise AssertionError("the pauses never end")


async def _look(
    vaults: Vaults, seen: SecretVersion, rotation_id: str | None, failure: DependencyError, deadline: Deadline
) -> SecretId | None:
    """
    Return the version that was made in spite of a failure, None if there is none and there never will be.

    Raises `Unfinished` if that is not known, or if somebody else has made a version or set tags meanwhile: resuming
    looks again.
    """
    in_flight = isinstance(failure, NoAnswer)
    try:
        current = await vaults.read_current(seen.id, deadline)
    except (DependencyError, OutOfTime):
        raise Unfinished(str(failure), in_flight=in_flight) from failure
    if stored_by(current.tags) == rotation_id:
        return current.id
    if in_flight or (current.version, current.tags) != (seen.version, seen.tags):
        raise Unfinished(str(failure), in_flight=in_flight) from failure
    return None


def pauses() -> Iterator[float]:
    """
    Yield the seconds between two tries of the same thing, without end.
    """
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * 2, LONGEST_PAUSE)
