"""All that the service asks of Elasticsearch. Nothing else imports its client."""

from __future__ import annotations

from app.settings import Settings
from app.store.client import connect
from app.store.documents import Documents
from app.store.indices import CONNECTORS, SYNC_JOBS, Indices


class Store:
    """The two indices and their documents, through one client. Make one in each process, after the fork."""

    def __init__(self, settings: Settings) -> None:
        client = connect(settings)
        refresh_writes = settings.refresh == "write"
        self.indices = Indices(client)
        self.connectors = Documents(client, self.indices, CONNECTORS, refresh_writes=refresh_writes)
        self.sync_jobs = Documents(client, self.indices, SYNC_JOBS, refresh_writes=refresh_writes)
