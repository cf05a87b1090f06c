"""
In-memory twins of the ports. They pass the contract tests that the adapters pass.
"""
