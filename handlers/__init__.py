"""
One module for each kind of trigger: decode, call, encode.
"""
