"""
docs/schemas/: the JSON Schema of each event that the app publishes. `python -m tools.schemas` writes the files.
"""

import json
import re
from pathlib import Path
from typing import Any

from handlers.event_schemas import name_of
from handlers.schemas import TEMPLATE, schemas
from rotation.ports.announcer import EventType

FOLDER = Path(__file__).parents[1] / "docs/schemas"
_IDENTITY = "urn:azure-key-rotator:event:{name}"
_REFERENCE = re.compile(TEMPLATE.format(name=r"(\w+)"))


def files() -> dict[str, str]:
    """
    Return the content of each file of the folder by its name.
    """
    known = schemas()
    return {
        f"{event}.json": json.dumps(_standing_alone(name_of(event), known), indent=2, ensure_ascii=False) + "\n"
        for event in EventType
    }


def _standing_alone(name: str, known: dict[str, Any]) -> dict[str, Any]:
    """
    Return a schema of the API's description with all others that it needs.
    """
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": _IDENTITY.format(name=name),
        **known[name],
        "$defs": {needed: known[needed] for needed in sorted(_needed(known[name], known, set()))},
    }
    alone: dict[str, Any] = json.loads(_REFERENCE.sub(r"#/$defs/\1", json.dumps(whole)))
    return alone


def _needed(schema: Any, known: dict[str, Any], found: set[str]) -> set[str]:
    for name in _REFERENCE.findall(json.dumps(schema)):
        if name not in found:
            found.add(name)
            _needed(known[name], known, found)
    return found


def write() -> None:
    """
    Make the folder what it should be.
    """
    wanted = files()
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.iterdir():
        if path.name not in wanted:
            path.unlink()
    for name, content in wanted.items():
        (FOLDER / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    write()
