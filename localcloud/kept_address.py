"""
The port and the keys of the app that `make start` has again the next time.

They lie in a file that its owner alone can read. The run that uses them holds the file's lock, so that two runs at the
same time are told apart from a port that another program has.
"""

import errno
import fcntl
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from localcloud.functions_host.keys import Keys

# Below what systems give to connections and to those who ask for any port: nobody gets one of these by chance.
_PORTS = range(20_000, 32_000)


class _Kept(msgspec.Struct):
    port: int
    keys: Keys


@dataclass(frozen=True, kw_only=True)
class Address:
    """
    Where the app is to be, and what opens it.
    """

    port: int
    keys: Keys
    note: str | None
    """Why the port is not that of the last time, as a sentence for a person."""

    def as_settings(self) -> dict[str, str]:
        """
        Return the settings from which a host takes it.
        """
        return self.keys.as_settings() | {"LOCAL_PORT": str(self.port)}


@contextmanager
def kept_address(folder: Path) -> Iterator[Address]:
    """
    Yield the address of the last time, which this run has until the context is left, or the next best.

    Keys that the environment names come before those that are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(folder / "start.json", os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        os.fchmod(file.fileno(), 0o600)  # It may have come from elsewhere, and with other permissions.
        is_alone = _lock(file)
        kept = _read(file)
        if kept is None:
            kept = _Kept(_free_port(), Keys.made_up())
            if is_alone:
                _write(file, kept)
        port, note = kept.port, None
        if not is_alone:
            port = _free_port(but=kept.port)
            note = f"Another `make start` of this folder is running: this one takes port {port}."
        elif not _is_free(kept.port):
            port = _free_port(but=kept.port)
            note = f"Another program has port {kept.port}: this time it is port {port}."
        yield Address(port=port, keys=Keys.from_environment(kept.keys), note=note)


def _lock(file: BinaryIO) -> bool:
    """
    Return whether no other run has it. It is given back when the file is closed, however this process ends.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: BinaryIO) -> _Kept | None:
    """
    Return what is kept, None where there is nothing yet that can be read.
    """
    try:
        kept = msgspec.json.decode(file.read(), type=_Kept)
    except msgspec.DecodeError:
        return None
    return kept if kept.port in _PORTS and all(kept.keys.as_settings().values()) else None


def _write(file: BinaryIO, kept: _Kept) -> None:
    file.seek(0)
    file.truncate()
    file.write(msgspec.json.encode(kept))
    file.flush()


def _free_port(*, but: int | None = None) -> int:
    """
    Return a port that nobody has; 0, which stands for any, if there is none.
    """
    at_random = secrets.SystemRandom().sample(_PORTS, len(_PORTS))
    return next((port for port in at_random if port != but and _is_free(port)), 0)


def _is_free(port: int) -> bool:
    """
    Return whether nobody listens there, at neither of the addresses that clients may take `localhost` for.
    """
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with suppress(OSError), socket.socket(family) as probe:  # Not every machine has both.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return False
    return True
