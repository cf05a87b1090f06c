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


class _Watch:
    """
    A finder that finds nothing itself, and takes the time of what the others find.
    """

    def __init__(self, imports: list[Import]) -> None:
        self._imports = imports

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
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
                self._imports.append((name, began, time.monotonic()))

        loader.exec_module = execute_in_time


def watch_imports(imports: list[Import]) -> None:
    """
    Enter every import from now on into a list.
    """
    sys.meta_path.insert(0, _Watch(imports))
