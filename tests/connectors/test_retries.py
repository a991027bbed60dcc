"""An update whose response was lost is neither refused nor carried out twice when it is retried."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.connectors import drafts, operations, updates
from app.connectors.document import new_connector_defaults
from app.store import Store, documents
from app.store.document_ids import new_id
from tests.documents import ID

ITEM = {"a": {"label": "A", "value": 1}}
VALID = {"errors": [], "state": "valid"}
ACTS: dict[str, tuple[dict, Callable[[Store], object], object]] = {
    "status": ({"status": "created"}, lambda s: updates.set_status(s, ID, "needs_configuration"), "updated"),
    "error": ({}, lambda s: updates.set_error(s, ID, "x"), "updated"),
    "native": ({"status": "connected"}, lambda s: operations.set_native(s, ID, True), "updated"),
    "service type": ({"status": "error"}, lambda s: operations.set_service_type(s, ID, "x"), "updated"),
    "configuration": ({}, lambda s: updates.configure(s, ID, ITEM), "updated"),
    "values": ({"configuration": ITEM}, lambda s: updates.set_values(s, ID, {"a": 2}), "updated"),
    "merge": ({}, lambda s: updates.merge(s, ID, {"name": "x"}), "updated"),
    "replace": ({}, lambda s: updates.replace(s, ID, {"sync_cursor": {"a": 1}}), "updated"),
    "check in": ({}, lambda s: updates.check_in(s, ID), "updated"),
    "draft": ({"filtering": []}, lambda s: drafts.edit(s, ID, [], None), "updated"),
    "validation": (
        {"filtering": []},
        lambda s: drafts.set_validation(s, ID, {**VALID, "state": "invalid"}),
        "updated",
    ),
    "activation": (
        {"filtering": [{"draft": {"validation": VALID}}]},
        lambda s: drafts.activate(s, ID),
        "updated",
    ),
    "index name": ({}, lambda s: operations.set_index_name(s, ID, "x"), "updated"),
    "put": ({}, lambda s: operations.put(s, ID, {"index_name": "x", "name": "n"}), "updated"),
    "put of a deleted one": ({"deleted": True}, lambda s: operations.put(s, ID, {"name": "n"}), "updated"),
    "soft delete": ({}, lambda s: operations.delete(s, ID), None),
    "hard delete": ({}, lambda s: operations.delete(s, ID, hard=True), None),
}


@pytest.fixture
def sent_twice(monkeypatch) -> list:
    """Every request is carried out and then retried, as after a lost response."""
    sent: list = []

    class Twice:
        def __init__(self, request) -> None:
            self.request = request

        def __call__(self, is_retry: bool):
            self.request(False)
            sent.append(1)
            return self.request(True)

    plain = documents.send
    monkeypatch.setattr(documents, "send", lambda request, **options: plain(Twice(request), **options))
    return sent


@pytest.mark.parametrize(("document", "act", "expected"), ACTS.values(), ids=ACTS.keys())
def test_update_is_retried_after_a_lost_response(
    store, write, stored, elasticsearch, sent_twice, document, act, expected
) -> None:
    write(document)
    assert act(store) == expected
    assert sent_twice
    if expected is not None:
        kept = stored()
        assert "verdict" not in kept
    elif elasticsearch.exists(index=".elastic-connectors", id=ID):
        assert stored()["deleted"] is True


@pytest.mark.parametrize("fields", [{}, {"name": "n"}, {"index_name": "x"}], ids=str)
def test_create_is_retried_after_a_lost_response(store, sent_twice, elasticsearch, fields) -> None:
    # A new id each time: Elasticsearch keeps the versions of deleted documents for a minute.
    connector_id = new_id()
    assert operations.put(store, connector_id, fields) == "created"
    assert sent_twice
    document = elasticsearch.get(index=".elastic-connectors", id=connector_id)["_source"]
    created_at = document["filtering"][0]["active"]["rules"][0]["created_at"]
    assert document == new_connector_defaults(fields, created_at) | fields
    assert operations.put(store, connector_id, fields) == "updated"


def test_put_of_a_deleted_connector_is_retried_after_a_lost_response(store, write, sent_twice) -> None:
    for fields in ({}, {"index_name": "x"}):
        write({"deleted": True})
        assert operations.put(store, ID, fields) == "updated"
