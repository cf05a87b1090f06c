"""
The command line for people: `python -m operator_cli`. It speaks to the app's HTTP API alone and is never deployed.
"""
