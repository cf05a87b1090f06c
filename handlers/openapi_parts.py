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


_MAY_PASS = {
    "busy",
    "too_soon",
    "revocation_pending",
    "unavailable",
    "settings",
}  # The same request may be answered otherwise later.
UNAUTHORIZED = {"description": "No function key, or a wrong one: the Functions host answers, without a body"}


def problems(*codes: str) -> dict[str, Any]:
    """
    Return the responses for problem codes, one for each status with an example of each code.
    """
    answers: dict[str, Any] = {"401": UNAUTHORIZED}
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(STATUS[code], []).append(code)
    for status, coded in sorted(by_status.items()):
        answers[str(int(status))] = {
            "description": "Problem: " + ", ".join(f"`{code}`" for code in coded),
            "content": {
                "application/problem+json": {
                    "schema": reference_to(ProblemDetails),
                    "examples": {code: {"value": problem_example(code)} for code in coded},
                }
            },
        }
        if _MAY_PASS & set(coded):
            answers[str(int(status))]["headers"] = RETRY_AFTER
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
