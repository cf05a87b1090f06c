"""
Which sides of a contract a suite runs on: the twin and the real one, or in a described place the real one alone.
"""

from tests.live.description import is_live


def sides(real: str) -> list[str]:
    """
    Return the parameters of a fixture that gives the twin, then what the app itself uses.
    """
    return [real] if is_live() else ["twin", real]
