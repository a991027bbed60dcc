"""Filtering: how a draft is stored, validated and activated, and documents of other programs."""

from __future__ import annotations

import pytest

from app.connectors.filtering import default_filtering
from tests.documents import ID
from tests.endpoints import ROOT
from tests.responses import chain, error

WHEN = "2024-01-01T00:00:00.000Z"
EARLIER = "2023-01-01T00:00:00.000Z"
EDITED = {"errors": [], "state": "edited"}
VALID = {"errors": [], "state": "valid"}
INVALID = {"errors": [{"ids": ["a"], "messages": ["no"]}], "state": "invalid"}
PARSE = "x_content_parse_exception"


def rule(rule_id: str, order: int, **more) -> dict:
    return {
        "id": rule_id,
        "field": "f",
        "order": order,
        "policy": "exclude",
        "rule": "equals",
        "value": "v",
        "created_at": WHEN,
        "updated_at": WHEN,
        **more,
    }


def default(order: int, at: str | None = None) -> dict:
    return {
        "id": "DEFAULT",
        "field": "_",
        "order": order,
        "policy": "include",
        "rule": "regex",
        "value": ".*",
    } | ({"created_at": at, "updated_at": at} if at else {})


SNIPPET = {"value": [{"any": "thing"}], "created_at": WHEN, "updated_at": WHEN}
FILTERING_STATE = {"advanced_snippet": SNIPPET, "rules": [rule("a", 5)], "validation": INVALID}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ([], [default(0, EARLIER)]),
        ([default(7, EARLIER)], [default(0, EARLIER)]),
        (
            [rule("b", 2), default(0, EARLIER), rule("a", 1), rule("c", 2)],
            [rule("a", 1), rule("b", 2), rule("c", 2), default(3, EARLIER)],
        ),
        (rule("a", 1), [rule("a", 1), default(2, EARLIER)]),
        (
            [rule("a", -3, policy="Include") | {"order": "-3"}, default(0, EARLIER) | {"updated_at": WHEN}],
            [rule("a", -3, policy="include"), default(-2, EARLIER)],
        ),
    ],
)
def test_rules_are_stored_in_their_order_with_the_default_rule_last(put, stored, sent, kept) -> None:
    before = stored()["filtering"][0]
    assert put("_filtering", {"rules": sent}).json() == {"result": "updated"}
    [after] = stored()["filtering"]
    draft = after["draft"]["rules"]
    if EARLIER not in str(sent):
        kept[-1] |= {key: draft[-1][key] for key in ("created_at", "updated_at")}
        assert draft[-1]["created_at"] > WHEN
    assert draft == kept
    assert after["draft"]["validation"] == EDITED
    assert after["draft"]["advanced_snippet"] == before["draft"]["advanced_snippet"]
    assert after["active"] == before["active"]


def test_advanced_snippet_is_stored_in_the_draft(put, stored) -> None:
    before = stored()["filtering"][0]
    assert put("_filtering", {"advanced_snippet": {"value": {"a": 1}, "more": 1}}).status_code == 200
    snippet = stored()["filtering"][0]["draft"]["advanced_snippet"]
    assert snippet.keys() == {"value", "created_at", "updated_at"}
    assert snippet["value"] == {"a": 1}
    assert stored()["filtering"][0]["draft"]["rules"] == before["draft"]["rules"]
    assert put("_filtering", {"advanced_snippet": SNIPPET}).json() == {"result": "updated"}
    assert put("_filtering", {"advanced_snippet": SNIPPET}).json() == {"result": "noop"}


def test_whole_filtering_is_replaced(put, stored) -> None:
    sent = {"active": FILTERING_STATE, "draft": FILTERING_STATE | {"rules": []}, "domain": "mine", "more": 1}
    expected = {"active": FILTERING_STATE, "draft": FILTERING_STATE | {"rules": []}, "domain": "DEFAULT"}
    for filtering, kept in ((sent, [expected]), ([sent, sent], [expected, expected]), ([], [])):
        assert put("_filtering", {"filtering": filtering}).json() == {"result": "updated"}
        assert put("_filtering", {"filtering": filtering}).json() == {"result": "noop"}
        assert stored()["filtering"] == kept


def test_draft_is_activated_only_if_valid(put, stored) -> None:
    assert put("_filtering/_activate").json() == {"result": "noop"}
    put("_filtering", {"rules": [rule("a", 0)]})
    for state, validation in (("edited", None), ("invalid", INVALID), ("edited", EDITED)):
        if validation:
            body = {"validation": validation | {"state": state.upper()}}
            assert put("_filtering/_validation", body).json()["result"] == "updated"
            assert put("_filtering/_validation", body).json()["result"] == "noop"
            assert stored()["filtering"][0]["draft"]["validation"] == validation
        assert error(put("_filtering/_activate")) == (
            400,
            "status_exception",
            (
                "Filtering draft needs to be validated by the connector service before activation. "
                f"Current filtering draft validation state [{state}] is not equal to [valid]."
            ),
        )
    put("_filtering/_validation", {"validation": VALID})
    assert put("_filtering/_activate").json() == {"result": "updated"}
    [filtering] = stored()["filtering"]
    assert filtering["active"] == filtering["draft"]
    assert filtering["active"]["rules"][0] == rule("a", 0)
    assert put("_filtering/_activate").json() == {"result": "noop"}


