"""
The limit: what one rotation of a secret cannot do without, whoever writes it, if the README's promises are to hold.

It is of a secret that has been rotated before, in a process that has rotated before. Requests are written as the local
cloud's log calls them. A change of the protocol is a change of this list, and of nothing else here or in its tests.
"""

from collections import Counter
from typing import NamedTuple

from localcloud.kinds.kind import LocalKind

LATENCY = 0.05
"""Seconds that a request takes in the local cloud."""


class Trip(NamedTuple):
    """
    One round trip: why it has to wait for the one before, and what goes out together.

    What goes out beside a request that has to be made anyway costs no time.
    """

    why: str
    requests: tuple[str, ...]


def trips(kind: LocalKind, *, proven: bool = True) -> list[Trip]:
    """
    Return the round trips of a rotation. With `proven` the new key is tried before it is stored, where it can be.
    """
    keys = (kind.read,) * kind.reads
    where, questions = (kind.proof[:1], kind.proof[1:]) if proven else ((), ())
    new_value = () if kind.answers_with_keys else (Trip("the answer was empty: what the new key gives", keys),)
    return [
        Trip("its tags name the target that has to be claimed", ("Vault.GetSecret",)),
        Trip("the claim: nobody else rotates this target from here on", ("Ledger.Insert",)),
        Trip(
            "under the claim: secret, keys, outcome, who else holds a key, whether it waits for its time",
            ("Vault.GetSecret", *keys, "Ledger.Read", "Ledger.Query", "Ledger.Read"),
        ),
        Trip("the journal: after a crash it says whether the key was regenerated", ("Ledger.Replace", "Ledger.Read")),
        Trip("the key; where it can be tried is asked meanwhile", (kind.regenerate, *where)),
        *new_value,
        *(Trip("whether the new key works: no client is to read one that does not", (each,)) for each in questions),
        Trip("the new version", ("Vault.SetSecret",)),
        Trip("the version before: tags that somebody has set on it since the look", ("Vault.GetSecret",)),
        Trip("the end: frees the target, keeps the outcome until it is published", ("Ledger.Transaction",)),
        # Beside what is left, an older version whose key is dead is looked for, and disabled.
        Trip("the record, before anybody can ask for it", ("Ledger.Transaction", "Vault.ListVersions")),
        Trip("the completion event", ("EventGrid.Publish", "Vault.GetSecret", "Vault.GetSecret")),
        Trip("the outcome, published now; how it stands", ("Ledger.Delete", "Ledger.Upsert", "Vault.UpdateSecret")),
    ]


def requests(kind: LocalKind, *, proven: bool = True) -> Counter[str]:
    """
    Return what such a rotation asks for, and how often.
    """
    return Counter(request for trip in trips(kind, proven=proven) for request in trip.requests)
