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
LAST_LOOK_FOR_HTTP = timedelta(seconds=60)  # at which secrets hold a leaked key, beside the rotation of one of them
PAUSE = timedelta(seconds=30)  # from the check of the deadline to the socket
IN_FLIGHT = timedelta(seconds=300)  # in which an abandoned request can still take effect; Azure documents no bound
SKEW = timedelta(seconds=30)  # between the clocks of two workers
CLAIM_TTL = timedelta(seconds=600)  # at least LAST_SEND + PAUSE + IN_FLIGHT + SKEW
LOOKS = 6  # at the keys, after an answer that promised a new one
FIRST_PAUSE = 1.0  # seconds between two tries of a change, doubled each time
LONGEST_PAUSE = 30.0  # seconds between two tries of a change
VERSIONS_READ_AT_ONCE = 10  # of a secret, which may have hundreds

# One rotation
MAX_ATTEMPTS = 10  # while nothing is regenerated: then it ends Failed(exhausted)
MAX_ATTEMPTS_TO_FINISH = 100  # once the key is regenerated: only time is missing, or its clients wait for the new key
QUEUED_FOR = timedelta(minutes=15)  # until what was put into the queue is put there again: its message may be lost
PUBLISHED_WITHIN = timedelta(minutes=2)  # an outcome younger than this is most likely being published right now
LISTING_KEPT_FOR = timedelta(minutes=5)  # a listing of the vaults, for all rotations of the process
EVENT_MARGIN = timedelta(days=1)  # before its expiry a version is made at the latest, so that its event still comes
DEFAULT_GRACE = timedelta(hours=24)  # App Service may use a secret for so long that it has read (its documentation)
LONGEST_GRACE = timedelta(hours=168)  # a week, of the setting for it
LONGEST_REVOCATION = timedelta(days=365)  # from when the last secret has moved away from a leaked key to its end
HOLDERS_MOVE_WITHIN = timedelta(hours=24)  # beyond that time: a leaked key that a secret holds even then is not revoked
REFUSED_KEY_RESTS_FOR = timedelta(hours=1)  # each move away from a leaked key regenerates the other one

# The proof of a new key
PROVEN_WITHIN = 60.0  # seconds in which one attempt asks whether a key works; then the rotation is suspended
PROOF_WINDOW = timedelta(hours=1)  # from when a key was first seen: one that is refused to its end is not stored
LOOK_HOLDS_FOR = 5.0  # seconds, until the secret is read again before a version is stored

# Secrets
NEAR_EXPIRY = timedelta(days=30)  # before the expiry: when Key Vault raises SecretNearExpiry (Key Vault documentation)
SHORTEST_VALIDITY = timedelta(days=31)  # a shorter one would be near expiry at birth
LONGEST_VALIDITY = timedelta(days=3650)  # ten years
DEFAULT_LEAD = timedelta(days=30)  # before the expiry: when the sweep finds it due, unless a setting says otherwise
LONGEST_LEAD = timedelta(days=365)  # of that setting
OVERDUE_AFTER = timedelta(days=2)  # from when it is due: a sweep, its rotation and its retries have passed
MAX_TAGS = 15  # Key Vault refuses a sixteenth
LARGEST_VALUE = 25_000  # bytes of a secret's value that Key Vault takes for sure: its documentation says 25k
LONGEST_SPELLING = 40  # characters for one in a value: as JSON and URLs write it, several times one inside the other

CHANGED_AGAIN = 3  # tries of a change of tags, where the secret names another target each time that it is read

# The sweep
SWEEP_WITHIN = timedelta(minutes=8)  # of the ten that host.json gives a function
LOOK_WITHIN = timedelta(seconds=120)  # of the 230 s that App Service gives a caller
PINNED_AT_ONCE = 8  # due secrets of one vault, of which each costs a request
PAGES_AHEAD = 4  # so many are listed while those before them are written
KEPT_BEYOND = 75  # secrets: three pages of Key Vault's; with a fourth, 100 fill a transaction of Table storage
ALIKE = 0.92  # of the letters of a tag's name, for it to count as one of ours that is misspelt
TARGETS_ASKED_AT_ONCE = 16  # for a page of secrets: which others share each target
TARGETS_ASKED_ONE_BY_ONE = 100  # of a page: where it has more, the bindings of all targets are read at once
BINDINGS_KEPT_FOR = 60.0  # seconds after that: a caller who reads the whole list asks for its pages one after the other
TOO_MANY_BINDINGS_FOR = 3600.0  # seconds after they were found to be too many to be kept
MOST_BINDINGS_KEPT = 50_000  # some 30 MB; where there are more, each page asks for its own targets

