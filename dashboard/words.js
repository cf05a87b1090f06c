// What the states and codes of the API mean, and what a person can do: docs/operations.md in short.

/** Each status of a secret: how it looks, what it is called, and what it means. In the order of urgency. */
export const STATUSES = {
  Drifted: { look: "bad", name: "Drifted", means: "Its value holds no live key: clients may be failing now." },
  TargetMissing: { look: "bad", name: "Target missing", means: "The resource that its key opens was not found." },
  Expired: { look: "bad", name: "Expired", means: "Its expiry date has passed." },
  Overdue: { look: "bad", name: "Overdue", means: "It should have been rotated two days ago or more." },
  Misconfigured: { look: "warn", name: "Misconfigured", means: "It cannot be rotated as it stands." },
  NearlyManaged: {
    look: "warn",
    name: "Nearly managed",
    means: "It is not managed, although its tags look like ours.",
  },
  Due: { look: "calm", name: "Due", means: "It is rotated next, without anyone's help." },
  Paused: { look: "calm", name: "Paused", means: "Nothing rotates it until somebody resumes it." },
  UpToDate: { look: "good", name: "Up to date", means: "Nothing has to be done." },
};

/** Each state of a rotation. */
export const STATES = {
  Accepted: { look: "calm", name: "Accepted", means: "It waits in the queue." },
  Scheduled: { look: "calm", name: "Scheduled", means: "It waits for its time." },
  Regenerating: { look: "warn", name: "Running", means: "It is at work, or waits to go on." },
  Completed: { look: "good", name: "Completed", means: "The new key is stored." },
  Failed: { look: "bad", name: "Failed", means: "It has ended without a new key in the secret." },
  Skipped: { look: "calm", name: "Skipped", means: "There was nothing to do." },
  Planned: { look: "calm", name: "Planned", means: "It was only rehearsed." },
};

/** What started a rotation. */
export const TRIGGERS = {
  SecretNearExpiry: "Key Vault reported that the secret is near its expiry",
  SecretExpired: "Key Vault reported that the secret has expired",
  Sweep: "the daily sweep found the secret due",
  Http: "somebody asked for it",
};

const REMEDIES = {
  misconfigured: "Correct the tag or the value that the message names. The next sweep goes on.",
  forbidden:
    "The message says what is missing: an app role of yours, a vault in ROTATION_VAULTS, or a scope in ROTATION_ALLOWED_SCOPES.",
  drift: "Store a live key. Then find out who regenerated the key, or who stored the value.",
  active_key: "Rotate the other key of the target, or let the secret that the message names be rotated first.",
  revocation_pending: "Wait until the other leaked key is dead, or cancel that revocation.",
  single_key: "Both keys are the same. Change the strategy to InPlace, and accept that clients fail for a moment.",
  target_not_found: "Correct the tag ProviderAddress, or stop managing the secret.",
  provider_refused: "Grant the app its role on the target, remove the lock, or allow shared keys. Then rotate again.",
  vault_refused:
    "Grant the app Key Vault Secrets Officer on the vault, or recover the deleted secret. Then rotate again.",
  key_refused: "The new key did not work for an hour, and was not stored. Try it by hand, then rotate again.",
  exhausted: "A service was down for too long. The next sweep tries again.",
  too_soon: "Clients may still use the key that would be regenerated. Ask again at that time.",
  busy: "Another rotation of the same target is running. Ask again when it has ended.",
  observing: "The app only observes. It changes keys when its setting ROTATION_MODE is rotate.",
  unavailable: "Try again in a moment. The health on top names the part that is down.",
  settings: "Correct that setting of the app.",
};

/** Return what to do about an error, null where its own words say it. */
export const remedyOf = (code) => REMEDIES[code] ?? null;

/** Why a rotation was skipped. */
export const SKIPPED = {
  superseded: "the secret had a newer version already",
  paused: "the secret is paused",
  disabled: "the current version is disabled",
  unmanaged: "the secret is not managed",
  deleted: "the secret was deleted",
  busy: "another rotation of the target was running",
  revoked: "the leaked key was dead already",
  cancelled: "somebody cancelled it",
  too_soon: "clients may still use the key that it would regenerate",
  observing: "the app only observes",
};

/** What the parts of health are called. */
export const PARTS = {
  settings: "a setting",
  ledger: "the app's own storage",
  vaults: "Key Vault",
  identity: "the app's identity",
  events: "the decoding of events",
  sweep: "the schedule of the sweep",
};

/** What came of comparing a secret with its target. */
export const RESULTS = {
  Live: "Live",
  Drift: "No live key",
  TargetMissing: "Target missing",
  Refused: "Refused",
  Unreachable: "Not reachable",
};
