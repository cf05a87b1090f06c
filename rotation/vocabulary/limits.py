"""
Every number that limits something, with its reason. docs/limits.md shows them, and a test compares the two.

Numbers in seconds, characters, bytes or pieces say so; all other times are `timedelta`.

    CLAIM_TTL >= LAST_SEND + PAUSE + IN_FLIGHT + SKEW

When a claim has expired, nothing that its holder sent can take effect any more: the rotation may be resumed elsewhere.
"""

from datetime import timedelta

# One attempt
LAST_SEND = timedelta(seconds=240)  # from the start of an attempt to its last request to ARM or Key Vault
LAST_SEND_FOR_HTTP = timedelta(seconds=120)  # for HTTP: App Service gives up on a caller after 230 s
LAST_LOOK_FOR_HTTP = timedelta(seconds=60)  # to look up the holders of a leaked key while one of them is rotated
PAUSE = timedelta(seconds=30)  # from the check of the deadline to the socket
IN_FLIGHT = timedelta(seconds=300)  # how long an abandoned request can still take effect; Azure documents no bound
SKEW = timedelta(seconds=30)  # largest difference between the clocks of two workers
CLAIM_TTL = timedelta(seconds=600)  # at least LAST_SEND + PAUSE + IN_FLIGHT + SKEW
LOOKS = 6  # reads of the keys, after an answer that promised a new one
FIRST_PAUSE = 1.0  # seconds between two tries of a change, doubled each time
LONGEST_PAUSE = 30.0  # seconds between two tries of a change
VERSIONS_READ_AT_ONCE = 10  # versions of a secret, which may have hundreds

# One rotation
MAX_ATTEMPTS = 10  # attempts while nothing is regenerated; then the rotation ends Failed(exhausted)
MAX_ATTEMPTS_TO_FINISH = 100  # attempts once the key is regenerated: only time is missing, or clients wait for the key
QUEUED_FOR = timedelta(minutes=15)  # until a message is put into the queue again, because the first one may be lost
PUBLISHED_WITHIN = timedelta(minutes=2)  # an outcome younger than this is probably being published now
LISTING_KEPT_FOR = timedelta(minutes=5)  # how long all rotations of the process use one listing of the vaults
EVENT_MARGIN = timedelta(days=1)  # from making a version to its expiry, at least, so that its event still comes
DEFAULT_GRACE = timedelta(hours=24)  # App Service may use a secret that it has read for this long (its documentation)
LONGEST_GRACE = timedelta(hours=168)  # longest value of the setting: a week
LONGEST_REVOCATION = timedelta(days=365)  # from the last move away from a leaked key to the end of that key
HOLDERS_MOVE_WITHIN = timedelta(hours=24)  # after the delay: a leaked key that a secret still holds then is not revoked
REFUSED_KEY_RESTS_FOR = timedelta(hours=1)  # until the next move after a failed one: each regenerates the other key

# The proof of a new key
PROVEN_WITHIN = 60.0  # seconds in which one attempt asks whether a key works; then the rotation is suspended
PROOF_WINDOW = timedelta(hours=1)  # from when a key was first seen: a key that is refused for so long is not stored
LOOK_HOLDS_FOR = 5.0  # seconds after which the secret is read again before a version is stored

# Secrets
NEAR_EXPIRY = timedelta(days=30)  # before the expiry: when Key Vault raises SecretNearExpiry (Key Vault documentation)
SHORTEST_VALIDITY = timedelta(days=31)  # with a shorter one, a version would be near its expiry when it is made
LONGEST_VALIDITY = timedelta(days=3650)  # ten years
DEFAULT_LEAD = timedelta(days=30)  # before the expiry a secret is due, unless a setting says otherwise
LONGEST_LEAD = timedelta(days=365)  # longest value of that setting
OVERDUE_AFTER = timedelta(days=2)  # after a secret is due: by then a sweep, its rotation and its retries have passed
MAX_TAGS = 15  # Key Vault refuses a sixteenth
LARGEST_VALUE = 25_000  # bytes of a secret's value that Key Vault surely takes: its documentation says 25k
LONGEST_SPELLING = 40  # characters for one in a value: JSON and URL encoding, nested several times

CHANGED_AGAIN = 3  # tries of a change of tags, if the secret names another target at each read

# The sweep
SWEEP_WITHIN = timedelta(minutes=8)  # of the ten that host.json gives a function
LOOK_WITHIN = timedelta(seconds=120)  # of the 230 s that App Service gives a caller
PINNED_AT_ONCE = 8  # due secrets of one vault; each costs a request
PAGES_AHEAD = 4  # pages that are listed while the pages before them are written
KEPT_BEYOND = 75  # secrets: three pages of Key Vault's; with a fourth, 100 fill a transaction of Table storage
ALIKE = 0.92  # share of equal letters at which a tag's name counts as a misspelt name of ours
TARGETS_ASKED_AT_ONCE = 16  # targets of a page of secrets, to find the other secrets of each
TARGETS_ASKED_ONE_BY_ONE = 100  # targets of a page; for more, the bindings of all targets are read at once
BINDINGS_KEPT_FOR = 60.0  # seconds to keep them: a caller who reads the whole list asks for page after page
TOO_MANY_BINDINGS_FOR = 3600.0  # seconds until the app tries again to keep bindings that were too many
MOST_BINDINGS_KEPT = 50_000  # some 30 MB; if there are more, each page asks for its own targets

