"""
What the operations of the API's description have in common.
"""

from typing import Any

from handlers.contract import ProblemDetails
from handlers.problem_examples import problem_example
from handlers.problems import STATUS
from handlers.schemas import reference_to

RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which to ask again, where that is known.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
        "example": "30",
    }
}


_CHALLENGE = {
    "WWW-Authenticate": {
        "description": "What the app lets in; App Service adds where to get it.",
        "schema": {"type": "string"},
        "example": "Bearer",
    }
}
_MAY_PASS = {
    "busy",
    "too_soon",
    "revocation_pending",
    "unavailable",
    "settings",
}  # The same request may be answered otherwise later.
_ANYWHERE = ("unauthorized", "forbidden")
_WITHOUT_A_BODY = "; without a body where the Functions host misses a function key, or App Service a sign-in"


def problems(*codes: str) -> dict[str, Any]:
    """
    Return the responses for problem codes, one for each status with an example of each code.

    Every call may be refused because of who calls.
    """
    answers: dict[str, Any] = {}
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys((*_ANYWHERE, *codes)):
        by_status.setdefault(STATUS[code], []).append(code)
    for status, coded in sorted(by_status.items()):
        answers[str(int(status))] = {
            "description": "Problem: "
            + ", ".join(f"`{code}`" for code in coded)
            + (_WITHOUT_A_BODY if "unauthorized" in coded else ""),
            "content": {
                "application/problem+json": {
                    "schema": reference_to(ProblemDetails),
                    "examples": {code: {"value": problem_example(code)} for code in coded},
                }
            },
        }
        if _MAY_PASS & set(coded):
            answers[str(int(status))]["headers"] = RETRY_AFTER
        if "unauthorized" in coded:
            answers[str(int(status))]["headers"] = _CHALLENGE
    return answers


def answer(description: str, kind: type, shown: dict[str, Any], *, headers: Any = None) -> dict[str, Any]:
    """
    Return the response with a body of some type, and examples of it.
    """
    described: dict[str, Any] = {
        "description": description,
        "content": {"application/json": {"schema": reference_to(kind), "examples": shown}},
    }
    return described | ({"headers": headers} if headers else {})
