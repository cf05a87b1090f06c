"""
When each module was imported: what `-X importtime` does not tell.
"""

import sys
import time
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

Import = tuple[str, float, float]
"""A module, and the instants between which its code ran, the modules that it imports included."""


class ImportWatch:
    """
    A finder that finds nothing itself, and takes the time of what the others find.
    """

    def __init__(self) -> None:
        self.imports: list[Import] = []

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        """
        Return what the next finders find.
        """
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(name, path, target)):
                self._watch(name, spec.loader)
                return spec
        return None

    def _watch(self, name: str, loader: Any) -> None:
        if loader is None or isinstance(loader, type):
            return  # A namespace package, or built into the interpreter.
        execute = loader.exec_module

        def execute_in_time(module: ModuleType) -> None:
            began = time.monotonic()
            try:
                execute(module)
            finally:
                self.imports.append((name, began, time.monotonic()))

        loader.exec_module = execute_in_time


def watch_imports() -> ImportWatch:
    """
    Watch every import from now on.
    """
    watch = ImportWatch()
    sys.meta_path.insert(0, watch)
    return watch
