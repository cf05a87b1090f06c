"""
The browser that looks at the page: Chromium from npm, where there is one for this machine. `make pictures`.
"""
