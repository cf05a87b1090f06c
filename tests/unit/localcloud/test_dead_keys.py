import aiohttp
import pytest

from localcloud.azure.access_keys import AccessKeys
from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.cloud import LocalAzure
from localcloud.azure.key_history import KeyHistory
from localcloud.consumers import CallFailed
from localcloud.dead_keys import DeadKeys, FormerKeys
from localcloud.kinds import KINDS
from localcloud.kinds.kind import LocalKind, Resource

REFUSED = CallFailed("AuthenticationFailed", 403)


class Service(Resource):
    """
    A resource whose service gives every key the same answer: None accepts it.
    """

    client = "a client"
    service = "the service"

    def __init__(self, answer: CallFailed | None) -> None:
        made = iter(f"key-{number}" for number in range(10))
        self.arm_id = self.target = "/subscriptions/x"
        self.keys = AccessKeys(self.arm_id, KeyHistory(), lambda: next(made))
        self.used: list[str] = []
        self.forgotten = 0
        self._answer = answer

    def consumer(self) -> "Service":
        """
        Return its client, which is itself.
        """
        return self

    async def use(self, version: str, value: str, session: aiohttp.ClientSession) -> None:
        """
        Take note of a call.
        """
        self.used.append(value)
        if self._answer:
            raise self._answer

    async def forget(self, version: str) -> None:
        """
        Take note of the end.
        """
        self.forgotten += 1


@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_each_kind_of_service_refuses_its_dead_key(
    azure: LocalAzure, ca: CertificateAuthority, kind: LocalKind
) -> None:
    """
    The official client gets the answer that it would get in Azure, and no other.
    """
    made = await kind.make(azure, "mine")
    former = FormerKeys({kind.secret: made})
    value = made.value("Secondary")
    made.regenerate("Secondary")

    (dead,) = await former.use_dead(ca)

    assert dead.unrefused == 0
    assert str(dead).startswith(f"{kind.secret}: {made.consumer().service} refuses the dead key, 40")
    assert value not in str(dead)


async def test_only_dead_keys_are_used_and_each_of_them_once(ca: CertificateAuthority) -> None:
    """
    A resource without one does not occur, and what was new in between is not asked for.
    """
    untouched, once, twice = Service(REFUSED), Service(REFUSED), Service(REFUSED)
    former = FormerKeys({"untouched": untouched, "once": once, "twice": twice})
    once.regenerate("Secondary")
    for key in ("Secondary", "Primary", "Secondary"):
        twice.regenerate(key)

    dead = await former.use_dead(ca)

    assert list(map(str, dead)) == [
        "once: the service refuses the dead key, 403 AuthenticationFailed",
        "twice: the service refuses 2 dead keys, 403 AuthenticationFailed",
    ]
    assert (untouched.used, once.used, twice.used) == ([], ["key-1"], ["key-0", "key-1"])
    assert (once.forgotten, twice.forgotten) == (1, 2)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, "accepted"),
        (CallFailed("TimeoutError"), "no answer TimeoutError"),
        (CallFailed("ServerBusy", 503), "503 ServerBusy"),
    ],
)
async def test_a_dead_key_that_is_not_refused_counts(
    ca: CertificateAuthority, answer: CallFailed | None, told: str
) -> None:
    """
    Only a refusal proves that a key is dead.
    """
    service = Service(answer)
    former = FormerKeys({"batch-key": service})
    service.regenerate("Primary")

    (dead,) = await former.use_dead(ca)

    assert (dead.unrefused, service.forgotten) == (1, 1)
    assert str(dead) == f"batch-key: 1 of 1 dead keys not refused: {told}"


def test_one_accepted_key_among_refused_ones_is_seen() -> None:
    """
    The line says how many, and what became of each.
    """
    dead = DeadKeys("batch-key", "the service", [REFUSED, None])

    assert dead.unrefused == 1
    assert str(dead) == "batch-key: 1 of 2 dead keys not refused: 403 AuthenticationFailed, accepted"
