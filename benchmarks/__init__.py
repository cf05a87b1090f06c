"""
Measurements. They print figures and assert nothing: no test depends on how fast a machine is.
"""
