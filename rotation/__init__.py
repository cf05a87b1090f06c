"""
What a rotation is and how it proceeds. Imports nothing from Azure.
"""
