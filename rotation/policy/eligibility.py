"""
Reading what a rotation is about: the managed secret, and the keys of its target.
"""

from rotation.policy.tags import is_managed, is_paused, read_policy, read_target
from rotation.vocabulary.errors import Misconfigured, Skip
from rotation.vocabulary.secret import SecretVersion
from rotation.vocabulary.target import Target


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
