"""The metrics that a process counts itself.

With the variable `PROMETHEUS_MULTIPROC_DIR`, which gunicorn.conf.py sets, their values are in files that all processes of a
service share, so that any of them can show the sum; a process that has ended still counts.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY: Final = CollectorRegistry()
"""The metrics of this process."""

UNKNOWN: Final = "(unknown)"
"""The value of a label for what a client made up: each value of a label is a time series, so there must be few."""

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

HTTP_REQUESTS: Final = Counter(
    "connector_http_requests_total",
    "Requests that were responded to.",
    ["method", "route", "status"],
    registry=REGISTRY,
)
HTTP_SECONDS: Final = Histogram(
    "connector_http_request_duration_seconds",
    "From the arrival of a request to its response.",
    ["method", "route"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
HTTP_IN_PROGRESS: Final = Gauge(
    "connector_http_requests_in_progress",
    "Requests under way, each of which has a thread; claims that wait are among them.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
TRANSITIONS: Final = Counter(
    "connector_transitions_total",
    "Changes that scripts were asked for, and what they decided.",
    ["area", "transition", "verdict"],
    registry=REGISTRY,
)
ELASTICSEARCH_REQUESTS: Final = Counter(
    "connector_elasticsearch_requests_total",
    "Requests to Elasticsearch; the status is that of HTTP, `timeout` or `unreachable`.",
    ["operation", "status"],
    registry=REGISTRY,
)
ELASTICSEARCH_SECONDS: Final = Histogram(
    "connector_elasticsearch_request_duration_seconds",
    "From the sending of a request to Elasticsearch to its response, or until there was none.",
    ["operation"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
ELASTICSEARCH_RETRIES: Final = Counter(
    "connector_elasticsearch_retries_total",
    "Requests sent to Elasticsearch again, after a conflict with another write or a failure.",
    ["reason"],
    registry=REGISTRY,
)
for _reason in ("conflict", "failure"):
    ELASTICSEARCH_RETRIES.labels(_reason)  # so that 0 is shown
GROUP_COMMIT_UPDATES: Final = Histogram(
    "connector_group_commit_updates",
    "Updates of sync jobs that were sent to Elasticsearch in one request.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_000),
    registry=REGISTRY,
)
GROUP_COMMIT_WAITING_SECONDS: Final = Histogram(
    "connector_group_commit_waiting_seconds",
    "For how long each of them waited until it was sent.",
    buckets=(0.001, *_SECONDS),
    registry=REGISTRY,
)
LEADING: Final = Gauge(
    "connector_leader",
    "1 where a process of this replica does the maintenance for all replicas, else 0.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
MAINTENANCE_CHANGES: Final = Counter(
    "connector_maintenance_changes_total",
    "What the leader did: jobs it ended, deleted or created, connectors it repaired, leases and keys it removed.",
    ["task"],
    registry=REGISTRY,
)
MAINTENANCE_FAILURES: Final = Counter(
    "connector_maintenance_failures_total",
    "Tasks of the leader that failed; each is tried again in the next round.",
    ["task"],
    registry=REGISTRY,
)
for _task in ("rescue", "repair", "expiry", "scheduling", "retention"):
    MAINTENANCE_CHANGES.labels(_task)
    MAINTENANCE_FAILURES.labels(_task)
LEASE_TAKEOVERS: Final = Counter(
    "connector_lease_takeovers_total",
    "Leases taken over from a holder that did not release them.",
    registry=REGISTRY,
)
