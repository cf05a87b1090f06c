"""
Parts that are made when they are first needed, and imports done ahead of that while the loop waits for answers.

The SDKs take most of a cold start, and a rotation needs them one after the other: Key Vault's first, the topic's last.
What imports one waits for what is importing another: packages whose modules import each other in circles cannot be
imported by two threads at a time.
"""

import importlib
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any, TypeVar, cast

from rotation.vocabulary.limits import BREATH

T = TypeVar("T")

#: Held while an SDK is imported.
importing = threading.RLock()


class part(cached_property[T]):  # noqa: N801 - used as a decorator
    """
    A `cached_property` whose making may import an SDK.
    """

    def __get__(self, instance: object, owner: type[Any] | None = None) -> Any:
        with importing:
            return super().__get__(instance, owner)


def late(make: Callable[[], T]) -> T:
    """
    Return something that behaves like what `make` returns, which is called when it is first used.
    """
    return cast("T", _Late(make))


def is_made(thing: object) -> bool:
    """
    Return whether a part that may be late is there by now.
    """
    return not isinstance(thing, _Late) or bool(thing._made)  # noqa: SLF001 - of this module


class Preloading:
    """
    Imports modules in a thread, so that they are there by the time they are needed. Each is imported once.
    """

    def __init__(self) -> None:
        self._expected: set[str] = set()
        self._threads: list[threading.Thread] = []

    def expect(self, *modules: str) -> None:
        """
        Begin to import modules, in this order; return at once.
        """
        new = [module for module in modules if module not in self._expected]
        if not new:
            return
        self._expected.update(new)
        thread = threading.Thread(target=_import, args=new, name="preloading", daemon=True)
        # A process that can start no thread, or is ending, imports what it needs when it needs it.
        with suppress(RuntimeError):
            thread.start()
            self._threads.append(thread)

    def finish(self) -> None:
        """
        Wait until all of it is done.
        """
        for thread in self._threads:
            thread.join()


class _Late:
    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        # Asked for what it does not have itself, which is all that the part has.
        if not self._made:
            with importing:
                self._made.append(self._make())
        return getattr(self._made[0], name)


def _import(*modules: str) -> None:
    for module in modules:
        # Whoever needs it meets the error where it can be told.
        with suppress(Exception), importing:
            importlib.import_module(module)
        time.sleep(BREATH)
