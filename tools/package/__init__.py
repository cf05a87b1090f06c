"""
The deployment package: the app and all it needs, compiled, as one zip that Azure runs as it is. `make package`.
"""
