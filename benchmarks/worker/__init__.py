"""
A stand-in for Azure's Python worker: a process that invokes the functions of one app, and writes down how it went.
"""
