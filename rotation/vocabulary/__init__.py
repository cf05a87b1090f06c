"""
The words in which rotations are spoken of: what has a meaning of its own, whatever is done with it.
"""
