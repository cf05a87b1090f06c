"""
What all services share.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from localcloud.azure.faults import Faults
from localcloud.azure.key_history import KeyHistory
from localcloud.azure.request_log import RequestLog


@dataclass(eq=False)
class Instruments:
    """
    What a test watches the local Azure with, and disturbs it with.
    """

    requests: RequestLog = field(default_factory=RequestLog)
    """Every request to every service."""
    faults: Faults = field(default_factory=Faults)
    """The script of what goes wrong."""
    key_history: KeyHistory = field(default_factory=KeyHistory)
    """Every key and signature that ever existed."""
    settling: Callable[[], float] = lambda: 0.0
    """Returns after how many seconds the next regenerated key opens its data plane; `math.inf` means never."""
    latency: float = 0.0
    """Seconds that every request to every service takes at least."""
