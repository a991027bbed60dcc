"""Documents as other programs may have written them: complete, but one field is odd, in every way that Elasticsearch stores."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import requests
from elasticsearch import Elasticsearch

from app.store.index_definitions import IndexDefinition
from tests.documents import SECRET
from tests.endpoints import Endpoint
from tests.service import Http

Path = tuple[str | int, ...]
"""Where a field is. The first element of a list counts as the list itself, as in Elasticsearch; others have their number."""

WHEN = "2024-01-01T00:00:00.123456+00:00"
_DATE = re.compile(r"\d{4}-\d\d-\d\dT")
_ABSENT = object()
_CLIENTS = 8

# --- Complete documents ---

_ITEM = {
    "category": "c",
    "default_value": SECRET,
    "depends_on": [{"field": "other", "value": True}],
    "display": "dropdown",
    "label": "L",
    "options": [{"label": "o", "value": "v"}],
    "order": 3,
    "placeholder": "p",
    "required": True,
    "sensitive": True,
    "tooltip": "t",
    "type": "str",
    "ui_restrictions": ["advanced"],
    "validations": [{"constraint": 5, "type": "less_than"}],
    "value": SECRET,
}
_RULE = {
    "created_at": WHEN,
    "field": "f",
    "id": "r",
    "order": 1,
    "policy": "exclude",
    "rule": "equals",
    "updated_at": WHEN,
    "value": "v",
}
_FILTERING_STATE = {
    "advanced_snippet": {"created_at": WHEN, "updated_at": WHEN, "value": [{"query": {"a": 1}}]},
    "rules": [_RULE, _RULE | {"id": "r2"}],
    "validation": {"errors": [{"ids": ["r"], "messages": ["m"]}], "state": "valid"},
}
_FEATURE = {"enabled": True}
_PIPELINE = {
    "extract_binary_content": True,
    "name": "search-default-ingestion",
    "reduce_whitespace": False,
    "run_ml_inference": True,
}
_SCHEDULE = {"enabled": False, "interval": "0 0 0 * * ?"}

CONNECTOR: dict[str, Any] = {
    "api_key_id": "k",
    "api_key_secret_id": "s",
    "configuration": {"a": _ITEM, "kept": {"label": "K", "value": "w"}},
    "custom_scheduling": {
        "s": {"configuration_overrides": {"max_crawl_depth": 1}, "enabled": True, "interval": "0 0 0 * * ?"}
    },
    "deleted": False,
    "description": "d",
    "error": "e",
    "features": {
        "document_level_security": _FEATURE,
        "filtering_advanced_config": True,
        "filtering_rules": True,
        "incremental_sync": _FEATURE,
        "native_connector_api_keys": _FEATURE,
        "sync_rules": {"advanced": _FEATURE, "basic": _FEATURE},
    },
    "filtering": [{"active": _FILTERING_STATE, "domain": "DEFAULT", "draft": _FILTERING_STATE}],
    "index_name": "content-x",
    "is_native": False,
    "language": "de",
    "last_access_control_sync_error": "e",
    "last_access_control_sync_scheduled_at": WHEN,
    "last_access_control_sync_status": "completed",
    "last_deleted_document_count": 1,
    "last_incremental_sync_scheduled_at": WHEN,
    "last_indexed_document_count": 2,
    "last_seen": WHEN,
    "last_sync_error": None,
    "last_sync_scheduled_at": WHEN,
    "last_sync_status": "in_progress",
    "last_synced": WHEN,
    "name": "n",
    "pipeline": _PIPELINE,
    "scheduling": {"access_control": _SCHEDULE, "full": _SCHEDULE, "incremental": _SCHEDULE},
    "service_type": "mysql",
    "status": "connected",
    "sync_cursor": {"a": {"b": 1}},
    "sync_now": False,
    "unknown_to_the_service": {"a": 1},
}
JOB: dict[str, Any] = {
    "cancelation_requested_at": WHEN,
    "canceled_at": WHEN,
    "completed_at": WHEN,
    "connector": {
        "configuration": {"a": _ITEM, "kept": {"label": "K", "value": "w"}},
        "filtering": {
            **_FILTERING_STATE,
            "domain": "DEFAULT",
            "warnings": [{"ids": ["r"], "messages": ["m"]}],
        },
        "id": "c1",
        "index_name": "search-x",
        "language": "de",
        "pipeline": _PIPELINE,
        "service_type": "mysql",
        "sync_cursor": {"a": {"b": 1}},
    },
    "created_at": WHEN,
    "deleted_document_count": 1,
    "error": "e",
    "indexed_document_count": 2,
    "indexed_document_volume": 3,
    "job_type": "incremental",
    "last_seen": WHEN,
    "metadata": {"kept": {"a": 1}},
    "started_at": WHEN,
    "status": "in_progress",
    "total_document_count": 4,
    "trigger_method": "scheduled",
    "unknown_to_the_service": {"a": 1},
    "worker_hostname": "w1",
}


def mapped_fields(definition: IndexDefinition) -> set[Path]:
    """Every field of a mapping, objects included."""

    def below(mapping: Mapping[str, Any], path: Path) -> Iterator[Path]:
        for name, each in mapping.get("properties", {}).items():
            yield (*path, name)
            yield from below(each, (*path, name))

    return set(below(definition.mappings, ()))


def fields_of(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every field of a document, objects included."""
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, dict):
        for name, each in first.items():
            yield (*path, name)
            yield from fields_of(each, (*path, name))


