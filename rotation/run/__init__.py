"""
One rotation, from its request to its announced end. Begin with `rotator.py`.
"""
