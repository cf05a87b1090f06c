import ast
import re
from datetime import timedelta
from pathlib import Path

import pytest

from rotation.vocabulary import limits
from tools.limits import DOCUMENT, document

ROOT = Path(__file__).parents[2]
FOLDERS = ("rotation", "adapters", "providers", "wiring", "handlers")
DEPLOYED = [file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py") if file.name != "limits.py"]
WORDS = {2: "two", 4: "four", 5: "five", 10: "ten", 15: "fifteen", 60: "a minute", 3600: "an hour"}


def seconds(time: timedelta) -> int:
    """
    Return whole seconds.
    """
    return round(time.total_seconds())


def minutes(time: timedelta) -> str:
    """
    Return whole minutes, in words.
    """
    return WORDS[seconds(time) // 60]


TERMS = (limits.LAST_SEND, limits.PAUSE, limits.IN_FLIGHT, limits.SKEW)
SUM = f"{seconds(limits.CLAIM_TTL)} >= {' + '.join(str(seconds(term)) for term in TERMS)} seconds"
#: What other pages say of limits: the page, and the text as it has to stand there.
QUOTES = [
    ("architecture.md", SUM),
    ("architecture.md", f"({seconds(limits.LAST_SEND_FOR_HTTP)} s for HTTP"),
    ("architecture.md", f"After {WORDS[limits.MAX_ATTEMPTS]} attempts a rotation ends Failed(exhausted)"),
    ("architecture.md", f"a listing serves all rotations of {minutes(limits.LISTING_KEPT_FOR)} minutes"),
    ("architecture.md", f"{limits.SCARCE_AT} requests or fewer left"),
    ("architecture.md", f"{limits.AMPLE_AT} or more; {limits.CALM:g} seconds without a sign"),
    ("architecture.md", f"that time is over ({WORDS[int(limits.LONGEST_HOLD) // 60]} minutes at most"),
    ("architecture.md", f"the next {WORDS[limits.PAGES_AHEAD]} are asked for while"),
    ("architecture.md", f"it is read again, {WORDS[len(limits.READ_AGAIN_AFTER) + 1]} times at most"),
    ("architecture.md", f"one after the other, {WORDS[round(1 / limits.PACE)]} a second"),
    ("architecture.md", f"A wait of more than {WORDS[round(limits.LONGEST_WAIT_AT_THE_GATE)]} seconds"),
    ("architecture.md", f"More than {WORDS[round(limits.LOOK_HOLDS_FOR)]} seconds after the look, read"),
    ("configuration.md", f"sends nothing after {minutes(limits.LAST_SEND)} minutes"),
    ("configuration.md", f"its claim lasts {minutes(limits.CLAIM_TTL)}"),
    ("configuration.md", f"{limits.SHORTEST_VALIDITY.days} to {limits.LONGEST_VALIDITY.days}. A shorter one"),
    ("configuration.md", f"two, and has {seconds(limits.LAST_SEND)} seconds"),
    ("configuration.md", f"within the last {limits.VERIFIED_EARLY // timedelta(hours=1)} hours, and the next sweep"),
    ("reliability.md", f"verified within the last {limits.VERIFIED_EARLY // timedelta(hours=1)} hours"),
    ("http-api.md", f"verified within the last {limits.VERIFIED_EARLY // timedelta(hours=1)} hours"),
    ("http-api.md", f"at most {limits.LONGEST_REASON} characters"),
    ("http-api.md", f"at most `P{limits.LONGEST_REVOCATION.days}D`"),
    ("http-api.md", f"1 to {limits.LONGEST_IDEMPOTENCY_KEY} printable ASCII characters"),
    ("http-api.md", f"an offset, `top` 1 to {limits.LARGEST_PAGE} ({limits.ROTATIONS_SHOWN})"),
    ("http-api.md", f"vault and name, `top` 1 to {limits.LARGEST_PAGE} ({limits.SECRETS_SHOWN})"),
    ("http-api.md", f"kept for {WORDS[limits.HEALTH_KEPT_FOR]} seconds"),
    ("events.md", f"At most for {seconds(limits.TOLD_WITHIN)} seconds a look"),
    ("how-to/a-failed-rotation.md", f"or {WORDS[limits.MAX_ATTEMPTS]} attempts got no answer"),
    ("how-to/clear-poisoned-messages.md", f"where each takes its {seconds(limits.LAST_SEND)} seconds"),
    ("how-to/a-failed-rotation.md", f"for its {limits.MAX_ATTEMPTS_TO_FINISH} attempts"),
    ("how-to/a-failed-rotation.md", f"no answer within {limits.PROBED_WITHIN} seconds"),
    ("how-to/a-failed-rotation.md", f"`Regenerating` for up to {WORDS[seconds(limits.PROOF_WINDOW)]}"),
    ("reliability.md", f"growing pauses for {WORDS[round(limits.PROVEN_WITHIN)]}, then"),
    ("reliability.md", f"the same for {WORDS[seconds(limits.PROOF_WINDOW)]} |"),
    ("reliability.md", f"Where more than {WORDS[round(limits.LOOK_HOLDS_FOR)]} seconds have passed"),
    ("reliability.md", f"The app waits {seconds(limits.IN_FLIGHT)} seconds"),
    ("reliability.md", f"a listing of the vaults that is at most {minutes(limits.LISTING_KEPT_FOR)} minutes old"),
    ("reliability.md", f"by the {minutes(limits.CLAIM_TTL)} minutes in which"),
]


def test_the_page_of_limits_says_what_the_code_says() -> None:
    """
    Every limit with its value and its reason: `python -m tools.limits` writes the page.
    """
    assert DOCUMENT.read_text(encoding="utf-8") == document()


@pytest.mark.parametrize(("page", "quote"), QUOTES)
def test_other_pages_quote_limits_as_they_are(page: str, quote: str) -> None:
    """
    A number that has changed in the code is changed in the text.
    """
    text = re.sub(r"\s+", " ", (ROOT / "docs" / page).read_text(encoding="utf-8"))

    assert quote in text


#: Numbers that are no choice of ours: HTTP statuses, ports, the end of the calendar, and what a format consists of.
OTHERS = {
    "adapters/answers.py": {"_NOT_FOUND, _TIMED_OUT, _THROTTLED", "_OVER"},
    "adapters/arm_answers.py": {"_THROTTLED"},
    "adapters/ledger_rows.py": {"SCHEMA"},
    "adapters/waiting.py": {"_CONDITION_BROKEN"},
    "rotation/overview/schedule.py": {
        "_LONGEST_SPAN",
        "_MOST_HOURS, _MOST_MINUTES",
        "_WITH_SECONDS, _WITHOUT_SECONDS",
        "_YEARS",
    },
    "rotation/vocabulary/secret.py": {"_HTTPS_PORT, _LAST_PORT"},
}


@pytest.mark.parametrize("file", DEPLOYED, ids=lambda file: str(file.relative_to(ROOT)))
def test_limits_stand_nowhere_else(file: Path) -> None:
    """
    No other deployed module gives a time or a count a name of its own.
    """
    named = {
        ast.unparse(node.targets[0]).strip("()")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and is_a_limit(node.value)
    }

    assert named == OTHERS.get(str(file.relative_to(ROOT)), set())


def is_a_limit(node: ast.AST) -> bool:
    """
    Return whether an expression is a time, or a number of more than one, or several of them.
    """
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float) and node.value > 1
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) == "timedelta"
    parts = {ast.BinOp: ("left", "right"), ast.Tuple: ("elts",), ast.Set: ("elts",)}.get(type(node), ())
    inner = [part for name in parts for part in [getattr(node, name)]]
    flat = [one for part in inner for one in (part if isinstance(part, list) else [part])]
    return bool(flat) and all(map(is_a_limit, flat))
