"""
Reading what a rotation is about: the managed secret, and the keys of its target.
"""

from rotation.errors import (
    Declined,
    Forbidden,
    Misconfigured,
    NotFound,
    OutOfScope,
    Refused,
    Skip,
    TargetNotFound,
    VaultRefused,
)
from rotation.policy import is_managed, is_paused, read_policy, read_target
from rotation.ports import Keys, Providers, Vaults
from rotation.secret import SecretId, SecretVersion
from rotation.target import Target
from rotation.timing import Deadline


async def read_secret(vaults: Vaults, secret: SecretId, deadline: Deadline) -> SecretVersion:
    """
    Return the current version.

    Raises `Skip` for a secret that is gone, `OutOfScope` for one in a vault that is not configured (any more),
    `VaultRefused` where this app may not read it.
    """
    try:
        return await vaults.read_current(secret, deadline)
    except NotFound:
        raise Skip("deleted") from None
    except Forbidden as error:
        raise OutOfScope(str(error)) from None
    except Declined as error:
        raise VaultRefused(str(error)) from error


def find_target(secret: SecretVersion) -> Target:
    """
    Return what a secret's key belongs to; whether that may be regenerated is another question.

    Raises `Skip` for a secret that is not to be rotated, `Misconfigured` if that cannot be read or done.
    """
    if not is_managed(secret.tags):
        raise Skip("unmanaged")
    if is_paused(secret.tags):
        raise Skip("paused")
    if not secret.enabled:
        raise Skip("disabled")
    if secret.is_certificate:
        raise certificates_secret()
    return read_target(secret.tags)


def can_be_rotated(secret: SecretVersion) -> bool:
    """
    Return whether nothing about a secret that has a target says that its rotation will end early.
    """
    try:
        read_policy(secret.tags)
    except Misconfigured:
        return False
    return secret.value is not None


def certificates_secret() -> Misconfigured:
    """
    Return why the secret of a certificate is not rotated.
    """
    return Misconfigured("it belongs to a certificate, whose value Key Vault sets itself; remove tag ProviderAddress")


async def read_keys(providers: Providers, target: Target, deadline: Deadline) -> Keys:
    """
    Return what each key of the target gives.

    Raises `TargetNotFound` or `Refused`.
    """
    provider = await providers.of(target)
    try:
        return await provider.read_keys(target, deadline)
    except NotFound as error:
        raise TargetNotFound(str(error)) from error
    except Declined as error:
        raise Refused(str(error)) from error
