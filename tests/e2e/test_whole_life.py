import json
import re
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient

from tests.e2e.test_demo import PATIENCE
from tests.e2e.test_start import READY, Run, start

GROUP = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-local"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/mystorage"
CREATED, OTHER = "images", "storage-connection"


class Ground:
    """
    A run of `make start`, its command line, and what it prints for those who look behind it.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        text = "\n".join(run.lines)
        (self.authority,) = set(re.findall(r"CA of the above +(\S+)", text))
        (self.vault,) = set(re.findall(r"^Key Vault +(\S+)", text, re.MULTILINE))
        identity = re.search(r"'(\S+/msi/token)\?resource=\S+' -H 'X-IDENTITY-HEADER: (\w+)'", text)
        assert identity
        self._http = httpx.Client(verify=ssl.create_default_context(cafile=self.authority), timeout=PATIENCE)
        token = self._http.get(
            identity[1],
            params={"resource": "https://vault.azure.net", "api-version": "2019-08-01"},
            headers={"X-IDENTITY-HEADER": identity[2]},
        ).json()
        self._authorization = {"Authorization": f"Bearer {token['access_token']}"}

    def close(self) -> None:
        """
        Leave no connection open.
        """
        self._http.close()

    def rotator(self, arguments: str, code: int = 0) -> Any:
        """
        Run the command line, and return its document.
        """
        shell = self._run.shell(self._run.pasted, f"rotator {arguments} --json")
        assert shell.returncode == code, (arguments, shell.stdout, shell.stderr)
        return json.loads(shell.stdout)

    def get(self, path: str) -> Any:
        """
        Return what the API shows.
        """
        return self._run.request("GET", path)

    def curl(self, *words: str, **exchanged: str) -> None:
        """
        Run the printed line with these words, and the one before it where that fetches a token.
        """
        number, line = next(
            (number, line)
            for number, line in enumerate(self._run.lines)
            if line.startswith("curl") and all(word in line for word in words)
        )
        for old, new in exchanged.items():
            line = line.replace(old, new)
        before = self._run.lines[number - 1]
        shell = self._run.shell("set -e", *([before] if before.startswith("token=") else []), line)
        assert shell.returncode == 0, shell.stderr

    def tell_near_expiry(self, version: str) -> None:
        """
        Let Key Vault say that the created secret is near its expiry.
        """
        line = next(line for line in self._run.lines if line.startswith("curl") and "SecretNearExpiry" in line)
        line = re.sub(r"/secrets/batch-key/\w+", f"/secrets/{CREATED}/{version}", line)
        line = line.replace('"ObjectName": "batch-key"', f'"ObjectName": "{CREATED}"')
        assert self._run.shell(line).returncode == 0

    def let_time_come(self) -> None:
        """
        Let the timer come that resumes rotations, as it does every five minutes.
        """
        line = next(line for line in self._run.lines if "admin/functions/sweep_vaults" in line)
        resume = line.replace("sweep_vaults", "resume_rotations")
        assert self._run.shell(self._run.pasted, resume).returncode == 0

    def value(self, secret: str) -> str:
        """
        Return what a client reads.
        """
        answer = self._http.get(
            f"{self.vault}/secrets/{secret}", params={"api-version": "7.4"}, headers=self._authorization
        )
        return str(answer.json()["value"])

    def connection(self, secret: str) -> str:
        """
        Return how a client of the account connects with the key of a secret.
        """
        whole, value = self.value(OTHER), self.value(secret)
        return value if "AccountKey=" in value else re.sub("AccountKey=[^;]+", f"AccountKey={value}", whole)

    def call(self, connection: str) -> None:
        """
        Use the account, as a client does. Raises `HttpResponseError`.
        """
        with BlobServiceClient.from_connection_string(
            connection, connection_verify=self.authority, retry_total=0
        ) as account:
            list(account.list_containers())


class Clients:
    """
    Two clients, one for each secret, which read it and use the account over and over.
    """

    def __init__(self, ground: Ground) -> None:
        self.calls = 0
        self.failed: list[HttpResponseError] = []
        self._ground = ground
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(secret,)) for secret in (CREATED, OTHER)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()

    def _work(self, secret: str) -> None:
        while not self._ends.wait(0.5):
            try:
                self._ground.call(self._ground.connection(secret))
            except HttpResponseError as error:
                self.failed.append(error)
            self.calls += 1


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """
    Yield a run of `make start` that has planted what it plants.
    """
    with start(tmp_path, tmp_path / "run", 5 * PATIENCE) as run:
        run.read(READY)
        ground = Ground(run)
        yield ground
        ground.close()


def until(ground: Ground, path: str, wanted: str, value: str) -> None:
    """
    Wait until a record that the API shows there has a value in a member.
    """
    for _ in range(5 * PATIENCE):
        document = ground.get(path)
        if value in {record[wanted] for record in document.get("rotations", [document])}:
            return
        ground.let_time_come()
        time.sleep(0.2)
    raise AssertionError(f"{path}: no {wanted} became {value}")


def test_the_whole_life_of_a_secret_by_the_command_line_alone(ground: Ground) -> None:
    """
    Created, rotated, paused, leaked, regenerated behind its back and healed; no call of its clients fails meanwhile.
    """
    made = ground.rotator(f"create {CREATED} --target {ACCOUNT} --validity-days 90")
    assert (made["status"], made["keyName"]) == ("UpToDate", "Primary")
    with Clients(ground) as clients:
        assert CREATED in {item["secret"]["name"] for item in ground.rotator("status")["secrets"]}
        (rotated,) = ground.rotator(f"rotate {CREATED}")["rotations"]
        assert (rotated["state"], rotated["keyName"], rotated["proven"]) == ("Completed", "Secondary", True)

        assert ground.rotator(f"pause {CREATED}")["status"] == "Paused"
        ground.tell_near_expiry(rotated["secret"]["version"])
        until(ground, f"rotations?secret={ground.vault}/secrets/{CREATED}", "skipReason", "paused")
        skipped = ground.rotator(f"history {CREATED} --state skipped")["rotations"]
        assert [(one["trigger"], one["skipReason"]) for one in skipped] == [("SecretNearExpiry", "paused")]
        assert ground.rotator(f"resume {CREATED}")["status"] == "UpToDate"

        (adopted,) = ground.rotator(f"rotate {OTHER}")["rotations"]
        assert (adopted["keyName"], adopted["adopted"]) == ("Secondary", True)
        leaked = ground.connection(CREATED)
        report = ground.rotator(f"leak {CREATED} --after PT5S --reason practice --yes")
        assert (report["holders"], report["problems"]) == ([], [])
        until(ground, f"rotations/{report['revocation']['id']}", "state", "Completed")

    assert clients.failed == []
    assert clients.calls > 0
    with pytest.raises(HttpResponseError, match="AuthenticationFailed"):
        ground.call(leaked)
    ground.call(ground.connection(CREATED))

    ground.curl("storageAccounts/mystorage/regenerateKey")  # It regenerates key1, which both secrets hold by now.
    drifted = ground.rotator(f"verify {CREATED}", code=1)
    assert (drifted["status"], drifted["verified"]["result"]) == ("Drifted", "Drift")
    ground.rotator(f"rotate {CREATED} {OTHER} --force --yes")
    for secret in (CREATED, OTHER):
        ground.rotator(f"verify {secret}")
        ground.call(ground.connection(secret))
    states = [record["state"] for record in ground.rotator(f"history {CREATED}")["rotations"]]
    assert (states.count("Completed"), states.count("Skipped"), len(states)) == (3, 1, 4)
