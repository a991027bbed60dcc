"""Get, list and delete of connectors."""

from __future__ import annotations

import pytest

from app.connectors.schemas.ids import deleted_connector_id, existing_connector_id
from app.store.index_definitions import CONNECTORS
from tests.documents import ID
from tests.endpoints import ROOT
from tests.responses import error, no_connector

BAD_INDEX = (
    "[_bad] org.elasticsearch.indices.InvalidIndexNameException: "
    "Invalid index name [_bad], must not start with '_', '-', or '+'"
)


def test_get_shows_deleted_connectors_only_on_request(http, connector) -> None:
    shown = http.get(f"{ROOT}/{ID}").json()
    assert http.get(f"{ROOT}/{ID}?include_deleted").json() == shown
    for query in ("", "?include_deleted=true"):
        assert error(http.get(f"{ROOT}/other{query}")) == no_connector("other")
    http.delete(f"{ROOT}/{ID}")
    for query in ("", "?include_deleted=false"):
        assert error(http.get(f"{ROOT}/{ID}{query}")) == no_connector()
    for query in ("?include_deleted", "?include_deleted=", "?include_deleted=true"):
        assert http.get(f"{ROOT}/{ID}{query}").json() == shown | {"deleted": True}


def test_empty_id_is_refused() -> None:
    """Not reachable over HTTP, since the production server drops final slashes."""
    assert existing_connector_id("") == ["connector_id missing"]
    assert deleted_connector_id("") == ["connector_id missing"]


FLAGS = [("GET", f"/{ID}", "include_deleted"), ("GET", "", "include_deleted")] + [
    ("DELETE", f"/{ID}", name) for name in ("hard", "delete_sync_jobs")
]


@pytest.mark.parametrize(("method", "path", "name"), FLAGS)
def test_flag_other_than_true_or_false_is_refused(http, connector, method, path, name) -> None:
    for value in ("yes", "TRUE", "1", "maybe"):
        assert error(http.request(method, f"{ROOT}{path}?{name}={value}")) == (
            400,
            "illegal_argument_exception",
            f"Failed to parse value [{value}] as only [true] or [false] are allowed.",
        )
    assert http.get(f"{ROOT}/{ID}").status_code == 200


@pytest.mark.parametrize("value", ["", "=", "=true"], ids=["bare", "empty", "true"])
def test_flags_that_are_set_take_effect(http, connector, put_jobs, job_ids, value) -> None:
    put_jobs(2)
    assert http.delete(f"{ROOT}/{ID}").status_code == 200
    assert http.get(f"{ROOT}?include_deleted{value}").json()["count"] == 1
    assert len(job_ids()) == 2
    assert http.delete(f"{ROOT}/{ID}?hard{value}&delete_sync_jobs{value}").status_code == 200
    assert http.get(f"{ROOT}?include_deleted{value}").json()["count"] == 0
    assert job_ids() == set()


def test_flags_set_to_false_have_no_effect(http, connector, put_jobs, job_ids) -> None:
    put_jobs(2)
    assert http.delete(f"{ROOT}/{ID}?hard=false&delete_sync_jobs=false").status_code == 200
    assert http.get(f"{ROOT}?include_deleted=false").json()["count"] == 0
    assert http.get(f"{ROOT}?include_deleted").json()["count"] == 1
    assert len(job_ids()) == 2


def test_missing_index_means_no_connectors(http, elasticsearch, running_service) -> None:
    elasticsearch.indices.delete(index=CONNECTORS.name)
    try:
        for query in ("", "?include_deleted=true"):
            assert error(http.get(f"{ROOT}/{ID}{query}")) == no_connector()
        for query in ("", "?hard=true"):
            assert error(http.delete(f"{ROOT}/{ID}{query}")) == no_connector()
        assert http.get(ROOT).json() == {"count": 0, "results": []}
        assert not elasticsearch.indices.exists(index=CONNECTORS.name)
    finally:
        running_service.wait_until_ready()


def test_document_is_returned_as_stored_with_its_id(http, write) -> None:
    document = {
        "index_name": None,
        "error": None,
        "last_seen": "2024-01-01T00:00:00+00:00",
        "extra": [1, 2**70],
    }
    for shown in (
        lambda: http.get(f"{ROOT}/{ID}").json(),
        lambda: http.get(ROOT).json()["results"][0],
    ):
        for stored in (document, document | {"id": "another"}):
            write(stored)
            assert shown() == {"id": ID} | document
            assert next(iter(shown())) == "id"


