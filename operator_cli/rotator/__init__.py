"""
The command line for people: `rotator`. It speaks to the app's HTTP API alone and is never deployed.
"""
