import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from providers import KINDS
from rotation.vocabulary.endings import OutOfScope
from rotation.vocabulary.errors import SettingsError
from tests.twins.targets import batch_account
from wiring.authentication import Authentication
from wiring.clouds import CLOUDS
from wiring.settings import NAMES, Settings, read_settings

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "local.settings.sample.json"
SUBSCRIPTION = "00000000-0000-4000-8000-00000000abcd"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
ACCOUNT = batch_account(SUBSCRIPTION, "rg", "account1")
CLOUDS_BY_LOWER_NAME = {name.lower(): cloud for name, cloud in CLOUDS.items()}
TOPIC = "https://my-topic.westeurope-1.eventgrid.azure.net/api/events"
TABLES = "https://account.table.core.windows.net"
CONNECTION = "DefaultEndpointsProtocol=https;AccountName=account;AccountKey=bWFkZS11cA=="
LEAST = {
    "ROTATION_VAULTS": "https://my-vault.vault.azure.net",
    "ROTATION_ALLOWED_SCOPES": GROUP,
    "ROTATION_TOPIC_ENDPOINT": TOPIC,
    "AzureWebJobsStorage": CONNECTION,
}
BY_IDENTITY = {name: value for name, value in LEAST.items() if name != "AzureWebJobsStorage"} | {
    "AzureWebJobsStorage__tableServiceUri": TABLES
}
BY_NAME = {name: value for name, value in LEAST.items() if name != "AzureWebJobsStorage"} | {
    "AzureWebJobsStorage__accountName": "account"
}


