"""
What all services share.
"""

from dataclasses import dataclass, field

from localcloud.azure.faults import Faults
from localcloud.azure.key_history import KeyHistory
from localcloud.azure.request_log import RequestLog


@dataclass
class Instruments:
    """
    The instruments of whoever watches the local Azure and plays with it.
    """

    requests: RequestLog = field(default_factory=RequestLog)
    faults: Faults = field(default_factory=Faults)
    key_history: KeyHistory = field(default_factory=KeyHistory)
    latency: float = 0.0
    """Seconds that every request takes at least."""
