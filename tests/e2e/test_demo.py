import os
import re
import subprocess
import sys
from pathlib import Path

from localcloud.kinds import KINDS

ROOT = Path(__file__).parents[2]
PATIENCE = 120  # seconds
SETTINGS = {name: value for name, value in os.environ.items() if name not in {"FORCE_COLOR", "SSL_CERT_FILE"}}
# Any Batch key, signature or signed URL.
KEY_MATERIAL = re.compile(r"sig=|[A-Za-z0-9+/]{86}==|(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
STEPS = (
    "claimed the target: nothing else rotates it meanwhile",
    r"looked at both keys and chose \w+",
    "wrote down what it is about to do, so that a crash loses nothing",
    r"regenerated \w+",
    r"stored \w+ as a new version of the secret",
    "Completed",
    "published the completion event",
)
# Ids of rotations, events and versions, and words that only the log needs.
INTERNALS = re.compile(r"[0-9a-f]{8}|SecretNearExpiry|Microsoft\.|attempt|duration")


def run_demo(directory: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """
    Run `make demo`, as far as Python has to do with it, with a directory for what is temporary.
    """
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "localcloud.demo"],
        cwd=ROOT,
        env=SETTINGS | {"TMPDIR": str(directory)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def test_the_demo_shows_a_rotation_of_each_kind_and_one_by_hand(tmp_path: Path) -> None:
    """
    Each with its steps, its outcome and its event; the dead keys are refused; the last line counts; nothing is left.
    """
    demo = run_demo(tmp_path)

    assert (demo.returncode, demo.stderr) == (0, "")
    lines = demo.stdout.splitlines()
    assert lines[-1] == f"demo: {len(KINDS) + 1} rotations completed, 0 failed client calls, 0 secrets leaked"
    assert all(len(line) <= 100 for line in lines)
    assert all(kind.deployed.title.partition(",")[0] in " ".join(lines[:5]) for kind in KINDS)
    assert re.findall(r"(\S+) holds (\w+) and", demo.stdout) == [
        *((kind.secret, "Primary") for kind in KINDS),
        (KINDS[0].secret, "Secondary"),
    ]
    assert re.findall(r"now holds (\w+) instead of (\w+) \(expires \d{4}-\d\d-\d\d\)\n", demo.stdout) == [
        *[("Secondary", "Primary")] * len(KINDS),
        ("Primary", "Secondary"),
    ]
    for step in STEPS:
        assert len(re.findall(rf"^ +\+\d+\.\d\d s  {step}$", demo.stdout, re.MULTILINE)) == len(KINDS) + 1, step
    assert demo.stdout.count("s  accepted the near-expiry event: the rotation waits in the queue\n") == len(KINDS)
    assert demo.stdout.count("a subscriber received the event") == len(KINDS) + 1
    refused = re.findall(r"^   (\S+): .* refuses .*dead keys?, 40[13](?: \w+)?$", demo.stdout, re.MULTILINE)
    assert refused == [kind.secret for kind in KINDS]
    assert not INTERNALS.search(demo.stdout)
    assert not KEY_MATERIAL.search(demo.stdout)
    assert "\x1b" not in demo.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_demo_says_why_it_cannot_start(tmp_path: Path) -> None:
    """
    Without Node.js there is no Azurite.
    """
    demo = run_demo(tmp_path, PATH="")

    assert demo.returncode == 1
    assert "Up in" not in demo.stdout
    assert demo.stderr == "demo: node is not on PATH: install Node.js 20 or later, then run `make setup`\n"
    assert list(tmp_path.iterdir()) == []
