import logging
from collections.abc import AsyncIterator
from typing import Any

import azure.functions as func
import pytest

from adapters.decoding import probe
from handlers.events import on_secret_event
from rotation.vocabulary.errors import SettingsError
from wiring import wired


class Rotations(func.Out[list[str]]):
    """
    What is put into the queue.
    """

    def __init__(self) -> None:
        self.messages: list[str] = []

    def set(self, val: list[str]) -> None:
        """
        Keep the messages.
        """
        self.messages = val

    def get(self) -> list[str]:
        """
        Return them.
        """
        return self.messages


@pytest.fixture(autouse=True)
async def environment(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """
    Set the app up for one vault.
    """
    monkeypatch.setenv("ROTATION_VAULTS", "https://kv.vault.azure.net")
    monkeypatch.setenv("ROTATION_ALLOWED_SCOPES", "")
    monkeypatch.setenv("ROTATION_TOPIC_ENDPOINT", "https://topic.westeurope-1.eventgrid.azure.net/api/events")
    monkeypatch.setenv("AzureWebJobsStorage", "UseDevelopmentStorage=true")
    wired.cache_clear()
    yield
    await wired().close()
    wired.cache_clear()


@pytest.fixture
def _older_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Take away what azure-functions has since 1.25.
    """
    monkeypatch.delattr(func, "CloudEvent")


def event(kind: Any, data: dict[str, Any]) -> func.EventGridEvent:
    """
    Return an event as azure-functions 1.23 decodes it; of a CloudEvent it finds no type.
    """
    return func.EventGridEvent(
        id="e1", data=data, topic="", subject="n", event_type=kind, event_time=None, data_version=""
    )


GOOD = {"Id": f"https://kv.vault.azure.net/secrets/n/{'a' * 32}"}


@pytest.mark.usefixtures("_older_library")
async def test_an_event_that_the_library_cannot_decode_is_refused_loudly(caplog: pytest.LogCaptureFixture) -> None:
    """
    An error in the log that names the remedy; the host answers 500, and Event Grid delivers the event again.
    """
    rotations = Rotations()

    with pytest.raises(SettingsError, match="PYTHON_ISOLATE_WORKER_DEPENDENCIES has no effect"):
        await on_secret_event(event(None, GOOD), rotations)

    (line,) = [line for line in caplog.records if line.levelno == logging.ERROR]
    assert line.getMessage().startswith("event e1 is refused")
    assert "decodes no CloudEvents" in line.getMessage()
    assert rotations.messages == []


@pytest.mark.usefixtures("_older_library")
async def test_an_older_library_still_takes_event_grids_own_schema() -> None:
    """
    What it decodes is handled.
    """
    rotations = Rotations()

    await on_secret_event(event("Microsoft.KeyVault.SecretExpired", GOOD), rotations)

    assert len(rotations.messages) == 1


@pytest.mark.usefixtures("_older_library")
async def test_health_probes_the_library() -> None:
    """
    The check fails as a setting does; with the library that the app ships it passes.
    """
    with pytest.raises(SettingsError, match=f"azure-functions {func.__version__}"):
        await probe()


async def test_the_library_that_the_app_ships_is_well() -> None:
    """
    The probe says nothing.
    """
    await probe()


async def test_an_event_without_a_type_is_dropped_where_the_library_is_not_to_blame(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    Nobody can read it, however often it comes: one warning.
    """
    rotations = Rotations()

    await on_secret_event(event(None, GOOD), rotations)

    (line,) = [line for line in caplog.records if line.levelno >= logging.WARNING]
    assert line.getMessage().startswith("event e1 dropped: its type is 'None'")
    assert (vars(line)["step"], vars(line)["reason"]) == ("event dropped", "unreadable")
    assert rotations.messages == []


async def test_an_event_comes_again_while_a_setting_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The failure is the app's own: the host answers 500.
    """
    monkeypatch.delenv("ROTATION_VAULTS")
    rotations = Rotations()

    with pytest.raises(SettingsError, match="ROTATION_VAULTS is missing"):
        await on_secret_event(event("Microsoft.KeyVault.SecretNearExpiry", GOOD), rotations)

    assert rotations.messages == []
