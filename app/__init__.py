"""The Connector API of Elasticsearch, as a service beside a cluster."""

from __future__ import annotations

from flask import Flask

from app import context, health, logs, settings, wire
from app.api_reference.views import blueprint as api_reference
from app.connectors.views import blueprint as connectors
from app.maintenance.tasks import Maintenance
from app.metrics import views as metrics
from app.secrets.views import blueprint as secrets
from app.store import Store
from app.sync_jobs.claiming import Claims
from app.sync_jobs.many_views import blueprint as many_sync_jobs
from app.sync_jobs.views import blueprint as sync_jobs
from app.ui import pages
from app.ui.action_views import blueprint as ui_actions
from app.ui.connector_views import blueprint as ui_connectors
from app.ui.sync_views import blueprint as ui_sync
from app.ui.views import blueprint as ui


def create_app(configuration: settings.Settings | None = None) -> Flask:
    """The WSGI application. `configuration` is read from the environment unless given.

    Call it once in each process, after the fork: it makes the process's Elasticsearch client. It asks Elasticsearch for
    nothing and starts nothing; the server's worker hook has the indices prepared (`Store.prepare`).
    """
    configuration = configuration or settings.load()
    logs.configure(configuration.log_level, configuration.log_format)
    store = Store(configuration)
    app = Flask(__name__, static_folder=None)
    context.attach(app, configuration, store)
    if configuration.tracing:
        from app import tracing  # its packages need not be installed

        tracing.install(app)
    app.extensions["maintenance"] = Maintenance(store, configuration, app.extensions["stopping"])
    # All requests of a process share one search for the next jobs. Those that wait take half of its threads at most.
    app.extensions["claims"] = Claims(store, configuration.threads // 2, app.extensions["stopping"])
    wire.install(
        app,
        max_body_bytes=configuration.max_body_bytes,
        security=store.security,
        metrics_public=configuration.metrics_public,
    )
    for blueprint in (sync_jobs, many_sync_jobs, connectors, secrets, health.blueprint, api_reference):
        app.register_blueprint(blueprint)
    if configuration.ui != "off":
        pages.install(app, (ui, ui_actions, ui_connectors, ui_sync))
    metrics.install(app, store)
    return app
