"""
OpenTelemetry's SDK and exporters. Importing and setting them up takes 0.1 to 0.5 s, which a thread of its own spends.

It rests on assumption 98 of docs/fidelity.md.
"""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from opentelemetry.metrics import get_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import OTELResourceDetector, Resource

from adapters.telemetry_instruments import Instruments
from adapters.telemetry_lines import Measurement
from adapters.telemetry_settings import EntraSignIn, TelemetrySettings
from rotation.vocabulary.limits import EXPORT_RETRIES, EXPORTED_WITHIN, LAST_EXPORT

_log = logging.getLogger(__name__)


# What the exporter of Application Insights does besides, unless told otherwise: send statistics about itself to
# Microsoft's own resource, add more to the app's, and ask settings.sdk.monitor.azure.com how to behave. Read in
# azure-monitor-opentelemetry-exporter 1.0.0b58: statsbeat/_state.py, statsbeat/customer/_utils.py, _configuration/.
_NOT_ASKED_FOR = (
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
)


class Closable(Protocol):
    """
    Something with connections.
    """

    def close(self) -> None:
        """
        Close them.
        """
        ...


class Exported:
    """
    Metrics that are sent every minute (`OTEL_METRIC_EXPORT_INTERVAL`), and once more when they are closed.
    """

    def __init__(self, readers: Sequence[MetricReader], resource: Resource) -> None:
        self._readers = readers
        # Shut down reader by reader, so that one that hangs does not take the time of the other.
        self._instruments = Instruments(MeterProvider(readers, resource, shutdown_on_exit=False))

    def record(self, measurement: Measurement) -> None:
        """
        Record one measurement.
        """
        self._instruments.record(measurement)

    def close(self) -> None:
        """
        Send what was not sent yet, within seconds.
        """
        for reader in self._readers:
            try:
                reader.shutdown(timeout_millis=LAST_EXPORT)
            except Exception:  # noqa: BLE001 - the other destination has a last export to make
                _log.exception("metrics: a destination cannot be closed")


class Borrowed:
    """
    Metrics of a provider that belongs to the code that has set OpenTelemetry up for the process, and that sends them.
    """

    def __init__(self, provider: MeterProvider) -> None:
        self._instruments = Instruments(provider)

    def record(self, measurement: Measurement) -> None:
        """
        Record one measurement.
        """
        self._instruments.record(measurement)

    def close(self) -> None:
        """
        Leave the provider to its owner.
        """


class Outspoken(MetricExporter):
    """
    An exporter that tells once that it fails, in its own words and in ours, and once that it works again.

    It would tell several times a minute for as long as a collector is away. `connections` are closed with it.
    """

    def __init__(
        self, exporter: MetricExporter, destination: str, logger: str, connections: Sequence[Closable] = ()
    ) -> None:
        # A reader asks its exporter for these two in the same way.
        super().__init__(exporter._preferred_temporality, exporter._preferred_aggregation)  # noqa: SLF001
        self._exporter = exporter
        self._destination = destination
        self._logger = logging.getLogger(logger)
        self._logger.setLevel(logging.WARNING)
        self._connections = connections
        self._failing = False

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """
        Export, and tell what has changed.
        """
        result = self._try(metrics_data, timeout_millis, **kwargs)
        failing = result is not MetricExportResult.SUCCESS
        if failing and not self._failing:
            _log.warning("metrics: %s does not take them; this is told once, until it does", self._destination)
        if self._failing and not failing:
            _log.warning("metrics: %s takes them again", self._destination)
        self._failing = failing
        self._logger.setLevel(logging.CRITICAL if failing else logging.WARNING)
        return result

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """
        Flush.
        """
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """
        Shut down, and close what the exporter leaves open.
        """
        self._exporter.shutdown(timeout_millis, **kwargs)
        for connection in self._connections:
            connection.close()

    def _try(self, metrics_data: MetricsData, timeout_millis: float, **kwargs: Any) -> MetricExportResult:
        try:
            return self._exporter.export(metrics_data, timeout_millis, **kwargs)
        except Exception:  # noqa: BLE001 - whatever it is, the next export may be fine
            if not self._failing:
                _log.exception("metrics: exporting to %s", self._destination)
            return MetricExportResult.FAILURE


def open_metrics(settings: TelemetrySettings) -> Borrowed | Exported | None:
    """
    Return metrics that go where the process's global provider sends them, or else where the settings say.

    None if there is no such place. A place that cannot be used is told and left out.
    """
    provider = get_meter_provider()
    if isinstance(provider, MeterProvider):
        return Borrowed(provider)
    wanted: list[Callable[[TelemetrySettings], MetricExporter]] = []
    if settings.otlp:
        wanted.append(_collector)
    if settings.application_insights:
        wanted.append(_application_insights)
    readers = [reader for make in wanted if (reader := _reader(make, settings))]
    return Exported(readers, _resource(settings)) if readers else None


def _reader(make: Callable[[TelemetrySettings], MetricExporter], settings: TelemetrySettings) -> MetricReader | None:
    try:
        return PeriodicExportingMetricReader(make(settings))
    except Exception:
        if not threading.main_thread().is_alive():
            raise  # The process is ending: no destination can be used any more.
        _log.exception("metrics: a destination cannot be used, and is left out")
        return None


def _resource(settings: TelemetrySettings) -> Resource:
    return Resource.create(settings.resource).merge(OTELResourceDetector().detect())


def _collector(settings: TelemetrySettings) -> MetricExporter:
    """
    Return the exporter to `OTEL_EXPORTER_OTLP_ENDPOINT`, which it reads itself, like headers, timeout and compression.
    """
    from opentelemetry.exporter.otlp.proto.http import metric_exporter  # noqa: PLC0415 - only where it is wanted

    exporter = metric_exporter.OTLPMetricExporter(certificate_file=settings.otlp_certificates)
    return Outspoken(exporter, "the OTLP endpoint", metric_exporter.__name__)


def _application_insights(settings: TelemetrySettings) -> MetricExporter:
    """
    Return the exporter to `APPLICATIONINSIGHTS_CONNECTION_STRING`.

    It keeps nothing on disk: that would be shared with the host, unbounded by anything of ours, and gone with the
    instance anyway. A failed export is tried again for some seconds; the log lines have it all the same.
    """
    for name in _NOT_ASKED_FOR:
        os.environ.setdefault(name, "true")
    from azure.monitor.opentelemetry import exporter as monitor  # noqa: PLC0415 - only where it is wanted

    credential = _credential(settings.sign_in, settings.certificates) if settings.sign_in else None
    exporter = monitor.AzureMonitorMetricExporter(
        connection_string=settings.application_insights,
        credential=credential,
        disable_offline_storage=True,
        retry_total=EXPORT_RETRIES,
        read_timeout=EXPORTED_WITHIN,
        **_trusting(settings.certificates),
    )
    connections = [exporter.client, credential] if credential else [exporter.client]
    return Outspoken(exporter, "Application Insights", monitor.__name__, connections)


def _credential(sign_in: EntraSignIn, certificates: str | None) -> Any:
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential  # noqa: PLC0415 - as above

    if sign_in.in_azure:
        return ManagedIdentityCredential(client_id=sign_in.client_id, **_trusting(certificates))
    return DefaultAzureCredential()


def _trusting(certificates: str | None) -> dict[str, Any]:
    return {"connection_verify": certificates} if certificates else {}
