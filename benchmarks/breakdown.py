"""
Where the time of a cold start goes: every instant of it belongs to one line.
"""

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from benchmarks.measured import Import, Run

INTERPRETER = "start of the interpreter"
INDEXING = "indexing, and the worker itself"
WAITING = "waiting for requests, and nothing else"
COMPUTING = "everything else: the app, the SDKs, TLS"
_APP = {"function_app", "handlers", "rotation", "adapters"}
_WORKER = {"benchmarks"}
_IMPORT = "import of "
_SMALL = 0.01  # seconds


@dataclass
class Share:
    """
    Seconds that belong to one line, and how many of them a request was under way.
    """

    seconds: float = 0.0
    with_request: float = 0.0


@dataclass
class Breakdown:
    """
    The shares by their names. Their seconds add up to the whole.
    """

    shares: dict[str, Share] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """
        The whole.
        """
        return sum(share.seconds for share in self.shares.values())


Interval = tuple[float, float]


def break_down(run: Run, requests: Sequence[Interval], until: str) -> Breakdown:
    """
    Divide the time from the start of a worker's process until one of its marks.

    An import counts although a request is under way at the same time: it keeps the process busy.
    """
    started, indexed, ended = (run.marks[mark].at for mark in ("started", "indexed", until))
    instants = {run.spawned, started, indexed, ended}
    instants.update(instant for each in run.imports for instant in (each.began, each.ended))
    instants.update(instant for interval in requests for instant in interval)
    ordered = sorted(instant for instant in instants if run.spawned <= instant <= ended)
    found = Breakdown()
    for since, to in pairwise(ordered):
        under_way = any(began <= since and to <= over for began, over in requests)
        if since < started:
            name = INTERPRETER
        elif innermost := _innermost(run.imports, since, to):
            name = _IMPORT + _package(innermost.module)
        elif since < indexed:
            name = INDEXING
        else:
            name = WAITING if under_way else COMPUTING
        share = found.shares.setdefault(name, Share())
        share.seconds += to - since
        share.with_request += (to - since) * under_way
    return found


def _innermost(imports: Iterable[Import], since: float, to: float) -> Import | None:
    running = [each for each in imports if each.began <= since and to <= each.ended]
    return max(running, key=lambda each: each.began, default=None)


def _package(module: str) -> str:
    """
    Return the package that a module is counted with.
    """
    top, *rest = module.split(".")
    if top in _APP:
        return "this app"
    if top in _WORKER:
        return "the measuring worker, and rivals"
    if top in sys.stdlib_module_names:
        return "the standard library"
    if top == "azure" and rest:
        return ".".join([top, *rest[: 2 if rest[0] in {"mgmt", "data", "keyvault"} else 1]])
    return top


def without_small_ones(breakdowns: Mapping[str, Breakdown]) -> dict[str, Breakdown]:
    """
    Return breakdowns with the imports that are small in each of them counted together.
    """
    names = {name for breakdown in breakdowns.values() for name in breakdown.shares if name.startswith(_IMPORT)}
    small = {
        name
        for name in names
        if all(found.shares[name].seconds < _SMALL for found in breakdowns.values() if name in found.shares)
    }
    return {title: _together(breakdown, small) for title, breakdown in breakdowns.items()}


def _together(breakdown: Breakdown, small: Collection[str]) -> Breakdown:
    together = Breakdown()
    for name, share in breakdown.shares.items():
        target = together.shares.setdefault(f"{_IMPORT}other packages" if name in small else name, Share())
        target.seconds += share.seconds
        target.with_request += share.with_request
    return together
