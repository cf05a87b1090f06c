"""
What pytest does for `make live`: it runs the tests that confirm an assumption, and writes down how each ended.
"""

import re
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rotation.vocabulary.errors import Declined, NotFound
from tests.live.description import description, is_live

MARK = "assumption"

# Keys, signatures, tokens, and what might be one: no long word of small letters, such as the name of a header.
_LONG = re.compile(r"(?![a-z-]+(?![A-Za-z0-9+/_=-]))[A-Za-z0-9+/_=-]{32,}")
# Words of addresses that name nothing of anybody.
_OF_AZURE = {"subscriptions", "resourceGroups", "providers", "batchAccounts", "storageAccounts"}
_OF_AZURE |= {"workflows", "triggers", "manual"}
_GUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


class Ended(msgspec.Struct):
    """
    How one test ended, about which assumptions, and what was seen.
    """

    test: str
    assumptions: list[int]
    outcome: str
    seen: list[str]


# What says that an assumption is wrong. Anything else, such as a dropped connection, says nothing about it.
_EVIDENCE = (AssertionError, pytest.fail.Exception, Declined, NotFound)


def scrubbed(text: str) -> str:
    """
    Return a text without anything that might be a key, an id or a name of the place, in one line of 200 characters.
    """
    if is_live():
        place = description()
        addresses = (
            place.vault,
            place.batch,
            place.storage,
            place.queue_service,
            *place.workflows,
            *place.settings.values(),
        )
        names = {name for address in addresses for name in re.split(r"[/.:;=,]+", address) if len(name) > 5}
        for name in sorted(names - _OF_AZURE, key=len, reverse=True):
            text = text.replace(name, "...")
    text = re.sub(r"\S+@\S+", "...", text)
    return _LONG.sub("...", _GUID.sub("...", " ".join(text.split())))[:200]


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """
    Return how a test says what it has seen, besides that it passed.
    """

    def see(what: str) -> None:
        request.node.user_properties.append(("seen", scrubbed(what)))

    return see


def pytest_addoption(parser: pytest.Parser) -> None:
    """
    Add the option that names the file with the results.
    """
    parser.addoption("--ended", type=Path, help="where to write how each test ended")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Leave out what confirms nothing.
    """
    chosen = [item for item in items if item.get_closest_marker(MARK)]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """
    Put on each report which assumptions it is about.
    """
    report = yield
    report.is_evidence = call.excinfo is not None and call.excinfo.errisinstance(_EVIDENCE)
    report.assumptions = sorted({number for mark in item.iter_markers(MARK) for number in mark.args})
    return report


class _Results:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._ended: dict[str, Ended] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        """
        Keep how a test ended: by the first of its phases that did not pass.
        """
        ended = self._ended.setdefault(report.nodeid, Ended(report.nodeid, report.assumptions, "passed", []))
        if report.outcome != "passed" and ended.outcome == "passed":
            is_unclear = report.outcome == "failed" and not report.is_evidence
            ended.outcome = "unclear" if is_unclear else report.outcome
            ended.seen.append(_why(report))
        if report.when == "teardown":
            ended.seen += [what for name, what in report.user_properties if name == "seen"]

    def pytest_sessionfinish(self) -> None:
        """
        Write everything down.
        """
        self._file.write_bytes(msgspec.json.encode(list(self._ended.values())))


def pytest_configure(config: pytest.Config) -> None:
    """
    Collect results where they are asked for.
    """
    file = config.getoption("--ended", None)
    if file:
        config.pluginmanager.register(_Results(file))


def _why(report: Any) -> str:
    if isinstance(report.longrepr, tuple):  # A skip: file, line, reason.
        return scrubbed(str(report.longrepr[2]).removeprefix("Skipped: "))
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return scrubbed(str(report.longrepr))
    if crash.message.startswith(("AssertionError", "assert ")):
        return f"{Path(crash.path).name}:{crash.lineno}"  # What it compares may be pieces of keys.
    return scrubbed(crash.message)
