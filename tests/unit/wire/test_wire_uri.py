"""Paths and query strings. Expected values are responses of Elasticsearch 9.4.3 for `/_scripts/{id}` and `/_search`."""

from __future__ import annotations

import pytest

from app.errors import ApiError
from app.wire import uri


@pytest.mark.parametrize(
    ("encoded", "decoded"),
    [
        ("a%2Fb", "a/b"),
        ("a%252Fb", "a%2Fb"),
        ("a+b", "a+b"),
        ("%2B", "+"),
        ("a%20b", "a b"),
        ("%C3%A9", "é"),
        ("%f0%9f%98%80", "😀"),
        ("%ff", "\ufffd"),
        ("%c3", "\ufffd"),
        ("a%ed%a0%80b", "a\ufffdb"),
        ("a%00b", "a\0b"),
        ("..", ".."),
    ],
)
def test_segment_is_decoded_once_and_invalid_utf_8_is_replaced(encoded: str, decoded: str) -> None:
    """As `GET /_scripts/<encoded>`, whose 404 has the decoded `_id`; invalid bytes are not refused."""
    assert uri.decode(encoded) == decoded


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/_scripts/%zz", "invalid escape sequence `%zz' at index 10 of: /_scripts/%zz"),
        ("/_scripts/a%2g%", "invalid escape sequence `%2g' at index 11 of: /_scripts/a%2g%"),
        ("/_scripts/%-1", "invalid escape sequence `%-1' at index 10 of: /_scripts/%-1"),
        ("/_scripts/%e", "partial escape sequence at end of string: /_scripts/%e"),
        ("/_scripts/a%2", "partial escape sequence at end of string: /_scripts/a%2"),
        ("/_scripts/%", "unterminated escape sequence at end of string: /_scripts/%"),
    ],
)
def test_malformed_escape_in_a_path_is_refused_with_the_whole_path(path: str, reason: str) -> None:
    with pytest.raises(ApiError) as caught:
        uri.decode_path(path)
    assert (caught.value.status, caught.value.cause.type) == (400, "illegal_argument_exception")
    assert caught.value.cause.reason == reason


def test_malformed_escape_in_a_query_is_refused_with_the_parameter_alone() -> None:
    """As `?b=éé%zz`: the error has another type, and the reason quotes the Java exception."""
    with pytest.raises(ApiError) as caught:
        uri.parse_query("a=1&b=éé%zz")
    inner = "invalid escape sequence `%zz' at index 2 of: éé%zz"
    cause = caught.value.cause
    assert (cause.type, cause.reason) == (
        "bad_parameter_exception",
        f"java.lang.IllegalArgumentException: {inner}",
    )
    assert cause.caused_by is not None
    assert (cause.caused_by.type, cause.caused_by.reason) == ("illegal_argument_exception", inner)


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("", {}),
        ("&", {}),
        ("&&a=0", {"a": "0"}),
        ("a", {"a": ""}),
        ("a=", {"a": ""}),
        ("a=1&a=2", {"a": "2"}),
        ("a=1;b=2", {"a": "1", "b": "2"}),
        ("a;b", {"a": "", "b": ""}),
        ("a=b=c", {"a": "b=c"}),
        ("=1", {"1": ""}),
        ("a=+5", {"a": " 5"}),
        ("a=%2B5", {"a": "+5"}),
        ("%C3%A9=1", {"é": "1"}),
        ("a=%ff", {"a": "\ufffd"}),
        ("b?c=1", {"b?c": "1"}),
    ],
)
def test_query_string_is_parsed(query: str, parameters: dict[str, str]) -> None:
    """The last of several equal names wins. `;` separates. `=1` is a parameter named 1."""
    assert uri.parse_query(query) == parameters


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("/a?b=1", ("/a", "b=1")),
        ("/a?b?c=1", ("/a", "b?c=1")),
        ("/a#b?c", ("/a", "")),
        ("/a?b=1#c", ("/a", "b=1")),
        ("http://x/a?b", ("http://x/a", "b")),
    ],
)
def test_target_is_split_at_the_first_question_mark_and_fragment(target: str, parts: tuple[str, str]) -> None:
    assert uri.split(target) == parts