# --- Odd values ---


def shapes(value: Any) -> Iterator[tuple[str, Any]]:
    """What may stand in the place of `value`."""
    yield "absent", _ABSENT
    yield "null", None
    yield "a number", 7
    yield "a long number", 10**30
    yield "a boolean", True
    yield "a text", "resting"
    yield "an empty text", ""
    yield "an empty list", []
    yield "a list of null", [None]
    yield "in a list", [value]
    yield "an empty object", {}
    yield "an object", {"any": 1}
    if isinstance(value, list):
        yield "outside its list", value[0]
        yield "in a list twice", [*value, *value]
    else:
        yield "in a list twice", [value, value]
    if isinstance(value, bool):
        yield "a boolean as a text", str(value).lower()
        yield "the opposite as a text", str(not value).lower()
        yield "the opposite in a list", [not value]
    elif isinstance(value, int):
        yield "a number as a text", str(value)
        yield "a fraction", 1.5
    elif isinstance(value, str) and _DATE.match(value):
        yield "epoch milliseconds", 1704067200000
        yield "epoch milliseconds as a text", "1704067200000"
        yield "a negative epoch", -1
        yield "an offset", "2024-01-01T05:30:00+05:30"
        yield "a date only", "2024-01-01"
        yield "a year only", "2024"
        yield "an hour only", "2024-01-01T10"
        yield "no zone", "2024-01-01T10:30:00"
        yield "nanoseconds", "2024-01-01T10:30:00.123456789Z"
        yield "far in the future", "9999-12-31T23:59:59Z"
    elif isinstance(value, str):
        yield "in upper case", value.upper()
        yield "a lone surrogate", "\ud800"


@dataclass(frozen=True)
class Raw:
    """A document in which `field` has the odd `value`. Without a field, all of its fields are odd in the same way."""

    id: str
    field: Path
    shape: str
    value: Any
    document: dict[str, Any]

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.field)) or 'all fields'}: {self.shape}"


def raw_documents(complete: Mapping[str, Any]) -> Iterator[Raw]:
    """A document for each field of the complete one, and for each shape that the field may have."""
    numbers = count()
    for path in dict.fromkeys(fields_of(complete)):
        for shape, value in shapes(_at(complete, path)):
            number = next(numbers)
            document = _copy(complete)
            if "index_name" in document:  # one index, one connector
                document["index_name"] = f"content-{number}"
            _set(document, path, value)
            yield Raw(f"id-{number}", path, shape, value, document)


def all_odd(raws: Iterable[Raw], complete: Mapping[str, Any]) -> Iterator[Raw]:
    """Documents in which all outermost fields, or all innermost ones, have one of the shapes, where they may have it."""
    documents: dict[tuple[str, bool], dict[str, Any]] = {}
    for raw in raws:
        innermost = not any(fields_of(_at(complete, raw.field)))
        if raw.field == ("deleted",) or not (innermost or len(raw.field) == 1):
            continue
        _set(documents.setdefault((raw.shape, innermost), _copy(complete)), raw.field, raw.value)
    for number, ((shape, _), document) in enumerate(documents.items()):
        yield Raw(f"all-{number}", (), shape, None, document)


