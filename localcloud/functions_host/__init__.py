"""
An Azure Functions host for this machine: it runs the app where Core Tools are not installed.

    python -m localcloud.functions_host --app DIR     serves the app in DIR until it is stopped
    process.FunctionsHost                             the same as a child process, for tests and the demo
"""
