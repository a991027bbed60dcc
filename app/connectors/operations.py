"""Connectors made, found and removed: one function per use case, plain values in and out, `ApiError` where it cannot be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app import clock
from app.connectors import attaching
from app.connectors.attaching import Attachment
from app.connectors.document import is_deleted, new_connector
from app.connectors.index_names import MANAGED_PREFIX, unmanageable
from app.connectors.transitions import missing, result, transition
from app.errors import status_error, validation_failed
from app.store import Store
from app.store.documents import Outcome, identified, new_id
from app.store.failures import IndexMissing
from app.store.painless import load
from app.store.search import Search

PUT = load(__package__, "put", uses=("flag", "merge", "unchanged"))
DELETE = load(__package__, "delete", uses=("flag",))


@dataclass(frozen=True, slots=True)
class ConnectorList:
    """A page of connectors: `count` of all that meet the filters, and the page's documents with their ids."""

    count: int
    results: list[dict[str, Any]]


def create(store: Store, fields: Mapping[str, Any]) -> str:
    """Make a connector from the fields of a create request; its new id."""
    connector_id = new_id()
    fresh = new_connector(fields, clock.now())
    wish = Attachment(connector_id, fields, fresh)

    def write(mark: Mapping[str, Any]) -> Outcome:
        store.connectors.create(connector_id, {**fresh, **mark})
        return Outcome("created", {})

    attaching.attach(store, wish, write)
    return connector_id


def put(store: Store, connector_id: str, fields: Mapping[str, Any]) -> str:
    """Make the connector of this id, or change those `fields` of it; `created` or `updated`."""
    fresh = new_connector(fields, clock.now())
    wish = Attachment(connector_id, fields, fresh)

    def write(mark: Mapping[str, Any]) -> Outcome:
        params = _put_params(wish, mark)
        return store.connectors.transition_or_create(connector_id, PUT, params, {**fresh, **mark})

    outcome = attaching.attach(store, wish, write)
    if outcome.verdict.get("outcome") == "unmanageable":
        raise validation_failed([unmanageable(outcome.verdict["index_name"])])
    return "created" if "created" in (outcome.result, outcome.verdict.get("outcome")) else "updated"


def set_index_name(store: Store, connector_id: str, index_name: str | None) -> str:
    """Attach an index to the connector, or none; `updated`, or `noop` for no change."""
    wish = Attachment(connector_id, {"index_name": index_name}, fresh=None)

    def write(mark: Mapping[str, Any]) -> Outcome:
        return transition(store, connector_id, PUT, _put_params(wish, mark))

    outcome = attaching.attach(store, wish, write)
    if outcome.verdict.get("outcome") == "unmanageable":
        raise status_error(
            400,
            f"Index attached to an Elastic-managed connector must start with the prefix: [{MANAGED_PREFIX}]. "
            f"The index name in the payload [{index_name}] doesn't comply with this requirement.",
        )
    return result(outcome)


def get(store: Store, connector_id: str, *, include_deleted: bool = False) -> dict[str, Any]:
    """The connector's document as it is stored, its id first."""
    try:
        connector = store.connectors.get(connector_id)
    except IndexMissing:
        connector = None
    if connector is None or (is_deleted(connector) and not include_deleted):
        raise missing(connector_id)
    return _shown(connector_id, connector)


def list_(
    store: Store,
    *,
    offset: int = 0,
    size: int = 100,
    index_names: Sequence[str] = (),
    connector_names: Sequence[str] = (),
    service_types: Sequence[str] = (),
    query: str = "",
    include_deleted: bool = False,
) -> ConnectorList:
    """The connectors that meet all filters, by `index_name`, those without one last.

    `query` is looked for in index names, names and descriptions; `*` and `?` in it are wildcards.
    """
    terms = {"index_name": index_names, "name": connector_names, "service_type": service_types}
    filters: list[dict[str, Any]] = [{"terms": {key: list(texts)}} for key, texts in terms.items() if texts]
    if query:
        anywhere = [
            {"wildcard": {key: {"value": f"*{query}*"}}} for key in ("index_name", "name", "description")
        ]
        filters.append({"bool": {"should": anywhere, "minimum_should_match": 1}})
    page = store.connectors.search(
        Search(
            filters=filters,
            must_not=[] if include_deleted else [{"term": {"deleted": True}}],
            sort_field="index_name",
            offset=offset,
            size=size,
        )
    )
    return ConnectorList(page.total, [_shown(hit.id, hit.source) for hit in page.hits])


def delete(store: Store, connector_id: str, *, hard: bool = False, delete_sync_jobs: bool = False) -> None:
    """Remove the connector, or only mark it as deleted; with its jobs if asked.

    The jobs go first, and once more afterwards, for those that were created meanwhile. So wherever this fails, the same
    call finishes it: jobs are looked for even if the connector is gone already.
    """
    jobs = [{"term": {"connector.id": connector_id}}]
    if delete_sync_jobs:
        store.sync_jobs.delete_all(jobs)
    if hard:
        _remove(store, connector_id)
    else:
        transition(store, connector_id, DELETE, {"attaching": attaching.MARK})
    if delete_sync_jobs:
        store.sync_jobs.delete_all(jobs)


def _remove(store: Store, connector_id: str) -> None:
    try:
        removed = store.connectors.delete(connector_id)
    except IndexMissing:
        removed = False
    if not removed:
        raise missing(connector_id)


def _put_params(wish: Attachment, mark: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "fields": wish.fields,
        "fresh": wish.fresh,
        "managed_prefix": MANAGED_PREFIX,
        "attaching": attaching.MARK,
        "mark": mark.get(attaching.MARK),
        "abandoned_after": attaching.abandoned_after(),
    }


def _shown(connector_id: str, connector: Mapping[str, Any]) -> dict[str, Any]:
    return identified(connector_id, {key: value for key, value in connector.items() if key != attaching.MARK})
