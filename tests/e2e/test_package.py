import ast
import asyncio
import base64
import csv
import hashlib
import importlib.util
import json
import marshal
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from localcloud.azurite import REPOSITORY
from localcloud.cloud import LocalCloud
from localcloud.leaks import Place, find_leaks
from tests.e2e.client import Client, Subject
from tests.e2e.test_events import event_of
from tools.package.app_files import find_app_files
from tools.package.build import SITE_PACKAGES, build
from tools.package.bytecode import AZURES_PYTHON
from tools.package.cold_start import is_for_this_machine
from tools.package.funcignore import FuncIgnore

pytestmark = [
    pytest.mark.skipif(sys.version_info[:2] != AZURES_PYTHON, reason="the package is compiled by Azure's Python"),
    pytest.mark.skipif(not is_for_this_machine(), reason="the package runs on Linux, on x86_64"),
]

HERE = Path(__file__).parent
UNCHECKED_HASH = 0b01


@dataclass(frozen=True)
class Package:
    """
    A package as `make package` makes it, and what that has printed.
    """

    archive: Path
    printed: str


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    Return the app as it is now: an edit while the tests run does not disturb them.
    """
    return copy_app(REPOSITORY, tmp_path_factory.mktemp("app"))


def copy_app(source: Path, target: Path) -> Path:
    """
    Copy the app alone; return where it is.
    """
    for path in (".funcignore", *find_app_files(source)):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, target / path)
    return target


@pytest.fixture(scope="module")
def package(app: Path, tmp_path_factory: pytest.TempPathFactory) -> Package:
    """
    Return the package of the app.
    """
    archive = tmp_path_factory.mktemp("dist") / "package.zip"
    done = subprocess.run(  # noqa: S603 - as in the Makefile
        [sys.executable, "-m", "tools.package", "--app", str(app), "--output", str(archive)],
        cwd=REPOSITORY,
        # Without the trust in the local Azure, to which no index of packages belongs.
        env={name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Package(archive, done.stdout)


@pytest.fixture(scope="module")
def unpacked(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    Return the folder that Azure runs.
    """
    folder = tmp_path_factory.mktemp("wwwroot")
    with zipfile.ZipFile(package.archive) as file:
        file.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    Return a folder with Azure's worker, what it brings along, and how a test speaks to it: no other package.
    """
    folder = tmp_path_factory.mktemp("worker")
    for module in ("azure_functions_runtime", "azurefunctions"):
        found = importlib.util.find_spec(module)
        assert found is not None
        assert found.submodule_search_locations is not None
        (folder / module).symlink_to(Path(found.submodule_search_locations[0]))
    # By the name that it has here.
    (folder / "tests" / "e2e").mkdir(parents=True)
    shutil.copy(HERE / "azure_worker.py", folder / "tests" / "e2e")
    return folder


async def ask(unpacked: Path, worker: Path, asked: Any, settings: Mapping[str, str]) -> tuple[Any, str]:
    """
    Run the app from the package alone; return its answer, and all that it said on the way.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-B", str(HERE / "packaged_worker.py"), str(unpacked), str(worker)),
        cwd=unpacked,
        env=settings,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    answer, log = await process.communicate(json.dumps(asked).encode())
    assert process.returncode == 0, log.decode()
    return json.loads(answer.splitlines()[-1]), answer.decode() + log.decode()


@dataclass(frozen=True)
class Run:
    """
    What has come of running the app from the package.
    """

    by_event: list[Subject]
    by_request: list[Subject]
    answer: Any
    said: str
    cloud: LocalCloud


@pytest.fixture(scope="module")
async def run(unpacked: Path, worker: Path, shared_cloud: LocalCloud) -> Run:
    """
    Rotate a key of each kind by an event, and another by a request.
    """
    client = Client(shared_cloud)
    by_event, by_request = [[await client.subject(kind) for kind in ("batch", "workflow")] for _ in range(2)]
    asked = {
        "events": [event_of(subject) for subject in by_event],
        "secrets": [subject.uri for subject in by_request],
    }
    answer, said = await ask(unpacked, worker, asked, shared_cloud.settings)
    return Run(by_event, by_request, answer, said, shared_cloud)


def entries(archive: Path) -> Iterator[tuple[zipfile.ZipInfo, bytes]]:
    """
    List what is in a package.
    """
    with zipfile.ZipFile(archive) as file:
        for entry in file.infolist():
            yield entry, file.read(entry)