# Verification
VERIFY_WITHIN = timedelta(minutes=4)  # of a sweep: due secrets wait this long for the queue
DEFAULT_VERIFY_EVERY = timedelta(days=1)  # from one comparison of a secret with its target to the next
LONGEST_VERIFY_EVERY = timedelta(days=365)  # longest value of the setting for it
VERIFIED_EARLY = timedelta(hours=12)  # before that time is over, so that a daily sweep includes every secret
TARGETS_AT_HAND = 5_000  # the longest unverified targets in memory: about two kilobytes each
COMPARED_AT_ONCE = 50  # targets; most of them wait until their subscription has room
TARGETS_PER_WRITE = 50  # targets whose results are written together, and lost if the sweep dies
VERIFIED_AT_ONCE = 16  # secrets that are read: at 40 ms each, the 400 a second of a vault (its documentation)
SECOND_LOOK_AFTER = 5.0  # seconds: keys that were just regenerated may be shown late
COMPARED_AGAIN = 3  # comparisons for a caller who waits, if the secret gets another version meanwhile
LAST_WRITE_WITHIN = timedelta(seconds=15)  # after that time, to save the results
TOLD_AT_ONCE = 8  # events about secrets that need a person
TOLD_WITHIN = timedelta(seconds=20)  # of a sweep: events that are left then are published by the next sweep

# What callers send
LARGEST_BODY = 16 * 1024  # bytes: a request has a few hundred
LONGEST_REASON = 500  # characters of the reason that a caller gives
LONGEST_NAME = 200  # characters of a caller's name or id; the rest is cut off
LONGEST_IDEMPOTENCY_KEY = 255  # printable characters of ASCII, as other APIs allow
LONGEST_SECRET_ID = 400  # characters of the URI of a secret
LONGEST_TARGET_ID = 1000  # characters of an ARM id
LONGEST_DURATION = 40  # characters
LONGEST_CONTINUATION = 1000  # characters
UNWRAPPED_AT_MOST = 8  # levels of nesting: a posted text may be megabytes of brackets
EVENT_UNWRAPPED_AT_MOST = 4  # levels of one-element lists and JSON texts around the data of an event
SEARCHED_FOR_ODDITIES = 2_000  # characters: no id is so long
LONGEST_WORD = 40  # characters of a word that an error shows
SHORTEST_KEY = 32  # letters and digits in a row that an error hides: they may be the key of an account
LONGEST_QUOTE = 300  # characters of an address that an error shows
ROTATIONS_SHOWN = 50  # items of a list, if the caller does not say how many
SECRETS_SHOWN = 100  # items of a list, if the caller does not say how many
LARGEST_PAGE = 200  # items of a list
ASK_AGAIN_AFTER = 30  # seconds, if the outcome takes some minutes; an accepted rotation takes a second

# Requests to Azure
READ_AGAIN_AFTER = (0.5, 1.0, 2.0)  # seconds between the tries of a read
LONGEST_WAIT_FOR_A_READ = 10.0  # seconds: a longer Retry-After is left to the next attempt
LONGEST_RETRY_AFTER = timedelta(days=1)  # a longer one counts as this
LONGEST_MESSAGE = 10_000  # characters of a service's message that the app reads
LONGEST_ERROR_CODE = 100  # characters of a service's code that are passed on
LONGEST_ERROR_TEXT = 1000  # characters of a service's message that are passed on
MOST_DIGITS = 9  # digits of a number in a request: Python reads only some thousands
CONNECTED_WITHIN = 10  # seconds, until there is a connection
ANSWERED_WITHIN = 60  # seconds, for the whole of one request and its answer
PROBED_WITHIN = 10  # seconds, for one question to a data plane and its answer
TOKEN_WITHIN = 15.0  # seconds, for one token with all tries of azure-identity
TABLE_WITHIN = 30  # seconds, for one operation on the ledger with all its tries
HEALTH_WITHIN = 10  # seconds, for each part of a health check
HEALTH_KEPT_FOR = 10  # seconds: the answer is public, and repeated requests must cost nothing

# Throttling by Azure Resource Manager
SCARCE_AT = 50  # requests left, or fewer: they go one by one. Two instances have as many on their way
AMPLE_AT = 100  # requests left, or more: they go freely again
PACE = 0.1  # seconds from one request to the next while they are scarce: the slower of the two refills
CALM = 20.0  # seconds without a sign of scarcity: as long as an empty bucket of writes takes to fill
LONGEST_WAIT_AT_THE_GATE = 10.0  # seconds a request waits: a longer wait is left to the next attempt
LONGEST_HOLD = 300.0  # seconds: then one request asks ARM again, and ARM answers with a new wait if it is early

# The ledger
ROWS_PER_TRANSACTION = 100  # rows (Table storage documentation)
ROTATIONS_PER_PAGE = 100  # rows in one read for a list of rotations
SECRETS_PER_PAGE = 1000  # rows in one read for a list of secrets, the most that Table storage returns
PUBLISHED_LATE = timedelta(minutes=1)  # an outcome that waited longer may be older than the one that is shown

# Telemetry
TELEMETRY_QUIET = 2.0  # seconds without a line; then the set-up does not compete with other work
TELEMETRY_AT_MOST = 30.0  # seconds until the set-up begins in a process that is never quiet
TELEMETRY_BUFFERED = 10_000  # measurements, a few megabytes: a rotation makes about ten
TELEMETRY_CLOSES_WITHIN = 6.0  # seconds, when a process ends
LAST_EXPORT = 2_000  # milliseconds, for each destination when a process ends
EXPORTED_WITHIN = 10  # seconds, for one export
EXPORT_RETRIES = 3  # of one export to Application Insights
SWEEP_SHOWN_FOR = 48 * 3600  # seconds after a sweep in which its figures are reported
