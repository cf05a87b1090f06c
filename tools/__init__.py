"""
What the commands of the Makefile run.
"""
