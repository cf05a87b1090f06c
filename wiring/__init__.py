"""
The composition root: what everything is made of. It knows all adapters and all kinds, and only handlers know it.
"""

import os
from functools import cache

from wiring.parts import Wiring


@cache
def wired() -> Wiring:
    """
    Return the process's own wiring, from its environment.
    """
    wiring = Wiring(os.environ)
    wiring.telemetry.attach()
    return wiring
