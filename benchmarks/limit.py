"""
The limit: what any rotation of a secret needs if the README's promises are to hold.

It is of a secret that has been rotated before, in a process that has listed the vaults in the last minutes, for another
secret's rotation: the target is known from that, and not read from the secret's tags first. Requests are written as the
local cloud's log calls them. A change of the protocol is a change of this list, and of nothing else here or in its
tests.
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
    new_value = () if kind.answers_with_keys else (Trip("the answer was empty: what the new key gives", keys[:1]),)
    return [
        Trip("the claim: nobody else rotates this target from here on", ("Ledger.Insert",)),
        Trip("under the claim: secret, keys, who else holds a key", ("Vault.GetSecret", *keys, "Ledger.Query")),
        Trip("the journal, where nobody has ended the rotation: it says what was regenerated", ("Ledger.Transaction",)),
        Trip("the key; where it can be tried is asked meanwhile", (kind.regenerate, *where)),
        *new_value,
        *(Trip("whether the new key works: no client is to read one that does not", (each,)) for each in questions),
        Trip("the new version", ("Vault.SetSecret",)),
        Trip("the version before: tags that somebody has set on it since the look", ("Vault.GetSecret",)),
        # Beside what is left, an older version whose key is dead is looked for, and disabled.
        Trip("the end: frees the target, and keeps the record", ("Ledger.Transaction", "Vault.ListVersions")),
        Trip("the completion event", ("EventGrid.Publish", "Vault.GetSecret")),
        Trip("the outcome, published now; how it stands", ("Ledger.Delete", "Ledger.Upsert", "Vault.UpdateSecret")),
    ]


def requests(kind: LocalKind, *, proven: bool = True) -> Counter[str]:
    """
    Return what such a rotation asks for, and how often.
    """
    return Counter(request for trip in trips(kind, proven=proven) for request in trip.requests)
