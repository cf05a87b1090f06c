"""
The limit: what one rotation of a secret cannot do without, whoever writes it, if the README's promises are to hold.

Each trip has to wait for the one before, and what it asks for goes out at the same time. The limit is their number
times the latency. What goes out `beside` a trip that has to be made anyway costs no time.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.kind import Kind
from localcloud.kinds import named

LATENCY = 0.05
"""Seconds that a request takes in the local cloud, unless it is said otherwise."""


class Trip(NamedTuple):
    """
    One round trip: requests that go out together, as the local cloud's log calls them, and why nothing can come before.
    """

    requests: tuple[str, ...]
    why: str


def trips(kind: Kind) -> Sequence[Trip]:
    """
    Return the round trips of one rotation.
    """
    local = named(kind)
    read_keys = (local.read,) * local.reads
    look = ("Vault.GetSecret", *read_keys, "Ledger.Read", "Ledger.Query")
    new_value = () if local.answers_with_keys else (Trip(read_keys, "the answer was empty: what the new key gives"),)
    return (
        Trip(("Vault.GetSecret",), "its tags name the target that has to be claimed"),
        Trip(("Ledger.Insert",), "the claim: nobody else rotates this target from here on"),
        Trip(look, "what is true under the claim: secret, keys, outcome, who else holds a key"),
        Trip(("Ledger.Replace", "Ledger.Read"), "the journal: after a crash it tells whether the key was regenerated"),
        Trip((local.regenerate,), "the key"),
        *new_value,
        *(
            Trip((question,), "whether the new key works: no client is to read one that does not")
            for question in local.proof[1:]
        ),
        Trip(("Vault.SetSecret",), "the new version"),
        Trip(("Vault.GetSecret",), "the version before: tags that somebody has set on it since the look"),
        Trip(("Ledger.Transaction",), "the end: frees the target, keeps the outcome until it is told"),
        Trip(("Ledger.Transaction",), "the record, before anybody is told of it"),
        Trip(("EventGrid.Publish",), "the completion event"),
        Trip(("Ledger.Delete",), "the outcome, now told"),
    )


def beside(kind: Kind) -> Counter[str]:
    """
    Return what goes out while other requests are waited for, and how often.
    """
    where_to_ask = named(kind).proof[:1]
    return Counter(where_to_ask) + Counter(
        {
            "Ledger.Read": 1,  # Whether the rotation waits for its time.
            "Ledger.Upsert": 2,  # That the secret holds a key of the target; how it stands, for GET /api/secrets.
            "Vault.ListVersions": 1,  # Older versions, to disable those whose key is dead ...
            "Vault.GetSecret": 1,  # ... by their value.
        }
    )


def seconds(kind: Kind, latency: float) -> float:
    """
    Return how long one rotation takes at the least.
    """
    return len(trips(kind)) * latency


def requests(kind: Kind) -> Counter[str]:
    """
    Return what one rotation of a secret has to ask for, and how often.
    """
    return Counter(request for trip in trips(kind) for request in trip.requests)
