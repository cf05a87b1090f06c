"""
Probes ask a place that is described: elsewhere there is none.
"""

from tests.live.description import is_live

collect_ignore = [] if is_live() else ["test_probes.py"]
