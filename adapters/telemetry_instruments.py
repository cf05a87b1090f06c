"""
The instruments of OpenTelemetry that measurements are made with: names, units, buckets.

Importing it costs what the API of OpenTelemetry costs, so only the code that measures does.
"""

import time
from collections.abc import Callable, Iterable

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from adapters.telemetry_lines import (
    COUNTS,
    DROPPED_EVENTS,
    LOST,
    POISONED,
    RETRIES,
    ROTATIONS,
    SWEEPS,
    Count,
    Measurement,
    NearestExpiry,
    Standing,
    StepDuration,
)
from rotation.vocabulary.limits import SWEEP_SHOWN_FOR

# seconds: from a row of the ledger to the longest that an attempt may send (240), and past it
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 240.0, 300.0)

_COUNTERS = {
    ROTATIONS: ("{rotation}", "Rotations that have ended"),
    RETRIES: ("{attempt}", "Attempts that left a rotation to be resumed, and attempts that resumed one"),
    POISONED: ("{message}", "Queue messages that have used up their retries"),
    DROPPED_EVENTS: ("{event}", "Events that were acknowledged and ignored"),
    SWEEPS: ("{sweep}", "Looks through all secrets of a vault"),
    COUNTS: ("{count}", "Times that the secrets of a vault were counted by status"),
    LOST: ("{measurement}", "Measurements that found the buffer full"),
}


class Instruments:
    """
    Records measurements with a meter of the given provider; `clock` gives seconds since the epoch.
    """

    def __init__(self, provider: MeterProvider, clock: Callable[[], float] = time.time) -> None:
        meter = provider.get_meter("key_rotator")
        self._counters = {
            name: meter.create_counter(name, unit=unit, description=description)
            for name, (unit, description) in _COUNTERS.items()
        }
        self._durations = meter.create_histogram(
            "key_rotator.step.duration",
            unit="s",
            description="Time from the step before it in the same attempt to a step of a rotation",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        meter.create_observable_gauge(
            "key_rotator.expiry.nearest",
            callbacks=[self._observe_expiries],
            unit="s",
            description="Time until the first managed secret of a vault expires, negative when it has",
        )
        meter.create_observable_gauge(
            "key_rotator.secrets",
            callbacks=[self._observe_standings],
            unit="{secret}",
            description="Secrets of a vault by status, when they were last counted",
        )
        self._clock = clock
        self._expiries: dict[str, NearestExpiry] = {}
        self._standings: dict[str, Standing] = {}

    def record(self, measurement: Measurement) -> None:
        """
        Record one measurement.
        """
        match measurement:
            case Count():
                self._counters[measurement.counter].add(measurement.times, measurement.attributes)
            case StepDuration():
                self._durations.record(measurement.seconds, measurement.attributes)
            case NearestExpiry():
                self._expiries[measurement.vault] = measurement
            case Standing():
                self._standings[measurement.vault] = measurement

    def _observe_expiries(self, _: CallbackOptions) -> Iterable[Observation]:
        """
        Return the time left now, which is less than at the sweep.
        """
        now = self._clock()
        return [
            Observation(seen.at - now, {"vault": seen.vault})
            for seen in list(self._expiries.values())
            if seen.at is not None and self._is_shown(seen)
        ]

    def _observe_standings(self, _: CallbackOptions) -> Iterable[Observation]:
        """
        Return every count, zeros included, so that an alert resolves.
        """
        return [
            Observation(count, {"vault": seen.vault, "status": status})
            for seen in list(self._standings.values())
            if self._is_shown(seen)
            for status, count in seen.counts.items()
        ]

    def _is_shown(self, seen: NearestExpiry | Standing) -> bool:
        # Vaults are swept daily, by any instance. What one saw two days ago, another has seen since, or nobody has:
        # a secret that was rotated meanwhile must not seem to expire for as long as this instance lives.
        return self._clock() - seen.seen_at <= SWEEP_SHOWN_FOR
