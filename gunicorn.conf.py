"""Configuration of gunicorn, which reads it by itself when it is started in this folder."""

import os
import shutil
import sys
import tempfile
from functools import partial

from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker

# All processes count into files of one folder. prometheus_client looks for its name when it is imported. A master that takes over
# from another one (SIGUSR2) inherits the environment and needs its own; the same master may read this file again (SIGHUP).
_prefix = f"connector-metrics-{os.getpid()}-"
if _prefix not in os.environ.get("PROMETHEUS_MULTIPROC_DIR", ""):
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix=_prefix)

from prometheus_client.multiprocess import mark_process_dead  # noqa: E402

from app import context, logs  # noqa: E402
from app.settings import SettingsError, load  # noqa: E402

try:
    _settings = load()
except SettingsError as error:
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"])
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


def worker_exit(_server: Arbiter, worker: Worker) -> None:
    """Let another process lead at once, if this one does."""
    if worker.wsgi is not None:
        context.finish(worker.wsgi)


def child_exit(_server: Arbiter, worker: Worker) -> None:
    """What a process that has ended was doing no longer counts."""
    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Arbiter) -> None:
    """Remove the files of the metrics."""
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


logs.configure(_settings.log_level, _settings.log_format)
logger_class = _SharedLog
