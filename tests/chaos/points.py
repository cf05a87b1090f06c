"""
The requests of one rotation: where in its course each comes, and how a fault is aimed at it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from adapters.ledger_keys import BOUND, OPEN, OUTBOX
from localcloud.azure.faults import Fault
from localcloud.kinds import KINDS
from localcloud.kinds.kind import LocalKind
from tests.chaos.ledger_history import claim_key
from tests.chaos.subject import Subject


@dataclass(frozen=True)
class Aim:
    """
    Which request a fault is to hit: of an operation on a target, the one after `skip` others.
    """

    operation: str
    target: str | None = None
    skip: int = 0
    also: tuple[Fault, ...] = ()
    """What must happen first for the request to be sent at all."""


@dataclass(frozen=True)
class Point:
    """
    One request of a rotation. One that changes nothing meets no faults after its effect: they are those before it.
    """

    name: str
    aim: Callable[[Subject, str], Aim]
    """Takes the subject and the id of its rotation."""
    changes: bool = False
    is_for_all: bool = False
    """It cannot be told from the same request of other rotations."""
    needs_new_process: bool = False
    """A process sends it once for all rotations."""
    secrets: int = 1
    """How many secrets hold the target's key."""
    kinds: tuple[LocalKind, ...] = KINDS
    """The kinds of target whose rotation sends it."""
    is_of_the_proof: bool = False
    """Where it fails for long, a key is stored that may not work yet: no client may be promised anything then."""
    is_for_the_provider: bool = False
    """Where the kind is behind a site, it goes through the host of that site."""

    @property
    def is_shared(self) -> bool:
        """
        Whether its cases have to run one at a time.
        """
        return self.is_for_all or self.needs_new_process

    def reaches_a_site(self, kind: LocalKind) -> bool:
        """
        Whether it goes through the host of a site.
        """
        return self.is_for_the_provider and kind.behind_a_site


def _secret(subject: Subject) -> str:
    return subject.uri(subject.secrets[0])


def _older_version(subject: Subject) -> str:
    # The one that holds the key to be regenerated: of two before the rotation's own the first, in place the second.
    which = -1 if subject.strategy == "InPlace" else 0
    return f"{_secret(subject)}/{subject.vault.versions(subject.secrets[0])[which].version}"


def _version_before(subject: Subject) -> str:
    return f"{_secret(subject)}/{subject.vault.versions(subject.secrets[0])[-1].version}"


def _read_of_an_older_version(subject: Subject, _: str) -> Aim:
    # In place it is the version before, which was read once for its tags.
    older = _older_version(subject)
    return Aim("Vault.GetSecret", older, skip=int(older == _version_before(subject)))


def _bound(subject: Subject) -> str:
    return claim_key(subject.arm_id).replace(OPEN, BOUND) + "||"


def _second_look(subject: Subject, _: str) -> Aim:
    # Keys that are in the answer to regenerating are read only if that is lost.
    kind, arm_id = subject.kind, subject.arm_id
    lost = Fault(operation=kind.regenerate, kind="answer", when="after", status=500, target=arm_id)
    return Aim(kind.read, arm_id, skip=kind.reads, also=(lost,) if kind.answers_with_keys else ())


def _look_up(kind: LocalKind, operation: str) -> Point:
    return Point(operation, lambda s, _: Aim(operation, s.arm_id), kinds=(kind,), is_for_the_provider=True)


def _names(operations: Iterable[str]) -> str:
    return " / ".join(dict.fromkeys(operation.partition(".")[2] for operation in operations))


def _token(number: int) -> Callable[[Subject, str], Aim]:
    # A process asks for one token for each service, and keeps it.
    return lambda *_: Aim("Identity.Token", skip=number)


_READ = _names(kind.read for kind in KINDS)
_ASKED = tuple(kind for kind in KINDS if kind.proof)


def _question(number: int) -> Point:
    name = f"{_names(kind.proof[number] for kind in _ASKED)} (proof)"
    return Point(name, lambda s, _: Aim(s.kind.proof[number], s.arm_id), kinds=_ASKED, is_of_the_proof=True)


