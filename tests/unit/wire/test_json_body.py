from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ApiError
from app.wire import json_body, json_errors, json_scanner
from app.wire.json_body import BLANK
from app.wire.json_errors import MAX_DEPTH, position
from app.wire.json_scanner import Scanner, Token

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=30,
)
NEAR_JSON = st.lists(
    st.sampled_from(
        [
            '{"a":',
            '"b":',
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            '"',
            "\\",
            "\\u",
            "d800",
            "1",
            "0",
            "-",
            "+",
            ".",
            "e",
            "true",
            "nul",
            "NaN",
            "-Infinity",
            "1e400",
            " ",
            "\n",
            "\r",
            "\t",
            "\x00",
            "ä",
            "😀",
            "/",
            "\ufeff",
            "{}",
        ]
    )
).map("".join)


def parse(data: bytes) -> Any:
    return json_body.read(data)[0]


def refusal(data: bytes) -> ApiError:
    with pytest.raises(ApiError) as caught:
        parse(data)
    assert caught.value.status == 400
    return caught.value


def either_read_or_refused(data: bytes) -> None:
    raised = None
    try:
        value = parse(data)
    except ApiError as error:
        raised = error
    if raised is not None:
        assert raised.status == 400
        assert raised.cause.type in ("x_content_parse_exception", "x_content_e_o_f_exception")
        str(raised.cause.reason).encode()
    elif value is not BLANK:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


@given(st.binary())
def test_arbitrary_bytes_are_parsed_or_refused(data: bytes) -> None:
    either_read_or_refused(data)


@given(NEAR_JSON)
def test_nearly_json_is_parsed_or_refused(text: str) -> None:
    either_read_or_refused(text.encode())


@given(JSON_VALUES, st.binary(max_size=3), st.integers(min_value=0))
def test_broken_json_is_parsed_or_refused(value: Any, inserted: bytes, at: int) -> None:
    data = json.dumps(value, ensure_ascii=False).encode()
    at %= len(data)
    either_read_or_refused(data[:at] + inserted + data[at:])
    either_read_or_refused(data[:at] + inserted)


@given(JSON_VALUES)
def test_json_is_parsed(value: Any) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False, indent=1).encode() + b" and so on") == value


