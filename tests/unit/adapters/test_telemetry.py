import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import DataPointT, HistogramDataPoint, InMemoryMetricReader, NumberDataPoint

from adapters.telemetry import Telemetry, telemetry
from adapters.telemetry_instruments import Instruments
from adapters.telemetry_lines import Measurement, NearestExpiry, Standing, measure
from rotation.overview.review import review
from rotation.overview.sweep import look
from rotation.vocabulary.errors import NoAnswer
from rotation.vocabulary.log_lines import (
    report,
    report_dropped_event,
    report_poisoned,
    report_standing,
    report_sweep,
    report_verification,
)
from rotation.vocabulary.record import State
from rotation.vocabulary.request import RotationRequest, Trigger
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName
from tests.twins.targets import accepted_record
from tests.twins.world import VAULT, TwinWorld

DAY = 86_400.0
MINUTE = timedelta(minutes=1)
BATCH = "Microsoft.Batch/batchAccounts"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECORD = accepted_record(RotationRequest("r1", Trigger.SWEEP, SecretId(VAULT, "one", "a" * 32), NOW), NOW)

Counts = list[tuple[dict[str, Any], float]]


class Ear:
    """
    Metrics in memory, of whatever is told while the telemetry is attached.
    """

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.recorded: list[Measurement] = []
        self.closed = False
        self.taken = threading.Semaphore(0)
        self._instruments = Instruments(MeterProvider([self.reader], shutdown_on_exit=False))

    def record(self, measurement: Measurement) -> None:
        """
        Record it.
        """
        self.recorded.append(measurement)
        self._instruments.record(measurement)
        self.taken.release()

    def close(self) -> None:
        """
        Note that everything was recorded.
        """
        self.closed = True


Attach = Callable[..., Telemetry]


@pytest.fixture
def ear() -> Ear:
    """
    Return where metrics can be read.
    """
    return Ear()


@pytest.fixture
def attach(ear: Ear) -> Iterator[Attach]:
    """
    Return what attaches telemetry that passes on to the ear at once, unless told otherwise.
    """
    attached: list[Telemetry] = []

    def make(
        open_metrics: Callable[[], Ear | None] = lambda: ear, *, quiet: float = 0.0, **options: float
    ) -> Telemetry:
        made = Telemetry(open_metrics, quiet=quiet, **options)  # type: ignore[arg-type]
        made.attach()
        attached.append(made)
        return made

    yield make
    for made in attached:
        made.close()


def points(reader: InMemoryMetricReader, name: str) -> list[DataPointT]:
    """
    Return the points of one metric.
    """
    data = reader.get_metrics_data()
    return [
        point
        for resource in (data.resource_metrics if data else [])
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.data.data_points
    ]


def counts(reader: InMemoryMetricReader, name: str) -> Counts:
    """
    Return the attributes and values of a counter or a gauge.
    """
    found = [(dict(point.attributes or {}), point) for point in points(reader, name)]
    return [(attributes, point.value) for attributes, point in found if isinstance(point, NumberDataPoint)]


async def look_and_review(world: TwinWorld) -> None:
    """
    Do what a refresh does: look through the vaults, compare every secret with its target, and count.
    """
    looks = await look(world.ports, world.lead, within=MINUTE)
    await review(world.ports, world.lead, looks, before=world.clock.now(), within=MINUTE)


def is_set_up() -> bool:
    """
    Return whether there is a thread that sets metrics up, or has done so.
    """
    return any(thread.name == "telemetry" for thread in threading.enumerate())


def is_heard() -> bool:
    """
    Return whether telemetry listens to the lines.
    """
    return any(isinstance(handler, Telemetry) for handler in logging.getLogger("rotation").handlers)


async def test_every_rotation_that_ends_is_counted_with_its_outcome(ear: Ear, attach: Attach) -> None:
    """
    By trigger and provider, with the code of a failure or the reason of a skip; what a caller wrote is not counted by.
    """
    made, world = attach(), TwinWorld()
    await world.rotate()
    await world.rotate(world.manual(reason="Key leaked on 1 March, ticket 4711"))
    world.put("paused", {"RotationPaused": "true"})
    await world.rotate(world.event("paused"))
    world.put("wrong", {"ValidityPeriodDays": "7"})
    await world.rotate(world.event("wrong", Trigger.SECRET_EXPIRED))
    made.close()

    assert sorted(counts(ear.reader, "key_rotator.rotations"), key=str) == sorted(
        [
            ({"outcome": "Completed", "trigger": "SecretNearExpiry", "provider": BATCH}, 1),
            ({"outcome": "Completed", "trigger": "Http", "provider": BATCH}, 1),
            ({"outcome": "Skipped", "trigger": "SecretNearExpiry", "reason": "paused"}, 1),
            ({"outcome": "Failed", "trigger": "SecretExpired", "provider": BATCH, "reason": "misconfigured"}, 1),
        ],
        key=str,
    )


