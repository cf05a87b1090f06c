import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.late import Preloading, importing, is_made, late, part

ROOT = Path(__file__).parents[3]


class Counted:
    """
    Something that counts how often it is made.
    """

    made = 0

    def __init__(self) -> None:
        type(self).made += 1
        self.value = 7

    async def ask(self) -> int:
        """
        Return its value.
        """
        return self.value


async def test_a_late_part_is_made_once_and_when_it_is_used() -> None:
    """
    Handing it around makes nothing; whoever uses it notices no difference.
    """
    Counted.made = 0
    thing = late(Counted)
    assert not is_made(thing)
    assert Counted.made == 0

    assert await thing.ask() == thing.value == 7

    assert is_made(thing)
    assert Counted.made == 1


def test_whatever_is_not_late_is_made() -> None:
    """
    So that nobody has to know which of both a part is.
    """
    assert is_made(Counted())


def test_a_part_that_cannot_be_made_is_tried_again() -> None:
    """
    A setting that is missing is told of at every use, as with any other property.
    """
    tries = []

    class Whole:
        @part
        def piece(self) -> int:
            tries.append(1)
            if len(tries) == 1:
                raise ValueError
            return len(tries)

    whole = Whole()
    for _ in range(2):
        try:
            assert whole.piece == 2
        except ValueError:
            continue

    assert (whole.piece, len(tries)) == (2, 2)


def test_what_is_expected_is_imported_in_order_and_once(tmp_path: Path) -> None:
    """
    By a thread, while the process does something else; a module that cannot be imported keeps no other from it.
    """
    for name in ("first", "second"):
        (tmp_path / f"{name}.py").write_text(f"print({name!r})\n", encoding="utf-8")
    program = (
        "from adapters.late import Preloading\n"
        "preloading = Preloading()\n"
        "preloading.expect('second', 'is_not_there', 'first')\n"
        "preloading.expect('first', 'second')\n"
        "preloading.finish()\n"
    )

    done = subprocess.run(  # noqa: S603 - the program is the test's own
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{tmp_path}"},
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout.split() == ["second", "first"]
    assert not done.stderr


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """
    Yield the name of a module that can be imported and is not yet.
    """
    name = "imported_ahead"
    (tmp_path / f"{name}.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def test_two_threads_never_import_at_a_time(module: str) -> None:
    """
    Whoever needs a part waits for what is being imported: modules that import each other would be seen half done.
    """
    preloading = Preloading()
    with importing:
        preloading.expect(module)
        (thread,) = (thread for thread in threading.enumerate() if thread.name == "preloading")
        # Long enough for an import that nothing holds up; one that is held up takes for ever.
        thread.join(0.2)
        assert module not in sys.modules
    preloading.finish()

    assert module in sys.modules


def test_a_part_is_made_while_nobody_else_imports() -> None:
    """
    Making it may import an SDK, which another thread must not be in the midst of.
    """
    others_could: list[bool] = []

    def try_to_import() -> None:
        others_could.append(importing.acquire(blocking=False))
        if others_could[-1]:
            importing.release()

    def make() -> int:
        taker = threading.Thread(target=try_to_import)
        taker.start()
        taker.join()
        return 1

    class Whole:
        @part
        def piece(self) -> int:
            return make()

    assert Whole().piece == 1
    assert late(make).real == 1
    assert others_could == [False, False]
