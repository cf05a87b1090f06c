"""
The shapes of what is asked for about one secret: how it is to be managed.
"""

from datetime import timedelta
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from handlers.contract import TargetId, read_target_id
from rotation.manage.change import Change
from rotation.manage.manage import Wish
from rotation.policy.tags import Strategy
from rotation.vocabulary.errors import Malformed
from rotation.vocabulary.limits import LONGEST_VALIDITY, SHORTEST_VALIDITY
from rotation.vocabulary.target import KeyName, ParseTarget

ValidityDays = Annotated[
    int,
    Meta(
        ge=SHORTEST_VALIDITY.days,
        le=LONGEST_VALIDITY.days,
        description="For how many days a new version is valid: it is rotated before that. A shorter time than "
        f"{SHORTEST_VALIDITY.days} would be near expiry at birth.",
    ),
]
StrategyName = Literal["Alternate", "InPlace"]

MANAGE_EXAMPLE = '{"target": "/subscriptions/...", "validityPeriodDays": 90, "create": false}'
CHANGE_EXAMPLE = '{"paused": true} or {"validityPeriodDays": 90} or {"strategy": "InPlace"} or {"managed": false}'


class Management(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """
    How a secret is to be managed.
    """

    target: TargetId
    validity_period_days: ValidityDays
    key: (
        Annotated[
            Literal["Primary", "Secondary"],
            Meta(
                description="The key that the value holds, which is found out without it; with `create` the key to "
                "store where the other secrets of the target do not agree on one."
            ),
        ]
        | None
    ) = None
    strategy: Annotated[StrategyName, Meta(description="Alternate where it is left out.")] | None = None
    create: Annotated[
        bool,
        Meta(description="Let the app store the first version where there is no such secret: no person sees the key."),
    ] = False

    def wish(self, parse: ParseTarget) -> Wish:
        """
        Return what is asked for. Raises `Malformed`.
        """
        return Wish(
            read_target_id(self.target, parse),
            timedelta(days=self.validity_period_days),
            KeyName(self.key) if self.key else None,
            Strategy(self.strategy) if self.strategy else None,
        )


class SecretChange(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """
    What is to be another about a managed secret (RFC 7396): what is left out stays, and null is the default again.
    """

    paused: Annotated[bool, Meta(description="Leave it alone, or rotate it again.")] | UnsetType | None = UNSET
    validity_period_days: ValidityDays | UnsetType = UNSET
    strategy: StrategyName | UnsetType | None = UNSET
    managed: Annotated[bool, Meta(description="Only false: take the tags away by which it is managed.")] | UnsetType = (
        UNSET
    )

    def change(self) -> Change | None:
        """
        Return what is to be changed, None where it is to be managed no more. Raises `Malformed`.
        """
        strategy = Strategy(self.strategy) if isinstance(self.strategy, str) else self.strategy
        change = Change(self.paused, self.validity_period_days, strategy)
        if self.managed is True:
            raise Malformed(
                "managed can only be false; PUT puts a secret under management, with a body such as " + MANAGE_EXAMPLE
            )
        if self.managed is False:
            if change.tags():
                raise Malformed('"managed": false takes all tags away, so it must stand alone')
            return None
        if not change.tags():
            raise Malformed(f"the body changes nothing; it must be JSON such as {CHANGE_EXAMPLE}")
        return change
