"""
What the demo and `make start` show: one target of each kind, with a secret that is near its expiry.
"""

from localcloud.cloud import LocalCloud
from localcloud.kinds import KINDS
from localcloud.kinds.kind import Resource
from localcloud.narrator import listed

SECRETS = tuple(kind.secret for kind in KINDS)


async def fill(cloud: LocalCloud) -> dict[str, Resource]:
    """
    Put targets and secrets into an empty cloud; return what each secret opens.
    """
    return {kind.secret: await cloud.add_secret(kind, f"my{kind}", kind.secret) for kind in KINDS}


def headline() -> str:
    """
    Say what is shown. Of a title that has more to say than what a target is, this takes the first part.
    """
    titles = [kind.deployed.title.partition(",")[0] for kind in KINDS]
    return f"Keys of {len(titles)} kinds of target are rotated here: {listed(titles)}."
