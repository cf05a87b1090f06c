"""
The function app: its blueprints, and nothing else.
"""

import azure.functions as func

from handlers import dashboard, events, http, managing, rotations, secrets, sweep, work

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
app.register_functions(events.blueprint)
app.register_functions(work.blueprint)
app.register_functions(sweep.blueprint)
app.register_functions(rotations.blueprint)
app.register_functions(secrets.blueprint)
app.register_functions(managing.blueprint)
app.register_functions(http.blueprint)
app.register_functions(dashboard.blueprint)
