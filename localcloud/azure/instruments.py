"""
What all services share.
"""

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
    latency: float = 0.0
    """Seconds that every request to every service takes at least."""
