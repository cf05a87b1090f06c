"""
The schemas of the API, made of the types that decode the requests and encode the answers.
"""

from typing import Any

import msgspec

from handlers.contract import NewRotation, ProblemDetails, RotationsQuery, SecretsQuery
from rotation.overview.rotations import RotationsPage
from rotation.overview.secrets import SecretsPage
from rotation.vocabulary.record import Rotation
from wiring.health import Health

_TEMPLATE = "#/components/schemas/{name}"
_TYPES = (NewRotation, Rotation, RotationsPage, SecretsPage, ProblemDetails, Health)


def parameters_of(kind: type[msgspec.Struct], shown: dict[str, Any]) -> list[dict[str, Any]]:
    """
    Return a query's parameters: the fields of the type that decodes it. One that is left out is not sent as null.
    """
    (_,), components = msgspec.json.schema_components([kind], ref_template=_TEMPLATE)
    parameters = []
    for name, schema in components[kind.__name__]["properties"].items():
        plain = _without_null(schema)
        parameters.append(
            {
                "name": name,
                "in": "query",
                "description": plain.pop("description", f"Only those with this {name}."),
                "schema": plain,
                "example": shown[name],
                "allowEmptyValue": True,
            }
        )
    return parameters


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
    return {"$ref": _TEMPLATE.format(name=kind.__name__)}


def schemas() -> dict[str, Any]:
    """
    Return the schemas by the names of their types.
    """
    kinds = (*_TYPES, RotationsQuery, SecretsQuery)
    _, components = msgspec.json.schema_components(kinds, ref_template=_TEMPLATE)
    for query in (RotationsQuery, SecretsQuery):
        del components[query.__name__]
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
    return components
