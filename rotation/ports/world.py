"""
Everything a rotation works with, handed in as one.
"""

from datetime import datetime, timedelta

from msgspec import UNSET, Struct, structs

from rotation.policy.eligibility import Case
from rotation.policy.scope import Scopes
from rotation.ports.announcer import Announcer
from rotation.ports.inventory import Inventory
from rotation.ports.ledger import Ledger
from rotation.ports.providers import Providers
from rotation.ports.vaults import Vaults
from rotation.vocabulary.concurrency import Gather
from rotation.vocabulary.record import Rotation, accepted_record
from rotation.vocabulary.request import RotationRequest
from rotation.vocabulary.secret import ListedSecret, SecretVersion
from rotation.vocabulary.timing import Clock


class World(Struct, frozen=True):
    """
    The ports, the clock, what may be regenerated, and how several requests are under way at the same time.

    `lead` is how long before its expiry a secret is due, `grace` how long clients may go on with what they have read
    of one after its rotation. An app that `observes` looks at everything and changes nothing.
    """

    vaults: Vaults
    providers: Providers
    ledger: Ledger
    inventory: Inventory
    announcer: Announcer
    scopes: Scopes
    clock: Clock
    gather: Gather
    lead: timedelta
    grace: timedelta
    observes: bool = False

    def case_of(self, secret: ListedSecret | SecretVersion) -> Case:
        """
        Return a secret as it is decided whether it is rotated.
        """
        return Case(secret, self.providers.parse_target, self.scopes, lead=self.lead)

    def accepted(self, request: RotationRequest, now: datetime) -> Rotation:
        """
        Return the record of a rotation that is accepted and not begun. An app that observes revokes no leaked key.
        """
        record = accepted_record(request, now, self.providers.parse_target)
        return structs.replace(record, revocation=UNSET) if self.observes else record