REQUESTS = [
    ("_filtering", {"rules": [rule("a", 0)]}),
    ("_filtering/_validation", {"validation": VALID}),
    ("_filtering/_activate", None),
]


def test_filtering_that_is_no_object_is_refused(put, write, stored) -> None:
    document = {"filtering": [[{}]]}
    write(document)
    for path, body in REQUESTS:
        assert error(put(path, body)) == (400, "illegal_argument_exception", "Required [filtering]")
    assert stored() == document


@pytest.mark.parametrize(
    "document", [{}, {"filtering": None}, {"filtering": []}, {"filtering": [None]}], ids=str
)
def test_connector_without_filtering_has_the_default_filtering(put, write, stored, document) -> None:
    for path, body in REQUESTS:
        write(document)
        assert put(path, body).json() == {"result": "updated"}
        [filtering] = stored()["filtering"]
        assert filtering.keys() == {"active", "draft", "domain"}
        assert filtering["active"]["rules"][0]["id"] == "DEFAULT"


def test_first_of_several_filtering_entries_is_kept(put, write, stored) -> None:
    first, second = default_filtering(WHEN)[0], default_filtering(EARLIER)[0]
    for path, body in REQUESTS:
        for filtering in ([first, second], first):
            write({"filtering": filtering})
            assert put(path, body).json() == {"result": "updated"}
            [after] = stored()["filtering"]
            assert after["active"] == first["active"]


def test_entry_without_a_draft_gets_one(put, write, stored) -> None:
    active = default_filtering(WHEN)[0]["active"]
    write({"filtering": [{"active": active, "domain": "D"}]})
    assert "validation state [null]" in error(put("_filtering/_activate"))[2]
    assert put("_filtering", {"rules": []}).json() == {"result": "updated"}
    assert stored()["filtering"][0]["active"] == active
    assert stored()["filtering"][0]["draft"]["validation"] == EDITED


UNREADABLE = [
    ({"rules": [{}]}, "Required [field, id, order, policy, rule, value]"),
    ({"rules": [rule("a", 0, policy="x")]}, "Unknown FilteringPolicy [x]."),
    ({"rules": [rule("a", 0, rule="Equals")]}, "Unknown FilteringRuleCondition [Equals]."),
    (
        {"rules": [rule("a", 0, value=1)]},
        "[connector_filtering_rule] value doesn't support values of type: VALUE_NUMBER",
    ),
    ({"advanced_snippet": {}}, "Required [value]"),
    (
        {"advanced_snippet": {"value": "x"}},
        "Unsupported token [VALUE_STRING]. Expected an array or an object.",
    ),
    ({"filtering": [{"active": FILTERING_STATE}]}, "Required [draft]"),
    (
        {"filtering": [{"active": {}, "draft": FILTERING_STATE}]},
        "Required [advanced_snippet, rules, validation]",
    ),
]


def test_invalid_body_is_refused(bare) -> None:
    for body, reason in UNREADABLE:
        response = bare.put(f"{ROOT}/{ID}/_filtering", json=body)
        assert response.status_code == 400
        assert chain(response)[0][1].startswith(
            "[connector_update_filtering_request] failed to parse field ["
        )
        assert chain(response)[-1][1] == reason
    for body, reason in (
        ({"errors": []}, "Required [state]"),
        ({"errors": [], "state": "good"}, "Unknown FilteringValidationState [good]."),
        ({"errors": [{"ids": []}], "state": "valid"}, "Required [messages]"),
    ):
        response = bare.put(f"{ROOT}/{ID}/_filtering/_validation", json={"validation": body})
        assert chain(response)[-1][1] == reason


def test_rule_order_beyond_the_mapping_is_a_bad_request(put, stored) -> None:
    before = stored()
    assert error(put("_filtering", {"rules": [rule("a", 40_000)]}))[:2] == (
        400,
        "document_parsing_exception",
    )
    assert stored() == before


@pytest.mark.parametrize(
    "value", [["a", 1, None, True], [[1], {"a": 1}], [{"a": 1}, {"a": {"b": 2}}]], ids=str
)
def test_advanced_snippet_may_be_any_array(http, connector, put, stored, value) -> None:
    assert put("_filtering", {"advanced_snippet": {"value": value}}).json() == {"result": "updated"}
    assert stored()["filtering"][0]["draft"]["advanced_snippet"]["value"] == value
    for path, body in (("_filtering/_validation", {"validation": VALID}), ("_filtering/_activate", None)):
        assert put(path, body).json() == {"result": "updated"}
    assert put("_index_name", {"index_name": "search-x"}).json() == {"result": "updated"}
    job = http.post("/_connector/_sync_job", json={"id": connector}).json()["id"]
    snapshot = http.get(f"/_connector/_sync_job/{job}").json()["connector"]
    assert snapshot["filtering"]["advanced_snippet"]["value"] == value
