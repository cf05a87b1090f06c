"""
Why there is no package.
"""


class PackageError(Exception):
    """
    The package cannot be made. Catch it to tell a person: one line says what is wrong, and what to do.
    """
