"""
What one rotation costs in Azure's own units, and which of Azure's limits is the narrowest.
"""

import math
from collections.abc import Mapping

import msgspec

from benchmarks.figure import Table
from benchmarks.kind import Kind
from localcloud.kinds import KINDS

MEMORY_SIZES = (512, 2_048)  # MB of an instance of Flex Consumption
_EXECUTIONS = 2  # on_secret_event and run_rotation, of which each scales on its own
_QUEUE = 3  # a message is put, taken and deleted; empty polls are left out
_EVENTS = 3  # the near-expiry event is delivered, the completion event published, and delivered to one subscriber
_SHORTEST, _STEP = 1.0, 0.1  # seconds of an execution that are billed (Azure Functions Flex Consumption plan, Billing)

SERVICES: dict[str, tuple[str, ...]] = {
    "Key Vault": ("Vault.",),
    "ARM": tuple(f"{kind.read.partition('.')[0]}." for kind in KINDS),
    "tables": ("Ledger.",),
    "topic": ("EventGrid.",),
}
"""What the operations of a service begin with, in the local cloud's log."""

_LIMITS = (
    # Once a bucket of 200 is used up (Azure Resource Manager, Request limits and throttling). Every POST is a write,
    # and no GET, such as the one that tells where an account's data plane is.
    ("ARM, writes of a subscription", 10.0, tuple(call for kind in KINDS for call in (kind.read, kind.regenerate))),
    # Key Vault service limits: 300 and 4,000 in 10 seconds.
    ("Key Vault, new secret versions of a vault", 30.0, ("Vault.SetSecret",)),
    ("Key Vault, other requests to a vault", 400.0, ("Vault.Get", "Vault.List", "Vault.Update")),
    # Scalability targets for Table storage, as if all rows were of one partition.
    ("Table storage, a partition", 2_000.0, SERVICES["tables"]),
)


class Cost(msgspec.Struct, frozen=True):
    """
    One warm rotation: the seconds that it takes alone, and its requests by operation.
    """

    seconds: float
    operations: Mapping[str, float]


def requests(operations: Mapping[str, float], prefixes: tuple[str, ...]) -> float:
    """
    Return how many requests there are whose operation begins so.
    """
    return sum(count for operation, count in operations.items() if operation.startswith(prefixes))


def billed(seconds: float) -> float:
    """
    Return the seconds that are billed for an execution that nothing else runs beside.
    """
    return max(_SHORTEST, math.ceil(round(seconds / _STEP, 6)) * _STEP)


def gigabyte_seconds(seconds: float, megabytes: int) -> float:
    """
    Return seconds of an instance with so much memory as GB-s.
    """
    return seconds * megabytes / 1024


def units(costs: Mapping[Kind, Cost], in_bulk: Mapping[Kind, float]) -> Table:
    """
    Return the table of what one rotation costs; `in_bulk` is its share of a busy worker's time, in seconds.
    """
    rows = [["executions", *(str(_EXECUTIONS) for _ in costs)]]
    for megabytes in MEMORY_SIZES:
        alone = (gigabyte_seconds(billed(0.0) + billed(cost.seconds), megabytes) for cost in costs.values())
        shares = (gigabyte_seconds(in_bulk[kind], megabytes) if kind in in_bulk else None for kind in costs)
        rows.append([f"GB-s at {megabytes:,} MB, alone", *(f"{value:.2f}" for value in alone)])
        rows.append(
            [f"GB-s at {megabytes:,} MB, in bulk", *("" if value is None else f"{value:.3f}" for value in shares)]
        )
    for service, prefixes in SERVICES.items():
        rows.append(
            [f"requests to {service}", *(_number(requests(cost.operations, prefixes)) for cost in costs.values())]
        )
        known = {operation for cost in costs.values() for operation in cost.operations}
        rows += [
            [f"· {operation}", *(_number(cost.operations.get(operation, 0.0)) for cost in costs.values())]
            for operation in sorted(known)
            if operation.startswith(prefixes)
        ]
    rows.append(["queue transactions (reckoned)", *(str(_QUEUE) for _ in costs)])
    rows.append(["Event Grid operations (reckoned)", *(str(_EVENTS) for _ in costs)])
    return Table(["one rotation", *(kind.label for kind in costs)], rows)


def ceilings(costs: Mapping[Kind, Cost], rates: Mapping[Kind, float], secrets: int) -> Table:
    """
    Return what bounds the rotations of a second, and how long many take then; the narrowest first. `rates` are ours.
    """
    bounds = [(f"one worker process, {kind.label} (measured)", rate) for kind, rate in rates.items()]
    bounds += [
        (f"{name}, {kind.label}", per_second / requests(cost.operations, prefixes))
        for name, per_second, prefixes in _LIMITS
        for kind, cost in costs.items()
    ]
    rows = [
        [name, f"{rate:.1f}", _duration(secrets / rate)] for name, rate in sorted(bounds, key=lambda bound: bound[1])
    ]
    return Table(["bound", "rotations a second", f"{secrets:,} take"], rows)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _duration(seconds: float) -> str:
    minutes, hours = seconds / 60, seconds / 3600
    return f"{hours:.1f} h" if hours >= 1 else f"{minutes:.0f} min"
