"""
Reading a managed secret: what it is about, and whether it is to be rotated at all.
"""

from rotation.errors import Declined, NotFound, Skip, VaultRefused
from rotation.policy import is_managed, is_paused, read_target
from rotation.ports import Vaults
from rotation.secret import SecretId, SecretVersion
from rotation.target import Target
from rotation.timing import Deadline


async def read_secret(vaults: Vaults, secret: SecretId, deadline: Deadline) -> SecretVersion:
    """
    Return the current version.

    Raises `Skip` for a secret that is gone, `VaultRefused` where this app may not read it.
    """
    try:
        return await vaults.read_current(secret, deadline)
    except NotFound:
        raise Skip("deleted") from None
    except Declined as error:
        raise VaultRefused(str(error)) from error


def find_target(secret: SecretVersion) -> Target:
    """
    Return what a secret's key belongs to; whether that may be regenerated is another question.

    Raises `Skip` for a secret that is not to be rotated, `Misconfigured` if its tags cannot be read.
    """
    if not is_managed(secret.tags):
        raise Skip("unmanaged")
    if is_paused(secret.tags):
        raise Skip("paused")
    if not secret.enabled:
        raise Skip("disabled")
    return read_target(secret.tags)
