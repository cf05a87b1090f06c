import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azurite import REPOSITORY
from localcloud.cloud import LocalCloud
from localcloud.kinds import KINDS
from rotator.app import app as command_line
from tests.e2e.client import ENDED, Client, eventually


class Command:
    """
    The command line, pointed at a local cloud.
    """

    def __init__(self, cloud: LocalCloud) -> None:
        self._runner = CliRunner(
            env={
                "KEY_ROTATOR_URL": cloud.host.url,
                "KEY_ROTATOR_FUNCTION_KEY": cloud.host.function_key,
                "KEY_ROTATOR_AUDIENCE": None,
            }
        )

    async def __call__(self, *arguments: str) -> Result:
        """
        Run it in a thread: the local Azure lives in this one.
        """
        return await asyncio.to_thread(self._runner.invoke, command_line, arguments, catch_exceptions=False)

    async def json(self, *arguments: str) -> tuple[int, Any]:
        """
        Return exit code and document.
        """
        result = await self(*arguments, "--json")
        return result.exit_code, json.loads(result.stdout)


@pytest.fixture(params=["batch", "workflow"])
def kind(request: pytest.FixtureRequest) -> str:
    """
    Return an account and what lies below a site: the command line knows no kinds, and sees their ids alone.
    """
    return str(request.param)


