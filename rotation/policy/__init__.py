"""
What is rotated, and when: what tags say, what is due, what may be touched. No I/O.
"""
