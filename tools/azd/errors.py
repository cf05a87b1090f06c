"""
How hooks fail.
"""


class HookError(Exception):
    """
    A hook cannot go on; the message says why, and what to do.
    """
