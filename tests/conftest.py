"""
Trust in the local Azure, from before aiohttp is first imported: that builds its TLS context once, at import.
"""

import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azurite import Azurite
from localcloud.azurites import an_azurite, keep_azurites
from tests.live.description import is_live

_DIRECTORY = tempfile.TemporaryDirectory(prefix="local-azure-")
_CA = CertificateAuthority(Path(_DIRECTORY.name))
if not is_live():
    os.environ["SSL_CERT_FILE"] = str(_CA.bundle)


@pytest.fixture(scope="session")
def ca() -> CertificateAuthority:
    """
    Return the CA that every client in this process trusts.
    """
    return _CA


@pytest.fixture(scope="session", autouse=True)
async def _kept_azurites() -> AsyncIterator[None]:
    """
    Keep every Azurite that a test has used for the next one.
    """
    async with keep_azurites():
        yield


@pytest.fixture(scope="session")
async def azurite() -> AsyncIterator[Azurite]:
    """
    Yield an Azurite that all tests share: each takes a table or a queue of its own.
    """
    async with an_azurite() as running:
        yield running


def pytest_xdist_auto_num_workers() -> int:
    """
    Return how many processes `-n auto` starts: more than there are cores, since tests wait half of the time.
    """
    return (os.cpu_count() or 1) * 3 // 2


def pytest_unconfigure() -> None:
    """
    Leave no certificate behind.
    """
    _DIRECTORY.cleanup()