@pytest.mark.parametrize("lines", [12, pytest.param(None, marks=pytest.mark.long)], ids=["a few", "all dependencies"])
def test_the_same_sources_give_the_same_bytes(
    app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, lines: int | None
) -> None:
    """
    Made again elsewhere, at another time, by somebody with other habits.
    """
    monkeypatch.delenv("SSL_CERT_FILE")
    source = copy_app(app, tmp_path / "source")
    requirements = (source / "requirements.txt").read_text().splitlines(keepends=True)
    (source / "requirements.txt").write_text("".join(requirements[:lines]))
    first, again = tmp_path / "first.zip", tmp_path / "again.zip"
    build(source, first)
    copy = copy_app(source, tmp_path / "copy")
    for path in find_app_files(copy):
        os.utime(copy / path, (1e9, 1e9))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "elsewhere"))
    mask = os.umask(0o077)
    request.addfinalizer(lambda: os.umask(mask))

    build(copy, again)

    assert len(digests(first)) > 100
    assert digests(again) == digests(first)
    assert digest(again.read_bytes()) == digest(first.read_bytes())


def digests(archive: Path) -> list[tuple[str, str]]:
    """
    List what is in a package, in its order, so that a difference shows by name.
    """
    return [(entry.filename, digest(data)) for entry, data in entries(archive)]


def digest(data: bytes) -> str:
    """
    Return the hash of some bytes as packages record it.
    """
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def test_only_the_app_and_its_dependencies_are_deployed(package: Package, app: Path) -> None:
    """
    Every file of the app as it is, and nothing that .funcignore names.
    """
    ignored = FuncIgnore.read(app / ".funcignore")
    content = {entry.filename: data for entry, data in entries(package.archive)}
    own = {path: data for path, data in content.items() if not path.startswith(f"{SITE_PACKAGES}/")}
    sources = {path: data for path, data in own.items() if not path.endswith(".pyc")}

    assert sources == {path: (app / path).read_bytes() for path in find_app_files(app)}
    assert {path for path in own if ignored.excludes(path)} == {path for path in own if is_bytecode_of(path, sources)}
    assert not [path for path in content if path.partition("/")[0] in AT_HOME]


AT_HOME = {"localcloud", "tests", "benchmarks", "operator_cli", "tools", "infra", "docs"}


def is_bytecode_of(path: str, sources: Mapping[str, bytes]) -> bool:
    """
    Return whether a path is where the bytecode of one of the sources belongs.
    """
    return path in {importlib.util.cache_from_source(source) for source in sources if source.endswith(".py")}


def test_every_module_is_compiled_for_where_it_will_be(package: Package) -> None:
    """
    By Azure's Python, never to be held against time stamps, and with the paths that tracebacks will show.
    """
    content = {entry.filename: data for entry, data in entries(package.archive)}
    modules = {path for path in content if path.endswith(".py")}
    compiled = {path for path in content if path.endswith(".pyc")}

    assert compiled == {importlib.util.cache_from_source(path) for path in modules}
    for path in modules:
        bytecode = content[importlib.util.cache_from_source(path)]
        assert bytecode[:4] == importlib.util.MAGIC_NUMBER
        assert int.from_bytes(bytecode[4:8], "little") == UNCHECKED_HASH
        assert bytecode[8:16] == importlib.util.source_hash(content[path])
        assert set(files_in(marshal.loads(bytecode[16:]))) == {f"/home/site/wwwroot/{path}"}  # noqa: S302 - just made


def files_in(code: CodeType) -> Iterator[str]:
    """
    List the files that code says it is from, with the functions in it.
    """
    yield code.co_filename
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from files_in(constant)


def test_dependencies_are_what_their_publishers_made(package: Package) -> None:
    """
    Each file is recorded with its hash, none is missing; besides there is bytecode, and no command of this machine.
    """
    content = {
        entry.filename.removeprefix(f"{SITE_PACKAGES}/"): data
        for entry, data in entries(package.archive)
        if entry.filename.startswith(SITE_PACKAGES)
    }
    recorded = set()
    for path in [path for path in content if re.fullmatch(r"[^/]+\.dist-info/RECORD", path)]:
        for name, record, _ in csv.reader(content[path].decode().splitlines()):
            recorded.add(name)
            assert record in {"", f"sha256={digest(content[name])}"}, name

    assert {path for path in content if not path.endswith(".pyc")} == recorded
    assert not [path for path, data in content.items() if os.fsencode(sys.executable) in data]


