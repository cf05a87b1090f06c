"""
Every order of things: several workers on the in-memory twins, moved one step at a time by a scheduler.
"""
