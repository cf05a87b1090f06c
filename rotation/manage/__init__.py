"""
Putting secrets under management, and changing how they are managed.
"""
