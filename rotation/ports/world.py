"""
Everything a rotation works with, handed in as one.
"""

from datetime import timedelta

from msgspec import Struct

from rotation.policy.scope import Scopes
from rotation.ports.announcer import Announcer
from rotation.ports.inventory import Inventory
from rotation.ports.ledger import Ledger
from rotation.ports.providers import Providers
from rotation.ports.vaults import Vaults
from rotation.vocabulary.concurrency import Gather
from rotation.vocabulary.timing import Clock


class World(Struct, frozen=True):
    """
    The ports, the clock, what may be regenerated, and how several requests are under way at the same time.

    `lead` is how long before its expiry a secret is due.
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
