"""Query parameters, with the messages of Elasticsearch 9.4.3 (`/_search`, `/_cluster/health`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.wire.suggestions import close_matches, did_you_mean

Send = Callable[..., TestResponse]


def query(send: Send, text: str) -> Any:
    response = send("GET", f"/things?{text}")
    if response.status_code == 200:
        return response.json["query"]
    assert response.status_code == 400
    error = response.json["error"]
    assert error["root_cause"] == [{"type": error["type"], "reason": error["reason"]}]
    return error["reason"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("%2B5", 5),
        ("-0", 0),
        ("007", 7),
        ("0" * 5000 + "1", 1),
        ("2147483647", 2**31 - 1),
    ],
)
def test_integer_parameters_are_parsed(send: Send, text: str, value: int) -> None:
    """Signs and leading zeros are accepted."""
    assert query(send, f"size={text}")["size"] == value


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        ("a", "a"), ("", ""), ("+5", " 5"), ("%201", " 1"), ("1.5", "1.5"), ("0x1", "0x1"), ("-", "-"),
        ("99999999999", "99999999999"), ("2147483648", "2147483648"), ("%D9%A3", "٣"), ("%ff", "\ufffd"), ("9" * 5000, "9" * 5000),
    ],
)  # fmt: skip
def test_invalid_integer_is_refused(send: Send, sent: str, value: str) -> None:
    error = send("GET", f"/things?size={sent}").json["error"]
    assert error["type"] == "illegal_argument_exception"
    assert error["reason"] == f"Failed to parse int parameter [size] with value [{value}]"
    assert error["caused_by"] == {"type": "number_format_exception", "reason": f'For input string: "{value}"'}


def test_boolean_parameters_are_parsed(send: Send) -> None:
    """As `?explain=`, which is true; only `true` and `false` in lower case are booleans."""
    assert [query(send, text)["deep"] for text in ("", "deep", "deep=", "deep=true", "deep=false")] == [
        False, True, True, True, False,
    ]  # fmt: skip
    for bad in ("TRUE", "1", "x"):
        assert (
            query(send, f"deep={bad}")
            == f"Failed to parse value [{bad}] as only [true] or [false] are allowed."
        )


def test_list_and_enum_parameters_are_parsed(send: Send) -> None:
    assert query(send, "names=a,%20b,,c,,")["names"] == ["a", " b", "", "c"]
    assert query(send, "names=")["names"] == []
    assert query(send, "kind=FULL")["kind"] == "full"
    assert query(send, "kind=x") == "Unknown Kind [x]."
    assert query(send, "kinds=FULL,incremental")["kinds"] == ["full", "incremental"]
    assert query(send, "kinds=full,%20full") == "Unknown Kind [ full]."
    assert query(send, "kinds=")["kinds"] == []
    assert query(send, "states=") == "Unknown State []."
    assert query(send, "states=on,")["states"] == ["on"]
    assert (
        query(send, "order=up")
        == "Failed to parse parameter [order] with value [up] as only [asc] or [desc] are allowed."
    )
    assert query(send, "text=")["text"] == ""
    assert query(send, "")["text"] is None


def test_first_error_in_declared_order_is_reported_and_ranges_are_checked_last(send: Send) -> None:
    """`?size=b&from=a` and `?size=-5&from=-1` report `from`; `?from=-1&zzz=1` reports the range, not `zzz`."""
    assert "[from]" in query(send, "size=b&from=a")
    assert "[size]" in query(send, "from=-1&size=b")
    assert query(send, "zzz=1&from=-1") == "Parameter [from] cannot be < 0"
    assert "[from]" in query(send, "zzz=1&from=a")
    assert query(send, "from=-1&from=2")["offset"] == 2


@pytest.mark.parametrize(
    ("sent", "listed"),
    [
        ("x", "parameter: [x]"),
        ("y&x&z", "parameters: [x], [y], [z]"),
        ("b&a&_c&B", "parameters: [B], [_c], [a], [b]"),
        ("foo=a&foo=b", "parameter: [foo]"),
        ("prety", "parameter: [prety] -> did you mean [pretty]?"),
        ("humn&prety", "parameters: [humn] -> did you mean [human]?, [prety] -> did you mean [pretty]?"),
        ("filter&errortrace", "parameters: [errortrace] -> did you mean [error_trace]?, [filter] -> did you mean [filter_path]?"),
        ("fro=1", "parameter: [fro] -> did you mean [from]?"),
        ("PRETTY", "parameter: [PRETTY]"),
        ("Format", "parameter: [Format] -> did you mean [format]?"),
        ("a,b=1", "parameter: [a,b]"),
        ("a%5D=1", "parameter: [a]]"),
        ("state&offset=1", "parameters: [offset], [state] -> did you mean [states]?"),
        ("kindx", "parameter: [kindx] -> did you mean any of [kind, kinds]?"),
    ],
)  # fmt: skip
def test_unknown_parameters_are_listed_with_suggestions(send: Send, sent: str, listed: str) -> None:
    """Sorted by code point, each with its own suggestion from the parameters of the endpoint and the common ones."""
    assert query(send, sent) == f"request [/things] contains unrecognized {listed}"


def test_path_in_the_error_is_decoded_and_keeps_its_final_slash(send: Send) -> None:
    """As `GET /_scripts/a%2Fb/?foo`: `request [/_scripts/a/b/]`; names of path parameters are suggested, too."""
    reason = send("GET", "/things/a%2Fb/?foo").json["error"]["reason"]
    assert reason == "request [/things/a/b/] contains unrecognized parameter: [foo]"
    reason = send("GET", "/things/x?thing_i").json["error"]["reason"]
    assert reason.endswith("[thing_i] -> did you mean [thing_id]?")
    assert send("GET", "/things/x?thing_id=y").json["id"] == "x"


@pytest.mark.parametrize("name", ["pretty", "human", "filter_path", "format", "error_trace"])
def test_common_parameters_are_accepted_by_every_endpoint(send: Send, name: str) -> None:
    assert send("GET", f"/things?{name}").status_code == 200
    assert send("PUT", f"/things/x/_check?{name}=").status_code == 200


def test_flags_are_checked_first_and_in_order(send: Send) -> None:
    """Order: pretty, human, escapes in the path, error_trace. Only the error of error_trace is a plain text."""
    text = "Failed to parse value [{}] as only [true] or [false] are allowed."
    for method, target in (("GET", "/nope?pretty=foo"), ("PATCH", "/things?human=bar&pretty=foo&from=x")):
        response = send(method, target)
        assert (response.status_code, response.json["error"]["reason"]) == (400, text.format("foo"))
        assert response.data.startswith(b'{"error"')
    assert send("GET", "/things?human=foo&error_trace=bar&pretty").json["error"]["reason"] == text.format(
        "foo"
    )
    assert send("GET", "/a%zz?pretty=foo").json["error"]["reason"] == text.format("foo")
    assert "escape" in send("GET", "/a%zz?error_trace=foo").json["error"]["reason"]
    for method, target in (("GET", "/nope?error_trace=foo"), ("PATCH", "/things?error_trace=foo")):
        assert send(method, target).json == {"error": text.format("foo"), "status": 400}
    assert send("GET", "/things?error_trace=foo&pretty").data.startswith(b'{\n  "error" : "Failed')


def test_error_trace_adds_nothing(send: Send) -> None:
    assert send("GET", "/things?error_trace&from=x").json == send("GET", "/things?from=x").json


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("wait_for_stat", "did you mean any of [wait_for_status, wait_for_events, wait_for_nodes]?"),
        ("wait_for_no", "did you mean any of [wait_for_nodes, wait_for_events, wait_for_status]?"),
        ("timout", "did you mean [timeout]?"),
        ("mastertimeout", "did you mean [timeout]?"),
        ("hum", ""),
        ("lvel", "did you mean [level]?"),
        ("waitfor", ""),
    ],
)
def test_suggestions_are_ordered_by_similarity(word: str, text: str) -> None:
    """As `/_cluster/health`: the most similar first, ties by name, nothing at a similarity of one half or less."""
    names = ["wait_for_status", "wait_for_events", "wait_for_nodes", "timeout", "level"]
    assert did_you_mean(word, names) == text


def test_similarity_of_one_half_is_no_close_match() -> None:
    """As `/_scripts/abc`: `?i` and `?di` get no suggestion, `?idx` does."""
    assert close_matches("i", ["id"]) == close_matches("di", ["id"]) == close_matches("xd", ["id"]) == []
    assert close_matches("idx", ["id"]) == ["id"]
    assert close_matches("", [""]) == [""]
