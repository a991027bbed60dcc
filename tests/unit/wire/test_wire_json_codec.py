"""JSON is decoded and encoded without loss."""

from __future__ import annotations

from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.json_codec import dumps, loads

_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(_values)
def test_values_round_trip(value: object) -> None:
    back = loads(dumps(value))
    assert back == value
    assert repr(back) == repr(value)


@pytest.mark.parametrize(
    "text",
    [
        "123456789012345678901234567890",
        "-9223372036854775809",
        "18446744073709551616",
        '{"a":[12345678901234567890123]}',
        '"\\ud800x"',
    ],
)
def test_values_beyond_the_fast_library_round_trip(text: str) -> None:
    assert dumps(loads(text)) == text.encode()
    assert dumps(loads(text.encode())) == text.encode()


def test_numbers_beyond_a_double_are_decoded_as_elasticsearch_writes_them() -> None:
    """A node that rewrites `{"e":1e400}` responds with `{"e":"Infinity"}`."""
    assert loads('{"e":1e400,"f":-1e400}') == {"e": "Infinity", "f": "-Infinity"}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"NaN",
        b"[Infinity]",
        b"{'a':1}",
        b'"\xff"',
        b"[1,]",
        b"[" * 100_000,
        b"[12345678901234567890,NaN]",
        b'"\xed\xa0\x80"',
    ],
)
def test_invalid_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(text)


def test_output_is_compact_utf_8() -> None:
    assert dumps({"é": ["😀", 1.0, 2**64 - 1]}) == '{"é":["😀",1.0,18446744073709551615]}'.encode()
    assert dumps({"é": [2**64, 1]}) == '{"é":[18446744073709551616,1]}'.encode()
    assert dumps({"é\ud800": ["😀", "\udc00"]}) == '{"é\\ud800":["😀","\\udc00"]}'.encode()


@pytest.mark.parametrize("inner", ["1", "1.5", str(2**70), '"\\ud800"'])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deepest_document_of_elasticsearch_round_trips(opening: str, closing: str, inner: str) -> None:
    """Elasticsearch accepts 1000 levels; a response with a document in a list has a few more."""
    text = (opening * 1010 + inner + closing * 1010).encode()
    written: list[bytes] = []
    # In a thread, as in the server: its stack may be smaller.
    thread = Thread(target=lambda: written.append(dumps(loads(text))))
    thread.start()
    thread.join()
    assert written == [text]
