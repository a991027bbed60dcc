"""How gunicorn serves the application; read by itself when it is started in this folder."""

import sys

from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker

from app import context, logs
from app.settings import SettingsError, load

try:
    _settings = load()
except SettingsError as error:
    sys.exit(str(error))  # the sentence alone, and not the traceback of a configuration file

wsgi_app = "app:create_app()"
bind = (
    f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
)

# Two processes use two cores, and a thread waits for Elasticsearch most of its time.
worker_class = "app.wire.gunicorn_worker.Worker"  # threads, and refusals in our envelope
workers = _settings.workers
threads = _settings.threads

keepalive = 75  # longer than the idle connections of clients and of usual load balancers
graceful_timeout = 30
limit_request_line = 8190  # the largest that is a limit at all; twice as much as Elasticsearch takes
limit_request_field_size = 16384  # as much as Elasticsearch takes: some tokens are long

accesslog = None  # the application logs its requests
control_socket_disable = True  # it would write below the home folder


class _SharedLog(Logger):  # type: ignore[misc]
    """Gunicorn's own lines, in the format of all the others."""

    def setup(self, cfg: object) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def post_worker_init(worker: Worker) -> None:
    """Once a worker process has its application: say so, and create what is missing of the indices, in the background."""
    context.start(worker.wsgi)


logs.configure(_settings.log_level, _settings.log_format)
logger_class = _SharedLog
