"""
The contract suites in a third place, a real subscription: `make live`.
"""
