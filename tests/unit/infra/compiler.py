"""
The Bicep compiler as a process that goes on: the first evaluation takes seconds, each after it less than one.
"""

import atexit
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any


class RefusedError(Exception):
    """
    The deployment fails before anything is made; the message is what Azure Resource Manager, or the compiler, says.
    """


class Compiler:
    """
    `bicep jsonrpc`, which evaluates as `bicep snapshot` does. It ends with this process.
    """

    def __init__(self, **place: str) -> None:
        self._place = place
        self._home = tempfile.TemporaryDirectory(prefix="bicep-")  # It wants one that it can write to.
        self._process = subprocess.Popen(
            ["bicep", "jsonrpc", "--stdio"],  # noqa: S607 - from PATH
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "HOME": self._home.name},
        )
        self._asked = 0
        atexit.register(self._close)

    def snapshot(self, parameters: Path) -> dict[str, Any]:
        """
        Return the predicted resources and the outputs of what a parameter file deploys; raise RefusedError if nothing.
        """
        answer = self._ask("getSnapshot", path=str(parameters), metadata=self._place, externalInputs=[])
        if "error" not in answer:
            return dict(json.loads(answer["result"]["snapshot"]))
        said = str(answer["error"]["message"])
        if said == "Compilation failed":
            compiled = self._ask("compileParams", path=str(parameters), parameterOverrides={})
            said = "\n".join(found["message"] for found in compiled["result"]["diagnostics"])
        raise RefusedError(said)

    def _ask(self, method: str, **parameters: object) -> dict[str, Any]:
        """
        Call a method by JSON-RPC, whose messages have a header with their length.
        """
        self._asked += 1
        request = {"jsonrpc": "2.0", "id": self._asked, "method": f"bicep/{method}", "params": parameters}
        body = json.dumps(request).encode()
        to, back = self._process.stdin, self._process.stdout
        assert to
        assert back
        to.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        to.flush()
        length = 0
        while header := back.readline().strip():
            if header.lower().startswith(b"content-length:"):
                length = int(header.split(b":")[1])
        return dict(json.loads(back.read(length)))

    def _close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()
        self._home.cleanup()
