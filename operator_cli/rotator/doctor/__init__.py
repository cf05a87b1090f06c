"""
What would fail before it fails: settings, rights and reach of a deployed app.
"""
