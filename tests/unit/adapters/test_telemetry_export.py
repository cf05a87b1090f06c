import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
from opentelemetry.sdk.metrics import Counter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
    Sum,
)
from opentelemetry.sdk.resources import Resource

from adapters.telemetry import Telemetry
from adapters.telemetry_export import _NOT_ASKED_FOR, Exported, Outspoken, _credential, open_metrics
from adapters.telemetry_lines import POISONED, Count
from adapters.telemetry_settings import EntraSignIn, read_telemetry_settings
from rotation.vocabulary.record import State
from tests.twins.world import TwinWorld

EMPTY = MetricsData([])
LOGGER = "made.up.exporter"


class Moody(MetricExporter):
    """
    An exporter whose mood is what it returns or raises; a mood that can be waited for is waited for.
    """

    def __init__(self) -> None:
        super().__init__({Counter: AggregationTemporality.DELTA})
        self.mood: MetricExportResult | Exception | threading.Event = MetricExportResult.SUCCESS
        self.raises = threading.Event()
        self.hangs = threading.Event()
        self.exported: list[MetricsData] = []

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: Any) -> MetricExportResult:
        """
        Succeed or fail as it was told to, and log it as an exporter does.
        """
        self.exported.append(metrics_data)
        if isinstance(self.mood, threading.Event):
            self.hangs.set()
            self.mood.wait(30)
            return MetricExportResult.FAILURE
        if isinstance(self.mood, Exception):
            self.raises.set()
            raise self.mood
        if self.mood is MetricExportResult.FAILURE:
            logging.getLogger(LOGGER).error("502 Bad Gateway")
        return self.mood

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """
        There is nothing to flush.
        """
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        """
        Shut down, with the mood of an export.
        """
        if isinstance(self.mood, Exception):
            raise self.mood


@pytest.fixture
def moody() -> Iterator[Moody]:
    """
    Return an exporter that works, until its mood is changed.
    """
    made = Moody()
    yield made
    logging.getLogger(LOGGER).setLevel(logging.NOTSET)


@pytest.fixture
def outspoken(moody: Moody) -> Outspoken:
    """
    Return it as it is used.
    """
    return Outspoken(moody, "the collector", LOGGER)


def test_a_destination_that_is_away_is_told_once(
    moody: Moody, outspoken: Outspoken, caplog: pytest.LogCaptureFixture
) -> None:
    """
    In the exporter's own words and in ours, however often it fails, and once more when it is back; then again.
    """
    for mood in ["SUCCESS", *["FAILURE"] * 5, *["SUCCESS"] * 2, "FAILURE"]:
        moody.mood = MetricExportResult[mood]
        assert outspoken.export(EMPTY) is MetricExportResult[mood]

    assert [line.getMessage() for line in caplog.records] == [
        "502 Bad Gateway",
        "metrics: the collector does not take them; this is told once, until it does",
        "metrics: the collector takes them again",
        "502 Bad Gateway",
        "metrics: the collector does not take them; this is told once, until it does",
    ]


def test_an_exporter_that_raises_is_one_that_fails(
    moody: Moody, outspoken: Outspoken, caplog: pytest.LogCaptureFixture
) -> None:
    """
    With its traceback, once.
    """
    moody.mood = ValueError("bad point")

    assert {outspoken.export(EMPTY) for _ in range(3)} == {MetricExportResult.FAILURE}

    assert [line.getMessage() for line in caplog.records] == [
        "metrics: exporting to the collector",
        "metrics: the collector does not take them; this is told once, until it does",
    ]
    assert "bad point" in caplog.text


def test_an_exporter_keeps_its_own_idea_of_counters(moody: Moody, outspoken: Outspoken) -> None:
    """
    Application Insights wants differences, a collector wants sums.
    """
    metrics = Exported([PeriodicExportingMetricReader(outspoken)], Resource.get_empty())
    metrics.record(Count(POISONED))
    metrics.close()

    (exported,) = moody.exported
    (poisoned,) = exported.resource_metrics[0].scope_metrics[0].metrics
    assert isinstance(poisoned.data, Sum)
    assert poisoned.data.aggregation_temporality is AggregationTemporality.DELTA


async def test_an_exporter_that_raises_or_hangs_disturbs_no_rotation(moody: Moody, outspoken: Outspoken) -> None:
    """
    Rotations complete amid an export that does not come back, and their lines are taken.
    """
    release = threading.Event()
    moody.mood = ValueError("bad point")
    reader = PeriodicExportingMetricReader(outspoken, export_interval_millis=1)
    metrics = Exported([reader], Resource.get_empty())
    telemetry = Telemetry(lambda: metrics, quiet=0)
    telemetry.attach()
    try:
        world = TwinWorld()
        assert (await world.rotate()).state is State.COMPLETED
        assert moody.raises.wait(10)
        moody.mood = release
        assert moody.hangs.wait(10)
        for _ in range(20):
            assert (await world.rotate()).state is State.COMPLETED
        moody.mood = MetricExportResult.SUCCESS
    finally:
        release.set()
        telemetry.close()

    assert telemetry._buffer.empty()


def test_a_destination_that_cannot_be_closed_leaves_the_others(
    moody: Moody, outspoken: Outspoken, caplog: pytest.LogCaptureFixture
) -> None:
    """
    They have a last export to make.
    """
    broken = Moody()
    broken.mood = OSError("gone")
    readers = [PeriodicExportingMetricReader(exporter) for exporter in (broken, outspoken)]
    metrics = Exported(readers, Resource.get_empty())
    metrics.record(Count(POISONED))
    metrics.close()

    assert len(moody.exported) == 1
    assert "a destination cannot be closed" in caplog.text


def test_a_destination_that_cannot_be_used_leaves_the_others(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A connection string that is none is told, without its text, and does not keep metrics from the collector.
    """
    for name in _NOT_ASKED_FOR:
        monkeypatch.setenv(name, "true")
    broken = {"APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=s3cr3t"}

    assert open_metrics(read_telemetry_settings(broken)) is None
    both = open_metrics(read_telemetry_settings(broken | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:9"}))

    assert isinstance(both, Exported)
    assert len(both._readers) == 1
    assert caplog.text.count("a destination cannot be used") == 2
    assert "s3cr3t" not in caplog.text
    both.close()


@pytest.mark.parametrize(("in_azure", "kind"), [(True, ManagedIdentityCredential), (False, DefaultAzureCredential)])
def test_in_azure_no_other_credential_is_tried(in_azure: bool, kind: type) -> None:
    """
    A chain would probe for others first; on a laptop the developer's own sign-in is one of them.
    """
    credential = _credential(EntraSignIn(None, in_azure), None)

    found = type(credential)
    credential.close()
    assert found is kind


def test_without_a_destination_there_are_no_metrics() -> None:
    """
    Not even an SDK that collects for nobody.
    """
    assert open_metrics(read_telemetry_settings({})) is None
