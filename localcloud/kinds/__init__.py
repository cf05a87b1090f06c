"""
The kinds of target in the local cloud: a folder each, and one line in this table.
"""

from localcloud.kinds.batch import BATCH
from localcloud.kinds.kind import LocalKind
from localcloud.kinds.openai import OPENAI
from localcloud.kinds.storage import STORAGE
from localcloud.kinds.workflow import WORKFLOW

KINDS: tuple[LocalKind, ...] = (BATCH, WORKFLOW, STORAGE, OPENAI)


def named(name: str) -> LocalKind:
    """
    Return the kind with this name.
    """
    return next(kind for kind in KINDS if kind.name == name)