async def test_each_step_is_timed(ear: Ear, attach: Attach) -> None:
    """
    The time that a provider takes shows in the step that waited for it, in seconds, and in a bucket that fits.
    """
    made, world = attach(), TwinWorld()
    world.faults.before("regenerate", lambda: world.clock.sleep(7))
    await world.rotate()
    made.close()

    steps = {str((point.attributes or {})["step"]): point for point in points(ear.reader, "key_rotator.step.duration")}
    assert steps.keys() >= {"claimed", "inspected", "journaled", "regenerated", "stored", "ended"}
    slow = steps["regenerated"]
    assert isinstance(slow, HistogramDataPoint)
    assert slow.attributes == {"step": "regenerated", "provider": BATCH}
    assert (slow.count, slow.sum) == (1, 7.0)
    assert (slow.explicit_bounds[0], slow.explicit_bounds[-1]) == (0.005, 300.0)
    bucket = slow.bucket_counts.index(1)
    assert slow.explicit_bounds[bucket - 1] < 7 <= slow.explicit_bounds[bucket]
    assert {
        point.sum for step, point in steps.items() if isinstance(point, HistogramDataPoint) and step != "regenerated"
    } == {0.0}


async def test_retries_are_counted_when_an_attempt_leaves_off_and_when_one_resumes(ear: Ear, attach: Attach) -> None:
    """
    A rotation that was left once and resumed once counts one of each, and one outcome.
    """
    made, world = attach(), TwinWorld()
    world.faults.before("regenerate", NoAnswer("dropped"))
    assert (await world.rotate()).state is State.REGENERATING
    (resumed,) = await world.resume()
    assert resumed.state is State.COMPLETED
    made.close()

    assert sorted(counts(ear.reader, "key_rotator.retries"), key=str) == [
        ({"step": "claimed", "provider": BATCH}, 1),
        ({"step": "suspended", "provider": BATCH}, 1),
    ]
    assert [value for _, value in counts(ear.reader, "key_rotator.rotations")] == [1]


def test_poisoned_messages_are_counted(ear: Ear, attach: Attach) -> None:
    """
    Each of them, whether or not it could be read.
    """
    made = attach()
    report_poisoned("m1", "r1")
    report_poisoned("m2", None)
    made.close()

    assert counts(ear.reader, "key_rotator.poisoned") == [({}, 2)]


def test_dropped_events_are_counted_by_reason(ear: Ear, attach: Attach) -> None:
    """
    Neither the event nor what is wrong with it tells metrics apart.
    """
    made = attach()
    report_dropped_event("e1", "unreadable", "its data.Id is missing")
    report_dropped_event("e2", "unreadable", "its type is 'x'")
    report_dropped_event("e3", "other_vault", "https://other.vault.azure.net is none of the vaults")
    made.close()

    assert counts(ear.reader, "key_rotator.events.dropped") == [
        ({"reason": "unreadable"}, 2),
        ({"reason": "other_vault"}, 1),
    ]


def test_the_nearest_expiry_counts_down_between_sweeps() -> None:
    """
    What is left is reckoned when it is asked for, and goes on below zero.
    """
    now, reader = [0.0], InMemoryMetricReader()
    instruments = Instruments(MeterProvider([reader], shutdown_on_exit=False), clock=lambda: now[0])
    instruments.record(NearestExpiry(VAULT, at=DAY, seen_at=0.0))

    left = []
    for now[0] in (0.0, DAY / 2, DAY + 60):
        left += counts(reader, "key_rotator.expiry.nearest")
    assert left == [({"vault": VAULT}, DAY), ({"vault": VAULT}, DAY / 2), ({"vault": VAULT}, -60.0)]


