"""
The calls to the ports that rotations make, in the order in which one-after-another twins see them.
"""

# Of the first rotation of a secret whose target can be asked, of an event or accepted from a caller: changes, and looks
# in between.
ROTATION = (
    "read_current",
    "claim",
    "read_outcome",
    "read_current",
    "read_keys",
    "bound_secrets",
    "list_managed",
    "read_waiting",
    "read_done",
    "replace",
    "bind",
    "regenerate",
    "probe",
    "ask",
    "store",
    "read_properties",
    "end",
    "settle",
    "publish",
    "forget_outcome",
    "note",
    "list_versions",
    "read_version",
)

# Of the regeneration of a key for no secret.
KEY_REGENERATION = (
    "claim",
    "read_outcome",
    "read_keys",
    "bound_secrets",
    "list_managed",
    "read_current",
    "bind",
    "read_done",
    "replace",
    "regenerate",
    "end",
    "settle",
    "publish",
    "forget_outcome",
    "note",
)
