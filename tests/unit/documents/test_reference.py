import re
from datetime import timedelta

import pytest
from msgspec import structs
from typer.core import TyperGroup
from typer.main import get_command

from handlers.openapi import document
from rotation.policy import tags
from rotation.ports.inventory import Result, Status
from rotation.vocabulary.endings import SkipReason
from rotation.vocabulary.errors import SettingsError
from rotator.app import app as command_line
from tests.e2e.markdown_page import ROOT, read, section
from wiring.settings import NAMES, read_settings

#: The Functions host reads it, for the trigger of the sweep.
OF_THE_HOST = "ROTATION_SWEEP_SCHEDULE"
REQUIRED = {
    "ROTATION_VAULTS": "https://kv.vault.azure.net",
    "ROTATION_ALLOWED_SCOPES": "",
    "ROTATION_TOPIC_ENDPOINT": "https://evgt.westeurope-1.eventgrid.azure.net/api/events",
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
}


def first_cells(text: str) -> list[str]:
    """
    Return the words in code in the first cell of each row.
    """
    cells = re.findall(r"^\| (.*?) \|", text, re.MULTILINE)
    return [word for cell in cells for word in re.findall(r"`([^`]+)`", cell)]


def defaults() -> dict[str, str]:
    """
    Return each setting of the table with its default.
    """
    table = section(read("docs/configuration.md"), "Settings")
    return dict(re.findall(r"^\| \[`(\w+)`\]\(#\w+\) \| (.*?) \|", table, re.MULTILINE))


def test_every_setting_is_in_the_table_and_has_a_section() -> None:
    """
    Those that the code or the sweep's trigger reads, and no other; parts of `AzureWebJobsStorage` are in its section.
    """
    whole = {name for name in NAMES if "__" not in name} | {OF_THE_HOST}
    parts = set(NAMES) - whole

    assert set(defaults()) == whole
    for name in whole:
        assert section(read("docs/configuration.md"), name).strip()
    assert not [part for part in parts if part not in section(read("docs/configuration.md"), "AzureWebJobsStorage")]


@pytest.mark.parametrize("name", REQUIRED)
def test_a_setting_without_a_default_is_required(name: str) -> None:
    """
    The table says so, and the app refuses to work without it.
    """
    with pytest.raises(SettingsError):
        read_settings({key: value for key, value in REQUIRED.items() if key != name})

    assert defaults()[name].startswith("none, required")


def test_the_other_settings_have_the_default_of_the_table() -> None:
    """
    The app reads it where a setting is missing, and reads the same where the default is written out.
    """
    unset = read_settings(REQUIRED)
    quoted = {name: default.strip("`") for name, default in defaults().items() if default.startswith("`")}

    assert structs.replace(read_settings(REQUIRED | quoted), scopes=unset.scopes) == unset
    assert quoted["ROTATION_LEAD_DAYS"] == str(unset.lead.days)
    assert quoted["ROTATION_GRACE_HOURS"] == str(unset.grace // timedelta(hours=1))
    assert {name for name, default in defaults().items() if "required" in default} == {*REQUIRED, OF_THE_HOST}


def test_every_tag_is_in_the_table() -> None:
    """
    And no other.
    """
    known = [tags.TARGET, tags.KEY, tags.VALIDITY, tags.PAUSED, tags.STRATEGY, tags.ROTATION]

    assert first_cells(section(read("docs/configuration.md"), "Tags on a managed secret")) == known


def test_every_metric_is_in_the_table() -> None:
    """
    And no other.
    """
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "adapters").glob("telemetry*.py")]
    made = {name for source in sources for name in re.findall(r'"(key_rotator\.[a-z.]+)"', source)}

    listed = [
        word for word in first_cells(section(read("docs/configuration.md"), "Metrics")) if word.startswith("key_")
    ]

    assert sorted(listed) == sorted(made)


def calls() -> set[str]:
    """
    Return every call of the API; the page for people is not part of its description.
    """
    paths = document()["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods} | {"GET /dashboard"}


def test_every_call_is_on_the_page_of_the_api() -> None:
    """
    As a heading, and no other; the description itself is named at the beginning.
    """
    headings = re.findall(r"^## ([A-Z]+ /.*)$", read("docs/http-api.md"), re.MULTILINE)

    assert {*headings, "GET /openapi.json"} == calls()
    assert "`GET /openapi.json`" in read("docs/http-api.md").partition("\n## ")[0]


def test_every_call_is_in_the_readme() -> None:
    """
    And no other.
    """
    named = re.findall(r"`([A-Z]+) /api(/[^`?]*)`", "\n".join(re.findall(r"^\|.*", read("README.md"), re.MULTILINE)))

    assert {f"{method} {path}" for method, path in named} == calls()


def test_every_status_and_every_result_of_a_comparison_is_explained() -> None:
    """
    And no other: in the description of the API, and what a status means to the operator on the command line's page.
    """
    assert set(first_cells(section(read("docs/http-api.md"), "Status"))) == set(Status)
    assert set(first_cells(section(read("docs/http-api.md"), "Verified"))) == set(Result)
    assert set(first_cells(section(read("docs/command-line.md"), "status"))) == set(Status)


def test_every_reason_to_skip_is_explained() -> None:
    """
    And no other.
    """
    table = section(read("docs/how-to/a-failed-rotation.md"), "Skipped is not a failure")

    assert set(first_cells(table)) == set(SkipReason)


def options() -> set[str]:
    """
    Return every option of every command; of a pair that says yes or no, the one that changes something.
    """
    group = get_command(command_line)
    assert isinstance(group, TyperGroup)
    parameters = [parameter for command in (group, *group.commands.values()) for parameter in command.params]
    return {
        (parameter.secondary_opts or parameter.opts)[0]
        for parameter in parameters
        if parameter.param_type_name == "option"
    }


def test_every_option_is_on_the_page_of_the_command_line() -> None:
    """
    In a text, a table or an example.
    """
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", read("docs/command-line.md")))

    assert options() - named == set()


def test_every_option_that_a_table_of_the_command_line_explains_is_there() -> None:
    """
    One that is gone is gone there too.
    """
    rows = re.findall(r"^\| (`--.*?) \|", read("docs/command-line.md"), re.MULTILINE)

    assert {option for row in rows for option in re.findall(r"--[a-z-]+", row)} - options() == set()
