"""
What lets the command in: a function key, a token of Microsoft Entra, or both.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from enum import StrEnum

from rotator.errors import Misuse, NotAdmitted
from rotator.progress import Progress

_KEY = re.compile(r"[\x21-\x7e]+")
_CLIENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_LONGEST_LOOK_UP = 60.0  # seconds


class Auth(StrEnum):
    """
    How to sign in; `auto` sends whatever credential is given.
    """

    AUTO = "auto"
    KEY = "key"
    ENTRA = "entra"


@dataclass(frozen=True)
class Credentials:
    """
    The function key and the audience to ask a token for; neither where the app is on this machine or needs none.
    """

    function_key: str | None = field(default=None, repr=False)
    audience: str | None = None


@dataclass(frozen=True)
class Given:
    """
    What options and environment say of how to sign in.
    """

    auth: Auth
    function_key: str | None = field(repr=False)
    audience: str | None
    app: str | None
    resource_group: str | None

    def settle(self, progress: Progress, *, is_needed: bool) -> Credentials:
        """
        Return the credentials, after `az` has looked the function key up where that is asked for.

        Raises `Misuse` where there are none and `is_needed`, and `NotAdmitted` where `az` finds none. No error holds
        the key.
        """
        key = None if self.auth is Auth.ENTRA else _checked(self.function_key)
        audience = None if self.auth is Auth.KEY else _audience(self.audience)
        if self.auth is Auth.ENTRA and not audience:
            raise Misuse(
                "--auth entra needs the audience of the app's sign-in",
                "set KEY_ROTATOR_AUDIENCE, or --audience, to api://{client id of the app registration}",
            )
        if key or audience or not (is_needed or self.auth is Auth.KEY):
            return Credentials(key, audience)
        if not (self.app or self.resource_group):
            raise Misuse(
                "there is no credential",
                "set KEY_ROTATOR_FUNCTION_KEY to a function key of the app, or KEY_ROTATOR_APP and "
                "KEY_ROTATOR_RESOURCE_GROUP so that az looks it up, or KEY_ROTATOR_AUDIENCE to the audience of its "
                "Microsoft Entra sign-in",
            )
        return Credentials(self._look_up(progress))

    def _look_up(self, progress: Progress) -> str | None:
        if not (self.app and self.resource_group):
            raise Misuse(
                "az finds the function key by the app's name and its resource group",
                "set both KEY_ROTATOR_APP (--app) and KEY_ROTATOR_RESOURCE_GROUP (--resource-group)",
            )
        with progress.live(f"looking up the function key of {self.app}"):
            return _checked(_ask_az(self.app, self.resource_group))


def _ask_az(app: str, resource_group: str) -> str:
    az = shutil.which("az")
    if az is None:
        raise Misuse(
            "the Azure CLI, which would look the function key up, is not installed",
            "install it, or set KEY_ROTATOR_FUNCTION_KEY",
        )
    about = ["--name", app, "--resource-group", resource_group, "--query", "functionKeys.default", "--output", "tsv"]
    remedy = "sign in with `az login`, check --app and --resource-group, and that you may list the app's keys"
    try:
        code, key, told = _run([az, "functionapp", "keys", "list", *about])
    except subprocess.TimeoutExpired:
        raise NotAdmitted(f"az found no function key within {_LONGEST_LOOK_UP:g} seconds", remedy) from None
    if code:
        said = next((line for line in told.splitlines() if line.startswith("ERROR")), "no reason given")
        raise NotAdmitted(f"az found no function key: {said.removeprefix('ERROR: ')}", remedy)
    if not key.strip():
        raise NotAdmitted(f"{app} has no function key called default", "set KEY_ROTATOR_FUNCTION_KEY to another one")
    return key


def _run(command: list[str]) -> tuple[int, str, str]:
    """
    Return exit code, standard output and standard error; nothing goes on running after an interruption.
    """
    with subprocess.Popen(  # noqa: S603 - no shell reads it
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=_LONGEST_LOOK_UP)
        finally:
            process.kill()
            process.wait()
        return process.returncode, stdout, stderr


def _checked(function_key: str | None) -> str | None:
    key = (function_key or "").strip()
    if key and not _KEY.fullmatch(key):
        # Said here and without the key: the HTTP library would quote it.
        raise Misuse(
            "the function key has characters that no key has",
            "copy it again: az functionapp keys list --name my-rotator --resource-group my-group",
        )
    return key or None


def _audience(written: str | None) -> str | None:
    """
    Return the audience, also of the scope that it is part of and of the client id alone.
    """
    audience = (written or "").strip().removesuffix("/.default")
    return f"api://{audience}" if _CLIENT_ID.fullmatch(audience) else audience or None
