"""
Where metrics go, by the settings that OpenTelemetry and Application Insights document.

It rests on assumptions 93 and 98 of docs/fidelity.md.
"""

import logging
from collections.abc import Mapping

from msgspec import Struct

_log = logging.getLogger(__name__)

_CONNECTION_STRING = "APPLICATIONINSIGHTS_CONNECTION_STRING"
_AUTHENTICATION = "APPLICATIONINSIGHTS_AUTHENTICATION_STRING"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_CERTIFICATES = ("OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE")
_HTTP = "http/protobuf"


class EntraSignIn(Struct, frozen=True):
    """
    Application Insights is written to with a token: of a managed identity in Azure, of the developer elsewhere.
    """

    client_id: str | None
    in_azure: bool


class TelemetrySettings(Struct, frozen=True):
    """
    What the settings say. `certificates` and `otlp_certificates` name files of CAs to trust instead of the usual ones.
    """

    disabled: bool
    otlp: bool
    application_insights: str | None
    sign_in: EntraSignIn | None
    certificates: str | None
    otlp_certificates: str | None
    resource: dict[str, str]

    def __repr__(self) -> str:
        return f"TelemetrySettings(otlp={self.otlp}, application_insights={self.application_insights is not None})"


def read_telemetry_settings(environment: Mapping[str, str]) -> TelemetrySettings:
    """
    Return the settings. None of them can be wrong here: what cannot be used is told when it is tried.
    """
    wanted = environment.get("OTEL_METRICS_EXPORTER", "").strip().lower() != "none"
    certificates = environment.get("SSL_CERT_FILE") or None
    return TelemetrySettings(
        disabled=environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true",
        otlp=wanted and _has_otlp(environment),
        application_insights=(environment.get(_CONNECTION_STRING) or None) if wanted else None,
        sign_in=_read_sign_in(environment),
        certificates=certificates,
        otlp_certificates=_first(environment, _CERTIFICATES) or certificates,
        resource=_read_resource(environment),
    )


def _has_otlp(environment: Mapping[str, str]) -> bool:
    if not _first(environment, _ENDPOINTS):
        return False
    protocol = _first(environment, _PROTOCOLS) or _HTTP
    if protocol != _HTTP:
        _log.warning("metrics: %s speaks %s, and they are sent by %s alone", _PROTOCOLS[1], protocol, _HTTP)
    return protocol == _HTTP


def _read_sign_in(environment: Mapping[str, str]) -> EntraSignIn | None:
    """
    Return how to sign in, as "Authorization=AAD;ClientId=..." says, which the Functions host reads too.
    """
    pairs = (pair.partition("=") for pair in environment.get(_AUTHENTICATION, "").split(";"))
    words = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if words.get("authorization", "").upper() != "AAD":
        return None
    return EntraSignIn(words.get("clientid") or None, in_azure="IDENTITY_ENDPOINT" in environment)


def _read_resource(environment: Mapping[str, str]) -> dict[str, str]:
    """
    Return what OpenTelemetry's conventions call the process; as service, the site's name, as the host calls it.

    OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES are read by the SDK, and come first.
    """
    site = environment.get("WEBSITE_SITE_NAME")
    if not site:
        return {"service.name": "azure-key-rotator"}
    found = {
        "service.name": site,
        "cloud.provider": "azure",
        "cloud.platform": "azure.functions",
        "cloud.region": environment.get("REGION_NAME", ""),
        "faas.instance": environment.get("WEBSITE_INSTANCE_ID", ""),
    }
    return {name: value for name, value in found.items() if value}


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environment[name] for name in names if environment.get(name)), None)
