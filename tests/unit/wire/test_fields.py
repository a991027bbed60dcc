from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ApiError, Cause
from app.timestamps import InvalidTimestamp, iso_timestamp
from app.wire import fields, nested_fields, time_values
from app.wire.schema import RequestBody

MANY = 1_000_000


class Item(RequestBody):
    parser_name = "item"
    lenient = True
    label = fields.String(required=True)
    order = fields.Integer()


class Body(RequestBody):
    parser_name = "body"
    text = fields.String()
    text_or_null = fields.String(allow_none=True)
    flag = fields.Boolean()
    count = fields.Long()
    order = fields.Integer()
    object = fields.JsonObject()
    anything = fields.AnyJson()
    scalar = fields.AnyJson(tokens=["VALUE_STRING", "VALUE_NUMBER"])
    no_list = fields.AnyJson(tokens=["VALUE_STRING", "VALUE_NULL"], unsupported="Unsupported token [{}]")
    color = fields.EnumString(["red", "dark_blue"], enum="Color")
    sign = fields.EnumString([">", "ends_with"], enum="Sign", exact=True)
    at = fields.Timestamp()
    at_or_object = fields.Timestamp(reads_objects=True)
    item = nested_fields.ObjectOf(Item)
    items = nested_fields.ListOf(Item)
    by_name = nested_fields.MapOf(Item)
    texts = nested_fields.StringList()
    colors = nested_fields.EnumStringList(["red", "dark_blue"], enum="Color")
    wait = time_values.TimeValue(minimum=timedelta(seconds=1), maximum=timedelta(minutes=2))


def read(name: str, literal: str) -> Any:
    return Body.parse(f'{{"{name}":{literal}}}'.encode()).values[name]


def reasons(name: str, literal: str) -> list[str | None]:
    """The reasons of the chain of causes, outermost first."""
    with pytest.raises(ApiError) as caught:
        Body.parse(f'{{"{name}":{literal}}}'.encode())
    assert caught.value.status == 400
    chain = []
    link: Cause | None = caught.value.cause
    while link is not None:
        chain.append(link.reason)
        link = link.caused_by
    return chain


@pytest.mark.parametrize(
    ("name", "literal", "value"),
    [
        ("text", '""', ""),
        ("text_or_null", "null", None),
        ("flag", "true", True),
        ("flag", '"false"', False),
        ("flag", '""', False),
        ("count", "9223372036854775807", 2**63 - 1),
        ("count", "-1.9", -1),
        ("count", "1e3", 1000),
        ("count", '"10"', 10),
        ("count", '"+5"', 5),
        ("count", '"10.7"', 10),
        ("count", '"1e-999999999"', 0),
        ("count", '"1e3"', 1000),
        ("count", '"9223372036854775807.9"', 2**63 - 1),
        ("order", "-2147483648", -(2**31)),
        ("object", '{"":{"a..b":null}}', {"": {"a..b": None}}),
        ("anything", "null", None),
        ("anything", "[1]", [1]),
        ("scalar", "1.5", 1.5),
        ("color", '"Dark_BLUE"', "dark_blue"),
        ("sign", '">"', ">"),
        ("at", '"1700000000000"', "2023-11-14T22:13:20.000Z"),
        ("item", '{"label":"x","unknown":{}}', {"label": "x"}),
        ("items", '[{"label":"x"},{"label":"y"}]', [{"label": "x"}, {"label": "y"}]),
        ("items", '{"label":"x"}', [{"label": "x"}]),
        ("items", "[]", []),
        ("by_name", '{"a.b":{"label":"x"}}', {"a.b": {"label": "x"}}),
        ("texts", '"x"', ["x"]),
        ("texts", '["x",1,true]', ["x", "1", "true"]),
        ("colors", '"RED"', ["red"]),
        ("colors", '["Dark_Blue","red","red"]', ["dark_blue", "red", "red"]),
        ("colors", "[]", []),
        ("wait", '"1000ms"', timedelta(seconds=1)),
        ("wait", '"2m"', timedelta(minutes=2)),
    ],
)
def test_valid_value_is_accepted(name: str, literal: str, value: Any) -> None:
    assert read(name, literal) == value


@pytest.mark.parametrize(
    ("name", "literal", "token"),
    [
        ("text", "1", "VALUE_NUMBER"),
        ("text", "null", "VALUE_NULL"),
        ("text", "true", "VALUE_BOOLEAN"),
        ("flag", "0", "VALUE_NUMBER"),
        ("count", "true", "VALUE_BOOLEAN"),
        ("count", "null", "VALUE_NULL"),
        ("count", "[1]", "START_ARRAY"),
        ("object", "[]", "START_ARRAY"),
        ("object", '"{}"', "VALUE_STRING"),
        ("scalar", "{}", "START_OBJECT"),
        ("scalar", "null", "VALUE_NULL"),
        ("color", "null", "VALUE_NULL"),
        ("at", "1700000000000", "VALUE_NUMBER"),
        ("at", "{}", "START_OBJECT"),
        ("item", "[]", "START_ARRAY"),
        ("items", "1", "VALUE_NUMBER"),
        ("by_name", "[]", "START_ARRAY"),
        ("texts", "{}", "START_OBJECT"),
        ("texts", "1", "VALUE_NUMBER"),
        ("colors", "null", "VALUE_NULL"),
        ("wait", "0", "VALUE_NUMBER"),
        ("wait", "null", "VALUE_NULL"),
    ],
)
def test_value_of_a_wrong_type_is_refused(name: str, literal: str, token: str) -> None:
    assert reasons(name, literal) == [
        f"[1:{len(name) + 5}] [body] {name} doesn't support values of type: {token}"
    ]


