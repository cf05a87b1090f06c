"""
ARM ids of targets, read as people copy them.
"""

from collections.abc import Sequence
from urllib.parse import unquote

from providers.kind import Kind
from rotation.vocabulary.endings import Misconfigured
from rotation.vocabulary.pasted import arm_path, unwrapped
from rotation.vocabulary.quoting import quoted
from rotation.vocabulary.spelling import oddity
from rotation.vocabulary.target import Target


def parse_target(kinds: Sequence[Kind], arm_id: str) -> Target:
    """
    Return the target that an ARM id names, of the first kind that knows it.

    The id is read as people copy it (`rotation/vocabulary/pasted.py`), its case ignored.

    Raises `Misconfigured` for any other id.
    """
    path = _decoded(arm_path(arm_id))
    for kind in kinds:
        if target := kind.read(path):
            return target
    first, *more = (kind.shape for kind in kinds)
    allowed = " or ...".join([f"/subscriptions/{{id}}/resourceGroups/{{group}}{first}", *more])
    raise Misconfigured(
        f"{quoted(unwrapped(arm_id))} is not the ARM id of something this app can rotate; it must be "
        f"{allowed}{oddity(path)}"
    )


def _decoded(path: str) -> str:
    """
    Return a path as it reads without percent-encoding. What is no text becomes a character that is in no name.
    """
    if "%" not in path:
        return path
    return "/".join(unquote(segment).replace("/", "\ufffd") for segment in path.split("/"))