FILTERED: list[tuple[str, list[str]]] = [
    ("", ["6", "1", "2", "3", "4"]),
    ("?include_deleted=true", ["6", "1", "5", "2", "3", "4"]),
    ("?from=1&size=2", ["1", "2"]),
    ("?size=0", []),
    ("?index_name=a,b", ["1", "2"]),
    ("?index_name=", ["6", "1", "2", "3", "4"]),
    ("?connector_name=One,Two", ["1", "2"]),
    ("?connector_name=one", []),
    ("?service_type=s3", ["2", "4"]),
    ("?service_type=s3&index_name=b", ["2"]),
    ("?query=index", ["3", "4"]),
    ("?query=o%20i", ["3", "4"]),
    ("?query=fox", ["2"]),
    ("?query=Fox", []),
    ("?query=O?e", ["1"]),
    ("?query=N*x", ["3", "4"]),
    ("?query=", ["6", "1", "2", "3", "4"]),
    ("?query=%5C", []),
]


class TestList:
    @pytest.fixture
    def made(self, http, write) -> None:
        write({"index_name": "b", "name": "Two", "service_type": "s3", "description": "Quick Foxes"}, "2")
        write({"index_name": "a", "name": "One", "service_type": "mysql"}, "1")
        write({"name": "No index", "service_type": "s3"}, "4")
        write({"index_name": None, "name": "No index either"}, "3")
        write({"index_name": "a", "name": "Gone", "deleted": True}, "5")
        write({"index_name": "B", "name": "Upper"}, "6")

    def test_list_is_filtered_and_ordered(self, http, made) -> None:
        for query, ids in FILTERED:
            page = http.get(ROOT + query).json()
            assert list(page) == ["count", "results"]
            assert [each["id"] for each in page["results"]] == ids, query
            assert page["count"] == (5 if "size" in query else len(ids)), query

    @pytest.mark.parametrize(
        ("query", "kind", "reason"),
        [
            ("?from=-1", "illegal_argument_exception", "Parameter [from] cannot be < 0"),
            ("?size=-1", "illegal_argument_exception", "Parameter [size] cannot be < 0"),
            (
                "?size=x",
                "illegal_argument_exception",
                "Failed to parse int parameter [size] with value [x]",
            ),
            (
                "?index_name=_bad,a,_bad",
                "action_request_validation_exception",
                f"Validation Failed: 1: {BAD_INDEX};2: {BAD_INDEX};",
            ),
            (
                "?query=" + "x" * 257,
                "illegal_argument_exception",
                "Parameter [query] cannot be longer than [256] characters",
            ),
            (
                "?nam=x",
                "illegal_argument_exception",
                "request [/_connector] contains unrecognized parameter: [nam]",
            ),
            (
                "?index_name=_bad&nam=x",
                "illegal_argument_exception",
                "request [/_connector] contains unrecognized parameter: [nam]",
            ),
        ],
    )
    def test_invalid_parameter_is_refused(self, bare, query, kind, reason) -> None:
        assert error(bare.get(ROOT + query)) == (400, kind, reason)

    def test_query_may_have_256_characters(self, http, made, write) -> None:
        write({"name": "x" * 300}, "7")
        page = http.get(f"{ROOT}?query={'x' * 256}")
        assert (page.status_code, [each["id"] for each in page.json()["results"]]) == (200, ["7"])

    def test_count_is_exact_beyond_10_000(self, http, elasticsearch) -> None:
        lines: list[dict] = []
        for number in range(10_050):
            lines += [{"index": {"_id": f"{number}"}}, {"name": "n", "deleted": number < 7}]
        assert not elasticsearch.bulk(index=CONNECTORS.alias, operations=lines)["errors"]
        page = http.get(f"{ROOT}?size=3").json()
        assert (page["count"], len(page["results"])) == (10_043, 3)
        assert http.get(f"{ROOT}?include_deleted=true&size=0").json()["count"] == 10_050

    def test_result_window_is_limited(self, http) -> None:
        response = http.get(ROOT + "?from=99990&size=11")
        assert response.status_code == 400
        assert "Result window is too large" in response.text

    def test_created_connector_is_listed_at_once(self, http) -> None:
        for number in range(5):
            http.post(ROOT, json={"name": f"{number}"})
            assert http.get(ROOT).json()["count"] == number + 1


def test_soft_delete_marks_the_connector(http, connector, stored) -> None:
    before = stored()
    assert http.delete(f"{ROOT}/{ID}").json() == {"acknowledged": True}
    assert stored() == before | {"deleted": True}
    assert error(http.delete(f"{ROOT}/{ID}")) == no_connector()


def test_hard_delete_removes_the_connector(http, connector) -> None:
    http.delete(f"{ROOT}/{ID}")
    assert http.delete(f"{ROOT}/{ID}?hard=true").json() == {"acknowledged": True}
    assert error(http.get(f"{ROOT}/{ID}?include_deleted=true")) == no_connector()
    assert error(http.delete(f"{ROOT}/{ID}?hard=true")) == no_connector()


def test_unexpected_body_is_refused(http, connector, put) -> None:
    for response in (
        http.get(f"{ROOT}/{ID}", json={}),
        http.delete(f"{ROOT}/{ID}", json={}),
        put("_check_in", {}),
        put("_filtering/_activate", {}),
    ):
        status, kind, reason = error(response)
        assert (status, kind) == (400, "illegal_argument_exception")
        assert reason.endswith("does not support having a body")
