"""The table of endpoints in the tests is complete."""

from __future__ import annotations

import re

from flask import Flask

from app.connectors.views import blueprint as connectors
from app.secrets.views import blueprint as secrets
from app.sync_jobs.many_views import blueprint as many_sync_jobs
from app.sync_jobs.views import blueprint as sync_jobs
from app.wire import routing
from tests.endpoints import ALL


def test_table_of_endpoints_has_every_route() -> None:
    app = Flask(__name__, static_folder=None)
    routing.install(app)
    for blueprint in (sync_jobs, many_sync_jobs, connectors, secrets):
        app.register_blueprint(blueprint)
    routes = [
        (method, re.sub("<[^>]+>", "{id}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods
    ]
    assert sorted(routes) == sorted((endpoint.method, endpoint.path) for endpoint in ALL)
