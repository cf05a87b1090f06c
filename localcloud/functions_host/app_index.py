"""
Indexing: which functions an app has, checked by the rules under which Azure's worker loads them.

It rests on assumption 71 of docs/fidelity.md.
"""

import importlib
import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import azure.functions as func
import msgspec

from localcloud.functions_host.bindings import (
    RETURN,
    Binding,
    FunctionJson,
    HttpOutput,
    Output,
    QueueOutput,
    Trigger,
    kind,
)
from localcloud.functions_host.converters import Converter, converter_for
from localcloud.functions_host.errors import StartupError


@dataclass(frozen=True, kw_only=True)
class IndexedFunction:
    """
    A function of the app with all that is needed to run it.
    """

    name: str
    call: Callable[..., Any]
    directory: Path
    trigger: Trigger
    outputs: Mapping[str, QueueOutput]
    """By parameter."""
    returns: Output | None
    converters: Mapping[str, Converter]
    """By name of the binding."""
    wants_context: bool

    @property
    def is_async(self) -> bool:
        """
        Whether it runs on the event loop; otherwise it runs in a thread.
        """
        return inspect.iscoroutinefunction(self.call)


def index(directory: Path) -> dict[str, IndexedFunction]:
    """
    Import `function_app.py` and list its functions by name.
    """
    functions = (indexed(function) for function in _find_app(directory).get_functions())
    return {function.name: function for function in functions}


def _find_app(directory: Path) -> func.FunctionApp:
    script = directory / "function_app.py"
    if not script.exists():
        raise StartupError(f"{script} is missing: the app is looked for there")
    sys.path.insert(0, str(directory))
    module = importlib.import_module("function_app")
    apps = [value for value in vars(module).values() if isinstance(value, func.FunctionApp)]
    if len(apps) != 1:
        raise StartupError(f"{script}: there must be exactly one FunctionApp in its namespace, there are {len(apps)}")
    return apps[0]


def indexed(function: Any) -> IndexedFunction:
    """
    Return a function as azure-functions describes it. Raises `StartupError` for one that Azure would not load.
    """
    name = function.get_function_name()
    call = function.get_user_function()
    try:
        bindings = msgspec.json.decode(function.get_function_json(), type=FunctionJson).bindings
    except msgspec.ValidationError as error:
        raise StartupError(
            f"function {name}: this host serves HTTP, Event Grid, queues and timers; its function.json says: {error}"
        ) from error
    try:
        hints = typing.get_type_hints(call)
    except NameError as error:
        raise StartupError(f"function {name}: its annotations must be importable at run time: {error}") from error
    named = {binding.name: binding for binding in bindings}
    return IndexedFunction(
        name=name,
        call=call,
        directory=Path(inspect.getfile(call)).parent,
        trigger=next(binding for binding in bindings if isinstance(binding, Trigger)),
        outputs={
            binding.name: binding for binding in bindings if isinstance(binding, QueueOutput) and binding.name != RETURN
        },
        returns=next((b for b in bindings if b.name == RETURN and isinstance(b, HttpOutput | QueueOutput)), None),
        converters={
            binding.name: _checked_converter(name, binding, hints.get(binding.name.lstrip("$"))) for binding in bindings
        },
        wants_context=_wants_context(name, call, named),
    )


def _wants_context(name: str, call: Callable[..., Any], named: Mapping[str, Binding]) -> bool:
    """
    Compare the parameters with the bindings. The one parameter that needs no binding is `context`.
    """
    parameters = inspect.signature(call).parameters.keys()
    bound = named.keys() - {RETURN}
    if unbound := parameters - bound - {"context"}:
        raise StartupError(f"function {name}: no binding is declared for the parameters {sorted(unbound)}")
    if missing := bound - parameters:
        raise StartupError(f"function {name}: it has no parameters for the bindings {sorted(missing)}")
    return bool(parameters - bound)


def _checked_converter(name: str, binding: Binding, annotation: Any) -> Converter:
    """
    Find the converter and refuse what Azure's worker refuses to load, such as a union as a trigger's annotation.
    """
    where = f"function {name}: {binding.name} is annotated {annotation!r}"
    takes_value_out = isinstance(binding, HttpOutput | QueueOutput)
    if takes_value_out and binding.name != RETURN and annotation is not None:
        if typing.get_origin(annotation) is not func.Out:
            raise StartupError(f"{where}; an output must be a func.Out[...]")
        (annotation,) = typing.get_args(annotation)
    converter = converter_for(kind(binding), annotation)
    if annotation is None:
        return converter
    if not takes_value_out and not isinstance(annotation, type):
        raise StartupError(f"{where}; Azure's worker loads only functions whose trigger is annotated with one class")
    fits = converter.check_output_type_annotation if takes_value_out else converter.check_input_type_annotation
    if not fits(annotation):
        hint = "; azure-functions knows typing.List, not list" if typing.get_origin(annotation) is list else ""
        raise StartupError(f"{where}, which a binding of type {kind(binding)} cannot be{hint}")
    return converter
