"""
The shapes of the HTTP API: what a request is decoded into, and what OpenAPI therefore says of it.
"""

from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from providers import KINDS
from rotation.ports.inventory import Status
from rotation.vocabulary.endings import Misconfigured
from rotation.vocabulary.errors import Malformed
from rotation.vocabulary.limits import (
    LARGEST_PAGE,
    LONGEST_CONTINUATION,
    LONGEST_DURATION,
    LONGEST_IDEMPOTENCY_KEY,
    LONGEST_REASON,
    LONGEST_REVOCATION,
    LONGEST_SECRET_ID,
    LONGEST_TARGET_ID,
    ROTATIONS_SHOWN,
    SECRETS_SHOWN,
)
from rotation.vocabulary.record import State
from rotation.vocabulary.secret import SecretId, parse_secret_id
from rotation.vocabulary.target import ParseTarget, Target

IDEMPOTENCY_KEY = rf"^[!-~]([ -~]{{0,{LONGEST_IDEMPOTENCY_KEY - 2}}}[!-~])?$"  # printable characters of ASCII
_DURATION = r"^P(?!$)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?$"  # ISO 8601, in days and shorter

#: Which URIs of secrets and ARM ids are read stands in rotation/; these patterns tell callers the most of it.
_SECRET = {"pattern": "^https://[^/?#]+/secrets/[0-9A-Za-z-]{1,127}(/[0-9A-Fa-f]{32})?$"}
_TARGET = {"pattern": "^/[Ss][Uu][Bb][Ss][Cc][Rr][Ii][Pp][Tt][Ii][Oo][Nn][Ss]/[0-9A-Fa-f-]{36}/.+$"}

SecretUri = Annotated[
    str,
    Meta(
        max_length=LONGEST_SECRET_ID,
        description="The URI of a secret, with or without a version.",
        extra_json_schema=_SECRET,
    ),
]
TargetId = Annotated[
    str,
    Meta(
        max_length=LONGEST_TARGET_ID,
        description=f"The ARM id of {', or of '.join(kind.title for kind in KINDS)}.",
        extra_json_schema=_TARGET,
    ),
]
Top = Annotated[int, Meta(ge=1, le=LARGEST_PAGE, description="How many items a page has at most.")]
Continuation = Annotated[
    str,
    Meta(
        max_length=LONGEST_CONTINUATION, pattern="^[A-Za-z0-9_-]*$", description="The continuation of the page before."
    ),
]


class NewRotation(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """
    What is to be rotated: a secret, or a key of a target whose new value goes nowhere.
    """

    secret: SecretUri | None = None
    target: TargetId | None = None
    key: Annotated[
        Literal["auto", "Primary", "Secondary"],
        Meta(description="The key to regenerate; auto is the one that the secret does not hold."),
    ] = "auto"
    force: Annotated[
        bool,
        Meta(
            description="Regenerate also a key in use, and one that clients may have cached, as `ignoreGrace` does; "
            "store a live key where the secret holds none. The new key is proven all the same."
        ),
    ] = False
    ignore_grace: Annotated[
        bool, Meta(description="Regenerate a key although clients may go on with it that have cached it.")
    ] = False
    dry_run: Annotated[bool, Meta(description="Say what would happen, and change nothing.")] = False
    reason: Annotated[str, Meta(max_length=LONGEST_REASON, description="Kept in the record.")] | None = None
    revoke_previous_after: (
        Annotated[
            str,
            Meta(
                pattern=_DURATION,
                max_length=LONGEST_DURATION,
                description="Report that the key which the secret holds now has leaked: every secret that holds it is "
                "rotated at once, and it is regenerated that long after the last of them. An ISO 8601 duration of at "
                f"most {LONGEST_REVOCATION.days} days, such as PT1H.",
            ),
        ]
        | None
    ) = None

    @property
    def revocation(self) -> timedelta | None:
        """
        How long after the rotation the previous key is to be dead.

        Raises `Malformed` for one that is too long.
        """
        if self.revoke_previous_after is None:
            return None
        try:
            after = msgspec.convert(self.revoke_previous_after, timedelta)
        except msgspec.ValidationError:
            after = None
        if after is None or after > LONGEST_REVOCATION:
            longest = f"P{LONGEST_REVOCATION.days}D"
            raise Malformed(
                f"revokePreviousAfter is too long; it must be a duration of at most {longest}, such as PT1H"
            )
        return after

    def subject(self, parse: ParseTarget) -> SecretId | Target:
        """
        Return the secret or the target that is meant.

        Raises `Malformed`.
        """
        if self.secret and self.target:
            raise Malformed("the body names both secret and target; it must name one of them")
        if self.secret:
            return parse_secret_id(self.secret)
        if not self.target:
            raise Malformed(
                "the body names no secret; it must have one, such as https://my-vault.vault.azure.net/secrets/name, or "
                "the target whose key is to be regenerated"
            )
        if self.key == "auto":
            raise Malformed("a request with target needs an explicit key, Primary or Secondary")
        if self.revoke_previous_after is not None:
            raise Malformed("revokePreviousAfter is about what a secret holds; it must not be used with target")
        return read_target_id(self.target, parse)


class RotationsQuery(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """
    Which rotations to list.
    """

    target: TargetId | None = None
    secret: SecretUri | None = None
    state: State | None = None
    since: Annotated[datetime, Meta(tz=True, description="Only rotations begun since then (RFC 3339).")] | None = None
    top: Top = ROTATIONS_SHOWN
    continuation: Continuation | None = None


class SecretsQuery(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """
    Which secrets to list.
    """

    target: TargetId | None = None
    status: Status | None = None
    refresh: Annotated[
        bool,
        Meta(
            description="Look through the vaults now and verify all secrets, comparing each value with the keys of its "
            "target, instead of answering from the last sweep. It takes up to two minutes."
        ),
    ] = False
    top: Top = SECRETS_SHOWN
    continuation: Continuation | None = None


class ProblemDetails(Struct, frozen=True, rename="camel", omit_defaults=True):
    """
    An error (RFC 9457) with a stable code; `rotationId` is the rotation that it is about.

    `allowedOn` is there with `too_soon`: from then on the key may be regenerated.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    rotation_id: str | None = None
    allowed_on: datetime | None = None


def read_target_id(text: str, parse: ParseTarget) -> Target:
    """
    Return the target that a caller names.

    Raises `Malformed`.
    """
    try:
        return parse(text)
    except Misconfigured as error:
        raise Malformed(f"target {error}") from None
