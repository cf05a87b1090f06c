"""
What the app logs about a rotation, as sentences for a person.
"""

import re
from typing import Any

SENTENCES = {
    "accepted (SecretNearExpiry)": "accepted the near-expiry event: the rotation waits in the queue",
    "accepted (SecretExpired)": "accepted the event that the secret has expired: the rotation waits in the queue",
    "accepted": "accepted the request: the rotation waits in the queue",
    "claimed": "claimed the target: nothing else rotates it meanwhile",
    "left to the worker that has it": "left it to the worker that has claimed the target",
    "inspected": "looked at both keys and chose {key}",
    "adopts the key of another secret": "takes over {key}, which another secret of the same target holds already",
    "waits": "waits: {because}",
    "deferred": "waits until {until}",
    "reported as leaked": "wrote down that the key of {target} has leaked: it dies when no client needs it",
    "journaled": "wrote down what it is about to do, so that a crash loses nothing",
    "regenerated": "regenerated {key}",
    "found the key already regenerated": "found that an earlier attempt has regenerated {key}",
    "stores the key alone: the version before is disabled": "stores {key} alone: the version before is disabled",
    "replaces the whole value: nothing in it looks like a key": "replaces the whole value by {key}: no key is in it",
    "proven": "saw {key} work",
    "not proven": "could not see whether {key} works: {because}",
    "stored": "stored {key} as a new version of the secret",
    "found the new version already stored": "found that an earlier attempt has stored the new version",
    "added tags that were set meanwhile": "added to the new version what was set on the old one meanwhile: {tags}",
    "suspended": "stopped, to be resumed later: {because}",
    "not ended yet": "did everything, but could not record the end: {because}",
    "ended": "{state}",
    "announced": "published the completion event",
    "announced Failed": "published the failure event",
    "disabled a dead version": "disabled the old version that holds the dead key",
    "poisoned": "used up its retries",
}
"""By the words of a step, or of a message that is no step. The words may be followed by the rotation's state."""

# What says nothing about a step beyond its words, or says it for machines.
_NOISE = {"time", "level", "logger", "message", "exception", "function", "invocationId"}
_NOISE |= {"rotation", "step", "state", "target", "secret", "seconds"}
_NOISE |= {"trigger", "provider", "attempt", "duration", "outcome", "reason", "awaited", "message_id"}
_ABOUT = re.compile(r"rotation ([0-9a-f-]{36}):? ")


def rotation_of(record: dict[str, Any]) -> str | None:
    """
    Return the id of the rotation that a record is about. Warnings and errors name it in their message alone.
    """
    if record.get("rotation") or record["level"] == "INFO":
        return record.get("rotation")
    named = _ABOUT.match(record["message"])
    return named and named[1]


def sentence_of(record: dict[str, Any]) -> str:
    """
    Return what a record says. A step without a sentence is given in its own words, with its facts.
    """
    facts = {name: fact for name, fact in record.items() if fact is not None and fact != "None"}
    words = record.get("step") or _ABOUT.sub("", record["message"], count=1)
    sentence = SENTENCES.get(f"{words} {record.get('state')}", SENTENCES.get(words))
    shown: list[str] = []
    try:
        told = sentence.format_map(facts) if sentence else ""
    except KeyError:
        told = ""
    if not told:
        told = words
        shown += [f"{name} {fact}" for name, fact in facts.items() if name not in _NOISE]
    if int(facts.get("attempt", 1)) > 1:
        shown.append(f"attempt {facts['attempt']}")
    if "reason" in facts:
        shown.append(f"reason: {facts['reason']}")
    return f"{told} ({', '.join(shown)})" if shown else told
