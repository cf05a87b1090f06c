import pytest

from adapters.telemetry_settings import EntraSignIn, read_telemetry_settings

OTLP = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}
CONNECTION = "InstrumentationKey=5f0a6f1e-0b0e-4a70-9d4e-0d3f5e0c7a11;IngestionEndpoint=https://eu.example/"
INSIGHTS = {"APPLICATIONINSIGHTS_CONNECTION_STRING": CONNECTION}
AUTHENTICATION = "APPLICATIONINSIGHTS_AUTHENTICATION_STRING"


@pytest.mark.parametrize(
    ("environment", "otlp", "insights"),
    [
        ({}, False, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "", "APPLICATIONINSIGHTS_CONNECTION_STRING": ""}, False, None),
        (OTLP, True, None),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://localhost:4318/v1/metrics"}, True, None),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4318/v1/traces"}, False, None),
        (INSIGHTS, False, CONNECTION),
        (OTLP | INSIGHTS, True, CONNECTION),
        (OTLP | INSIGHTS | {"OTEL_METRICS_EXPORTER": "none"}, False, None),
        (OTLP | INSIGHTS | {"OTEL_METRICS_EXPORTER": "otlp"}, True, CONNECTION),
    ],
)
def test_metrics_go_wherever_a_standard_setting_says(
    environment: dict[str, str], otlp: bool, insights: str | None
) -> None:
    """
    To a collector, to Application Insights, to both or to none of them.
    """
    settings = read_telemetry_settings(environment)

    assert (settings.otlp, settings.application_insights) == (otlp, insights)


@pytest.mark.parametrize(
    ("protocols", "otlp"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, False),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, False),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf"}, True),
    ],
)
def test_a_protocol_that_is_not_spoken_is_told(
    caplog: pytest.LogCaptureFixture, protocols: dict[str, str], otlp: bool
) -> None:
    """
    A collector that speaks gRPC to the host would answer nothing but errors.
    """
    assert read_telemetry_settings(OTLP | protocols).otlp is otlp
    assert bool(caplog.records) is not otlp


@pytest.mark.parametrize(
    ("written", "client_id"),
    [
        ("Authorization=AAD", None),
        ("Authorization=AAD;", None),
        ("Authorization=AAD;ClientId=", None),
        ("Authorization=AAD;ClientId=c1", "c1"),
        (" clientid = c1 ; authorization = aad ", "c1"),
    ],
)
@pytest.mark.parametrize("in_azure", [True, False])
def test_a_token_is_used_where_the_hosts_setting_says_so(written: str, client_id: str | None, in_azure: bool) -> None:
    """
    Of the user-assigned identity it names, or of the system-assigned one.
    """
    azure = {"IDENTITY_ENDPOINT": "http://127.0.0.1:1/msi/token"} if in_azure else {}

    settings = read_telemetry_settings(INSIGHTS | azure | {AUTHENTICATION: written})

    assert settings.sign_in == EntraSignIn(client_id, in_azure)


@pytest.mark.parametrize("written", ["", "AAD", "Authorization=ikey", "ClientId=c1", ";;="])
def test_without_it_the_connection_string_is_enough(written: str) -> None:
    """
    Application Insights takes telemetry without a token, unless local authentication is switched off there.
    """
    assert read_telemetry_settings(INSIGHTS | {AUTHENTICATION: written}).sign_in is None


def test_in_azure_the_service_is_the_site() -> None:
    """
    As the host calls it, so that metrics, traces and log lines of one app are found together.
    """
    azure = {"WEBSITE_SITE_NAME": "func-rotator", "WEBSITE_INSTANCE_ID": "i1", "REGION_NAME": "West Europe"}

    assert read_telemetry_settings(azure).resource == {
        "service.name": "func-rotator",
        "cloud.provider": "azure",
        "cloud.platform": "azure.functions",
        "cloud.region": "West Europe",
        "faas.instance": "i1",
    }


def test_elsewhere_the_service_is_the_product() -> None:
    """
    Nothing is said about a cloud that nothing is known about.
    """
    assert read_telemetry_settings({}).resource == {"service.name": "azure-key-rotator"}


@pytest.mark.parametrize(
    ("environment", "general", "otlp"),
    [
        ({}, None, None),
        ({"SSL_CERT_FILE": "/ca.pem"}, "/ca.pem", "/ca.pem"),
        ({"SSL_CERT_FILE": "/ca.pem", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/otlp.pem"}, "/ca.pem", "/otlp.pem"),
        (
            {"OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE": "/m.pem", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/otlp.pem"},
            None,
            "/m.pem",
        ),
    ],
)
def test_the_certificates_of_the_app_are_trusted_here_too(
    environment: dict[str, str], general: str | None, otlp: str | None
) -> None:
    """
    Unless the collector has some of its own.
    """
    settings = read_telemetry_settings(environment)

    assert (settings.certificates, settings.otlp_certificates) == (general, otlp)


def test_a_connection_string_is_never_shown() -> None:
    """
    Anyone who has it can write telemetry.
    """
    settings = read_telemetry_settings(INSIGHTS)

    assert "5f0a6f1e" not in f"{settings!r} {settings}"