def test_what_an_instance_saw_two_days_ago_is_not_told_any_more() -> None:
    """
    Another instance has swept since, and the secret that was near its expiry then is rotated.
    """
    now, reader = [0.0], InMemoryMetricReader()
    instruments = Instruments(MeterProvider([reader], shutdown_on_exit=False), clock=lambda: now[0])
    instruments.record(NearestExpiry(VAULT, at=DAY * 30, seen_at=0.0))

    now[0] = 2 * DAY
    assert counts(reader, "key_rotator.expiry.nearest") == [({"vault": VAULT}, DAY * 28)]
    now[0] = 2 * DAY + 1
    assert counts(reader, "key_rotator.expiry.nearest") == []


def test_a_sweep_tells_the_nearest_expiry_of_its_vault(ear: Ear, attach: Attach) -> None:
    """
    The last whole sweep counts; a vault in which nothing is managed any more has no nearest expiry.
    """
    made = attach()
    for vault, nearest in ((VAULT, 9 * DAY), (VAULT, 40 * DAY), ("https://b.vault.azure.net", 3 * DAY)):
        report_sweep(vault, secrets=1, due=0, misconfigured=0, nearest_expiry=nearest, seconds=0.5, problem=None)
    gone = "https://b.vault.azure.net"
    report_sweep(gone, secrets=0, due=0, misconfigured=0, nearest_expiry=None, seconds=0.5, problem=None)
    report_sweep(VAULT, secrets=1, due=0, misconfigured=0, nearest_expiry=90 * DAY, seconds=0.5, problem="403")
    made.close()

    ((attributes, left),) = counts(ear.reader, "key_rotator.expiry.nearest")
    assert attributes == {"vault": VAULT}
    assert left == pytest.approx(40 * DAY, abs=60)


def test_sweeps_are_counted_with_what_they_saw(ear: Ear, attach: Attach) -> None:
    """
    An alert hears of silence: a look that was not whole is one all the same.
    """
    made = attach()
    for problem in (None, "403", None):
        report_sweep(VAULT, secrets=0, due=0, misconfigured=0, nearest_expiry=None, seconds=0.5, problem=problem)
    made.close()

    assert sorted(counts(ear.reader, "key_rotator.sweeps"), key=lambda point: point[1]) == [
        ({"vault": VAULT, "result": "incomplete"}, 1),
        ({"vault": VAULT, "result": "complete"}, 2),
    ]


def test_the_last_count_tells_how_the_secrets_of_each_vault_stand(ear: Ear, attach: Attach) -> None:
    """
    A status that no secret has any more is told as zero, so that an alert about it resolves.
    """
    made, other = attach(), "https://b.vault.azure.net"
    report_standing(VAULT, {"UpToDate": 3, "Drifted": 1, "NearlyManaged": 2})
    report_standing(other, {"UpToDate": 5, "Drifted": 0, "NearlyManaged": 0})
    report_standing(VAULT, {"UpToDate": 4, "Drifted": 0, "NearlyManaged": 2})
    made.close()

    assert counts(ear.reader, "key_rotator.secrets") == [
        ({"vault": VAULT, "status": "UpToDate"}, 4),
        ({"vault": VAULT, "status": "Drifted"}, 0),
        ({"vault": VAULT, "status": "NearlyManaged"}, 2),
        ({"vault": other, "status": "UpToDate"}, 5),
        ({"vault": other, "status": "Drifted"}, 0),
        ({"vault": other, "status": "NearlyManaged"}, 0),
    ]
    assert counts(ear.reader, "key_rotator.counts") == [({"vault": VAULT}, 2), ({"vault": other}, 1)]


def test_what_an_instance_counted_two_days_ago_is_not_told_any_more() -> None:
    """
    Another instance has counted since, or nobody has; the count of another vault is told as long as its own time.
    """
    now, reader, other = [0.0], InMemoryMetricReader(), "https://b.vault.azure.net"
    instruments = Instruments(MeterProvider([reader], shutdown_on_exit=False), clock=lambda: now[0])
    instruments.record(Standing(VAULT, {"Drifted": 1}, seen_at=0.0))
    instruments.record(Standing(other, {"Drifted": 0}, seen_at=DAY))

    told = {}
    for now[0] in (2 * DAY, 2 * DAY + 1, 3 * DAY + 1):
        told[now[0]] = [(attributes["vault"], count) for attributes, count in counts(reader, "key_rotator.secrets")]
    assert told == {2 * DAY: [(VAULT, 1), (other, 0)], 2 * DAY + 1: [(other, 0)], 3 * DAY + 1: []}


