"""How gunicorn serves the application; read by itself when it is started in this folder."""

import logging
import sys

from gunicorn.glogging import Logger

from app.settings import SettingsError, load

try:
    _settings = load()
except SettingsError as why:
    sys.exit(str(why))  # the sentence alone, and not the traceback of a configuration file

wsgi_app = "app:create_app()"
bind = (
    f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
)

# Two processes use two cores, and a thread waits for Elasticsearch most of its time.
worker_class = "gthread"
workers = _settings.workers
threads = _settings.threads

keepalive = 75  # longer than the idle connections of clients and of usual load balancers
graceful_timeout = 30
limit_request_line = 8190  # the largest that is a limit at all; twice as much as Elasticsearch takes

accesslog = None  # the application logs its requests
control_socket_disable = True  # it would write below the home folder


class _OneLine(logging.Formatter):
    """Keeps each record on one line, its traceback too."""

    def format(self, record: logging.LogRecord) -> str:
        return " | ".join(super().format(record).splitlines())


class _OneLineLogger(Logger):  # type: ignore[misc]
    """Gunicorn's own logger, on stderr, one line for each record."""

    def setup(self, cfg: object) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(_OneLine(self.error_fmt, self.datefmt))


logger_class = _OneLineLogger
