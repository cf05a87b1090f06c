"""
Reading what a rotation is about: the managed secret, and the keys of its target.
"""

from rotation.ports.providers import Providers
from rotation.ports.vaults import Vaults
from rotation.vocabulary.endings import OutOfScope, Refused, Skip, SkipReason, TargetNotFound, VaultRefused
from rotation.vocabulary.errors import Declined, Forbidden, NotFound
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import Keys, Target
from rotation.vocabulary.timing import Deadline


async def read_secret(vaults: Vaults, secret: SecretId, deadline: Deadline) -> SecretVersion:
    """
    Return the current version.

    Raises `Skip` for a secret that is gone, `OutOfScope` for one in a vault that is not configured (any more),
    `VaultRefused` where this app may not read it.
    """
    try:
        return await vaults.read_current(secret, deadline)
    except NotFound:
        raise Skip(SkipReason.DELETED) from None
    except Forbidden as error:
        raise OutOfScope(str(error)) from None
    except Declined as error:
        raise VaultRefused(str(error)) from error


async def read_keys(providers: Providers, target: Target, deadline: Deadline) -> Keys:
    """
    Return what each key of the target gives.

    Raises `TargetNotFound` or `Refused`.
    """
    provider = await providers.provider_for(target)
    try:
        return await provider.read_keys(target, deadline)
    except NotFound as error:
        raise TargetNotFound(str(error)) from error
    except Declined as error:
        raise Refused(str(error)) from error
