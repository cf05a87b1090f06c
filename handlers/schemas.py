"""
The schemas of the API, made of the types that decode the requests and encode the answers.
"""

import re
from functools import cache
from typing import Any

import msgspec

from handlers.contract import NewRotation, ProblemDetails, RotationsQuery, SecretsQuery
from handlers.event_schemas import event_schemas
from handlers.openapi_members import describe_members
from handlers.wishes import Management, SecretChange
from rotation.overview.one_secret import SecretDetails
from rotation.overview.rotations import RotationsPage
from rotation.overview.secrets import SecretsPage
from rotation.vocabulary.record import Rotation
from wiring.health import Health

#: How one part of the description refers to a schema.
TEMPLATE = "#/components/schemas/{name}"
_JSON = {"None": "null", "True": "true", "False": "false"}
_TYPES = (
    NewRotation,
    Management,
    SecretChange,
    Rotation,
    RotationsPage,
    SecretsPage,
    SecretDetails,
    ProblemDetails,
    Health,
)
_WITH_WHAT_IS_LEFT_OUT = {kind.__name__ for kind in (NewRotation, Management, SecretChange, ProblemDetails)}


def parameters_of(kind: type[msgspec.Struct], shown: dict[str, Any]) -> list[dict[str, Any]]:
    """
    Return a query's parameters: the fields of the type that decodes it. One that is left out is not sent as null.
    """
    (_,), components = msgspec.json.schema_components([kind], ref_template=TEMPLATE)
    parameters = []
    for name, schema in components[kind.__name__]["properties"].items():
        plain = _without_null(schema)
        parameters.append(
            {
                "name": name,
                "in": "query",
                "description": _in_json_words(plain.pop("description", f"Only those with this {name}.")),
                "schema": plain,
                "example": shown[name],
                "allowEmptyValue": True,
            }
        )
    return parameters


def secret_path(shown: dict[str, str]) -> list[dict[str, Any]]:
    """
    Return the parameters of a path that names a secret. More is read than the patterns say.
    """
    described = {
        "vault": (
            "The host of the vault's URI, with its port where it has one.",
            "^[0-9A-Za-z]([-.0-9A-Za-z]*[0-9A-Za-z])?(:[0-9]{1,5})?$",
        ),
        "name": ("The secret's name.", "^[0-9A-Za-z-]{1,127}$"),
    }
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": description,
            "schema": {"type": "string", "pattern": pattern},
            "example": shown[name],
        }
        for name, (description, pattern) in described.items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    plain = dict(schema)
    if "anyOf" in plain:
        (given,) = [choice for choice in plain.pop("anyOf") if choice != {"type": "null"}]
        plain |= given
        plain.pop("default", None)
    if "pattern" in plain:
        # The Functions host drops a parameter without a value, so it cannot be refused.
        plain["pattern"] = f"^$|{plain['pattern']}"
    return plain


def reference_to(kind: type) -> dict[str, str]:
    """
    Return a reference to the schema of a type.
    """
    return {"$ref": TEMPLATE.format(name=kind.__name__)}


def schemas() -> dict[str, Any]:
    """
    Return the schemas by the names of their types, and those of the events.
    """
    kinds = (*_TYPES, RotationsQuery, SecretsQuery)
    _, components = msgspec.json.schema_components(kinds, ref_template=TEMPLATE)
    for query in (RotationsQuery, SecretsQuery):
        del components[query.__name__]
    for name in components.keys() - _WITH_WHAT_IS_LEFT_OUT:
        _require_all(components[name])
    components |= event_schemas(TEMPLATE)
    describe_members(components)
    # Which of the two subjects is meant cannot be said by a field.
    components[NewRotation.__name__]["oneOf"] = [
        {"required": ["secret"], "properties": {"secret": {"type": "string"}, "target": {"type": "null"}}},
        {
            "required": ["target", "key"],
            "properties": {
                "target": {"type": "string"},
                "secret": {"type": "null"},
                "key": {"enum": ["Primary", "Secondary"]},
                "revokePreviousAfter": {"type": "null"},
            },
        },
    ]
    described: dict[str, Any] = _described(components)
    return described


def _require_all(schema: dict[str, Any]) -> None:
    """
    Say that a member with a default is there always: it is encoded like any other.
    """
    for name, member in schema.get("properties", {}).items():
        if "default" in member:
            del member["default"]
            schema["required"].append(name)


def _described(schema: Any) -> Any:
    """
    Return a schema whose descriptions use the words of JSON.
    """
    if isinstance(schema, list):
        return [_described(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _in_json_words(part) if name == "description" and isinstance(part, str) else _described(part)
        for name, part in schema.items()
    }


def _in_json_words(text: str) -> str:
    """
    Return a docstring as a caller of the API reads it: members of JSON instead of fields, `null` instead of None.
    """
    for field, member in _members().items():
        text = text.replace(f"`{field}`", f"`{member}`")
    return re.sub(rf"\b({'|'.join(_JSON)})\b", lambda found: _JSON[found[1]], text)


@cache
def _members() -> dict[str, str]:
    """
    Return the fields of all types whose members have another name, with that name.
    """
    kinds = (*_TYPES, RotationsQuery, SecretsQuery)
    _, components = msgspec.json.schema_components(kinds, ref_template=TEMPLATE)
    members = {name for component in components.values() for name in component.get("properties", ())}
    fields = {re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", member): member for member in members}
    return {field: member for field, member in sorted(fields.items()) if field != member}