@pytest.fixture
def run(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Command:
    """
    Return the command line for the shared cloud, whose rotations take no time to speak of: it looks again soon.
    """
    monkeypatch.setattr("rotator.watching._FIRST_PAUSE", 0.05)
    return Command(cloud)


async def test_secrets_are_rotated_and_seen_through(client: Client, run: Command) -> None:
    """
    From one command to the end of both: each secret holds its other key, which was regenerated once.
    """
    subjects = [await client.subject(kind) for kind in ("batch", "workflow")]

    result = await run("rotate", *(subject.uri for subject in subjects), "--reason", "quarterly")

    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("2 completed\n")
    for subject in subjects:
        assert f"/{subject.secret}: Completed (Primary -> Secondary)\n" in result.stderr
        assert subject.holds("Secondary")
        assert subject.regenerations() == 1


async def test_an_accepted_rotation_is_watched_to_its_end(client: Client, run: Command, kind: str) -> None:
    """
    Every command tells the same record of it, and the same Idempotency-Key rotates nothing again.
    """
    subject = await client.subject(kind)
    again = ["rotate", subject.uri, "--reason", "quarterly", "--idempotency-key", f"run of {subject.secret}"]
    accepted, document = await run.json(*again, "--no-watch")
    rotation_id = document["rotations"][0]["id"]

    watched = await run("watch", rotation_id)

    assert (accepted, watched.exit_code) == (0, 0)
    assert watched.stdout.startswith("Completed  ")
    assert "  key        Primary -> Secondary\n" in watched.stdout
    assert "  reason     quarterly\n" in watched.stdout
    record = await client.get(rotation_id)
    assert await run.json("show", rotation_id) == (0, record)
    assert await run.json("history", subject.uri, "--since", "1h") == (
        0,
        {"rotations": [record], "continuation": None},
    )
    assert await run.json(*again) == (0, {"rotations": [record], "problems": []})
    assert subject.regenerations() == 1


async def test_a_dry_run_shows_the_steps_and_changes_nothing(client: Client, run: Command, kind: str) -> None:
    """
    And says how what is asked for would fail.
    """
    subject = await client.subject(kind)
    version = subject.version

    fine = await run("rotate", subject.uri, "--dry-run", "--revoke-previous-after", "PT1H")
    refused = await run("rotate", subject.uri, "--dry-run", "--key", "Primary")

    assert fine.exit_code == 0
    assert re.search(r"^  \d\. +regenerate +regenerate Secondary; ", fine.stdout, re.MULTILINE)
    assert re.search(r"^  \d\. +schedule +write down that .* leaked, .* 1 hour after ", fine.stdout, re.MULTILINE)
    assert refused.exit_code == 1
    assert "  error      active_key: " in refused.stdout
    assert (subject.version, subject.regenerations()) == (version, 0)


async def test_status_shows_what_the_vaults_hold(client: Client, run: Command, kind: str) -> None:
    """
    Who shares a target, and after a rotation the other key, without another look at the vaults.
    """
    subject = await client.subject(kind)
    client.cloud.vault.set(
        f"{subject.secret}-twin", subject.target.value("Primary"), tags=client.cloud.vault.current(subject.secret).tags
    )
    target = ["--target", subject.target.arm_id]

    before = await run("status", *target, "--refresh")
    _, document = await run.json("rotate", subject.uri, "--no-watch")
    assert (await run("watch", document["rotations"][0]["id"])).exit_code == 0
    code, after = await run.json("status", *target)

    assert (before.exit_code, code) == (0, 0)
    heading, *rows = before.stdout.splitlines()
    assert heading.split()[:3] == ["secret", "target", "key"]
    assert [row.split()[2] for row in rows] == ["Primary", "Primary"]
    assert {row.split()[0].partition("/")[2] for row in rows} == {subject.secret, f"{subject.secret}-twin"}
    assert f"/{subject.secret}-twin" in next(row for row in rows if f"/{subject.secret} " in row)
    _, page, _ = await client.ask("GET", f"/secrets?target={subject.target.arm_id}")
    assert sorted(after["secrets"], key=name_of) == sorted(page["secrets"], key=name_of)
    assert {name_of(line): line["keyName"] for line in after["secrets"]}[subject.secret] == "Secondary"


async def test_a_secret_is_shown_and_verified_by_its_name(client: Client, run: Command, kind: str) -> None:
    """
    Before any look has found it and after, with the other secret of its target; drift is exit code 1.
    """
    # A vault is known by name once the app has listed it.
    await client.ask("GET", "/secrets?refresh=true")
    subject = await client.subject(kind)
    twin = f"{subject.secret}-twin"
    client.cloud.put_secret(twin, subject.target.value("Secondary"), subject.target.address)

    before = await run("show", subject.secret)
    verified = await run("verify", twin)
    code, after = await run.json("verify", subject.uri)
    shown = await run("show", subject.secret)
    subject.target.regenerate("Primary")
    drifted = await run("verify", subject.secret)

    assert (before.exit_code, verified.exit_code, code, shown.exit_code, drifted.exit_code) == (0, 0, 0, 0, 1)
    assert "  key        - (tag: Primary)\n" in before.stdout
    assert "  key        Secondary (tag: Primary)\n" in verified.stdout
    assert [each["heldKey"] for each in after["neighbours"]] == ["Secondary"]
    assert "  key        Primary\n" in shown.stdout
    assert re.search(rf"/{twin} +Secondary \(tag: Primary\) ", shown.stdout)
    assert drifted.stdout.startswith("Drifted  ")
    assert "neither key" in drifted.stdout


async def test_a_key_that_somebody_regenerated_by_hand_shows_as_drift(tmp_path: Path, ca: CertificateAuthority) -> None:
    """
    Of every kind, after a refresh, with the reason; one whose tag is misspelt shows beside it, and none is touched.
    """
    async with LocalCloud(tmp_path, ca=ca, is_impatient=True) as cloud:
        client, run = Client(cloud), Command(cloud)
        subjects = [await client.subject(kind.name) for kind in KINDS]
        cloud.vault.set("misspelt", subjects[0].target.value("Secondary"), tags={"ProviderAdress": "somewhere"})
        live = await run("status", "--refresh")

        for subject in subjects:
            subject.target.regenerate("Primary")
        drifted = await run("status", "--status", "Drifted", "--refresh")
        _, nearly = await run.json("status", "--status", "NearlyManaged")

        assert live.stdout.count("Live now") == len(subjects)
        assert drifted.stdout.count("Drift now") == len(subjects)
        assert drifted.stdout.count("the secret's value holds neither key of ") == len(subjects)
        assert f": {len(subjects)} Drifted; " in drifted.stderr
        (line,) = nearly["secrets"]
        assert (name_of(line), line["target"]) == ("misspelt", None)
        assert "'ProviderAdress' must be named ProviderAddress" in line["why"]
        assert [subject.regenerations() for subject in subjects] == [0] * len(subjects)


async def test_what_the_app_refuses_is_told_with_a_remedy(client: Client, run: Command, kind: str) -> None:
    """
    Whether the refusal comes at once or as the end of a rotation.
    """
    subject = await client.subject(kind)
    _, document = await run.json("rotate", subject.uri, "--key", "Primary", "--no-watch")

    failed = await run("watch", document["rotations"][0]["id"])
    unknown = await run("rotate", f"{subject.uri}-that-is-not")

    assert (failed.exit_code, unknown.exit_code) == (1, 1)
    assert "  error      active_key: " in failed.stdout
    assert "-> rotate the secret without --key" in failed.stdout
    assert "secret_not_found: " in unknown.stderr
    assert subject.regenerations() == 0


async def test_a_key_that_no_secret_holds_is_regenerated(client: Client, run: Command, kind: str) -> None:
    """
    By its target alone; the secret goes on working.
    """
    subject = await client.subject(kind)
    spare = subject.target.value("Secondary")
    _, document = await run.json(
        "rotate", "--target", subject.target.arm_id, "--key", "Secondary", "--no-watch", "--yes"
    )

    result = await run("watch", document["rotations"][0]["id"])

    assert result.exit_code == 0
    assert subject.target.value("Secondary") != spare
    assert subject.holds("Primary")


async def test_a_second_rotation_waits_unless_the_grace_time_is_ignored(
    tmp_path: Path, ca: CertificateAuthority
) -> None:
    """
    Dry run, rotate and watch show the same time, and no key is regenerated before it.
    """
    async with LocalCloud(tmp_path, ca=ca, is_impatient=True, ROTATION_GRACE_HOURS="24") as cloud:
        client, run = Client(cloud), Command(cloud)
        subject = await client.subject()
        first = await run("rotate", subject.uri)

        planned = await run("rotate", subject.uri, "--dry-run")
        second = await run("rotate", subject.uri)
        watched, document = await run.json("watch", *re.findall(r"too_soon: rotation (\S+) waits", second.stderr))
        assert (first.exit_code, planned.exit_code, second.exit_code, watched) == (0, 1, 1, 1)
        (waiting,), (problem,) = document["rotations"], document["problems"]
        assert (waiting["state"], problem["code"]) == ("Scheduled", "too_soon")
        until = f"{waiting['allowedOn'][:10]} {waiting['allowedOn'][11:19]} UTC"
        assert all(f"  allowed    {until}; until then " in result.stdout for result in (planned, second))
        assert subject.regenerations() == 1

        third = await run("rotate", subject.uri, "--ignore-grace", "--yes")
        assert third.exit_code == 0
        assert "  key        Secondary -> Primary\n" in third.stdout
        assert subject.holds("Primary")
        assert subject.regenerations() == 2


async def test_a_leaked_key_dies_after_every_holder_has_left_it(client: Client, run: Command, kind: str) -> None:
    """
    The command shows who holds it, moves them, and waits until it is dead.
    """
    subject = await client.subject(kind)
    twin = f"{subject.secret}-twin"
    client.cloud.put_secret(twin, subject.target.value("Primary"), subject.target.address)
    await client.ask("GET", "/secrets?refresh=true")
    leaked = subject.target.value("Primary")

    planned = await run("leak", subject.uri, "--dry-run")
    code, document = await run.json("leak", subject.uri, "--after", "PT1S", "--reason", "in a log", "--yes")

    assert planned.exit_code == 0
    assert f"The app has looked: rotate at once what holds Primary too: {subject.uri}-twin\n" in planned.stdout
    assert (code, document["holders"], document["problems"]) == (0, [], [])
    assert {one["secret"]["name"] for one in document["rotations"]} == {subject.secret, twin}
    assert (document["revocation"]["state"], document["revocation"]["reason"]) == ("Scheduled", "in a log")
    assert subject.target.value("Primary") == leaked
    revocation = document["revocation"]["id"]
    await eventually(lambda: resumed(client, revocation), lambda: f"the end of {revocation}")
    watched = await run("watch", revocation)
    assert watched.exit_code == 0
    assert watched.stdout.startswith("Completed  ")
    assert subject.target.value("Primary") != leaked
    assert subject.holds("Secondary")


async def test_a_revocation_is_cancelled_before_the_key_dies(client: Client, run: Command) -> None:
    """
    The secret has moved, the key stays alive, and no time that passes changes that.
    """
    subject = await client.subject()
    leaked = subject.target.value("Primary")
    _, document = await run.json("leak", subject.uri, "--after", "PT1S", "--yes")
    revocation = document["revocation"]["id"]

    cancelled = await run("cancel", revocation, "--yes")
    again = await run("cancel", document["rotations"][0]["id"], "--yes")

    assert cancelled.exit_code == 0
    assert "  skipped    cancelled\n" in cancelled.stdout
    assert again.exit_code == 1
    assert "not_cancellable: " in again.stderr
    assert await resumed(client, revocation)
    await client.idle()
    assert subject.target.value("Primary") == leaked
    assert subject.holds("Secondary")


async def test_a_secret_is_put_under_management_and_changed(client: Client, run: Command) -> None:
    """
    Created beside another one of its target, paused, resumed, let go of, and taken up again.
    """
    subject = await client.subject()
    name, target = f"{subject.secret}-made", ["--target", subject.target.arm_id, "--validity-days", "90"]
    place = f"{client.cloud.vault.uri}/secrets/{name}"

    code, made = await run.json("create", place, *target)

    assert (code, made["status"], made["keyName"]) == (0, "UpToDate", "Primary")
    assert (await run.json("pause", place))[1]["status"] == "Paused"
    assert (await run.json("resume", place))[1]["status"] == "UpToDate"
    assert (await run("set", place, "--validity-days", "60")).exit_code == 0
    assert client.cloud.vault.current(name).tags["ValidityPeriodDays"] == "60"
    left = {"secret": {"vault": client.cloud.vault.uri, "name": name}, "managed": False}
    assert await run.json("unmanage", place, "--yes") == (0, left)
    assert "ProviderAddress" not in client.cloud.vault.current(name).tags
    assert (await run.json("manage", place, *target))[1]["keyName"] == "Primary"


async def test_a_wrong_key_opens_nothing_but_the_health(run: Command) -> None:
    """
    Exit code 3, without the key in the error.
    """
    wrong = ["--function-key", "a-wrong-function-key"]

    refused = await run("status", *wrong)

    assert refused.exit_code == 3
    assert "not_admitted: " in refused.stderr
    assert "a-wrong-function-key" not in refused.output
    assert (await run("health", *wrong)).exit_code == 0


async def test_every_request_of_test_http_is_one_that_the_app_understands(client: Client) -> None:
    """
    With its variables filled in, none is malformed, none misses its route, and every operation has one.
    """
    subject = await client.subject()
    _, record = await client.rotate(subject)
    vault = client.cloud.vault.uri.removeprefix("https://")
    variables, requests = read_http_file(
        (REPOSITORY / "test.http").read_text(),
        url="",
        functionKey=client.host.function_key,
        vault=vault,
        name=subject.secret,
        secret=subject.uri,
        target=subject.target.arm_id,
        rotationId=record["id"],
    )

    assert variables == {"url", "functionKey", "vault", "name", "secret", "target", "rotationId"}
    for method, path, headers, body in requests:
        status, answer, _ = await client.ask(method, path, raw=body.encode() or None, headers=headers)
        if "rotationId" in (answer or {}):
            assert answer["code"] in {"active_key", "busy", "not_cancellable"}, (method, path, answer)
        else:
            assert status in {200, 202}, (method, path, answer)
        await client.idle()
    _, description, _ = await client.ask("GET", "/openapi.json")
    operations = {(method.upper(), path) for path, methods in description["paths"].items() for method in methods}
    named = {record["id"]: "{id}", f"/{vault}/{subject.secret}": "/{vault}/{name}"}
    called = set()
    for method, path, *_ in requests:
        template = path.partition("?")[0]
        for given, parameters in named.items():
            template = template.replace(given, parameters)
        called.add((method, template))
    assert called == operations


def read_http_file(text: str, **given: str) -> tuple[set[str], list[tuple[str, str, dict[str, str], str]]]:
    """
    Return the names of the variables, and method, URL, headers and body of each request, with variables filled in.
    """
    head, *parts = re.split(r"^###.*\n", text, flags=re.MULTILINE)
    variables = dict(re.findall(r"^@(\w+) = (.*)$", head, re.MULTILINE))
    requests = []
    for part in parts:
        filled = re.sub(r"\{\{(\w+)\}\}", lambda name: (variables | given)[name[1]], part)
        request, _, body = filled.strip().partition("\n\n")
        first, *headers = request.splitlines()
        method, url = first.split(" ", 1)
        requests.append((method, url, dict(header.split(": ", 1) for header in headers), body))
    return set(variables), requests


async def resumed(client: Client, rotation_id: str) -> bool:
    """
    Let the app look for what is due; return whether a rotation has ended.
    """
    await client.host.run("resume_rotations")
    return (await client.get(rotation_id))["state"] in ENDED


def name_of(line: dict[str, Any]) -> str:
    """
    Return the name of the secret that a line of the list is about.
    """
    return str(line["secret"]["name"])
