import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.kept_address import Address, kept_address


@pytest.fixture
def first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Address:
    """
    Return the address of a run that is over.
    """
    for name in ("LOCAL_FUNCTION_KEY", "LOCAL_MASTER_KEY", "LOCAL_EVENTGRID_KEY"):
        monkeypatch.delenv(name, raising=False)
    with kept_address(tmp_path) as address:
        return address


@pytest.fixture(params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["IPv4", "IPv6"])
def listener(request: pytest.FixtureRequest, first: Address) -> Iterator[None]:
    """
    Let another program listen on the port of the first run, at an address that `localhost` may stand for.
    """
    family, host = request.param
    with socket.socket(family) as other:
        try:
            other.bind((host, first.port))
        except OSError:
            pytest.skip(f"this machine has no {host}")
        other.listen()
        yield


def test_the_next_run_has_the_same_address(first: Address, tmp_path: Path) -> None:
    """
    And nothing to say about it.
    """
    with kept_address(tmp_path) as again:
        assert again == first
    assert first.note is None


def test_only_the_owner_can_read_the_keys(first: Address, tmp_path: Path) -> None:
    """
    Also where the file has come with other permissions.
    """
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600

    file.chmod(0o644)
    with kept_address(tmp_path):
        assert file.stat().st_mode & 0o777 == 0o600


def test_a_taken_port_is_told_and_another_one_is_taken_once(first: Address, listener: None, tmp_path: Path) -> None:
    """
    The keys are the same, and the kept port is tried again the next time.
    """
    for _ in range(2):
        with kept_address(tmp_path) as now:
            assert (now.keys, now.port != first.port) == (first.keys, True)
            assert now.note == f"Another program has port {first.port}: this time it is port {now.port}."


def test_two_runs_at_a_time_have_two_ports(first: Address, tmp_path: Path) -> None:
    """
    Although nobody listens on the first one's yet; when that is over, its address is free again.
    """
    with kept_address(tmp_path), kept_address(tmp_path) as beside:
        assert (beside.keys, beside.port != first.port) == (first.keys, True)
        assert beside.note == (f"Another `make start` of this folder is running: this one takes port {beside.port}.")
    with kept_address(tmp_path) as again:
        assert again == first


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"port": 80, "keys": {"function": "a", "master": "b", "eventgrid": "c"}}']
)
def test_what_cannot_be_used_is_replaced(first: Address, tmp_path: Path, content: bytes) -> None:
    """
    Such as half of a file, or a port that this would not have chosen.
    """
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)

    with kept_address(tmp_path) as new:
        assert new.keys != first.keys
    with kept_address(tmp_path) as again:
        assert again == new


def test_a_key_of_the_environment_comes_first_and_is_not_kept(
    first: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    As with any host of the local cloud.
    """
    monkeypatch.setenv("LOCAL_FUNCTION_KEY", "mine")
    with kept_address(tmp_path) as mine:
        assert (mine.keys.function, mine.keys.master) == ("mine", first.keys.master)
    monkeypatch.delenv("LOCAL_FUNCTION_KEY")
    with kept_address(tmp_path) as again:
        assert again == first