def _copy(value: Any) -> Any:
    """A copy in which nothing is shared, unlike one of `deepcopy`."""
    return json.loads(json.dumps(value))


def _holder(document: Any, path: Path) -> Any:
    """The object that has the field."""
    for name in path[:-1]:
        document = document[name]
        if isinstance(document, list):
            document = document[0]
    return document


def _at(document: Any, path: Path) -> Any:
    return _holder(document, path)[path[-1]]


def _set(document: Any, path: Path, value: Any) -> None:
    holder = _holder(document, path)
    if value is _ABSENT:
        del holder[path[-1]]
    else:
        holder[path[-1]] = _copy(value)


# --- In Elasticsearch ---


class RawIndex:
    """The odd documents that an index stores: those that its mapping can parse, as Elasticsearch itself says."""

    def __init__(
        self, client: Elasticsearch, definition: IndexDefinition, complete: Mapping[str, Any]
    ) -> None:
        self._client = client
        self._alias = definition.alias
        every = list(raw_documents(complete))
        kept = [raw for raw, is_stored in zip(every, self._write(every), strict=True) if is_stored]
        shapes_of = Counter(raw.field for raw in kept)
        lacking = {field: shapes_of[field] for field in mapped_fields(definition) if shapes_of[field] < 5}
        assert not lacking, f"too few shapes: {lacking}"
        self._raws = [*kept, *all_odd(kept, complete)]

    def write(self, matters: Callable[[Raw], bool] = lambda _raw: True, **values: Any) -> list[Raw]:
        """Write the documents that matter, and those in which all fields are odd.

        `values` are those of fields that are not odd.
        """
        raws = [
            replace(raw, document=raw.document | {k: v for k, v in values.items() if k not in raw.field[:1]})
            for raw in self._raws
            if not raw.field or matters(raw)
        ]
        assert all(self._write(raws))
        return raws

    def read(self, raws: Iterable[Raw]) -> list[Any]:
        """The documents as they are stored now, None for those that are gone."""
        found = self._client.mget(index=self._alias, ids=[raw.id for raw in raws])
        return [document.get("_source") for document in found["docs"]]

    def matching(self, query: Mapping[str, Any]) -> set[str]:
        """The ids of the documents that Elasticsearch finds."""
        self._client.indices.refresh(index=self._alias)
        found = self._client.search(index=self._alias, query=query, size=10_000, source=False)
        return {hit["_id"] for hit in found["hits"]["hits"]}

    def _write(self, raws: Iterable[Raw]) -> list[bool]:
        """Which of the documents were stored, now that all have been sent."""
        lines = [each for raw in raws for each in ({"index": {"_id": raw.id}}, raw.document)]
        response = self._client.options(request_timeout=60).perform_request(
            "POST",
            f"/{self._alias}/_bulk?require_alias=true",
            headers={"content-type": "application/x-ndjson", "accept": "application/json"},
            body="".join(
                f"{json.dumps(line)}\n" for line in lines
            ),  # the client itself cannot send lone surrogates
        )
        statuses = [item["index"]["status"] for item in response.body["items"]]
        assert set(statuses) <= {200, 201, 400}, statuses
        return [status != 400 for status in statuses]


# --- Requests ---


