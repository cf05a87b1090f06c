"""
The functions of the app, as a fresh process indexes them.
"""

import json
import subprocess
import sys
from functools import cache
from typing import Any

from tests.unit.infra.deployment import ROOT

_INDEX = """
import json
from function_app import app
print(json.dumps({function.get_function_name(): json.loads(function.get_function_json())["bindings"]
                  for function in app.get_functions()}))
"""


@cache
def bindings() -> dict[str, list[dict[str, Any]]]:
    """
    Return the bindings of each function, by the functions' names.
    """
    process = subprocess.run(  # noqa: S603 - the program stands above
        [sys.executable, "-c", _INDEX], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return dict(json.loads(process.stdout))


def triggered_by(kind: str) -> list[str]:
    """
    Return the names of the functions with a trigger of one kind, such as `eventGridTrigger`.
    """
    return [name for name, found in bindings().items() if any(binding["type"] == kind for binding in found)]
