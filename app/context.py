"""What the application holds for its requests, in one place."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

import structlog
from flask import Flask, current_app

from app.settings import Settings
from app.store import Store

log = structlog.get_logger(__name__)

_FINISH_SECONDS = 2.0


def attach(app: Flask, settings: Settings, store: Store) -> None:
    """Give the application its settings and its store."""
    app.extensions["settings"] = settings
    app.extensions["store"] = store
    app.extensions["stopping"] = Event()


def start(app: Flask, is_first: Callable[[], bool]) -> None:
    """Log how the application works, and have its indices created in the background, as soon as Elasticsearch answers.

    What all processes find is warned of by the one in which `is_first` returns True, for the first of all calls.
    """
    configured: Settings = app.extensions["settings"]
    log.info("started", compatibility=configured.compatibility.name, refresh=configured.refreshing)
    found: Store = app.extensions["store"]
    found.prepare(is_first)
    if configured.maintenance_interval:
        app.extensions["maintenance"].start()


def stop(app: Flask) -> None:
    """End what requests wait for, since the process is about to end."""
    stopping: Event = app.extensions["stopping"]
    stopping.set()


def finish(app: Flask) -> None:
    """Give back what the process holds for all, at its end."""
    stop(app)
    app.extensions["maintenance"].finish(_FINISH_SECONDS)


def settings() -> Settings:
    """The settings of the application that serves this request."""
    found: Settings = current_app.extensions["settings"]
    return found


def store() -> Store:
    """The store of the application that serves this request."""
    found: Store = current_app.extensions["store"]
    return found
