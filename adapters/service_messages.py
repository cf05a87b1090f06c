"""
What a service says about an error, made fit for logs, records and events: one line, equal for equal causes.

Azure's messages hold line breaks, ids of the request, its time, and ids of tenants, clients and objects (recorded
answers of Key Vault, Batch and Azure Resource Manager). Nobody can group what is different each time.

It rests on assumption 17 of docs/fidelity.md.
"""

import re

from rotation.vocabulary.limits import LONGEST_MESSAGE

# Control characters, all kinds of line breaks, and characters that have no width or turn the direction of a line.
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+")
_DATE = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)? ?(?:Z|UTC|[+-]\d\d:?\d\d)?"
_AMERICAN_DATE = r"\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d\d(?::\d\d)?(?: [AP]M)?"
# `RequestId:...`, `Tracking Id is '...'`, `Correlation ID: ...`, and what comes before them.
_REQUEST_ID = re.compile(
    r" ?\b(?:x-ms-)?(?:(?:client|server)[ _-]?)?(?:request|correlation|tracking|trace|activity|operation)[ _-]?id"
    r"(?: ?[:=] ?| is (?=['\"])| (?=['\"]))(['\"]?)[\w-]+\1(?:\.(?= |$))?",
    re.IGNORECASE,
)
_TIME_OF_REQUEST = re.compile(rf" ?\bTime(?:stamp)?: ?(?:{_DATE}|{_AMERICAN_DATE})", re.IGNORECASE)
_TIME = re.compile(rf"{_DATE}|{_AMERICAN_DATE}")
# A signature, or the key of an account: no answer of Azure is known to quote one. A version of a secret looks like the
# key of a Cognitive Services account, and stands behind the name of its secret.
_KEY = re.compile(
    r"(?<=sig=)[^&\s\"']+|[A-Za-z0-9+/]{86}(?:==|%3[Dd]%3[Dd])|(?<![/\w-])(?:[0-9A-Fa-f]{32}|[A-Za-z0-9]{84})(?![\w-])"
)
_WAIT = re.compile(r"'\d+'(?= seconds?\b)")
# The id of a subscription stays: it is a part of the target, which records and log lines name anyway.
_ID = re.compile(
    r"(?<!/subscriptions/)(?<!\bsubscription ')(?<![0-9a-f-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f-])",
    re.IGNORECASE,
)


def one_line(message: str, longest: int) -> str:
    """
    Return a service's message of at most so many characters, in one line, without what differs for equal causes.

    Request ids and times of a request are left out; other times, waits, and ids other than a subscription's are shown
    as `...`, and so is what looks like a key. Names, addresses, ARM ids and the versions of secrets behind their names
    stay: they are what the message is about.
    """
    # Half of a pair of surrogates can be written in JSON, and in no record.
    text = message[:LONGEST_MESSAGE].encode("utf-8", "replace").decode()
    text = _BLANK.sub(" ", text)
    for per_request in (_REQUEST_ID, _TIME_OF_REQUEST):
        text = per_request.sub("", text)
    text = _KEY.sub("...", text)
    text = _TIME.sub("...", text)
    text = _WAIT.sub("'...'", text)
    return _ID.sub("...", text).strip()[:longest]
