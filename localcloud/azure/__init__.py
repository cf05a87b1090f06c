"""
A small, strict Azure on this machine: in memory, behind TLS, every request logged, every operation scriptable.

Start at `localcloud.azure.cloud`. This module imports nothing, because aiohttp reads `SSL_CERT_FILE` once, when it is
first imported: who needs the CA before that takes it from `localcloud.azure.certificates`, which does not import it.
"""
