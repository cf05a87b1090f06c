"""
All secrets and all rotations: the sweep through the vaults, and the lists of the API.
"""