def test_the_figures_are_printed(package: Package) -> None:
    """
    Sizes and number of files as they are, and what a cold start takes.
    """
    files = [entry for entry, _ in entries(package.archive)]
    unpacked = sum(entry.file_size for entry in files)
    size, cold = package.printed.splitlines()

    assert size == (
        f"{package.archive}: {package.archive.stat().st_size / 1e6:.1f} MB,"
        f" {unpacked / 1e6:.1f} MB unpacked, {len(files):,} files"
    )
    assert re.fullmatch(
        r"cold import: function_app \d\.\d{3} s, azure\.functions alone \d\.\d{3} s, ratio \d+\.\d\d", cold
    )


def test_azures_worker_finds_all_functions_in_the_package(run: Run) -> None:
    """
    As many as in the repository, and it could rotate a key.
    """
    assert run.answer["functions"] == sorted(run.cloud.host.functions)
    assert run.answer["health"]["status"] == "Healthy"


def test_keys_are_rotated_from_the_package(run: Run) -> None:
    """
    Both kinds, by an event through the queue and by a request: the secret holds the other key, regenerated once.
    """
    assert run.answer["states"] == ["Completed", "Completed"]
    for subject in run.by_event + run.by_request:
        assert subject.holds("Secondary"), subject.secret
        assert subject.regenerations() == 1


def test_a_run_from_the_package_leaks_nothing(run: Run, cloud: LocalCloud) -> None:
    """
    As anywhere else: not into what the worker says, and not into what the cloud's fixture looks through afterwards.
    """
    assert not find_leaks(cloud.azure.key_history, [Place("worker", run.said)]).leaks


def test_whatever_it_imports_is_in_the_package(run: Run, unpacked: Path, worker: Path) -> None:
    """
    But for the standard library and the worker itself: what these tests have proved, they have proved of the package.
    """
    files = {name: Path(file) for name, file in run.answer["files"].items() if file}
    others = {name: file for name, file in files.items() if not file.is_relative_to(unpacked)}

    assert {name for name, file in others.items() if not is_of_python_or(worker, file)} == {"__main__"}
    for module in ("function_app", "adapters", "rotation.run.rotator", "handlers.http"):
        assert files[module].is_relative_to(unpacked)
    for module in ("azure.functions", "azure.mgmt.batch", "azure.mgmt.web", "azure.identity.aio", "msgspec", "aiohttp"):
        assert files[module].is_relative_to(unpacked / SITE_PACKAGES)


def is_of_python_or(worker: Path, file: Path) -> bool:
    """
    Return whether a file comes with Azure's worker or with Python itself, to which nothing was installed.
    """
    library = Path(sysconfig.get_path("stdlib"))
    return file.is_relative_to(worker) or (file.is_relative_to(library) and "site-packages" not in file.parts)


def imports_of(app: Path) -> set[str]:
    """
    List every import that an app ever makes, also late and inside a function.
    """
    sources = [app / path for path in find_app_files(app) if path.endswith(".py")]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source.read_bytes()))]
    return {ast.unparse(node) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)}


async def test_nothing_is_compiled_at_a_cold_start(app: Path, unpacked: Path, worker: Path, tmp_path: Path) -> None:
    """
    Whatever the app imports, at once or ever, comes from bytecode: it does so too when no source can be compiled.
    """
    broken = tmp_path / "wwwroot"
    shutil.copytree(unpacked, broken, copy_function=copy_broken)

    answer, _ = await ask(broken, worker, {"imports": sorted(imports_of(app))}, {})

    assert {"azure.mgmt.web.aio", "azure.monitor.opentelemetry.exporter", "rotation.run.rotator"} <= answer[
        "files"
    ].keys()


def copy_broken(file: str, copy: str) -> None:
    """
    Put what Python cannot compile in place of a source.
    """
    if file.endswith(".py"):
        Path(copy).write_text("this = = is no Python\n")
    else:
        os.link(file, copy)


def test_every_requirement_is_installed_and_known(run: Run, app: Path) -> None:
    """
    `importlib.metadata` finds in the package what pip has made of the same file for this Python, and no more.
    """
    names = re.findall(r"^([\w.-]+)==", (app / "requirements.txt").read_text(), re.MULTILINE)
    here = {found.name: found.version for found in metadata.distributions()}

    assert len(names) > 40
    assert run.answer["installed"] == {name: here[name] for name in here if normal(name) in names}


def normal(name: str) -> str:
    """
    Return a distribution's name as requirements.txt writes it.
    """
    return re.sub(r"[-_.]+", "-", name).lower()