def test_a_count_that_goes_on_changes_no_line_that_was_written(caplog: pytest.LogCaptureFixture) -> None:
    """
    A handler may read a line long after it was logged.
    """
    going_on = {"Drifted": 1}
    with caplog.at_level(logging.INFO):
        report_standing(VAULT, going_on)
    going_on["Drifted"] = 2

    (line,) = caplog.records
    assert Standing(VAULT, {"Drifted": 1}, seen_at=line.created) in measure(line)


async def test_no_metric_knows_an_id_a_secret_a_target_or_a_key(ear: Ear, attach: Attach) -> None:
    """
    Whatever is rotated, by whomever, the words that metrics are told apart by stay few.
    """
    made, world = attach(), TwinWorld()
    world.faults.before("regenerate", NoAnswer("dropped"))
    rotation = await world.rotate(world.manual(reason="because"))
    await world.resume()
    report_poisoned("m1", rotation.id)
    report_sweep(VAULT, secrets=1, due=0, misconfigured=0, nearest_expiry=DAY, seconds=0.5, problem=None)
    await look_and_review(world)
    made.close()

    data = ear.reader.get_metrics_data()
    assert data is not None
    told = data.to_json() + repr(ear.recorded)
    assert "key_rotator.step.duration" in told
    assert "key_rotator.secrets" in told
    for unwanted in (rotation.id, world.target.arm_id, "account1", f"{VAULT}/", "because", "dropped", "m1"):
        assert unwanted not in told
    for key in KeyName:
        assert world.provider.value(world.target, key) not in told


def test_a_line_that_tells_no_step_measures_nothing() -> None:
    """
    Warnings and errors about a rotation go through the same logger.
    """
    line = logging.makeLogRecord({"name": "rotation.run.outcome", "msg": "rotation r1: Failed", "rotation": "r1"})

    assert measure(line) == []


def test_how_far_a_verification_came_is_for_people(caplog: pytest.LogCaptureFixture) -> None:
    """
    Nothing is counted by its line: what it has found is, when the secrets are counted.
    """
    caplog.set_level("INFO")
    report_verification(secrets=3, seconds=0.5, is_complete=True)

    (line,) = caplog.records
    assert measure(line) == []


def test_nothing_is_set_up_before_something_is_done(ear: Ear, attach: Attach) -> None:
    """
    The first steps of a process's first rotation start no thread; its end does.
    """
    made = attach()
    report(RECORD, "claimed", attempt=1)
    report(RECORD, "regenerated")
    assert not is_set_up()
    report(RECORD, "ended", reason="paused")
    assert is_set_up()
    made.close()

    assert ear.closed
    assert not is_set_up()


def test_a_count_is_work_that_is_done(ear: Ear, attach: Attach) -> None:
    """
    It is the last line of a sweep and of a refresh; nothing may follow it.
    """
    made = attach()
    report_standing(VAULT, {"UpToDate": 1})
    assert is_set_up()
    made.close()

    assert ear.closed


def test_the_set_up_waits_until_no_line_comes_any_more(ear: Ear, attach: Attach) -> None:
    """
    An announcement follows the end, and an answer to a caller follows both: importing must not compete with them.
    """
    opened = threading.Event()

    def open_metrics() -> Ear:
        opened.set()
        return ear

    busy = attach(open_metrics, quiet=3600.0)
    report(RECORD, "ended")
    assert is_set_up()
    busy.close()
    assert not is_set_up()
    assert not opened.is_set()

    never_quiet = attach(open_metrics, quiet=3600.0, at_most=0.0)
    report(RECORD, "ended")
    assert opened.wait(10)
    never_quiet.close()
    assert ear.closed


