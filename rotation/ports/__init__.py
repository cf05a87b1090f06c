"""
What a rotation asks of the world. Each port has an adapter and an in-memory twin, and both pass the same tests.
"""
