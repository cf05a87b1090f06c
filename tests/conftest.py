"""
Trust in the local Azure, from before aiohttp is first imported: that builds its TLS context once, at import.
"""

import os
import tempfile
from pathlib import Path

import pytest

from localcloud.azure.certificates import CertificateAuthority

_DIRECTORY = tempfile.TemporaryDirectory(prefix="local-azure-")
_CA = CertificateAuthority(Path(_DIRECTORY.name))
os.environ["SSL_CERT_FILE"] = str(_CA.bundle)


@pytest.fixture(scope="session")
def ca() -> CertificateAuthority:
    """
    Return the CA that every client in this process trusts.
    """
    return _CA


def pytest_unconfigure() -> None:
    """
    Leave no certificate behind.
    """
    _DIRECTORY.cleanup()