class Recording(Mapping[str, str]):
    """
    An environment that remembers what it was asked for.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self._environment[name]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("settings are asked for by name")

    def __len__(self) -> int:
        raise AssertionError("settings are asked for by name")


def required_of(environment: Mapping[str, str]) -> set[str]:
    """
    Return the names without which these settings cannot be read.
    """
    required = set()
    for name in environment:
        try:
            read_settings({other: value for other, value in environment.items() if other != name})
        except SettingsError:
            required.add(name)
    return required


def sample() -> dict[str, str]:
    """
    Return the settings of the sample.
    """
    values: dict[str, str] = json.loads(SAMPLE.read_text())["Values"]
    return values


def test_the_least_settings_are_enough() -> None:
    """
    Four settings make an app; all else has a default.
    """
    settings = read_settings(LEAST)

    assert settings.vaults == ["https://my-vault.vault.azure.net"]
    assert settings.topic_endpoint == TOPIC
    assert settings.storage.connection_string == CONNECTION
    assert settings.storage.table_service_uri is None
    assert settings.client_id is settings.storage.client_id is None
    assert settings.cloud == CLOUDS["AzurePublicCloud"]
    assert settings.arm_endpoint == "https://management.azure.com"
    assert not settings.in_azure
    settings.scopes.require(ACCOUNT)


@pytest.mark.parametrize("environment", [LEAST, BY_IDENTITY])
@pytest.mark.parametrize("given", ["left out", "empty"])
def test_a_missing_setting_is_named(environment: dict[str, str], given: str) -> None:
    """
    Each one that is required is missed under its own name, and the error says what it must be.
    """
    assert required_of(environment) == set(environment)
    for name in environment.keys() - {"ROTATION_ALLOWED_SCOPES"}:
        others = {other: value for other, value in environment.items() if other != name}
        with pytest.raises(SettingsError, match=f"{name.partition('__')[0]}.*must be") as refusal:
            read_settings(others if given == "left out" else others | {name: ""})
        assert refusal.value.setting == name.partition("__")[0]
        assert refusal.value.expected


def test_scopes_may_be_empty_but_not_left_out() -> None:
    """
    Allowing nothing is a decision; forgetting the setting is a mistake.
    """
    with pytest.raises(SettingsError, match="ROTATION_ALLOWED_SCOPES"):
        read_settings({name: value for name, value in LEAST.items() if name != "ROTATION_ALLOWED_SCOPES"})
    for nothing in ("", " ", ",", " , ,"):
        with pytest.raises(OutOfScope):
            read_settings(LEAST | {"ROTATION_ALLOWED_SCOPES": nothing}).scopes.require(ACCOUNT)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROTATION_PROVE_KEYS", "yes"),
        ("ROTATION_MODE", "observing"),
        ("ROTATION_DATA_PLANE_SUFFIXES", "https://batch.example"),
        ("ROTATION_DATA_PLANE_SUFFIXES", "batch.example/pools"),
        ("ROTATION_DATA_PLANE_SUFFIXES", "batch.example:8443"),
        ("ROTATION_DATA_PLANE_SUFFIXES", "*"),
        ("ROTATION_DATA_PLANE_SUFFIXES", "batch..example"),
        ("ROTATION_VAULTS", "my-vault"),
        ("ROTATION_VAULTS", ","),
        ("ROTATION_VAULTS", "http://my-vault.vault.azure.net"),
        ("ROTATION_VAULTS", "https://my-vault.vault.azure.net/secrets/n"),
        ("ROTATION_VAULTS", "https://my-vault.vault.azure.net,https://evil.example"),
        ("ROTATION_VAULTS", "https://my-vault.vault.azure.net@evil.example"),
        ("ROTATION_VAULTS", "https://vault.azure.net"),
        ("ROTATION_VAULTS", "https://evilvault.azure.net"),
        ("ROTATION_VAULTS", "https://my-vault.vault.azure.net.evil.example"),
        ("ROTATION_VAULTS", "https://my-vault.vault.azure.net:8443"),
        ("ROTATION_VAULTS", "https://my-vault.vault.azure.cn"),
        ("ROTATION_VAULTS", "https://my-vault\u212a.vault.azure.net"),
        ("ROTATION_ALLOWED_SCOPES", "*"),
        ("ROTATION_ALLOWED_SCOPES", "/"),
        ("ROTATION_ALLOWED_SCOPES", "/subscriptions"),
        ("ROTATION_ALLOWED_SCOPES", f"{GROUP},rg2"),
        ("ROTATION_TOPIC_ENDPOINT", "my-topic"),
        ("ROTATION_TOPIC_ENDPOINT", "http://my-topic.eventgrid.azure.net"),
        ("ROTATION_TOPIC_ENDPOINT", f"{TOPIC}#x"),
        ("ROTATION_TOPIC_ENDPOINT", "https://user@my-topic.eventgrid.azure.net"),
        ("ROTATION_TOPIC_ENDPOINT", "https://my-topic.eventgrid.azure.net\\@evil.example"),
        ("ROTATION_TOPIC_ENDPOINT", "https://my-\u212a.eventgrid.azure.net"),
        ("ROTATION_TOPIC_ENDPOINT", "https://"),
        ("ROTATION_CLOUD", "AzureMoonCloud"),
        ("ROTATION_ARM_ENDPOINT", "http://management.azure.com"),
        ("ROTATION_ARM_ENDPOINT", "management.azure.com"),
        ("ROTATION_VERIFY_VAULT_DOMAIN", "no"),
        ("ROTATION_VERIFY_VAULT_DOMAIN", "0"),
    ],
)
def test_a_malformed_setting_is_named(name: str, value: str) -> None:
    """
    The error says which setting it is and what it must be.
    """
    with pytest.raises(SettingsError, match=f"^setting {name} ") as refusal:
        read_settings(LEAST | {name: value})

    assert refusal.value.setting == name
    assert "must be" in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AzureWebJobsStorage__tableServiceUri", CONNECTION.replace("bWFkZS11cA==", "s3cr3t")),
        ("AzureWebJobsStorage__tableServiceUri", f"{TABLES}/?sv=2024-11-04&ss=t&sp=rwdlacu&sig=s3cr3t"),
        ("AzureWebJobsStorage__tableServiceUri", "https://user:s3cr3t@account.table.core.windows.net"),
        ("ROTATION_TOPIC_ENDPOINT", f"{TOPIC}?aeg-sas-key=s3cr3t"),
        ("ROTATION_TOPIC_ENDPOINT", "https://user:s3cr3t@my-topic.eventgrid.azure.net"),
        ("ROTATION_ARM_ENDPOINT", "https://gateway.example?subscription-key=s3cr3t"),
    ],
)
def test_a_secret_in_the_wrong_setting_is_not_told(name: str, value: str) -> None:
    """
    Who pastes a connection string or a signed address where none belongs does not find its key in the log.
    """
    with pytest.raises(SettingsError, match=name) as refusal:
        read_settings(BY_IDENTITY | {name: value})

    assert "s3cr3t" not in str(refusal.value)
    assert "s3cr3t" not in refusal.value.expected


@pytest.mark.parametrize(
    ("written", "vaults"),
    [
        (
            "https://a.vault.azure.net,https://b.vault.azure.net",
            ["https://a.vault.azure.net", "https://b.vault.azure.net"],
        ),
        (" https://A.vault.azure.net/ , ", ["https://a.vault.azure.net"]),
        ("https://a.vault.azure.net:443", ["https://a.vault.azure.net"]),
    ],
)
def test_vaults_are_listed_in_their_one_spelling(written: str, vaults: list[str]) -> None:
    """
    Blanks, slashes and case in the list do not keep a secret's id from being recognised.
    """
    assert read_settings(LEAST | {"ROTATION_VAULTS": written}).vaults == vaults


@pytest.mark.parametrize(
    ("cloud", "arm", "vault"),
    [
        ("AzurePublicCloud", "https://management.azure.com", "https://kv.vault.azure.net"),
        ("AzureUSGovernment", "https://management.usgovcloudapi.net", "https://kv.vault.usgovcloudapi.net"),
        ("AzureChinaCloud", "https://management.chinacloudapi.cn", "https://kv.vault.azure.cn"),
    ],
)
def test_a_cloud_brings_its_addresses(cloud: str, arm: str, vault: str) -> None:
    """
    Its name decides the ARM endpoint and the only domain in which a vault may be.
    """
    settings = read_settings(LEAST | {"ROTATION_CLOUD": cloud, "ROTATION_VAULTS": vault})

    assert settings.arm_endpoint == arm
    assert settings.cloud.arm_scope.startswith("https://management.")
    assert settings.cloud.arm_scope.endswith("/.default")
    for other in CLOUDS.keys() - {cloud}:
        with pytest.raises(SettingsError, match=CLOUDS[other].vault_domain):
            read_settings(LEAST | {"ROTATION_CLOUD": other, "ROTATION_VAULTS": vault})


def test_a_private_gateway_stands_in_for_arm() -> None:
    """
    The endpoint is the given one without a slash at its end, the scope of tokens stays the cloud's.
    """
    settings = read_settings(LEAST | {"ROTATION_ARM_ENDPOINT": "https://gateway.example:8443/arm/"})

    assert settings.arm_endpoint == "https://gateway.example:8443/arm"
    assert settings.cloud.arm_scope == "https://management.azure.com/.default"


@pytest.mark.parametrize("written", ["false", "False", "FALSE"])
def test_a_vault_elsewhere_needs_the_check_switched_off(written: str) -> None:
    """
    Then, and only then, a vault may have any host and port.
    """
    elsewhere = LEAST | {"ROTATION_VAULTS": "https://localhost:8443"}

    with pytest.raises(SettingsError, match=r"vault\.azure\.net"):
        read_settings(elsewhere)
    settings = read_settings(elsewhere | {"ROTATION_VERIFY_VAULT_DOMAIN": written})
    assert settings.vaults == ["https://localhost:8443"]


@pytest.mark.parametrize(
    ("more", "app", "storage"),
    [
        ({}, None, None),
        ({"AZURE_CLIENT_ID": ""}, None, None),
        ({"AZURE_CLIENT_ID": "a"}, "a", "a"),
        ({"AzureWebJobsStorage__clientId": "s"}, None, "s"),
        ({"AZURE_CLIENT_ID": "a", "AzureWebJobsStorage__clientId": "s"}, "a", "s"),
    ],
)
def test_storage_may_have_an_identity_of_its_own(more: dict[str, str], app: str | None, storage: str | None) -> None:
    """
    Without one it is the app's, and without that the system-assigned one.
    """
    settings = read_settings(BY_IDENTITY | more)

    assert settings.storage.table_service_uri == TABLES
    assert settings.storage.connection_string is None
    assert (settings.client_id, settings.storage.client_id) == (app, storage)


def test_a_connection_string_is_never_shown() -> None:
    """
    The representation of the settings, which a log may get, holds no account key.
    """
    settings: Settings = read_settings(LEAST)

    for shown in (repr(settings), str(settings), repr(settings.storage), f"{settings.storage}"):
        assert "bWFkZS11cA" not in shown
    assert TABLES in repr(read_settings(BY_IDENTITY))


def test_azure_is_where_an_identity_endpoint_is() -> None:
    """
    App Service's own variable tells whether a managed identity can be asked.
    """
    assert read_settings(LEAST | {"IDENTITY_ENDPOINT": "http://127.0.0.1:1/msi/token"}).in_azure
    assert not read_settings(LEAST).in_azure


def test_the_settings_that_are_read_are_those_that_are_named() -> None:
    """
    NAMES lists every setting that is looked up and no other; App Service's own variable is none.
    """
    asked = set()
    for environment in (LEAST, BY_IDENTITY, BY_NAME):
        recording = Recording(environment)
        read_settings(recording)
        asked |= recording.asked

    assert asked - {"IDENTITY_ENDPOINT"} == set(NAMES)
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize(
    ("written", "days"), [(None, 30), ("", 30), ("1", 1), ("45", 45), (" 60 ", 60), ("030", 30), ("365", 365)]
)
def test_the_lead_of_a_sweep_is_a_number_of_days(written: str | None, days: int) -> None:
    """
    30 where nothing is said.
    """
    environment = LEAST if written is None else LEAST | {"ROTATION_LEAD_DAYS": written}

    assert read_settings(environment).lead == timedelta(days=days)


@pytest.mark.parametrize("written", ["0", "366", "-1", "1.5", "thirty", "٣٠", "1e2", "3 0", "P30D", "0001", "9" * 5000])
def test_another_lead_is_refused_with_its_bounds(written: str) -> None:
    """
    The setting is named, and what it must be.
    """
    with pytest.raises(SettingsError, match=r"ROTATION_LEAD_DAYS.*from 1 to 365") as error:
        read_settings(LEAST | {"ROTATION_LEAD_DAYS": written})
    assert error.value.setting == "ROTATION_LEAD_DAYS"
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("written", "hours"), [(None, 24), ("", 24), ("0", 0), ("1", 1), (" 48 ", 48), ("0.5", 0.5), ("168", 168)]
)
def test_the_grace_time_is_a_number_of_hours(written: str | None, hours: float) -> None:
    """
    24 where nothing is said.
    """
    environment = LEAST if written is None else LEAST | {"ROTATION_GRACE_HOURS": written}

    assert read_settings(environment).grace == timedelta(hours=hours)


@pytest.mark.parametrize("written", ["169", "168.1", "-1", "a day", "٢٤", "1e2", "2 4", "PT1H", ".5", "1.", "9" * 5000])
def test_another_grace_time_is_refused_with_its_bounds(written: str) -> None:
    """
    The setting is named, and what it must be.
    """
    with pytest.raises(SettingsError, match=r"ROTATION_GRACE_HOURS.*from 0 to 168") as error:
        read_settings(LEAST | {"ROTATION_GRACE_HOURS": written})
    assert error.value.setting == "ROTATION_GRACE_HOURS"
    assert len(str(error.value)) < 300


def test_a_grace_time_with_a_comma_is_told_to_have_a_dot() -> None:
    """
    Many languages write one and a half hours so, and the value itself is not shown.
    """
    with pytest.raises(SettingsError, match=r"with a dot before parts of one \(1\.5\)") as error:
        read_settings(LEAST | {"ROTATION_GRACE_HOURS": "1,5"})
    assert "dot" in error.value.expected


@pytest.mark.parametrize(
    ("written", "days"), [(None, 1), ("", 1), ("0", None), ("000", None), (" 7 ", 7), ("365", 365)]
)
def test_how_often_secrets_are_verified_is_a_number_of_days(written: str | None, days: int | None) -> None:
    """
    Daily where nothing is said, and 0 turns it off.
    """
    environment = LEAST if written is None else LEAST | {"ROTATION_VERIFY_DAYS": written}

    assert read_settings(environment).verify_every == (timedelta(days=days) if days else None)


@pytest.mark.parametrize("written", ["366", "-1", "1.5", "daily", "1e2", "9" * 5000])
def test_another_number_of_days_is_refused_with_its_bounds(written: str) -> None:
    """
    The setting is named, and what it must be.
    """
    with pytest.raises(SettingsError, match=r"ROTATION_VERIFY_DAYS.*from 0 to 365") as error:
        read_settings(LEAST | {"ROTATION_VERIFY_DAYS": written})
    assert error.value.setting == "ROTATION_VERIFY_DAYS"


@pytest.mark.parametrize(
    ("written", "observes"),
    [(None, False), ("", False), ("rotate", False), ("observe", True), (' "Observe" ', True), ("OBSERVE", True)],
)
def test_an_app_observes_only_where_that_is_said(written: str | None, observes: bool) -> None:
    """
    In any case, and with what surrounds it; it rotates where nothing is said.
    """
    environment = LEAST if written is None else LEAST | {"ROTATION_MODE": written}

    assert read_settings(environment).observes is observes


@pytest.mark.parametrize("written", ["observ", "observing", "true", "off", "rotate, observe", "observe\u200b x"])
def test_another_mode_is_refused_with_those_that_there_are(written: str) -> None:
    """
    Nobody who wanted to observe, and misspelt it, finds keys rotated.
    """
    with pytest.raises(SettingsError, match=r"ROTATION_MODE is .*: it must be rotate or observe$") as error:
        read_settings(LEAST | {"ROTATION_MODE": written})
    assert error.value.setting == "ROTATION_MODE"
    assert error.value.expected == "rotate or observe"


@pytest.mark.parametrize(
    ("written", "authentication"),
    [
        (None, Authentication.KEY),
        ("", Authentication.KEY),
        ("Key", Authentication.KEY),
        (' "ENTRA"\n', Authentication.ENTRA),
    ],
)
def test_a_sign_in_is_asked_for_only_where_that_is_said(written: str | None, authentication: Authentication) -> None:
    """
    In any case, and with what surrounds it; a function key counts where nothing is said.
    """
    environment = LEAST if written is None else LEAST | {"ROTATION_AUTHENTICATION": written}

    assert read_settings(environment).authentication is authentication


@pytest.mark.parametrize("written", ["entraid", "keys", "none", "anonymous", "key, entra", "false"])
def test_another_way_to_let_callers_in_is_refused_with_those_that_there_are(written: str) -> None:
    """
    Nobody who misspelt it is found without any.
    """
    with pytest.raises(SettingsError, match=r"ROTATION_AUTHENTICATION is .*: it must be key or entra$") as error:
        read_settings(LEAST | {"ROTATION_AUTHENTICATION": written})
    assert error.value.setting == "ROTATION_AUTHENTICATION"
    assert error.value.expected == "key or entra"


def test_the_sample_holds_nothing_that_is_not_read() -> None:
    """
    Every key is a setting of the code, of a trigger's binding, or of the Functions host.
    """
    bindings = {
        name for module in (ROOT / "handlers").glob("*.py") for name in re.findall(r'"%(\w+)%"', module.read_text())
    }

    of_the_worker = {"FUNCTIONS_WORKER_RUNTIME", "PYTHON_ISOLATE_WORKER_DEPENDENCIES"}
    assert sample().keys() - of_the_worker <= set(NAMES) | bindings
    assert bindings <= sample().keys()
    assert sample()["FUNCTIONS_WORKER_RUNTIME"] == "python"
    assert sample()["PYTHON_ISOLATE_WORKER_DEPENDENCIES"] == "1"


def test_the_sample_is_complete() -> None:
    """
    Anyone who copies it has every required setting, in the form that it must have.
    """
    assert required_of(LEAST) <= sample().keys()
    read_settings(sample())


@pytest.mark.parametrize(
    ("cloud", "tables"),
    [
        ("AzurePublicCloud", "https://strotator.table.core.windows.net"),
        ("azureusgovernment", "https://strotator.table.core.usgovcloudapi.net"),
        ("AzureChinaCloud", "https://strotator.table.core.chinacloudapi.cn"),
    ],
)
def test_the_name_of_the_storage_account_is_enough_in_each_cloud(cloud: str, tables: str) -> None:
    """
    The tables are at the address that the cloud gives an account of that name.
    """
    by_name = LEAST | {
        "AzureWebJobsStorage": "",
        "AzureWebJobsStorage__accountName": " strotator\n",
        "ROTATION_CLOUD": cloud,
        "ROTATION_VAULTS": f"https://my-vault.{CLOUDS_BY_LOWER_NAME[cloud.lower()].vault_domain}",
    }
    storage = read_settings(by_name).storage
    assert (storage.connection_string, storage.table_service_uri) == (None, tables)


def test_a_connection_string_comes_before_an_address_and_an_address_before_a_name() -> None:
    """
    The app uses the storage that the Functions host uses.
    """
    named = BY_IDENTITY | {"AzureWebJobsStorage__accountName": "other"}
    assert read_settings(named).storage.table_service_uri == TABLES
    assert read_settings(named | {"AzureWebJobsStorage": CONNECTION}).storage.table_service_uri is None


@pytest.mark.parametrize("name", ["st", "st-rotator", "a" * 25, "st.table.core.windows.net", CONNECTION])
def test_what_is_no_account_name_is_refused_and_not_quoted(name: str) -> None:
    """
    A connection string that was put there by mistake must not reach a log.
    """
    with pytest.raises(SettingsError, match="AzureWebJobsStorage__accountName") as refusal:
        read_settings(LEAST | {"AzureWebJobsStorage": "", "AzureWebJobsStorage__accountName": name})
    assert name not in str(refusal.value).split()


@pytest.mark.parametrize(
    "written",
    [
        '"https://a.vault.azure.net,https://b.vault.azure.net"',
        '"https://a.vault.azure.net","https://b.vault.azure.net"',
        "https://a.vault.azure.net;\r\nhttps://b.vault.azure.net;",
        "\ufeff'https://a.vault.azure.net'\n\xa0https://b.vault.azure.net\u200b,",
    ],
)
def test_what_wraps_a_list_or_its_items_is_ignored(written: str) -> None:
    """
    Quotes, blanks, semicolons and line breaks come from shells and spreadsheets.
    """
    settings = read_settings(LEAST | {"ROTATION_VAULTS": written})
    assert settings.vaults == ["https://a.vault.azure.net", "https://b.vault.azure.net"]


def test_what_wraps_a_value_is_ignored() -> None:
    """
    Quotes, blanks and byte order marks around a value mean nothing.
    """
    wrapped = {name: f'\ufeff "{value}"\xa0\n' for name, value in LEAST.items()}
    settings = read_settings(wrapped)
    assert (settings.topic_endpoint, settings.storage.connection_string) == (TOPIC, CONNECTION)


@pytest.mark.parametrize("written", ["TRUE ", "'True'", "\xa0true"])
def test_a_flag_is_read_in_any_case_and_wrapping(written: str) -> None:
    """
    True is true.
    """
    elsewhere = LEAST | {"ROTATION_VAULTS": "https://localhost:8443", "ROTATION_VERIFY_VAULT_DOMAIN": written}

    with pytest.raises(SettingsError, match=r"vault\.azure\.net"):
        read_settings(elsewhere)


def test_keys_are_proven_at_hosts_of_the_cloud_alone_unless_a_setting_says_otherwise() -> None:
    """
    A private cloud names its own hosts; a kind whose keys cannot be asked for has none.
    """
    batch, workflow = (
        next(kind for kind in KINDS if kind.provider == name)
        for name in ("Microsoft.Batch/batchAccounts", "Microsoft.Web/sites/workflows")
    )

    assert read_settings(LEAST).suffixes_of(batch) == ["batch.azure.com"]
    assert read_settings(LEAST | {"ROTATION_PROVE_KEYS": " FALSE "}).suffixes_of(batch) == ()
    own = read_settings(LEAST | {"ROTATION_DATA_PLANE_SUFFIXES": " *.Batch.Example, .cloud.example\nlocalhost "})
    assert own.suffixes_of(batch) == ["batch.azure.com", "batch.example", "cloud.example", "localhost"]
    assert own.suffixes_of(workflow) == ()
    government = LEAST | {"ROTATION_CLOUD": "AzureUSGovernment", "ROTATION_VERIFY_VAULT_DOMAIN": "false"}
    assert read_settings(government).suffixes_of(batch) == ["batch.usgovcloudapi.net"]
