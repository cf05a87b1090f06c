"""
Requests that Schemathesis makes up from the served description, and every answer held against it.
"""

import asyncio
import os
import re
import sys
from pathlib import Path

from localcloud.azure.certificates import CertificateAuthority
from localcloud.cloud import LocalCloud
from tests.e2e.client import Client
from tests.e2e.conftest import assert_nothing_leaked

# Made-up requests for each operation and phase; `make fuzz` asks for a hundred times as many.
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "5")
_CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance,negative_data_rejection,missing_required_header,ignored_auth"
)


async def test_every_answer_is_as_the_description_says(ca: CertificateAuthority, tmp_path: Path) -> None:
    """
    No 5xx, no status, body or header that is not documented, and nothing leaked, whatever is asked.
    """
    async with LocalCloud(tmp_path / "cloud", ca=ca, is_impatient=True) as cloud:
        client = Client(cloud)
        subjects = [await client.subject(kind) for kind in ("batch", "batch", "workflow")]
        fuzz = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "schemathesis.cli", "run", f"{cloud.host.url}/api/openapi.json"),
            *("--url", f"{cloud.host.url}/api"),
            *("--header", f"x-functions-key: {cloud.host.function_key}"),
            *("--checks", _CHECKS, "--max-examples", EXAMPLES, "--seed", os.environ.get("FUZZ_SEED", "1")),
            *("--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all", "--no-color"),
            *("--report-json-path", str(tmp_path / "report.json"), "--generation-database", ":memory:"),
            # One worker: two threads that parse Python at once can fail on 3.11 ("AST constructor recursion depth").
            *("--request-timeout", "60", "--workers", "1", "--continue-on-failure", "--warnings", "off"),
            cwd=tmp_path,
            env=os.environ
            | {
                "SCHEMATHESIS_HOOKS": "tests.e2e.fuzz_hooks",
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "FUZZ_SECRETS": " ".join(subject.uri for subject in subjects),
                "FUZZ_TARGETS": " ".join(subject.target.arm_id for subject in subjects),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said = (await fuzz.communicate())[0].decode()
        await client.idle()

        assert fuzz.returncode == 0, said
        assert_nothing_leaked(cloud)
    sys.stdout.write(said)  # `make fuzz` shows it.
    generated = re.search(r"([\d,]+) generated", said)
    assert generated, said
    assert int(generated[1].replace(",", "")) > 100
