"""Everything the service asks of Elasticsearch. Nothing else imports its client."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Thread
from typing import cast

import structlog

from app.errors import ApiError
from app.settings import Settings
from app.store.client import TracedTransport, connect
from app.store.documents import Documents
from app.store.idempotency_keys import IdempotencyKeys
from app.store.index_definitions import CONNECTORS, DEFINITIONS, LEASES, SECRETS, SYNC_JOBS
from app.store.indices import Indices
from app.store.leadership import Leadership
from app.store.leases import Leases
from app.store.pipelines import Pipelines
from app.store.retries import send
from app.store.security import Security

log = structlog.get_logger(__name__)

_PREPARATION_PAUSE_SECONDS = 2.0


class Store:
    """The indices and their documents, through one client. Make one in each process, after the fork.

    The index of secrets is only made, and only required, where the settings name a key for them.
    """

    def __init__(self, settings: Settings) -> None:
        client = connect(settings)
        refresh_writes = settings.refreshing == "write"
        self.security = Security(
            cast(TracedTransport, client.transport),
            settings.authorization_cache_seconds,
            timeout=settings.elasticsearch_timeout,
            own_certificate=settings.elasticsearch_client_cert is not None,
        )
        self.indices = Indices(client, (*DEFINITIONS, SECRETS) if settings.secrets_keys else DEFINITIONS)
        self.connectors = Documents(client, self.indices, CONNECTORS, refresh_writes=refresh_writes)
        self.sync_jobs = Documents(
            client,
            self.indices,
            SYNC_JOBS,
            refresh_writes=refresh_writes,
            gather_seconds=settings.elasticsearch_timeout,
        )
        self.secrets = Documents(client, self.indices, SECRETS, refresh_writes=refresh_writes)
        leases = Documents(client, self.indices, LEASES, refresh_writes=False)
        self.leases = Leases(leases)
        self.idempotency_keys = IdempotencyKeys(leases)
        quiet_leases = Documents(client, self.indices, LEASES, refresh_writes=False, quiet=True)
        self.leadership = Leadership(quiet_leases)
        self.expiring = leases
        self.pipelines = Pipelines(client, self.leases)

    def prepare(self, is_first: Callable[[], bool]) -> None:
        """Create what is missing of the indices and the pipeline in the background, as soon as Elasticsearch answers."""
        Thread(target=self._prepare, args=(is_first,), name="prepare-indices", daemon=True).start()

    def _prepare(self, is_first: Callable[[], bool]) -> None:
        reason = None
        while True:
            try:
                send(lambda _is_retry: self.indices.ensure(), quiet=True)
                send(lambda _is_retry: self.pipelines.ensure(is_first), quiet=True)
            except ApiError as error:
                if error.cause.reason != reason:  # once, since it may go on for days
                    reason = error.cause.reason
                    log.warning("indices_not_prepared", reason=reason)
                time.sleep(_PREPARATION_PAUSE_SECONDS)
            else:
                return
