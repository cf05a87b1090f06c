"""
Clients that read a new version at once: with the proof none of their calls fails, without it some do.
"""

import asyncio
from pathlib import Path

import pytest

from localcloud.azure.certificates import CertificateAuthority
from localcloud.cloud import LocalCloud
from localcloud.witness import Witness
from tests.e2e.client import Client, Subject

KINDS = ["batch", "storage", "openai"]
SETTLING = 2.0  # seconds


async def rotate_under_witness(
    cloud: LocalCloud, client: Client, subject: Subject
) -> tuple[dict[str, object], Witness]:
    """
    Rotate a key that settles through the webhook; return the record, and the client that used the secret all the time.
    """
    subject.target.keys.settling = lambda: SETTLING
    await cloud.subscribe()
    async with Witness(cloud.azure, cloud.vault, subject.secret, subject.target.consumer()) as witness:
        rotation_id = subject.rotation_id()
        await cloud.vault.publish(subject.secret)
        record = await client.ended(rotation_id)
        await witness.see_more(2)
    return record, witness


@pytest.mark.parametrize("kind", KINDS)
async def test_no_client_reads_a_key_that_does_not_work_yet(cloud: LocalCloud, client: Client, kind: str) -> None:
    """
    The new version comes when its key works.
    """
    subject = await client.subject(kind)

    record, witness = await rotate_under_witness(cloud, client, subject)

    assert (record["state"], record["proven"], record["attempts"]) == ("Completed", True, 1)
    assert witness.failures == []
    assert subject.regenerations() == 1
    published = [event.data for event in cloud.azure.events if event.id == f"{record['id']}:completed"]
    assert [data["proven"] for data in published] == [True]


async def test_without_the_proof_clients_read_keys_that_do_not_work_yet(
    tmp_path: Path, ca: CertificateAuthority
) -> None:
    """
    ROTATION_PROVE_KEYS=false: so it is the proof that keeps them from it.
    """
    async with LocalCloud(tmp_path, ca=ca, is_impatient=True, ROTATION_PROVE_KEYS="false") as cloud:
        client = Client(cloud)
        subjects = [await client.subject(kind) for kind in KINDS]
        seen = await asyncio.gather(*(rotate_under_witness(cloud, client, subject) for subject in subjects))

    for record, witness in seen:
        assert (record["state"], record["proven"]) == ("Completed", None)
        assert witness.failures != []
        assert {failure.status for failure in witness.failures} <= {401, 403}
