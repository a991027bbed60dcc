from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from marshmallow import validate

import app  # noqa: F401 - imports all schemas
from app.errors import ApiError, Cause
from app.wire import fields
from app.wire.nested_fields import MapOf, ObjectOf
from app.wire.parse_failure import CannotBuild
from app.wire.schema import RequestBody, RequestSchema, schema_instance


class Create(RequestBody):
    parser_name = "create_request"
    id = fields.String(
        required=True, validate=validate.Length(min=1, error="[id] of the connector cannot be null or empty")
    )
    job_type = fields.EnumString(["full", "incremental"], enum="JobType", late=True)
    trigger_method = fields.EnumString(["on_demand", "scheduled"], enum="Trigger", late=True)


class Claim(RequestBody):
    parser_name = "claim_request"
    worker_hostname = fields.String(required=True)
    sync_cursor = fields.JsonObject()


def count(name: str, *, required: bool) -> fields.Long:
    return fields.Long(
        required=required, validate=validate.Range(min=0, error=f"[{name}] cannot be negative.")
    )


class Stats(RequestBody):
    parser_name = "stats_request"
    deleted_document_count = count("deleted_document_count", required=True)
    indexed_document_count = count("indexed_document_count", required=True)
    indexed_document_volume = count("indexed_document_volume", required=True)
    total_document_count = count("total_document_count", required=False)
    last_seen = fields.Timestamp(reads_objects=True)
    metadata = fields.JsonObject()


class Fail(RequestBody):
    parser_name = "error_request"
    error = fields.String(required=True, validate=validate.Length(min=1, error="[error] cannot be empty"))


class Schedule(RequestBody):
    parser_name = "schedule_config"
    lenient = True
    enabled = fields.Boolean(required=True)
    interval = fields.String(required=True)

    def build(self, values: dict[str, Any]) -> dict[str, Any]:
        if values["interval"] == "bad":
            raise CannotBuild("illegal cron expression format [bad]")
        return values


class Schedules(RequestBody):
    parser_name = "connector_scheduling"
    lenient = True
    full = ObjectOf(Schedule)
    incremental = ObjectOf(Schedule)


class Update(RequestBody):
    parser_name = "update_request"
    scheduling = ObjectOf(Schedules)
    named = MapOf(Schedule)
    error = fields.String(required=True, allow_none=True)

    def violations(self, values: dict[str, Any]) -> list[str]:
        both = "scheduling" in values and "named" in values
        return ["[scheduling] and [named] cannot both be provided."] if both else []


class ErrorOrNull(RequestBody):
    parser_name = "error_or_null"
    error = fields.String(required=True, allow_none=True)


def chain(schema: type[RequestBody], body: bytes) -> list[tuple[str, str | None]]:
    error = refusal(schema, body)
    links = []
    link: Cause | None = error.cause
    while link is not None:
        links.append((link.type, link.reason))
        link = link.caused_by
    return links


def refusal(schema: type[RequestBody], body: bytes) -> ApiError:
    with pytest.raises(ApiError) as caught:
        schema.parse(body)
    assert caught.value.status == 400
    return caught.value


PARSE = "x_content_parse_exception"
ARGUMENT = "illegal_argument_exception"


def test_values_are_parsed() -> None:
    parsed = Create.parse(b'{"id":"c","job_type":"FULL"}')
    assert parsed.values == {"id": "c", "job_type": "full"}
    assert parsed.violations == []
    stats = b'{"deleted_document_count":"1","indexed_document_count":2.9,"indexed_document_volume":0,"metadata":{}}'
    assert Stats.parse(stats).values == {
        "deleted_document_count": 1,
        "indexed_document_count": 2,
        "indexed_document_volume": 0,
        "metadata": {},
    }


def test_violations_are_collected_and_not_raised() -> None:
    assert Create.parse(b'{"id":""}').violations == ["[id] of the connector cannot be null or empty"]
    body = b'{"total_document_count":-4,"indexed_document_volume":-3,"indexed_document_count":2,"deleted_document_count":-1}'
    assert Stats.parse(body).violations == [
        "[deleted_document_count] cannot be negative.",
        "[indexed_document_volume] cannot be negative.",
        "[total_document_count] cannot be negative.",
    ]
    both = b'{"scheduling":{},"named":{},"error":null}'
    assert Update.parse(both).violations == ["[scheduling] and [named] cannot both be provided."]


@pytest.mark.parametrize(
    ("body", "token", "place"),
    [
        (b"[]", "START_ARRAY", "1:1"),
        (b" 1", "VALUE_NUMBER", "1:2"),
        (b"\nnull", "VALUE_NULL", "2:1"),
        (b"", "null", "1:0"),
        (b" \n ", "null", "1:0"),
    ],
)
def test_body_that_is_no_object_is_refused(body: bytes, token: str, place: str) -> None:
    reason = f"[{place}] [claim_request] Expected START_OBJECT but was: {token}"
    assert chain(Claim, body) == [(PARSE, reason)]