@pytest.mark.parametrize(
    ("name", "literal", "inner"),
    [
        ("flag", '"True"', ["Failed to parse value [True] as only [true] or [false] are allowed."]),
        ("count", '" 1 "', ['For input string: " 1 "']),
        ("count", '"1e9999999999"', ['For input string: "1e9999999999"']),
        ("count", '"1e99999999999999999999"', ['For input string: "1e99999999999999999999"']),
        ("count", '"1e999999999"', ["Value [1e999999999] is out of range for a long"]),
        ("count", '"1e400"', ["Value [1e400] is out of range for a long"]),
        ("order", '"2147483647.5"', ["Value [2147483647.5] is out of range for an integer"]),
        ("no_list", "[1]", ["Unsupported token [START_ARRAY]"]),
        ("color", '"green"', ["Unknown Color [green]."]),
        ("colors", '"green"', ["Unknown Color [green]."]),
        (
            "wait",
            '"5"',
            [
                "failed to parse setting [wait] with value [5] as a time value: unit is missing or unrecognized"
            ],
        ),
        (
            "wait",
            '"1.5m"',
            [
                "failed to parse [1.5m], fractional time values are not supported",
                'For input string: "1.5"',
            ],
        ),
        ("wait", '"999ms"', ["failed to parse value [999ms] for setting [wait], must be >= [1s]"]),
        ("wait", '"121s"', ["failed to parse value [121s] for setting [wait], must be <= [2m]"]),
        ("sign", '"Ends_With"', ["Unknown Sign [Ends_With]."]),
        ("at", '""', ["cannot parse empty datetime"]),
        ("at", '"2024-02-30"', ["Invalid date 'FEBRUARY 30'"]),
        ("at_or_object", "{}", ["unexpected token [START_OBJECT] for [at_or_object]"]),
    ],
)
def test_invalid_value_is_refused(name: str, literal: str, inner: list[str]) -> None:
    assert reasons(name, literal) == [f"[1:{len(name) + 5}] [body] failed to parse field [{name}]", *inner]


# Positions as Elasticsearch reports them: each cause names the position that its parser had reached.
@pytest.mark.parametrize(
    ("name", "literal", "chain"),
    [
        ("count", "1e19", ["[1:10] [body] failed to parse field [count]",
                           *["[1:14] Numeric value (1e19) out of range of long (-9223372036854775808 - 9223372036854775807)",
                             "Numeric value (1e19) out of range of long (-9223372036854775808 - 9223372036854775807)"]]),
        ("order", "2147483648", ["[1:10] [body] failed to parse field [order]",
                                 "[1:20] Numeric value (2147483648) out of range of int (-2147483648 - 2147483647)",
                                 "Numeric value (2147483648) out of range of int (-2147483648 - 2147483647)"]),
        ("item", '{"label": 1}', ["[1:19] [body] failed to parse field [item]",
                                  "[1:19] [item] label doesn't support values of type: VALUE_NUMBER"]),
        ("item", '{"order":1 }', ["[1:20] [body] failed to parse field [item]", "Required [label]"]),
        ("items", '[{"label":"x"},{}]', ["[1:26] [body] failed to parse field [items]", "Required [label]"]),
        ("items", "[1]", ["[1:12] [body] failed to parse field [items]",
                          "[1:12] [item] Expected START_OBJECT but was: END_ARRAY"]),
        ("items", "[1,null]", ["[1:13] [body] failed to parse field [items]",
                               "[1:13] [item] Expected START_OBJECT but was: VALUE_NULL"]),
        ("items", "[[]]", ["[1:11] [body] failed to parse field [items]", "expected value but got [START_ARRAY]"]),
        ("by_name", '{"a":1}', ["[1:18] [body] failed to parse field [by_name]",
                                "[1:18] [item] Expected START_OBJECT but was: END_OBJECT"]),
        ("by_name", '{"a":{"label":"x","order":"y"}}', ["[1:38] [body] failed to parse field [by_name]",
                                                        "[1:38] [item] failed to parse field [order]",
                                                        'For input string: "y"']),
        ("texts", '["a", null]', ["[1:16] [body] failed to parse field [texts]",
                                  "Expected text at 1:16 but found VALUE_NULL"]),
        ("colors", '["red", "green"]', ["[1:19] [body] failed to parse field [colors]", "Unknown Color [green]."]),
        ("texts", '["a",["b"]]', ["[1:15] [body] failed to parse field [texts]", "expected value but got [START_ARRAY]"]),
    ],
)  # fmt: skip
def test_errors_have_the_positions_of_elasticsearch(name: str, literal: str, chain: list[str]) -> None:
    assert reasons(name, literal) == chain


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2024", "2024-01-01T00:00:00.000Z"),
        ("2024-01-02T", "2024-01-02T00:00:00.000Z"),
        ("2024-01-02T03Z", "2024-01-02T03:00:00.000Z"),
        ("2024-01-02T03:04:05,5Z", "2024-01-02T03:04:05.500Z"),
        ("2024-01-02T03:04:05.123456789+01:30", "2024-01-02T01:34:05.123456789Z"),
        ("2024-01-02T03:04:05.100200Z", "2024-01-02T03:04:05.100200Z"),
        ("2024-01-02T03:04:05-18:00", "2024-01-02T21:04:05.000Z"),
        ("2024-01-02T03:04:05Europe/Berlin", "2024-01-02T02:04:05.000Z"),
        ("2024-03-31T02:30:00Europe/Berlin", "2024-03-31T01:30:00.000Z"),
        ("2024-01-02T03:04:05GMT+1", "2024-01-02T02:04:05.000Z"),
        ("1234", "1234-01-01T00:00:00.000Z"),
        ("12345", "1970-01-01T00:00:12.345Z"),
        ("253402300799999", "9999-12-31T23:59:59.999Z"),
        ("-62135596800000", "0001-01-01T00:00:00.000Z"),
        ("-1.5", "1969-12-31T23:59:59.998500Z"),
    ],
)
def test_timestamp_is_converted_to_iso(text: str, iso: str) -> None:
    assert iso_timestamp(text) == iso


