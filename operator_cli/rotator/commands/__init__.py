"""
What each command does: its arguments, the calls it makes, what it shows and the exit code it ends with.
"""
