"""
Measurements of the app, against what people would write instead, another commit, and the limit: `make bench`.
"""
