"""
Every number that limits something, with its reason. docs/limits.md shows them, and a test compares the two.

Numbers in seconds, characters, bytes or pieces say so; all other times are `timedelta`.

    CLAIM_TTL >= LAST_SEND + PAUSE + IN_FLIGHT + SKEW

When a claim has expired, nothing that its holder sent can take effect any more: the rotation may be resumed elsewhere.
"""

from datetime import timedelta

# One attempt
LAST_SEND = timedelta(seconds=240)  # from the start of an attempt to its last request to ARM or Key Vault
LAST_SEND_FOR_HTTP = timedelta(seconds=120)  # App Service gives a caller up after 230 s: a late answer is better a 202
PAUSE = timedelta(seconds=30)  # from the check of the deadline to the socket
IN_FLIGHT = timedelta(seconds=300)  # in which an abandoned request can still take effect; Azure documents no bound
SKEW = timedelta(seconds=30)  # between the clocks of two workers
CLAIM_TTL = timedelta(seconds=600)  # the sum of the four above
LOOKS = 6  # at the keys, after an answer that promised a new one
VERSIONS_READ_AT_ONCE = 10  # while tidying: a secret that was never tidied may have hundreds

# One rotation
MAX_ATTEMPTS = 10  # then it ends Failed(exhausted)
MAX_ATTEMPTS_TO_FINISH = 100  # of a rotation that may have killed the key in use: only the new key helps its clients
QUEUED_FOR = timedelta(minutes=15)  # until what was put into the queue is put there again: its message may be lost
PUBLISHED_WITHIN = timedelta(minutes=2)  # an outcome younger than this is most likely being published right now
LISTING_KEPT_FOR = timedelta(minutes=5)  # a listing of the vaults, for all rotations of the process
EVENT_MARGIN = timedelta(days=1)  # before its expiry a version is made at the latest, so that its event still comes
LONGEST_REVOCATION = timedelta(days=365)  # between a rotation and the revocation that it asks for

# Secrets
NEAR_EXPIRY = timedelta(days=30)  # before the expiry: when Key Vault raises SecretNearExpiry (Key Vault documentation)
SHORTEST_VALIDITY, LONGEST_VALIDITY = timedelta(days=31), timedelta(days=3650)  # shorter: near expiry at birth
DEFAULT_LEAD, LONGEST_LEAD = timedelta(days=30), timedelta(days=365)  # before the expiry: when the sweep finds it due
OVERDUE_AFTER = timedelta(days=2)  # from when it is due: a sweep, its rotation and its retries have passed
MAX_TAGS = 15  # Key Vault refuses a sixteenth

# The sweep
SWEEP_WITHIN = timedelta(minutes=8)  # of the ten that host.json gives a function
LOOK_WITHIN = timedelta(seconds=120)  # of the 230 s that App Service gives a caller
PINNED_AT_ONCE = 8  # due secrets of one vault, of which each costs a request
PAGES_AHEAD = 4  # so many are listed while those before them are written
KEPT_BEYOND = 75  # secrets: three pages of Key Vault's; with a fourth, 100 fill a transaction of Table storage
TARGETS_ASKED_AT_ONCE = 16  # for a page of secrets: which others share each target

# What callers send
LARGEST_BODY = 16 * 1024  # bytes
LONGEST_REASON = 500  # characters
LONGEST_IDEMPOTENCY_KEY = 255  # printable characters of ASCII
LARGEST_PAGE = 200  # items
ASK_AGAIN_AFTER = 30  # seconds, where the outcome takes some minutes; what was just accepted takes a second
