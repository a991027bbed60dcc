"""Configuration of gunicorn, which reads it by itself when it is started in this folder."""

import os
import sys
from functools import partial

from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker

from app import context, logs
from app.settings import SettingsError, load

try:
    _settings = load()
except SettingsError as error:
    sys.exit(str(error))  # gunicorn would print a traceback

wsgi_app = "app:create_app()"
bind = (
    f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
)

# Each process uses one core; threads are cheap, because they wait for Elasticsearch most of the time.
worker_class = "app.wire.gunicorn_worker.Worker"  # with threads, and errors in Elasticsearch's format
workers = _settings.workers
threads = _settings.threads

keepalive = 75  # longer than the idle connections of clients and of usual load balancers
graceful_timeout = 30
limit_request_line = 8190  # gunicorn's maximum; Elasticsearch accepts half of it
limit_request_field_size = 16384  # as in Elasticsearch: some tokens are long

accesslog = None  # the application logs its requests
control_socket_disable = True  # it would write to the home folder


# All worker processes share this counter, later ones too: the first one that reads it gets the 1.
_untold = os.eventfd(1, os.EFD_CLOEXEC | os.EFD_NONBLOCK)


def _is_first() -> bool:
    """True once at each start, in the worker process that asks first: it warns of what all of them find."""
    try:
        return os.eventfd_read(_untold) == 1
    except BlockingIOError:
        return False


class _SharedLog(Logger):  # type: ignore[misc]
    """Sends gunicorn's log through the root logger, so that all lines have one format."""

    def setup(self, cfg: object) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def post_worker_init(worker: Worker) -> None:
    """Log the start and create missing indices in the background, once a worker process has loaded the application."""
    worker.end_waiting = partial(context.stop, worker.wsgi)
    context.start(worker.wsgi, _is_first)


logs.configure(_settings.log_level, _settings.log_format)
logger_class = _SharedLog
