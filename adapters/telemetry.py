"""
Metrics, made of the log lines about rotations (docs/adr/0005-metrics-from-the-log-lines.md).

A rotation knows nothing of this: it logs. Here the lines are heard, and what they measure goes into a buffer, which
costs microseconds and waits for nothing. A thread of its own imports OpenTelemetry, once the work is done that the
process was started for, and passes the buffer on. Whatever becomes of that thread, a rotation does not notice.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Protocol

from adapters.telemetry_lines import LOST, Count, Measurement, measure
from adapters.telemetry_settings import TelemetrySettings, read_telemetry_settings
from rotation.vocabulary.limits import TELEMETRY_AT_MOST, TELEMETRY_BUFFERED, TELEMETRY_CLOSES_WITHIN, TELEMETRY_QUIET

_log = logging.getLogger(__name__)

_OVER = {
    "ended",
    "announced",
    "suspended",
    "swept",
    "counted",
    "poisoned",
    "event dropped",
}  # Steps after which there may be nothing left to do.


class Metrics(Protocol):
    """
    Where measurements go.
    """

    def record(self, measurement: Measurement) -> None:
        """
        Record one measurement.
        """
        ...

    def close(self) -> None:
        """
        Send what was not sent yet, within seconds.
        """
        ...


class Telemetry(logging.Handler):
    """
    Hears the lines of rotations from `attach` to `close`, and passes on what they measure.

    `open_metrics` is called once, in a thread, when no line was heard for `quiet` seconds after some work was done, or
    after `at_most` seconds; it returns None if there is nowhere to send metrics to. Without it nothing is heard at all.
    """

    def __init__(
        self,
        open_metrics: Callable[[], Metrics | None] | None,
        *,
        quiet: float = TELEMETRY_QUIET,
        at_most: float = TELEMETRY_AT_MOST,
        buffered: int = TELEMETRY_BUFFERED,
    ) -> None:
        super().__init__(logging.INFO)
        self._open_metrics = open_metrics
        self._quiet = quiet
        self._at_most = at_most
        self._buffered = buffered
        self._buffer: SimpleQueue[Measurement | None] = SimpleQueue()
        self._lost = 0
        self._heard_at = 0.0
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._logger = logging.getLogger("rotation")
        self._level_before = self._logger.level

    def attach(self) -> None:
        """
        Hear the lines from now on.
        """
        if self._open_metrics is None or self in self._logger.handlers:
            return
        self._level_before = self._logger.level
        if not self._logger.isEnabledFor(self.level):
            self._logger.setLevel(self.level)
        self._logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """
        Buffer what a line measures. It neither waits nor raises.
        """
        try:
            for measurement in measure(record):
                self._put(measurement)
            self._heard_at = time.monotonic()
            if self._thread is None and getattr(record, "step", None) in _OVER:
                thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
                thread.start()
                self._thread = thread
        except Exception:  # noqa: BLE001 - the line that could not be measured is no reason to fail a rotation
            self.handleError(record)

    def close(self) -> None:
        """
        Hear nothing any more, and send what was not sent yet, within seconds. `logging` does it when the process ends.
        """
        self._detach()
        self._closing.set()
        self._buffer.put(None)
        if self._thread:
            self._thread.join(TELEMETRY_CLOSES_WITHIN)
        super().close()

    def _detach(self) -> None:
        if self in self._logger.handlers:
            self._logger.removeHandler(self)
            self._logger.setLevel(self._level_before)

    def _put(self, measurement: Measurement) -> None:
        if self._buffer.qsize() >= self._buffered:
            if not self._lost:
                _log.warning("metrics: nothing takes them, and %d are waiting: more are dropped", self._buffered)
            self._lost += 1
            return
        if self._lost:
            self._buffer.put(Count(LOST, times=self._lost))
            self._lost = 0
        self._buffer.put(measurement)

    def _run(self) -> None:
        if not self._wait_until_quiet():
            return
        metrics = self._open()
        if metrics is None:
            self._detach()
            return
        failed = False
        while (measurement := self._buffer.get()) is not None:
            try:
                metrics.record(measurement)
            except Exception:  # noqa: BLE001 - whatever it is, the next measurement may be fine
                if not failed:
                    _log.exception("metrics: some cannot be recorded; this is told once")
                failed = True
        metrics.close()

    def _wait_until_quiet(self) -> bool:
        """
        Return whether it has become quiet; False if this is closed before.
        """
        begun_at = time.monotonic()
        while (wait := min(self._heard_at + self._quiet, begun_at + self._at_most) - time.monotonic()) > 0:
            if self._closing.wait(wait):
                return False
        return True

    def _open(self) -> Metrics | None:
        try:
            return self._open_metrics() if self._open_metrics else None
        except Exception:  # noqa: BLE001 - rotations go on without metrics
            # A process that is ending starts no thread any more, nor has it any use for metrics.
            if threading.main_thread().is_alive():
                _log.exception("metrics: there are none in this process")
            return None


def telemetry(environment: Mapping[str, str]) -> Telemetry:
    """
    Return what makes metrics of the lines and sends them where the standard settings say; inert where none says so.

    OpenTelemetry's exporters read more settings by themselves, from the process's environment.
    """
    settings = read_telemetry_settings(environment)

    def open_metrics() -> Metrics | None:
        from adapters import telemetry_export  # noqa: PLC0415 - takes 0.1 to 0.5 s, in a thread of its own

        return telemetry_export.open_metrics(settings)

    return Telemetry(open_metrics if _is_wanted(settings) else None)


def _is_wanted(settings: TelemetrySettings) -> bool:
    # Azure's worker, or an agent, that has set OpenTelemetry up for this process has imported it.
    is_set_up = "opentelemetry.sdk.metrics" in sys.modules
    return not settings.disabled and (is_set_up or settings.otlp or settings.application_insights is not None)
