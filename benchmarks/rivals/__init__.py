"""
What people would write instead, as function apps of their own: the tutorial's way, and the documentation's samples.
"""
