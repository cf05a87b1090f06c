"""
How much is measured: everything, or enough to see in a minute that nothing has become much slower.
"""

import msgspec

from benchmarks.limit import LATENCY


class Extent(msgspec.Struct, frozen=True, kw_only=True):
    """
    Numbers of runs, of rotations and of secrets.
    """

    is_quick: bool
    runs: int
    """How often everything is measured in a fresh process, after one run that does not count."""
    cold_latencies: tuple[float, ...]
    """Seconds that a request takes during a cold start."""
    warm: int
    """Rotations that are timed one by one."""
    many: int
    """Rotations at once, of ours."""
    few: int
    """Rotations one by one, of the rivals: to know their throughput."""
    rotations: tuple[int, ...]
    """Numbers of rotations at once, to see how their cost grows."""
    secrets: tuple[int, ...]
    """Numbers of secrets of a sweep, likewise. The goals compare the last two."""
    sweeps: int
    """How often each of these sweeps is measured: the largest takes more than a minute."""
    crowd: int
    """Secrets whose targets are all of one subscription, more than one sweep can verify; 0: not measured."""


FULL = Extent(
    is_quick=False,
    runs=5,
    cold_latencies=(0.0, LATENCY),
    warm=10,
    many=1_000,
    few=10,
    rotations=(10, 100, 1_000),
    secrets=(10, 100, 1_000, 10_000),
    sweeps=3,
    crowd=10_000,
)
QUICK = Extent(
    is_quick=True,
    runs=1,
    cold_latencies=(LATENCY,),
    warm=2,
    many=50,
    few=2,
    rotations=(5, 20),
    secrets=(10, 100, 1_000),
    sweeps=1,
    crowd=0,
)
