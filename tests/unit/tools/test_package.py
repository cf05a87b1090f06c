import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.package.app_files import APP, find_app_files
from tools.package.archive import write_archive
from tools.package.bytecode import AZURES_PYTHON, compile_all, require_azures_python
from tools.package.cold_start import is_for_this_machine
from tools.package.dependencies import install
from tools.package.errors import PackageError
from tools.package.funcignore import FuncIgnore

ROOT = Path(__file__).parents[3]
OURS = FuncIgnore.read(ROOT / ".funcignore")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """
    Return a small app with something beside it that stays home.
    """
    for path in (
        "dashboard/main.js",
        "handlers/http.py",
        "providers/batch/client.py",
        "rotation/run/rotator.py",
        "wiring/parts.py",
        "adapters/arm.py",
        "function_app.py",
        "tests/test_it.py",
    ):
        write(tmp_path / path)
    for path in ("host.json", "requirements.txt", "README.md"):
        write(tmp_path / path)
    (tmp_path / ".funcignore").write_text("# At home\n\n/.funcignore\n/tests/\n/*.md\n/adapters/__pycache__/\n")
    return tmp_path


def write(file: Path, text: str = "") -> None:
    """
    Make a file, and the folder that it is in.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize(
    ("line", "excluded", "kept"),
    [
        ("/tests/", ["tests/", "tests/unit/test_it.py"], ["tests", "tests.py", "rotation/tests/", "contests/"]),
        ("/Makefile", ["Makefile", "Makefile/"], ["Makefile.old", "rotation/Makefile"]),
        ("/*.md", ["README.md"], ["docs/README.md", "README.mdx", "README_md"]),
        ("/.venv*/", [".venv-3.13/", ".venv-3.13/bin/python"], [".venv-3.13", "a.venv-3.13/"]),
        ("/adapters/__pycache__/", ["adapters/__pycache__/a.pyc"], ["adapters/", "__pycache__/", "adapters/a.py"]),
    ],
)
def test_a_line_names_files_and_folders_from_the_root(line: str, excluded: list[str], kept: list[str]) -> None:
    """
    What it names, everything below that, and nothing else.
    """
    ignored = FuncIgnore([line])

    assert [path for path in excluded + kept if ignored.excludes(path)] == excluded


@pytest.mark.parametrize(
    "line", ["tests", "*.pyc", "/**/x", "/a**", "!/tests/", "/a b", "/[ab]", "/a?", "/a\\b", "//a", "/"]
)
def test_a_line_that_tools_read_differently_is_refused(tmp_path: Path, line: str) -> None:
    """
    Rather than deploy something else than func and azd do.
    """
    file = tmp_path / ".funcignore"
    file.write_text(f"/docs/\n{line}\n")

    with pytest.raises(PackageError, match=re.escape(f"'{line}'")):
        FuncIgnore.read(file)


def files_of_the_repository() -> Iterator[str]:
    """
    List what is really there, but for what other programs have installed.
    """
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in {".git", ".venv", "node_modules"}]
        yield from (Path(folder, name).relative_to(ROOT).as_posix() for name in files)


def core_tools_denies(lines: list[str], path: str) -> bool:
    """
    Read the lines as Core Tools' GitIgnoreParser does: as prefixes, with at least one character at each star.
    """
    patterns = (re.escape(line.removeprefix("/")).replace(r"\*", "([^/]+)") for line in lines)
    return re.match("|".join(f"(?:{pattern})" for pattern in patterns), path) is not None


def test_core_tools_leaves_the_same_files_at_home() -> None:
    """
    Its own reading of our file comes to the same, for every file of this repository.
    """
    paths = list(files_of_the_repository())
    lines = list(OURS.lines)

    assert len(paths) > 200
    assert [path for path in paths if core_tools_denies(lines, path)] == [path for path in paths if OURS.excludes(path)]


def test_the_app_is_what_the_head_of_funcignore_says() -> None:
    """
    The list that the package is held against is the one that people read.
    """
    head = " ".join(re.findall("^# (.*)", (ROOT / ".funcignore").read_text(), re.MULTILINE))
    (said,) = re.findall(r"What is deployed: (.*?)\. ", head)

    assert sorted(said.split(", ")) == list(APP)


def test_every_file_of_the_repository_stays_home_or_is_part_of_the_app() -> None:
    """
    Nothing in this repository would be deployed by accident.
    """
    found = find_app_files(ROOT)

    assert {path.partition("/")[0] for path in found} == {part.rstrip("/") for part in APP}
    assert found == sorted(found)
    assert "rotation/run/rotator.py" in found


def test_an_app_is_its_modules_and_settings(app: Path) -> None:
    """
    In order, without what stays home and without what Core Tools has installed for a build of its own.
    """
    write(app / "adapters/__pycache__/batch.cpython-313.pyc")
    write(app / ".python_packages/lib/site-packages/msgspec.py")

    assert find_app_files(app) == [
        "adapters/arm.py",
        "dashboard/main.js",
        "function_app.py",
        "handlers/http.py",
        "host.json",
        "providers/batch/client.py",
        "requirements.txt",
        "rotation/run/rotator.py",
        "wiring/parts.py",
    ]


@pytest.mark.parametrize(
    "stray", [".env", "notes/plan.txt", "rotation/run/rotator.py.orig", "rotation/__pycache__/rotator.cpython-313.pyc"]
)
def test_a_file_that_would_be_deployed_by_accident_is_told(app: Path, stray: str) -> None:
    """
    Nobody would notice: func and azd send it to Azure without a word.
    """
    write(app / stray)

    with pytest.raises(PackageError, match=f"would deploy {re.escape(stray)}: name it in .funcignore"):
        find_app_files(app)


def test_many_such_files_are_told_in_one_line(app: Path) -> None:
    """
    The first five, and how many more.
    """
    for number in range(7):
        write(app / f"data/{number}.csv")

    with pytest.raises(PackageError, match=r"data/4\.csv and 2 more: "):
        find_app_files(app)


@pytest.mark.parametrize("part", ["host.json", "requirements.txt", "function_app.py", "rotation/run/rotator.py"])
def test_half_an_app_is_no_app(app: Path, part: str) -> None:
    """
    A part that is missing is told, rather than that a package is made which cannot start.
    """
    (app / part).unlink()

    with pytest.raises(PackageError, match=f"{re.escape(part.partition('/')[0])}.* is missing"):
        find_app_files(app)


def test_the_python_that_compiles_is_the_one_that_azure_runs() -> None:
    """
    The infrastructure asks for that version, and the Makefile for an environment of it.
    """
    version = ".".join(map(str, AZURES_PYTHON))

    assert f"version: '{version}'" in (ROOT / "infra/modules/function-app.bicep").read_text()
    assert f"PYTHON_VERSION={version} tools/setup.sh python" in (ROOT / "Makefile").read_text()


def test_another_python_is_refused() -> None:
    """
    Its bytecode would be of no use, and the wheels would be for it.
    """
    require_azures_python(AZURES_PYTHON)
    for version in ((3, 11), (3, 14)):
        with pytest.raises(PackageError, match=rf"this is Python 3\.{version[1]}: install Python 3\.13, or name one"):
            require_azures_python(version)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """
    Run the command as `make package` does.
    """
    command = [sys.executable, "-m", "tools.package", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)  # noqa: S603 - it stands above


def test_the_command_tells_why_there_is_no_package_in_one_line(app: Path) -> None:
    """
    Whether the app is not whole or this Python the wrong one; and what an earlier run has made is left alone.
    """
    (app / "host.json").unlink()
    package = app / "dist" / "package.zip"
    write(package, "an earlier one")

    done = run("--app", str(app), "--output", str(package))

    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"No package: .*\.\n", done.stderr)
    assert {file.name: file.read_text() for file in package.parent.iterdir()} == {"package.zip": "an earlier one"}


@pytest.mark.skipif(sys.version_info[:2] != AZURES_PYTHON, reason="the package is compiled by Azure's Python")
@pytest.mark.skipif(not is_for_this_machine(), reason="the package is imported where it runs")
def test_an_app_that_cannot_be_imported_is_no_package(app: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """
    It is found out here, and the earlier package stays.
    """
    write(app / "function_app.py", "import what_nobody_has_installed\n")
    package = tmp_path_factory.mktemp("dist") / "package.zip"
    write(package, "an earlier one")

    done = run("--app", str(app), "--output", str(package))

    assert (done.returncode, done.stdout) == (1, "")
    assert "No module named 'what_nobody_has_installed'" in done.stderr
    assert done.stderr.endswith("\nNo package: function_app cannot be imported from it; Python says above why.\n")
    assert package.read_text() == "an earlier one"


def test_a_requirement_that_cannot_be_had_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """
    The error says where to look: uv names the requirement above it.
    """
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"missing @ {(tmp_path / 'missing-1.0-py3-none-any.whl').as_uri()}\n")

    with pytest.raises(PackageError, match=r"in requirements\.txt could not be installed"):
        install(requirements, tmp_path / "site-packages")

    assert "missing-1.0" in capfd.readouterr().err


def test_a_module_that_cannot_be_compiled_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """
    Here, and not at the first cold start.
    """
    write(tmp_path / "fine.py", "x = 1\n")
    write(tmp_path / "broken.py", "x = = 1\n")

    with pytest.raises(PackageError, match="could not be compiled"):
        compile_all(tmp_path)

    assert "broken.py" in "".join(capfd.readouterr())


def test_an_archive_depends_on_the_files_alone(tmp_path: Path) -> None:
    """
    Not on when, with which mode and in which order they were made.
    """
    archives = []
    for names, mode, time in ((("b/2.py", "a.py", "b/1.py"), 0o600, 1e9), (("b/1.py", "b/2.py", "a.py"), 0o755, 2e9)):
        folder = tmp_path / str(mode)
        for name in names:
            write(folder / name, f"# {name}\n")
            (folder / name).chmod(mode)
            os.utime(folder / name, (time, time))
        archives.append(tmp_path / f"{mode}.zip")
        write_archive(folder, archives[-1])

    assert archives[0].read_bytes() == archives[1].read_bytes()
    with zipfile.ZipFile(archives[0]) as file:
        assert {entry.filename: entry.external_attr >> 16 for entry in file.infolist()} == {
            "a.py": 0o100644,
            "b/1.py": 0o100644,
            "b/2.py": 0o100644,
        }
        assert file.read("b/1.py") == b"# b/1.py\n"
