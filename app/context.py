"""What the application holds for its requests, in one place."""

from __future__ import annotations

from flask import Flask, current_app

from app.settings import Settings
from app.store import Store


def attach(app: Flask, settings: Settings, store: Store) -> None:
    """Give the application its settings and its store."""
    app.extensions["settings"] = settings
    app.extensions["store"] = store


def prepare(app: Flask) -> None:
    """Have the application's indices created in the background, as soon as Elasticsearch answers."""
    found: Store = app.extensions["store"]
    found.prepare()


def settings() -> Settings:
    """The settings of the application that serves this request."""
    found: Settings = current_app.extensions["settings"]
    return found


def store() -> Store:
    """The store of the application that serves this request."""
    found: Store = current_app.extensions["store"]
    return found
