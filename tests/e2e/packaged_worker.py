"""
Azure's worker with nothing but a package: what it is asked on standard input, it answers on standard output, as JSON.

Run with `python -I -S`, so that neither this repository nor what is installed for it can be imported, and with the
paths of the unpacked package and of the worker. It looks into the package first, as Azure's worker does.
"""

import asyncio
import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGE, WORKER = sys.argv[1:]
sys.path[:0] = [f"{PACKAGE}/.python_packages/lib/site-packages", PACKAGE, WORKER]


async def rotate(asked: dict[str, Any]) -> dict[str, Any]:
    """
    Index the app, rotate what is asked by events, through the queue, and by requests.
    """
    from tests.e2e.azure_worker import AzureWorker, Message, http  # noqa: PLC0415 - found only now

    worker = AzureWorker(Path(PACKAGE))
    assert await worker.start() is None
    for event in asked["events"]:
        accepted = await worker.succeed("on_secret_event", event=Message(json=json.dumps(event)))
        (output,) = accepted.output_data
        for message in json.loads(output.data.json):
            await worker.succeed("run_rotation", message=Message(string=message))
    answers = []
    for secret in asked["secrets"]:
        request = http("POST", "/rotations", body=json.dumps({"secret": secret}))
        answers.append((await worker.succeed("create_rotation", request=request)).return_value.http.body.bytes)
    health = await worker.succeed("get_health", request=http("GET", "/health"))
    return {
        "functions": sorted(worker.functions),
        "states": [json.loads(answer)["state"] for answer in answers],
        "health": json.loads(health.return_value.http.body.bytes),
    }


def main() -> None:
    """
    Answer, and tell where everything came from.
    """
    asked = json.load(sys.stdin)
    answer = asyncio.run(rotate(asked)) if "events" in asked else {}
    for statement in asked.get("imports", []):
        exec(statement)  # noqa: S102 - an import that the app makes
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    installed = {found.name: found.version for found in metadata.distributions()}
    print(json.dumps(answer | {"files": files, "installed": installed}))  # noqa: T201 - the answer


main()
