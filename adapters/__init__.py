"""
One module for each service behind a port; `wiring` alone knows them all.
"""
