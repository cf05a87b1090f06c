"""
What azd runs before it provisions, before it packages, and after it has deployed: the same on every system.

Only the standard library is imported: azd runs it with the Python that it finds.
"""