def test_missing_required_fields_are_named() -> None:
    assert chain(Create, b"{}") == [(ARGUMENT, "Required [id]")]
    missing = "Required [deleted_document_count, indexed_document_volume]"
    assert chain(Stats, b'{"indexed_document_count":-1}') == [(ARGUMENT, missing)]


def test_null_is_a_value_if_all_fields_are_present() -> None:
    assert ErrorOrNull.parse(b'{"error":null}').values == {"error": None}
    assert chain(ErrorOrNull, b"{}") == [(ARGUMENT, "Required [error]")]
    assert chain(Update, b'{"error":null}') == [(ARGUMENT, "Required [error]")]


def test_unknown_field_is_refused_with_a_suggestion() -> None:
    assert chain(Claim, b'{"hostname":"h"}') == [
        (PARSE, "[1:2] [claim_request] unknown field [hostname] did you mean [worker_hostname]?")
    ]
    assert chain(Claim, b'{\n "zzz":"h"}') == [(PARSE, "[2:2] [claim_request] unknown field [zzz]")]


def test_first_error_in_the_body_is_reported() -> None:
    assert "sync_cursor doesn't" in str(chain(Claim, b'{"sync_cursor":1,"worker_hostname":2}')[0])
    assert "worker_hostname doesn't" in str(chain(Claim, b'{"worker_hostname":2,"sync_cursor":1}')[0])
    assert "unknown field [x]" in str(chain(Claim, b'{"x":1,"worker_hostname":2}')[0])
    assert "worker_hostname doesn't" in str(chain(Claim, b'{"worker_hostname":2,"x":1}')[0])
    assert "unknown field [x]" in str(chain(Claim, b'{"x":1}')[0])


def test_late_errors_are_reported_at_the_last_field_if_all_are_present() -> None:
    body = b'{"job_type":"a","trigger_method":"b","id":"c","x":1}'
    built = "Failed to build [create_request] after last required field arrived"
    assert chain(Create, body) == [
        (PARSE, "[1:43] [create_request] failed to parse field [id]"),
        (PARSE, built),
        (ARGUMENT, "Unknown JobType [a]."),
    ]
    assert refusal(Create, body).root_cause.reason == built


def test_late_errors_are_reported_last_if_fields_are_missing() -> None:
    built = "Failed to build [create_request] after last required field arrived"
    assert chain(Create, b'{"job_type":"a","id":"c"}') == [(PARSE, built), (ARGUMENT, "Unknown JobType [a].")]
    assert chain(Create, b'{"job_type":"a"}') == [(ARGUMENT, "Required [id]")]
    assert "unknown field" in str(chain(Create, b'{"job_type":"a","id":"c","x":1}')[0])
    assert chain(Create, b'{"id":"","trigger_method":"b"}')[1] == (ARGUMENT, "Unknown Trigger [b].")


def test_error_in_a_nested_object_has_a_cause_for_each_level() -> None:
    body = b'{"scheduling":{"x":0,"full":{"interval":"bad","y":[],"enabled":true}}}'
    built = "Failed to build [schedule_config] after last required field arrived"
    assert chain(Update, body) == [
        (PARSE, "[1:64] [update_request] failed to parse field [scheduling]"),
        (PARSE, "[1:64] [connector_scheduling] failed to parse field [full]"),
        (PARSE, "[1:64] [schedule_config] failed to parse field [enabled]"),
        (PARSE, built),
        (ARGUMENT, "illegal cron expression format [bad]"),
    ]
    assert refusal(Update, body).root_cause.reason == built


def test_missing_field_of_a_nested_object_is_named() -> None:
    error = refusal(Update, b'{"named":{"a":{"enabled":true}}}')
    assert error.cause.reason == "[1:30] [update_request] failed to parse field [named]"
    assert error.cause.caused_by == Cause(ARGUMENT, "Required [interval]")
    assert error.root_cause is error.cause


def test_positions_in_long_bodies_are_omitted() -> None:
    body = b'{"sync_cursor":{"a":"' + b"x" * 300_000 + b'"},"worker_hostname":1}'
    assert str(chain(Claim, body)[0][1]).startswith("[-1:-1] [claim_request] worker_hostname doesn't")


def test_null_or_empty_value_of_the_only_field_is_refused() -> None:
    assert chain(Fail, b'{"error":null}') == [
        (PARSE, "[1:10] [error_request] error doesn't support values of type: VALUE_NULL")
    ]
    assert Fail.parse(b'{"error":""}').violations == ["[error] cannot be empty"]


def subclasses(schema: type[RequestSchema]) -> Iterator[type[RequestSchema]]:
    for each in schema.__subclasses__():
        yield each
        yield from subclasses(each)


def test_every_field_has_a_description() -> None:
    """The API documentation is generated from the schemas."""
    declared = {
        f"{schema.__module__}.{schema.__name__}.{name}": field
        for schema in subclasses(RequestSchema)
        if schema.__module__.startswith("app.")
        for name, field in schema_instance(schema).fields.items()
    }
    assert len(declared) > 100
    assert [name for name, field in declared.items() if not field.metadata.get("description")] == []