REGENERATE = Point(
    _names(kind.regenerate for kind in KINDS),
    lambda subject, _: Aim(subject.kind.regenerate, subject.arm_id),
    changes=True,
    is_for_the_provider=True,
)
_COMMIT = "Ledger.Transaction"
SET_SECRET = Point("Vault.SetSecret", lambda s, _: Aim("Vault.SetSecret", _secret(s)), changes=True)
# In the order in which a rotation sends them.
POINTS = (
    Point("Identity.Token (for Key Vault)", _token(0), needs_new_process=True),
    Point("Identity.Token (for ARM)", _token(1), needs_new_process=True),
    Point("Identity.Token (for the topic)", _token(2), needs_new_process=True),
    Point("Vault.GetSecret (claim)", lambda subject, _: Aim("Vault.GetSecret", _secret(subject))),
    Point("Ledger.Insert (claim)", lambda s, _: Aim("Ledger.Insert", claim_key(s.arm_id)), changes=True),
    # Where the vaults were listed before, the look is the first.
    Point("Vault.GetSecret (look)", lambda s, _: Aim("Vault.GetSecret", _secret(s), skip=1), needs_new_process=True),
    *(_look_up(kind, operation) for kind in KINDS for operation in kind.look_up),
    Point(f"{_READ} (before)", lambda s, _: Aim(s.kind.read, s.arm_id), is_for_the_provider=True),
    Point("Ledger.Query (bound secrets)", lambda s, _: Aim("Ledger.Query", _bound(s))),
    Point("Vault.ListSecrets", lambda s, _: Aim("Vault.ListSecrets", s.vault.uri), needs_new_process=True),
    Point(
        "Vault.GetSecret (of a neighbour)",
        lambda s, _: Aim("Vault.GetSecret", s.uri(s.secrets[-1])),
        needs_new_process=True,
        secrets=2,
    ),
    Point("Ledger.Transaction (begin)", lambda s, _: Aim(_COMMIT, claim_key(s.arm_id)), changes=True),
    REGENERATE,
    Point(f"{_READ} (after)", _second_look, is_for_the_provider=True),
    _question(0),
    _question(1),
    SET_SECRET,
    Point("Vault.GetSecret (the version before)", lambda s, _: Aim("Vault.GetSecret", _version_before(s))),
    Point(
        "Ledger.Transaction (end)", lambda s, _: Aim("Ledger.Transaction", claim_key(s.arm_id), skip=1), changes=True
    ),
    Point("EventGrid.Publish", lambda *_: Aim("EventGrid.Publish"), changes=True, is_for_all=True),
    Point("Ledger.Delete (outcome)", lambda _, id_: Aim("Ledger.Delete", OUTBOX + id_), changes=True),
    Point("Ledger.Upsert (inventory)", lambda s, _: Aim("Ledger.Upsert", s.secrets[0].lower()), changes=True),
    Point("Vault.ListVersions", lambda s, _: Aim("Vault.ListVersions", _secret(s))),
    Point("Vault.GetSecret (an older version)", _read_of_an_older_version),
    Point("Vault.UpdateSecret", lambda s, _: Aim("Vault.UpdateSecret", _older_version(s)), changes=True),
)

# The Functions host's own, about any rotation: a failure of one that settles a message stops the host.
QUEUE_POINTS = (
    Point("Queue.Send", lambda *_: Aim("Queue.Send", "rotations"), changes=True, is_for_all=True),
    Point("Queue.Send (poison)", lambda *_: Aim("Queue.Send", "rotations-poison"), changes=True, is_for_all=True),
    Point("Queue.Receive", lambda *_: Aim("Queue.Receive", "rotations"), changes=True, is_for_all=True),
    Point("Queue.Update", lambda *_: Aim("Queue.Update", "rotations"), changes=True, is_for_all=True),
    Point("Queue.Delete", lambda *_: Aim("Queue.Delete", "rotations"), changes=True, is_for_all=True),
    Point("Queue.Delete (poison)", lambda *_: Aim("Queue.Delete", "rotations-poison"), changes=True, is_for_all=True),
)