# Positions and messages as Elasticsearch 9.4.3 reports them.
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a" 1}', "[1:6] Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value"),
        (b"{a:1}", "[1:2] Unexpected character ('a' (code 97)): was expecting double-quote to start field name"),
        (b"{'a':1}", "[1:2] Unexpected character (''' (code 39)): was expecting double-quote to start field name"),
        (b'{"a":}', "[1:6] Unexpected character ('}' (code 125)): expected a value"),
        (b'{"x":[1,2,}}', "[1:11] Unexpected character ('}' (code 125)): expected a value"),
        (b'{"x":[1,,2]}', "[1:9] Unexpected character (',' (code 44)): expected a value"),
        (b'{"x":1,}', "[1:8] Unexpected character ('}' (code 125)): was expecting double-quote to start field name"),
        (b'{"x":1 @}', "[1:8] Unexpected character ('@' (code 64)): was expecting comma to separate Object entries"),
        (b'{"x":[1 2]}', "[1:9] Unexpected character ('2' (code 50)): was expecting comma to separate Array entries"),
        (b'{"x":.5}', ("[1:6] Unexpected character ('.' (code 46)): expected a valid value (JSON String, Number, Array,"
         " Object or token 'null', 'true' or 'false')")),
        (b'{"x":tru}', ("[1:10] Unrecognized token 'tru': was expecting (JSON String, Number, Array,"
         " Object or token 'null', 'true' or 'false')")),
        (b'{"_meta":{"x":truex}}', ("[1:21] Unrecognized token 'truex': was expecting (JSON String, Number, Array,"
         " Object or token 'null', 'true' or 'false')")),
        (b"xx", ("[1:3] Unrecognized token 'xx': was expecting (JSON String, Number, Array,"
         " Object or token 'null', 'true' or 'false')")),
        (b'{"a":01}', "[1:7] Invalid numeric value: Leading zeroes not allowed"),
        (b'{"a":-}', ("[1:7] Unexpected character ('}' (code 125)) in numeric value: expected digit (0-9) to follow"
         " minus sign, for valid numeric value")),
        (b'{"a":1.}', "[1:8] Unexpected character ('}' (code 125)) in numeric value: Decimal point not followed by a digit"),
        (b'{"a":1e}', ("[1:8] Unexpected character ('}' (code 125)) in numeric value: Exponent indicator not followed"
         " by a digit")),
        (b'{"a":+1}', ("[1:7] Unexpected character ('+' (code 43)) in numeric value: JSON spec does not allow numbers to"
         " have plus signs: enable `JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS` to allow")),
        (b'{"x":"a\nb"}', ("[1:8] Illegal unquoted character ((CTRL-CHAR, code 10)): has to be escaped using backslash"
         " to be included in string value")),
        (b'{"x":"\\x"}', "[1:8] Unrecognized character escape 'x' (code 120)"),
        (b'{"x":"\\u00g0"}', ("[1:11] Unexpected character ('g' (code 103)): expected a hex-digit for character escape"
         " sequence")),
        (b'{"x":\x01}', ("[1:7] Illegal character ((CTRL-CHAR, code 1)): only regular white space (\\r, \\n, \\t) is"
         " allowed between tokens")),
        (b'{"x":[1}}', "[1:8] Unexpected close marker '}': expected ']' (for Array starting at line: 1, column: 6)"),
        (b'{"x":1]', "[1:7] Unexpected close marker ']': expected '}' (for Object starting at line: 1, column: 1)"),
        (b'{"_meta":{\n"x":\n\n]}}', ("[4:1] Unexpected character (']' (code 93)): expected a valid value (JSON String,"
         " Number, Array, Object or token 'null', 'true' or 'false')")),
        ('{"😀":1, @}'.encode(), ("[1:12] Unexpected character ('@' (code 64)): was expecting double-quote to start field"
         " name")),
        (b'{"a":NaN}', "[1:9] Non-standard token 'NaN': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow"),
        (b'{"a":-Infinity}', ("[1:15] Non-standard token '-Infinity': enable"
         " `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow")),
        (b'{"priority":1,"priority":1}', "[1:25] Duplicate field 'priority'"),
        (b'{"_meta":{"x":{"a":1,"\\u0061":2}}}', "[1:30] Duplicate field 'a'"),
        (b'{"x":"\xff"}', "[1:8] Invalid UTF-8 start byte 0xff"),
        (b'{"x":"\xe2\x82"}', "[1:10] Invalid UTF-8 middle byte 0x22"),
        (b'{"\x80":1}', "[1:5] Invalid UTF-8 start byte 0x80"),
    ],
)  # fmt: skip
def test_malformed_json_is_refused_with_the_message_of_elasticsearch(data: bytes, reason: str) -> None:
    error = refusal(data)
    assert error.cause.type == "x_content_parse_exception"
    assert error.cause.reason == reason
    assert error.root_cause is error.cause


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"{", "1:2"),
        (b'{"a"', "1:5"),
        (b'{"a":', "1:6"),
        (b'{"a":1', "1:7"),
        (b'{"a":"x', "1:8"),
        (b'{"a":"\\', "1:8"),
        (b'{"a":"\\u', "1:9"),
        (b'{"a":1e', "1:8"),
        (b"-", "1:2"),
        (b'{"a":[1', "1:8"),
        (b"\n \n{", "3:2"),
        (b'{"a":1 \n', "2:1"),
        (b'{"a":"\xe2\x82', "1:7"),
    ],
)
def test_truncated_json_is_an_unexpected_end_of_file(data: bytes, place: str) -> None:
    error = refusal(data)
    assert error.cause.type == "x_content_e_o_f_exception"
    assert error.cause.reason == f"[{place}] Unexpected end of file"


def test_first_of_several_errors_is_reported() -> None:
    assert "Duplicate field 'a'" in str(refusal(b'{"a":1,"a":NaN}').cause.reason)
    assert "NaN" in str(refusal(b'{"a":NaN,"a":1}').cause.reason)
    assert "Duplicate field 'a'" in str(refusal(b'{"a":1,"a":2, x}').cause.reason)
    assert "field name" in str(refusal(b'{"a":1, x, "a":\xff}').cause.reason)


@pytest.mark.parametrize("data", [b'{"a":"\\ud800"}', b'{"\\udc00":1}', b'{"a":[["\\ud83d", 1]]}'])
def test_half_a_surrogate_pair_is_refused(data: bytes) -> None:
    assert refusal(data).cause.reason == "[-1:-1] Incomplete surrogate pair in string value"


def test_surrogate_pairs_are_decoded() -> None:
    assert parse(b'{"\\ud83d\\ude00":"\\ud83d\\ude00"}') == {"😀": "😀"}


def test_number_of_more_than_1000_digits_is_refused() -> None:
    assert parse(b"-" + b"9" * 1000) == -int("9" * 1000)
    assert "Number value length (1001)" in str(refusal(b'{"a":' + b"9" * 1001 + b"}").cause.reason)
    assert "Number value length (1001)" in str(refusal(b"1." + b"9" * 1000).cause.reason)
    assert refusal(b'{"a":' + b"9" * 100_000 + b"}").cause.caused_by is not None


