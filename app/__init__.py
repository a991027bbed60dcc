"""The Connector API of Elasticsearch, as a service beside a cluster."""

from __future__ import annotations

from flask import Flask

from app import health, logs, settings, wire
from app.connectors.views import blueprint as connectors
from app.secrets.views import blueprint as secrets
from app.store import Store
from app.sync_jobs.views import blueprint as sync_jobs


def create_app(configuration: settings.Settings | None = None) -> Flask:
    """The WSGI application. `configuration` is read from the environment unless given.

    Call it once in each process, after the fork: it makes the process's Elasticsearch client. It starts whether
    Elasticsearch answers or not, and prepares the indices as soon as it does.
    """
    configuration = configuration or settings.load()
    logs.configure(configuration.log_level, configuration.log_format)
    app = Flask(__name__, static_folder=None)
    app.extensions["settings"] = configuration
    app.extensions["store"] = Store(configuration)
    wire.install(app, max_body_bytes=configuration.max_body_bytes, security=app.extensions["store"].security)
    for blueprint in (sync_jobs, connectors, secrets, health.blueprint):
        app.register_blueprint(blueprint)
    app.extensions["store"].prepare()
    return app
