"""
The calls to the ports that rotations make, in the order in which one-after-another twins see them.
"""

# Of the first rotation of a secret whose target can be asked, of an event or accepted from a caller: changes, and looks
# in between.
ROTATION = (
    "read_current",
    "claim",
    "read_current",
    "read_keys",
    "bound_secrets",
    "list_managed",
    "begin",
    "regenerate",
    "probe",
    "ask",
    "store",
    "read_properties",
    "end",
    "publish",
    "forget_outcome",
    "note",
    "list_versions",
)

# Of the regeneration of a key for no secret.
KEY_REGENERATION = (
    "claim",
    "read_keys",
    "bound_secrets",
    "list_managed",
    "read_current",
    "bind",
    "begin",
    "regenerate",
    "end",
    "publish",
    "forget_outcome",
    "note",
)