# Verification
VERIFY_WITHIN = timedelta(minutes=4)  # of a sweep: what is due waits so long for the queue
DEFAULT_VERIFY_EVERY = timedelta(days=1)  # from one comparison of a secret with its target to the next
LONGEST_VERIFY_EVERY = timedelta(days=365)  # of the setting for it
VERIFIED_EARLY = timedelta(hours=12)  # before that time is over, so that a daily sweep takes in all
TARGETS_AT_HAND = 5_000  # the longest unverified, of which there may be any number: about two kilobytes each
COMPARED_AT_ONCE = 50  # targets, of which most wait until their subscription has room
TARGETS_PER_WRITE = 50  # whose verifications are written together: what a sweep that dies has to do again
VERIFIED_AT_ONCE = 16  # secrets that are read: at 40 ms each the 400 a second that a vault takes (its documentation)
SECOND_LOOK_AFTER = 5.0  # seconds: keys that were just regenerated may be shown late
COMPARED_AGAIN = 3  # times, for a caller who waits: a secret that changes meanwhile has another version
LAST_WRITE_WITHIN = timedelta(seconds=15)  # after that time, to keep what was found in it
TOLD_AT_ONCE = 8  # events about secrets that need a person
TOLD_WITHIN = timedelta(seconds=20)  # of a sweep: who is not told then is told by the next one

# What callers send
LARGEST_BODY = 16 * 1024  # bytes: a request has a few hundred
LONGEST_REASON = 500  # characters of the reason that a caller gives
LONGEST_NAME = 200  # characters of the name of who asks, and of an id: the rest is cut off
LONGEST_IDEMPOTENCY_KEY = 255  # printable characters of ASCII, as other APIs allow
LONGEST_SECRET_ID = 400  # characters of the URI of a secret
LONGEST_TARGET_ID = 1000  # characters of an ARM id
LONGEST_DURATION = 40  # characters
LONGEST_CONTINUATION = 1000  # characters
UNWRAPPED_AT_MOST = 8  # times: a posted text may be megabytes of brackets
EVENT_UNWRAPPED_AT_MOST = 4  # times, of lists of one and texts of JSON around the data of an event
SEARCHED_FOR_ODDITIES = 2_000  # characters: no id is as long
LONGEST_WORD = 40  # characters of a word that an error shows
SHORTEST_KEY = 32  # letters and digits in a row, which an error does not show: they may be the key of an account
LONGEST_QUOTE = 300  # characters of an address that an error shows
ROTATIONS_SHOWN = 50  # in a list, where a caller does not say how many
SECRETS_SHOWN = 100  # in a list, where a caller does not say how many
LARGEST_PAGE = 200  # items of a list
ASK_AGAIN_AFTER = 30  # seconds, where the outcome takes some minutes; what was just accepted takes a second

# Requests to Azure
READ_AGAIN_AFTER = (0.5, 1.0, 2.0)  # seconds between the tries of a read
LONGEST_WAIT_FOR_A_READ = 10.0  # seconds: a longer Retry-After is for the next attempt
LONGEST_RETRY_AFTER = timedelta(days=1)  # a longer one is taken for this
LONGEST_MESSAGE = 10_000  # characters of a service's message that are looked at
LONGEST_ERROR_CODE = 100  # characters of a service's code that are passed on
LONGEST_ERROR_TEXT = 1000  # characters of a service's message that are passed on
MOST_DIGITS = 9  # of a number that somebody sent: Python reads no more than some thousands
CONNECTED_WITHIN = 10  # seconds, until there is a connection
ANSWERED_WITHIN = 60  # seconds, for the whole of one request and its answer
PROBED_WITHIN = 10  # seconds, for one question to a data plane and its answer
TOKEN_WITHIN = 15.0  # seconds, for one token with all tries of azure-identity
TABLE_WITHIN = 30  # seconds, for one operation on the ledger with all its tries
HEALTH_WITHIN = 10  # seconds, for each part of a health check
HEALTH_KEPT_FOR = 10  # seconds: the answer is public, and asking must not cost more than that

# Throttling by Azure Resource Manager
SCARCE_AT = 50  # requests left, or fewer: they go one after the other. Two instances have as many on their way
AMPLE_AT = 100  # requests left, or more: they go freely again
PACE = 0.1  # seconds from one request to the next while they are scarce: the slower of the two refills
CALM = 20.0  # seconds without a sign of scarcity: as long as an empty bucket of writes takes to fill
LONGEST_WAIT_AT_THE_GATE = 10.0  # seconds a request waits: a longer wait is for the next attempt
LONGEST_HOLD = 300.0  # seconds: then ARM is asked again, which answers an early request with a new wait

# The ledger
ROWS_PER_TRANSACTION = 100  # rows (Table storage documentation)
ROTATIONS_PER_PAGE = 100  # rows that are read at once for a list of rotations
SECRETS_PER_PAGE = 1000  # rows that are read at once for a list of secrets, the most that Table storage returns
PUBLISHED_LATE = timedelta(minutes=1)  # an outcome that waited for longer may be older than the one that is shown

# Telemetry
TELEMETRY_QUIET = 2.0  # seconds without a line, after which its set-up competes with nothing
TELEMETRY_AT_MOST = 30.0  # seconds that a process which is never quiet waits for it
TELEMETRY_BUFFERED = 10_000  # measurements, a few megabytes: a rotation makes about ten
TELEMETRY_CLOSES_WITHIN = 6.0  # seconds, when a process ends
LAST_EXPORT = 2_000  # milliseconds, for each destination when a process ends
EXPORTED_WITHIN = 10  # seconds, for one export
EXPORT_RETRIES = 3  # of one export to Application Insights
SWEEP_SHOWN_FOR = 48 * 3600  # seconds after a sweep in which its figures are reported
