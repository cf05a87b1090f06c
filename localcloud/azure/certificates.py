"""
The certificate authority that the local Azure's endpoints are trusted by.

Must not import aiohttp, which builds its default TLS context at import: `SSL_CERT_FILE` has to name the bundle before.
"""

import ssl
from functools import cached_property
from pathlib import Path

import trustme


class CertificateAuthority:
    """
    A CA made for this run, and the bundle file that a client trusts it by.
    """

    def __init__(self, directory: Path) -> None:
        self._ca = trustme.CA(organization_name="Local Azure")
        directory.mkdir(parents=True, exist_ok=True)
        self.bundle = directory / "local-azure-ca.pem"
        """What `SSL_CERT_FILE` (and `REQUESTS_CA_BUNDLE`, for requests) should name: this CA and no other."""
        self._ca.cert_pem.write_to_path(str(self.bundle))

    @cached_property
    def server_context(self) -> ssl.SSLContext:
        """
        TLS for a server that is addressed as `localhost` or `127.0.0.1`.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        return context

    @cached_property
    def client_context(self) -> ssl.SSLContext:
        """
        TLS for a client that trusts this CA alone.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._ca.configure_trust(context)
        return context
