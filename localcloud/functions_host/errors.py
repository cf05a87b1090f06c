"""
The one error that keeps the host from starting.
"""


class StartupError(Exception):
    """
    The app, its host.json or its settings are not such that the host could serve them; the text says what to change.
    """
