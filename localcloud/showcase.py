"""
What the demo and `make start` show: one target of each kind, with a secret that is near its expiry.
"""

from localcloud.cloud import LocalCloud
from localcloud.kinds import KINDS
from localcloud.kinds.kind import Resource

SECRETS = tuple(kind.secret for kind in KINDS)


async def fill(cloud: LocalCloud) -> dict[str, Resource]:
    """
    Put targets and secrets into an empty cloud; return what each secret opens.
    """
    return {kind.secret: await cloud.add_secret(kind, f"my{kind}", kind.secret) for kind in KINDS}
