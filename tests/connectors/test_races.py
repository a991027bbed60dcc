"""Concurrent requests for one connector or one index, through several processes."""

from __future__ import annotations

from collections import Counter

import pytest

from app.store.index_definitions import CONNECTORS
from tests.endpoints import ROOT
from tests.races.crowd import rush

ROUNDS = range(10)
USED = "Index name [{}] is used by another connector."


def attach_by_post(http, name: str, member: int) -> tuple[int, str]:
    response = http.post(ROOT, json={"index_name": name})
    return response.status_code, response.json().get("id") or response.json()["error"]["reason"]


def attach_by_put(http, name: str, member: int) -> tuple[int, str]:
    response = http.put(f"{ROOT}/{name}-{member}", json={"index_name": name, "name": "changed"})
    return response.status_code, response.json().get("id") or response.json()["error"]["reason"]


def attach_by_index_name(http, name: str, member: int) -> tuple[int, str]:
    response = http.put(f"{ROOT}/{name}-{member}/_index_name", json={"index_name": name})
    body = response.json()
    return response.status_code, body["error"]["reason"] if "error" in body else f"{name}-{member}"


def all_connectors(elasticsearch) -> dict[str, dict]:
    elasticsearch.indices.refresh(index=CONNECTORS.alias)
    found = elasticsearch.search(index=CONNECTORS.alias, size=1000)
    return {hit["_id"]: hit["_source"] for hit in found["hits"]["hits"]}


@pytest.mark.parametrize("attach", [attach_by_post, attach_by_put, attach_by_index_name])
def test_index_attached_by_eight_concurrent_requests_has_one_connector(
    clients, elasticsearch, attach
) -> None:
    there_before = attach is attach_by_index_name
    for number in ROUNDS if there_before else ():
        for member in range(8):
            elasticsearch.index(
                index=CONNECTORS.alias,
                id=f"i{number}-{member}",
                document={"name": "old", "index_name": f"old-{number}-{member}"},
            )
    rounds = rush(8, ROUNDS, lambda member, number: attach(clients[member], f"i{number}", member))
    documents = all_connectors(elasticsearch)
    for number, results in zip(ROUNDS, rounds, strict=True):
        name = f"i{number}"
        holders = {key for key, document in documents.items() if document.get("index_name") == name}
        winners = {text for status, text in results if status < 300}
        assert len(holders) == 1
        assert winners == holders
        assert Counter(results)[400, USED.format(name)] == 7
    assert len(documents) == (80 if there_before else 10)
    if there_before:
        losers = [
            document["index_name"] for document in documents.values() if document["index_name"][0] == "o"
        ]
        assert len(set(losers)) == 70


def test_holder_keeps_its_index_in_a_race(clients, elasticsearch) -> None:
    """Member 7 has the index and sends it again while the others try to attach it."""
    for number in ROUNDS:
        clients[0].put(f"{ROOT}/i{number}-7", json={"index_name": f"i{number}"})
    rounds = rush(8, ROUNDS, lambda member, number: attach_by_put(clients[member], f"i{number}", member))
    for results in rounds:
        assert [status for status, _ in results] == [400] * 7 + [200]
    assert len(all_connectors(elasticsearch)) == 10


@pytest.mark.parametrize("attach", [attach_by_put, attach_by_index_name])
def test_winner_may_attach_the_index_again_at_once(clients, elasticsearch, attach) -> None:
    rounds = range(12)
    for number in rounds:
        for member in range(8):
            elasticsearch.index(index=CONNECTORS.alias, id=f"i{number}-{member}", document={"name": "old"})

    def act(member: int, number: int) -> list[int]:
        client, name = clients[member], f"i{number}"
        statuses = [attach(client, name, member)[0]]
        if statuses == [200]:
            for _ in range(3):
                statuses += [each(client, name, member)[0] for each in (attach_by_index_name, attach_by_put)]
        return statuses

    for results in rush(8, rounds, act):
        assert sorted(results) == [[200] * 7] + [[400]] * 7


def test_concurrent_index_names_for_one_connector_are_all_accepted(clients, elasticsearch) -> None:
    clients[0].put(f"{ROOT}/c", json={})
    names = [f"n{member}" for member in range(8)]

    def attach(member: int, _round: int) -> int:
        path, body = f"{ROOT}/c/_index_name", {"index_name": names[member]}
        return clients[member].put(path, json=body).status_code

    for results in rush(8, range(3), attach):
        assert results == (200,) * 8
    [document] = all_connectors(elasticsearch).values()
    assert document["index_name"] in names


