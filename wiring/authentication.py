"""
Who may call the HTTP API: those who know a function key, or those whom App Service has signed in.

It is read apart from all other settings: it decides how the functions are indexed, and who is let in before anything
else of a call is looked at.

It rests on assumption 97 of docs/fidelity.md.
"""

from collections.abc import Mapping
from enum import StrEnum

from rotation.vocabulary.errors import SettingsError
from rotation.vocabulary.quoting import quoted
from wiring.written import read_text

NAME = "ROTATION_AUTHENTICATION"
_IS_ON = "WEBSITE_AUTH_ENABLED"


class Authentication(StrEnum):
    """
    What lets a call in: a function key, which the Functions host checks, or the principal that App Service puts on it.
    """

    KEY = "key"
    ENTRA = "entra"


def read_authentication(environment: Mapping[str, str]) -> Authentication:
    """
    Return the setting. Raises `SettingsError`.
    """
    written = read_text(environment, NAME) or Authentication.KEY
    try:
        return Authentication(written.lower())
    except ValueError:
        raise SettingsError(NAME, " or ".join(Authentication), f"is {quoted(written)}") from None


def asks_for_keys(environment: Mapping[str, str]) -> bool:
    """
    Return whether the Functions host is to ask callers for a key: also where the setting cannot be read.
    """
    try:
        return read_authentication(environment) is Authentication.KEY
    except SettingsError:
        return True


def is_sign_in_on(environment: Mapping[str, str]) -> bool:
    """
    Return whether App Service's own authentication is on: without it, callers write themselves who they are.
    """
    return read_text(environment, _IS_ON).lower() == "true"