@pytest.mark.parametrize("literal", ["1e400", "-1e400", "1e9999999999"])
def test_number_beyond_a_double_is_refused(literal: str) -> None:
    assert f"Numeric value ({literal}) out of range" in str(
        refusal(f'{{"a":{literal}}}'.encode()).cause.reason
    )


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


def test_nesting_beyond_the_maximum_depth_is_refused() -> None:
    assert parse(nested(MAX_DEPTH))
    assert "nesting depth" in str(refusal(nested(MAX_DEPTH + 1)).cause.reason)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 1_000_000,
        b'{"a":' * 1_000_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":"' + b"\\\\" * 1_000_000,
        b"[" + b"1," * 1_000_000 + b"@]",
        b"[" + b"\n" * 1_000_000 + b"@]",
        b'["\\u00e4' + b"x" * 1_000_000,
    ],
)
def test_hostile_body_is_refused_in_linear_time(data: bytes) -> None:
    """Parsing is linear: work that grows faster than the body would exceed the time limit of a test."""
    refusal(data)


@pytest.mark.parametrize(
    "data",
    [
        b"[" + b"1," * 50_000 + b"@]",
        b"[" + b"1,\n" * 35_000 + b"@]",
        b'["' + "é".encode() * 20_000 + b'",' + b"1.5,\r\n" * 10_000 + b"NaN]",
        b"[" * 100 + b"1," * 50_000 + b"1}",
        b"[" + b"1," * 50_000 + b"\xff",
        b"{" + b",".join(b'"%d":1' % number for number in range(10_000)) + b',"1":2}',
        b"[" + b"1e5," * 25_000 + b"1e400]",
    ],
    ids=["one line", "many lines", "not ASCII", "wrong bracket", "not UTF-8", "key twice", "too large"],
)
def test_position_of_an_error_is_found_in_one_scan(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each token is read once and the position of the wrong one alone is computed, which takes linear time."""
    tokens: list[Token] = []
    places: list[int] = []

    class Counting(Scanner):
        def __iter__(self) -> Iterator[Token]:
            for token in super().__iter__():
                tokens.append(token)
                yield token

    def counted(text: str, offset: int) -> str:
        places.append(offset)
        return position(text, offset)

    monkeypatch.setattr(json_body, "Scanner", Counting)
    for module in (json_errors, json_scanner, json_body):
        monkeypatch.setattr(module, "position", counted)
    assert not str(refusal(data).cause.reason).startswith("[-1")
    assert 10_000 < len(tokens) == len({token.start for token in tokens})
    assert len(places) <= 2


def test_position_of_an_error_after_very_many_tokens_is_omitted() -> None:
    """The search would keep a worker busy for seconds."""
    assert str(refusal(b"[" + b"1," * (json_body.MAX_TOKENS - 10) + b"@]").cause.reason).startswith("[1:")
    late = refusal(b"[" + b"1," * json_body.MAX_TOKENS + b"@]")
    assert late.cause.reason == "[-1:-1] The text is not valid JSON"


@pytest.mark.parametrize("value", [b"[]", b"1.5", b'"ab"', b'{"a":[1]}'])
def test_body_with_too_many_values_is_refused_within_bounded_memory(
    value: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert json_body.MAX_VALUES == 2_000_000
    monkeypatch.setattr(json_body, "MAX_VALUES", 50_000)  # tracing memory is slow
    data = b"[" + (value + b",") * 50_000 + value + b"]"
    tracemalloc.start()
    try:
        assert "Number of values exceeds the maximum allowed" in str(refusal(data).cause.reason)
        assert tracemalloc.get_traced_memory()[1] < 2.5 * len(data)
    finally:
        tracemalloc.stop()


def test_brackets_in_strings_do_not_count_as_values() -> None:
    text = '[{,\\"' * (json_body.MAX_VALUES // 3 + 1)
    assert parse(json.dumps({"error": text}).encode()) == {"error": text}
    assert refusal(json.dumps({"error": text}).encode()[:-2]).cause.type == "x_content_e_o_f_exception"


@pytest.mark.parametrize("data", [b"", b"  ", b" \n\t\r ", b"\xef\xbb\xbf"])
def test_blank_body_is_recognised(data: bytes) -> None:
    assert parse(data) is BLANK


def test_bytes_after_the_value_are_ignored() -> None:
    assert parse(b"{} xx") == {}
    assert parse(b"{}\xff") == {}
    assert parse(b"\xef\xbb\xbf{}}") == {}