@dataclass(frozen=True)
class Change:
    """A request that changes a document: what it sets, and what it may refuse.

    `sets` has the value of each field afterwards, ANY where it is not known; all else must stay. `refuses` says what the reason
    of a 4xx must contain where that field is odd, or whatever is odd if it names no field; `{}` is the odd value. `reads` are
    outermost fields that the change depends on. `before` are values that the document has, unless they are odd.
    """

    endpoint: Endpoint
    sets: Mapping[Path, Any]
    refuses: Collection[tuple[Path, str]] = ()
    reads: Collection[str] = ()
    before: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        sent = "" if self.endpoint.body is None else json.dumps(self.endpoint.body)[:40]
        return " ".join(map(str, [self.endpoint.action, sent, *self.before.values()]))

    def matters(self, raw: Raw) -> bool:
        """Whether the change depends on the odd field, sets it, or sets a part of the same object."""
        return raw.field[0] in self.reads or any(
            raw.field == path or (len(path) > 1 and raw.field[0] == path[0]) for path in self.sets
        )

    def send(self, http: Http, raw: Raw) -> requests.Response:
        """Send it; `{id}` in a body is the document's id, too."""
        endpoint = self.endpoint.of(raw.id)
        body = endpoint.body
        if body is not None:
            body = json.loads(json.dumps(body).replace("{id}", raw.id))
        return replace(endpoint, body=body).send(http)

    def violations(self, raw: Raw, response: requests.Response, after: Any) -> Iterator[str]:
        """What is wrong with the response, and with the document after it."""
        if response.status_code >= 400:
            if response.status_code >= 500 or not self._may_refuse(raw, response.json()["error"]["reason"]):
                yield f"{raw}: {response.status_code} {response.text}"
            if after != raw.document:
                yield f"{raw}: changed by a refused request"
            if SECRET in response.text:
                yield f"{raw}: the error has a configuration value"
            return
        for wrong in wrong_changes(raw.document, after, self.sets):
            yield f"{raw}: {wrong}"

    def _may_refuse(self, raw: Raw, reason: str) -> bool:
        if not raw.field:
            return any(text.partition("{}")[0] in reason for _, text in self.refuses)
        expected = [text for path, text in self.refuses if path in ((), raw.field)]
        return any(text.replace("{}", java_text(raw.value)) in reason for text in expected)


def java_text(value: Any) -> str:
    """A value as Elasticsearch's scripts print it."""
    if isinstance(value, list):
        return f"[{', '.join(map(java_text, value))}]"
    if value is None or value is _ABSENT:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def found_violations(http: Http, change: Change, index: RawIndex, raws: list[Raw]) -> list[str]:
    """Send the change to all of the documents; what is wrong with the responses and the documents after them."""
    responses = responses_to(http, change, raws)
    found = zip(raws, responses, index.read(raws), strict=True)
    return [wrong for raw, response, after in found for wrong in change.violations(raw, response, after)]


def responses_to(http: Http, change: Change, raws: list[Raw]) -> list[requests.Response]:
    """Send the change to all of the documents, with several clients at once."""
    clients = [Http(http.url) for _ in range(_CLIENTS)]

    def part(number: int) -> list[requests.Response]:
        return [change.send(clients[number], raw) for raw in raws[number::_CLIENTS]]

    responses: list[Any] = [None] * len(raws)
    with ThreadPoolExecutor(_CLIENTS) as threads:
        for number, found in enumerate(threads.map(part, range(_CLIENTS))):
            responses[number::_CLIENTS] = found
    for client in clients:
        client.close()
    return responses


def wrong_changes(
    before: Mapping[str, Any], after: Mapping[str, Any], sets: Mapping[Path, Any]
) -> Iterator[str]:
    """What has changed beyond the fields that were to be set, and which of those were not set."""
    touched = {path[0] for path in sets}
    for name in (before.keys() | after.keys()) - touched:
        if before.get(name, _ABSENT) != after.get(name, _ABSENT):
            yield f"{name} was {before.get(name)!r} and is {after.get(name)!r}"
    became = dict(leaves(after))
    for path, value in leaves({name: value for name, value in before.items() if name in touched}):
        if not any(_overlap(path, each) for each in sets) and became.get(path, _ABSENT) != value:
            yield f"{path} was {value!r} and is {became.get(path)!r}"
    for path, value in sets.items():
        for inner, expected in leaves(value):
            if became.get((*path, *inner), _ABSENT) != expected:
                yield f"{path + inner} is {became.get((*path, *inner))!r} and not {expected!r}"


def _overlap(path: Path, other: Path) -> bool:
    """Whether one of two fields is inside the other, or they are the same."""
    return all(one == two for one, two in zip(path, other, strict=False))


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The fields of a document that have no fields of their own, with their values."""
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from leaves(each, (*path, name))
    elif isinstance(value, list) and value:
        for number, each in enumerate(value):
            yield from leaves(each, (*path, number) if number else path)
    else:
        yield path, value
