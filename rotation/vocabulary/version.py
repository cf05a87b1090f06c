"""
The version of this app: a test holds it together with pyproject.toml.
"""

VERSION = "0.1.0"
