"""
Everything that can go wrong, made to go wrong, and the promises judged by what the local cloud saw.
"""