async def test_a_set_up_that_hangs_disturbs_no_rotation(
    ear: Ear, attach: Attach, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Rotations complete, the buffer stays bounded, what it cannot hold is told once, and counted when things go on.
    """
    release = threading.Event()

    def open_metrics() -> Ear:
        release.wait(30)
        return ear

    made, world = attach(open_metrics, buffered=5), TwinWorld()
    rotations = [await world.rotate() for _ in range(3)]
    assert {rotation.state for rotation in rotations} == {State.COMPLETED}
    assert made._buffer.qsize() == 5
    release.set()
    assert all(ear.taken.acquire(timeout=10) for _ in range(5))
    report_poisoned("m1", None)
    made.close()

    assert [line.getMessage() for line in caplog.records if line.name == "adapters.telemetry"] == [
        "metrics: nothing takes them, and 5 are waiting: more are dropped"
    ]
    ((_, lost),) = counts(ear.reader, "key_rotator.measurements.lost")
    assert lost > 5
    assert len(ear.recorded) == 5 + 2
    assert counts(ear.reader, "key_rotator.poisoned") == [({}, 1)]


async def test_a_set_up_that_fails_disturbs_no_rotation(attach: Attach, caplog: pytest.LogCaptureFixture) -> None:
    """
    It is told once, and nothing is kept for metrics that nobody will ever take.
    """

    def open_metrics() -> Ear:
        raise ImportError("no module named opentelemetry")

    made, world = attach(open_metrics), TwinWorld()
    await world.rotate()
    assert made._thread is not None
    made._thread.join(10)
    assert not is_heard()
    assert (await world.rotate()).state is State.COMPLETED

    (line,) = [line for line in caplog.records if line.name == "adapters.telemetry"]
    assert line.getMessage() == "metrics: there are none in this process"


async def test_where_metrics_go_nowhere_nothing_is_heard_any_more(attach: Attach) -> None:
    """
    OpenTelemetry may be there without a provider or an exporter.
    """
    made = attach(lambda: None)
    await TwinWorld().rotate()
    assert made._thread is not None
    made._thread.join(10)

    assert not is_heard()


async def test_a_measurement_that_cannot_be_recorded_stops_nothing(
    ear: Ear, attach: Attach, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Rotations complete, the other measurements are recorded, and it is told once.
    """

    class Deaf(Ear):
        def record(self, measurement: Measurement) -> None:
            if type(measurement).__name__ == "StepDuration":
                raise ValueError("no such instrument")
            ear.record(measurement)

    made, world = attach(Deaf), TwinWorld()
    assert (await world.rotate()).state is State.COMPLETED
    made.close()

    assert [value for _, value in counts(ear.reader, "key_rotator.rotations")] == [1]
    (line,) = [line for line in caplog.records if line.name == "adapters.telemetry"]
    assert line.getMessage() == "metrics: some cannot be recorded; this is told once"


def test_a_line_that_is_not_as_agreed_raises_nothing(
    attach: Attach, ear: Ear, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    A rotation must not fail for how it is told; logging's own way of telling such a thing is used.
    """
    made = attach()
    logging.getLogger("rotation").info("swept", extra={"step": "swept"})
    report_poisoned("m1", None)
    made.close()

    assert "--- Logging error ---" in capsys.readouterr().err
    assert counts(ear.reader, "key_rotator.poisoned") == [({}, 1)]


def test_lines_are_heard_whatever_the_root_logger_lets_through(ear: Ear, attach: Attach) -> None:
    """
    A process that shows errors only counts its rotations all the same, and shows no more afterwards.
    """
    logger = logging.getLogger("rotation")
    logger.setLevel(logging.ERROR)
    try:
        made = attach()
        report(RECORD, "ended")
        made.close()
        assert logger.level == logging.ERROR
    finally:
        logger.setLevel(logging.NOTSET)

    assert [value for _, value in counts(ear.reader, "key_rotator.rotations")] == [1]


@pytest.mark.parametrize("again", [1, 2])
def test_closing_hears_nothing_any_more(ear: Ear, attach: Attach, again: int) -> None:
    """
    Also a second time, as logging does when the process ends, and where it was attached twice.
    """
    made = attach()
    made.attach()
    for _ in range(again):
        made.close()
    report(RECORD, "ended")

    assert not is_heard()
    assert not is_set_up()


@pytest.mark.parametrize("disabled", ["true", "TRUE", " true "])
def test_opentelemetry_can_be_switched_off(disabled: str) -> None:
    """
    By its own standard setting, whatever else is set.
    """
    made = telemetry({"OTEL_SDK_DISABLED": disabled, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"})
    made.attach()

    assert not is_heard()


def test_a_destination_in_the_settings_is_enough_to_listen() -> None:
    """
    Nothing else has to be switched on.
    """
    made = telemetry({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"})
    made.attach()
    try:
        assert is_heard()
    finally:
        made.close()
    assert not is_heard()
