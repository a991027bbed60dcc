"""Creating, finding and deleting connectors: one function per use case, plain values in and out, else an `ApiError`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app import clock
from app.compatibility import Compatibility
from app.connectors.attaching import attach
from app.connectors.document import is_deleted, new_connector_defaults
from app.connectors.index_names import MANAGED_PREFIX, unmanageable
from app.connectors.queries import list_search
from app.connectors.transitions import change, missing, result, transition
from app.errors import ApiError, status_error, validation_failed
from app.store import Store
from app.store.document_ids import new_id, with_id
from app.store.failures import IndexMissing
from app.store.scripts import Outcome, Responses, Verdict, load

PUT = load(__package__, "put")
DELETE = load(__package__, "delete")

# Fields of the service's own: the locks of running jobs, and what earlier versions left in documents.
_HIDDEN = frozenset({"sync_locks", "scheduled_jobs", "index_name_attaching"})


@dataclass(frozen=True, slots=True)
class ConnectorList:
    """A page of connectors: `count` of all that meet the filters, and the page's documents with their ids."""

    count: int
    results: list[dict[str, Any]]


def create(store: Store, fields: Mapping[str, Any]) -> str:
    """Make a connector from the fields of a create request; its new id."""
    connector_id = new_id()
    put(store, connector_id, fields)
    return connector_id


def put(store: Store, connector_id: str, fields: Mapping[str, Any]) -> str:
    """Make the connector of this id, or change those `fields` of it; `created` or `updated`."""
    defaults = new_connector_defaults(fields, clock.now())

    def write(lease_expires_at: int | None) -> Outcome:
        params = _put_params(fields, defaults=defaults, lease_expires_at=lease_expires_at)
        outcome = store.connectors.transition_or_create(connector_id, PUT, params)
        # The one reason not to make a connector that isn't there.
        return Outcome(PUT.name, Verdict.LEASE_EXPIRED) if outcome.verdict is Verdict.MISSING else outcome

    def not_manageable(details: Mapping[str, Any]) -> ApiError:
        return validation_failed([unmanageable(details["index_name"])])

    outcome = attach(store, connector_id, fields.get("index_name"), write)
    responses: Responses = {
        Verdict.CREATED: "created",
        Verdict.UNCHANGED: "updated",
        Verdict.UNMANAGEABLE: not_manageable,
    }
    return result(connector_id, outcome, responses)


def set_index_name(store: Store, connector_id: str, index_name: str | None) -> str:
    """Attach an index to the connector, or none; `updated`, or `noop` for no change."""

    def write(lease_expires_at: int | None) -> Outcome:
        params = _put_params({"index_name": index_name}, lease_expires_at=lease_expires_at)
        return transition(store, connector_id, PUT, params)

    def not_manageable(_details: Mapping[str, Any]) -> ApiError:
        return status_error(
            400,
            f"Index attached to an Elastic-managed connector must start with the prefix: [{MANAGED_PREFIX}]. "
            f"The index name in the payload [{index_name}] doesn't comply with this requirement.",
        )

    outcome = attach(store, connector_id, index_name, write)
    return result(connector_id, outcome, {Verdict.UNMANAGEABLE: not_manageable})


def set_native(store: Store, connector_id: str, is_native: bool) -> str:
    """Set whether Elastic manages the connector; `updated`, or `noop` for no change."""

    def not_manageable(details: Mapping[str, Any]) -> ApiError:
        return status_error(
            400,
            f"The index name [{details['index_name']}] attached to the connector [{connector_id}] must start with "
            f"the required prefix: [{MANAGED_PREFIX}] to be Elastic-managed. Please update the attached index first "
            "to comply with this requirement.",
        )

    params = _put_params({"is_native": is_native}, restates=True)
    return change(store, connector_id, PUT, params, {Verdict.UNMANAGEABLE: not_manageable})


def set_service_type(store: Store, connector_id: str, service_type: str) -> str:
    """Set what the connector connects to; `updated`, or `noop` for no change."""
    return change(store, connector_id, PUT, _put_params({"service_type": service_type}, restates=True))


def get(store: Store, connector_id: str, *, include_deleted: bool = False) -> dict[str, Any]:
    """The connector's document as it is stored, its id first."""
    try:
        connector = store.connectors.get(connector_id)
    except IndexMissing:
        connector = None
    if connector is None or (is_deleted(connector) and not include_deleted):
        raise missing(connector_id)
    return _with_id(connector_id, connector)


def list_(
    store: Store,
    *,
    compatibility: Compatibility,
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
    search = list_search(
        index_names,
        connector_names,
        service_types,
        query,
        include_deleted=include_deleted,
        offset=offset,
        size=size,
        limit=compatibility.page_limit,
        count_limit=compatibility.count_limit,
    )
    page = store.connectors.search(search)
    return ConnectorList(page.total, [_with_id(hit.id, hit.source) for hit in page.hits])


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
        change(store, connector_id, DELETE, {})
    if delete_sync_jobs:
        store.sync_jobs.delete_all(jobs)


def _remove(store: Store, connector_id: str) -> None:
    try:
        removed = store.connectors.delete(connector_id)
    except IndexMissing:
        removed = False
    if not removed:
        raise missing(connector_id)


def _put_params(
    fields: Mapping[str, Any],
    *,
    defaults: Mapping[str, Any] | None = None,
    lease_expires_at: int | None = None,
    restates: bool = False,
) -> dict[str, Any]:
    return {
        "fields": fields,
        "defaults": defaults,
        "lease_expires_at": lease_expires_at,
        "restates": restates,
        "managed_prefix": MANAGED_PREFIX,
    }


def _with_id(connector_id: str, connector: Mapping[str, Any]) -> dict[str, Any]:
    return with_id(connector_id, {key: value for key, value in connector.items() if key not in _HIDDEN})
