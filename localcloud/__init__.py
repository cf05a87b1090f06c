"""
An Azure and a Functions host for this machine, for the demo and the tests; never deployed.
"""