def test_concurrent_edits_of_a_draft_are_all_kept(clients, elasticsearch) -> None:
    for number in ROUNDS:
        clients[0].put(f"{ROOT}/c{number}", json={})
    bodies = [
        {"rules": {"id": "r", "field": "f", "order": 0, "policy": "include", "rule": "equals", "value": "v"}},
        {"advanced_snippet": {"value": {"found": True}}},
    ]
    rounds = rush(
        2,
        ROUNDS,
        lambda member, number: (
            clients[member].put(f"{ROOT}/c{number}/_filtering", json=bodies[member]).status_code
        ),
    )
    assert set(rounds) == {(200, 200)}
    for document in all_connectors(elasticsearch).values():
        draft = document["filtering"][0]["draft"]
        assert draft["rules"][0]["id"] == "r"
        assert draft["advanced_snippet"]["value"] == {"found": True}


def test_unvalidated_draft_is_never_activated(clients, elasticsearch) -> None:
    for number in ROUNDS:
        clients[0].put(f"{ROOT}/c{number}", json={})
    edit = {"advanced_snippet": {"value": {"unseen": True}}}

    def act(member: int, number: int) -> int:
        path = f"{ROOT}/c{number}/_filtering"
        if member == 0:
            return clients[0].put(path, json=edit).status_code
        return clients[member].put(f"{path}/_activate").status_code

    rounds = rush(3, ROUNDS, act)
    assert all(set(results) <= {200, 400} and results[0] == 200 for results in rounds)
    for document in all_connectors(elasticsearch).values():
        assert document["filtering"][0]["active"]["advanced_snippet"]["value"] == {}
        assert document["filtering"][0]["draft"]["advanced_snippet"]["value"] == {"unseen": True}


def test_concurrent_values_are_all_kept(clients, elasticsearch) -> None:
    items = {f"k{member}": {"label": "K"} for member in range(8)}
    for number in ROUNDS:
        clients[0].put(f"{ROOT}/c{number}", json={})
        clients[0].put(f"{ROOT}/c{number}/_configuration", json={"configuration": items})

    def act(member: int, number: int) -> int:
        body = {"values": {f"k{member}": member}}
        return clients[member].put(f"{ROOT}/c{number}/_configuration", json=body).status_code

    assert set(rush(8, ROUNDS, act)) == {(200,) * 8}
    for document in all_connectors(elasticsearch).values():
        assert [document["configuration"][f"k{n}"]["value"] for n in range(8)] == list(range(8))


def test_concurrent_status_changes_make_only_legal_transitions(clients, elasticsearch) -> None:
    """There is no transition from error to needs_configuration."""
    targets = ["needs_configuration", "error"]
    possible = {
        (200, 200): "error",  # needs_configuration first
        (400, 200): "error",  # error first
    }
    for number in range(20):
        clients[0].put(f"{ROOT}/c{number}", json={})
    rounds = rush(
        2,
        range(20),
        lambda member, number: (
            clients[member].put(f"{ROOT}/c{number}/_status", json={"status": targets[member]}).status_code
        ),
    )
    documents = all_connectors(elasticsearch)
    for number, results in enumerate(rounds):
        assert documents[f"c{number}"]["status"] == possible[results]


def test_concurrent_updates_of_all_kinds_are_all_kept(clients, elasticsearch) -> None:
    clients[0].put(f"{ROOT}/c", json={})
    acts = [
        ("_check_in", None, lambda c: c["last_seen"] > "2024"),
        ("_last_sync", {"sync_cursor": {"a": 1}}, lambda c: c["sync_cursor"] == {"a": 1}),
        ("_name", {"name": "n"}, lambda c: c["name"] == "n"),
        ("_error", {"error": "x"}, lambda c: c["error"] == "x"),
        (
            "_features",
            {"features": {"incremental_sync": {"enabled": True}}},
            lambda c: c["features"] == {"incremental_sync": {"enabled": True}},
        ),
        ("_index_name", {"index_name": "i"}, lambda c: c["index_name"] == "i"),
        ("_api_key_id", {"api_key_id": "k"}, lambda c: c["api_key_id"] == "k"),
        ("_service_type", {"service_type": "s"}, lambda c: c["service_type"] == "s"),
    ]

    def act(member: int, _round: int) -> int:
        path, body, _ = acts[member]
        return clients[member].put(f"{ROOT}/c/{path}", json=body).status_code

    assert set(rush(8, range(3), act)) == {(200,) * 8}
    [document] = all_connectors(elasticsearch).values()
    for _, _, holds in acts:
        assert holds(document)