@pytest.mark.parametrize(
    "text",
    ["2024-01-02 03:04:05", "2024-01-02T03:04:05z", "2024-01-02T24:00Z", "2024-01-02T23:59:60Z", "2024-1-2", "10000-01-01", "-0001-12-31", "-0001", "0000", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "253402300800000", "-62135596800001", "9223372036854775807", "2024-01-02T03:04:05.", "2024-01-02T03:04:05.1234567891Z", "2024-01-02T03:04:05+18:01", "2024-01-02Z", " 2024", "2024-01-02T03:04:05+1", "2024-01-02T03:04:05EST", "2024-01-02T03:04:05../../etc/passwd", "1e3", "+1", ".5", "now", "9223372036854775808", "1700000000000.1234567", "٢٠٢٤-01-01", "2024-01-02T03:04:05" + "x" * 5000, "2024-W01"],
)  # fmt: skip
def test_invalid_timestamp_is_refused(text: str) -> None:
    with pytest.raises(InvalidTimestamp) as caught:
        iso_timestamp(text)
    form = "strict_date_optional_time||epoch_millis"
    assert caught.value.reason == f"failed to parse date field [{text}] with format [{form}]"


@given(st.datetimes(), st.timezones(no_cache=True) | st.none())
def test_conversion_keeps_the_point_in_time(timestamp: datetime, zone: Any) -> None:
    naive = timestamp.isoformat() + "Z"
    assert datetime.fromisoformat(iso_timestamp(naive)) == datetime.fromisoformat(naive)


@given(st.text() | st.from_regex(r"-?\d{1,5}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,10})?.{0,8}"))
def test_any_text_is_a_timestamp_or_refused(text: str) -> None:
    try:
        iso = iso_timestamp(text)
    except InvalidTimestamp:
        return
    assert iso.endswith("Z")


@given(
    st.sampled_from([name for name in Body().fields if name != "anything"]),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["label", "order", "x"]), inner),
        max_leaves=8,
    ),
)
def test_any_value_is_accepted_or_refused(name: str, value: Any) -> None:
    refusal = None
    try:
        Body.parse(json.dumps({name: value}).encode())
    except ApiError as error:
        refusal = error
    if refusal is not None:
        assert refusal.status == 400
        assert "-1:-1] [body]" not in str(refusal.cause.reason)


@pytest.mark.parametrize(
    "text",
    [
        *("1" * MANY + "x", "1." * MANY, "." + "1" * MANY + "e", "0" * MANY + "-", "1e" + "1" * MANY),
        *("1" * MANY + "xs", "0" * MANY + "-m", "s" * MANY),
    ],
    ids=lambda text: text[:2] + text[-2:],
)
@pytest.mark.parametrize("name", ["count", "order", "at", "wait"])
def test_long_text_that_is_no_number_is_refused_in_linear_time(name: str, text: str) -> None:
    """Parsing is linear: trying each way to split the digits would exceed the time limit of a test."""
    assert reasons(name, json.dumps(text))
