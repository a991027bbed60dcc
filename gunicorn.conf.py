"""How gunicorn serves the application; read by itself when it is started in this folder."""

import logging
import os

from gunicorn.glogging import Logger

wsgi_app = "app:create_app()"
_host, _port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "9280"
bind = f"[{_host}]:{_port}" if ":" in _host else f"{_host}:{_port}"

# Two processes use two cores, and a thread waits for Elasticsearch most of its time.
worker_class = "gthread"
workers = int(os.environ.get("WORKERS") or 2)
threads = int(os.environ.get("THREADS") or 32)

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
