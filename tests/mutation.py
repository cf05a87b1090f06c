"""
What takes the place of `tests/conftest.py` in `make mutants`, where thousands of forks of one process run pytest again.

A mutant's verdict is to depend on the mutant alone: the examples of Hypothesis are always the same, and a slow machine
fails no test.
"""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azurite import Azurite

_DIRECTORY = tempfile.TemporaryDirectory(prefix="local-azure-")  # As long as the process: every fork reads it.
_CA = CertificateAuthority(Path(_DIRECTORY.name))
os.environ["SSL_CERT_FILE"] = str(_CA.bundle)

settings.register_profile(
    "mutation", database=None, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mutation")


@pytest.fixture(scope="session")
def ca() -> CertificateAuthority:
    """
    Return the CA that every client in this process trusts.
    """
    return _CA


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Azurite:
    """
    Return an Azurite that does not run: it is named in settings, and no test of a mutant uses its tables or queues.
    """
    return Azurite(tmp_path_factory.mktemp("azurite"))
