"""Setting up the indices on a real node: what is created, kept and reported."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import AuthorizationException, Elasticsearch, ElasticsearchWarning

from app.store.index_definitions import CONNECTORS, META_KEY, SYNC_JOBS, IndexDefinition
from app.store.indices import Indices

BOTH = pytest.mark.parametrize("definition", [CONNECTORS, SYNC_JOBS], ids=lambda definition: definition.name)
ROOT = Path(__file__).parents[2]
EXTRA = "indices-test-extra"

RULE = {
    "created_at": "2025-01-01T00:00:00Z",
    "field": "_",
    "id": "DEFAULT",
    "order": 0,
    "policy": "include",
    "rule": "regex",
    "updated_at": "2025-01-01T00:00:00Z",
    "value": ".*",
}
FILTERING_STATE = {
    "advanced_snippet": {
        "created_at": RULE["created_at"],
        "updated_at": RULE["updated_at"],
        "value": {"a": [{}]},
    },
    "rules": [RULE],
    "validation": {"errors": [{"ids": ["DEFAULT"], "messages": ["no"]}], "state": "invalid"},
}
PIPELINE = {
    "extract_binary_content": True,
    "name": "search-default-ingestion",
    "reduce_whitespace": True,
    "run_ml_inference": False,
}
CONFIGURATION = {"host": {"label": "Host", "value": "h", "order": 1, "depends_on": [], "default_value": None}}
WHEN = "2025-01-02T03:04:05.123456789Z"
SYNC_JOB = {
    "connector": {
        "configuration": CONFIGURATION,
        "filtering": FILTERING_STATE,
        "id": "c1",
        "index_name": "search-x",
        "language": "de",
        "pipeline": PIPELINE,
        "service_type": "mysql",
        "sync_cursor": {"a": {"b": [1]}},
    },
    **dict.fromkeys(["cancelation_requested_at", "canceled_at", "completed_at", "created_at"], WHEN),
    **dict.fromkeys(["last_seen", "started_at"], "2025-01-02T03:04:05.123456+00:00"),
    **dict.fromkeys(
        ["deleted_document_count", "indexed_document_count", "indexed_document_volume"], 2**63 - 1
    ),
    "error": "x" * 40_000,
    "job_type": "full",
    "metadata": {"a": 1, "b": {"c": "text"}},
    "status": "pending",
    "total_document_count": None,
    "trigger_method": "on_demand",
    "worker_hostname": "w1",
}
CONNECTOR = {
    "api_key_id": "k",
    "api_key_secret_id": "s",
    "configuration": CONFIGURATION,
    "custom_scheduling": {
        "crawl": {"configuration_overrides": {"seed_urls": ["u"]}, "enabled": True, "name": "n"}
    },
    "deleted": False,
    "description": "A connector",
    **dict.fromkeys(["error", "last_access_control_sync_error", "last_sync_error"], "é" * 20_000),
    "features": {
        "document_level_security": {"enabled": True},
        "filtering_advanced_config": True,
        "filtering_rules": True,
        "incremental_sync": {"enabled": True},
        "native_connector_api_keys": {"enabled": True},
        "sync_rules": {"advanced": {"enabled": True}, "basic": {"enabled": True}},
    },
    "filtering": [{"active": FILTERING_STATE, "domain": "DEFAULT", "draft": FILTERING_STATE}],
    "index_name": "search-x",
    "is_native": False,
    "language": None,
    **dict.fromkeys(["last_seen", "last_synced", "last_sync_scheduled_at"], WHEN),
    **dict.fromkeys(["last_access_control_sync_scheduled_at", "last_incremental_sync_scheduled_at"], WHEN),
    **dict.fromkeys(["last_sync_status", "last_access_control_sync_status"], "completed"),
    **dict.fromkeys(["last_deleted_document_count", "last_indexed_document_count"], 2**40),
    "name": "demo",
    "pipeline": PIPELINE,
    "scheduling": {
        kind: {"enabled": False, "interval": "0 0 0 * * ?"}
        for kind in ("access_control", "full", "incremental")
    },
    "service_type": "s3",
    "status": "created",
    "sync_cursor": None,
    "sync_now": False,
}


@pytest.fixture(scope="module")
def borrowed(elasticsearch: Elasticsearch) -> Iterator[Elasticsearch]:
    """The node that all tests share; after these tests, its indices are set up again."""
    yield elasticsearch
    _wipe(elasticsearch)
    Indices(elasticsearch).ensure()


@pytest.fixture
def cluster(borrowed: Elasticsearch) -> Iterator[Elasticsearch]:
    """A node without the indices and their templates."""
    _wipe(borrowed)
    yield borrowed
    _block_changes(borrowed, None)


@pytest.fixture
def indices(cluster: Elasticsearch) -> Indices:
    return Indices(cluster)


def _wipe(client: Elasticsearch) -> None:
    quiet = client.options(ignore_status=404)
    found = {CONNECTORS.name, SYNC_JOBS.name, EXTRA}
    for definition in (CONNECTORS, SYNC_JOBS):
        found |= {
            index for index in quiet.indices.get(index=definition.alias) if index.startswith((".", EXTRA))
        }
    client.indices.delete(index=sorted(found), ignore_unavailable=True)
    templates = quiet.indices.get_index_template(name="elastic-connectors*").get("index_templates")
    if templates:
        client.indices.delete_index_template(name=[template["name"] for template in templates])
    components = quiet.cluster.get_component_template(name="elastic-connectors*").get("component_templates")
    if components:
        client.cluster.delete_component_template(name=[component["name"] for component in components])


def _block_changes(client: Elasticsearch, block: bool | None) -> None:
    """Make the node refuse every change with 403, as for users without the privilege."""
    client.cluster.put_settings(persistent={"cluster.blocks.read_only": block})


def _make(client: Elasticsearch, index: str, **body: Any) -> None:
    """Create an index as other programs do, without the warning about the dot at the start of its name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ElasticsearchWarning)
        client.indices.create(index=index, **body)


def _state_version(client: Elasticsearch) -> int:
    version = client.cluster.state(metric="version")["version"]
    assert isinstance(version, int)
    return version


def _mapping(client: Elasticsearch, index: str) -> dict[str, Any]:
    mapping = client.indices.get_mapping(index=index)[index]["mappings"]
    assert isinstance(mapping, dict)
    return mapping


def test_empty_node_gets_usable_indices(cluster: Elasticsearch, indices: Indices) -> None:
    indices.ensure()

    assert indices.check() == []
    for definition in (CONNECTORS, SYNC_JOBS):
        state = cluster.indices.get(index=definition.alias)[definition.name]
        assert state["aliases"] == {definition.alias: {}}
        settings = state["settings"]["index"]
        assert (settings["hidden"], settings["number_of_shards"]) == ("true", "1")
        assert settings["auto_expand_replicas"] == "0-1"
        assert state["mappings"]["dynamic"] == "false"
        assert state["mappings"]["_meta"][META_KEY] == definition.own_meta[META_KEY] == {"version": 2}
    assert _mapping(cluster, SYNC_JOBS.name)["properties"]["indexed_document_count"] == {"type": "long"}


def test_indices_have_no_lifecycle(cluster: Elasticsearch, indices: Indices) -> None:
    """Jobs are updated by id: after a rollover, an update would write a second copy."""
    indices.ensure()

    for definition in (CONNECTORS, SYNC_JOBS):
        state = cluster.indices.get(index=definition.name)[definition.name]
        simulated = cluster.indices.simulate_index_template(name=definition.name)["template"]
        for made in (state, simulated):
            assert "lifecycle" not in made["settings"]["index"]
            assert "lifecycle" not in made
        template = cluster.indices.get_index_template(name=definition.template)["index_templates"][0]
        assert "lifecycle" not in str(template)
        assert "data_stream" not in template["index_template"]
        for name in definition.component_templates:
            component = cluster.cluster.get_component_template(name=name)["component_templates"]
            assert "lifecycle" not in str(component)


def test_second_setup_writes_nothing(cluster: Elasticsearch, indices: Indices) -> None:
    indices.ensure()
    before = _state_version(cluster)

    indices.ensure()

    assert _state_version(cluster) == before


@BOTH
def test_index_created_without_options_gets_alias_and_mapping_from_the_template(
    cluster: Elasticsearch, indices: Indices, definition: IndexDefinition
) -> None:
    indices.ensure()
    made_by_us = _mapping(cluster, definition.name)
    cluster.indices.delete(index=definition.name)

    _make(cluster, definition.name)

    assert indices.check() == []
    assert _mapping(cluster, definition.name) == made_by_us


@BOTH
def test_existing_templates_are_kept(
    cluster: Elasticsearch, indices: Indices, definition: IndexDefinition
) -> None:
    cluster.cluster.put_component_template(
        name=definition.mappings_component, template={"mappings": {"properties": {"theirs": {"type": "ip"}}}}
    )
    cluster.indices.put_index_template(
        name=definition.template, index_patterns=[definition.name], composed_of=[], priority=7, version=3
    )

    indices.ensure()

    component = cluster.cluster.get_component_template(name=definition.mappings_component)[
        "component_templates"
    ][0]
    assert component["component_template"]["template"]["mappings"] == {
        "properties": {"theirs": {"type": "ip"}}
    }
    template = cluster.indices.get_index_template(name=definition.template)["index_templates"][0][
        "index_template"
    ]
    assert (template["priority"], template["version"], template["composed_of"]) == (7, 3, [])
    assert indices.check() == []


def test_foreign_template_for_the_same_index_is_no_problem(cluster: Elasticsearch, indices: Indices) -> None:
    cluster.indices.put_index_template(name=EXTRA, index_patterns=[SYNC_JOBS.name], priority=100)
    try:
        indices.ensure()
        assert indices.check() == []
    finally:
        cluster.indices.delete_index_template(name=EXTRA)


@BOTH
def test_index_without_mapping_and_alias_is_completed(
    cluster: Elasticsearch, indices: Indices, definition: IndexDefinition
) -> None:
    indices.ensure()
    whole = _mapping(cluster, definition.name)
    cluster.indices.delete_index_template(name=definition.template)
    cluster.indices.delete(index=definition.name)
    _make(cluster, definition.name)
    assert len(indices.check()) == 1

    indices.ensure()

    assert indices.check() == []
    assert _mapping(cluster, definition.name) == whole


def test_existing_index_only_gets_additions(cluster: Elasticsearch, indices: Indices) -> None:
    _make(
        cluster,
        SYNC_JOBS.name,
        aliases={SYNC_JOBS.alias: {"is_hidden": True}},
        mappings={
            "dynamic": "strict",
            "_meta": {"version": 3, "theirs": {"a": 1}},
            "properties": {
                "indexed_document_count": {"type": "integer"},
                "error": {"type": "keyword", "index": False, "fields": {"words": {"type": "text"}}},
                "worker_hostname": {"type": "text"},
                "theirs": {"type": "geo_point"},
                "metadata": {"type": "flattened"},
                "connector": {
                    "dynamic": "true",
                    "properties": {"id": {"type": "keyword"}, "pipeline": {"type": "ip"}},
                },
            },
        },
    )

    indices.ensure()

    assert indices.check() == []
    assert cluster.indices.get_alias(index=SYNC_JOBS.name)[SYNC_JOBS.name]["aliases"] == {
        SYNC_JOBS.alias: {"is_hidden": True}
    }
    mapping = _mapping(cluster, SYNC_JOBS.name)
    assert mapping["dynamic"] == "strict"
    assert mapping["_meta"] == {"version": 3, "theirs": {"a": 1}, META_KEY: {"version": 2}}
    fields = mapping["properties"]
    assert fields["indexed_document_count"] == {"type": "integer"}
    assert fields["deleted_document_count"] == {"type": "long"}
    words = {"words": {"type": "text"}}
    assert fields["error"] == {"type": "keyword", "index": False, "ignore_above": 8191, "fields": words}
    assert fields["worker_hostname"] == {"type": "text"}
    assert fields["theirs"] == {"type": "geo_point"}
    assert fields["metadata"] == {"type": "flattened"}
    assert fields["connector"]["dynamic"] == "true"
    assert fields["connector"]["properties"]["pipeline"] == {"type": "ip"}
    assert fields["connector"]["properties"]["index_name"] == {"type": "keyword"}
    version = _state_version(cluster)
    indices.ensure()
    assert _state_version(cluster) == version


def test_index_behind_the_alias_may_have_any_name(cluster: Elasticsearch, indices: Indices) -> None:
    _make(cluster, EXTRA, aliases={SYNC_JOBS.alias: {}})

    indices.ensure()

    assert indices.check() == []
    assert "connector" in _mapping(cluster, EXTRA)["properties"]
    assert not cluster.indices.exists(index=SYNC_JOBS.name)


def test_documents_with_every_field_are_stored_whole(cluster: Elasticsearch, indices: Indices) -> None:
    indices.ensure()

    for definition, document in ((SYNC_JOBS, SYNC_JOB), (CONNECTORS, CONNECTOR)):
        cluster.index(index=definition.alias, id="1", document=document, require_alias=True, refresh=True)
        assert cluster.get(index=definition.alias, id="1")["_source"] == document
        assert document.keys() <= {*definition.mappings["properties"], "api_key_secret_id"}
        found = cluster.search(index=definition.alias, query={"term": {"status": document["status"]}})
        assert found["hits"]["total"]["value"] == 1


def test_long_error_can_be_stored_in_a_foreign_index_after_setup(
    cluster: Elasticsearch, indices: Indices
) -> None:
    _make(cluster, SYNC_JOBS.name, mappings={"properties": {"error": {"type": "keyword"}}})

    indices.ensure()

    cluster.index(index=SYNC_JOBS.alias, id="1", document={"error": "x" * 40_000})
    assert len(cluster.get(index=SYNC_JOBS.alias, id="1")["_source"]["error"]) == 40_000


def test_processes_that_start_at_once_create_one_index_each(cluster: Elasticsearch) -> None:
    url = next(iter(cluster.transport.node_pool.all())).base_url
    program = (
        "import sys; from elasticsearch import Elasticsearch; from app.store.indices import Indices\n"
        "indices = Indices(Elasticsearch(sys.argv[1], max_retries=0))\n"
        "print('ready', flush=True); sys.stdin.readline(); indices.ensure()\n"
    )
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", program, url],
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
            for _ in range(4)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            output, _ = process.communicate(timeout=60)
            assert process.returncode == 0, output

    assert Indices(cluster).check() == []
    for definition in (CONNECTORS, SYNC_JOBS):
        assert list(cluster.indices.get(index=definition.alias)) == [definition.name]
        assert (
            _mapping(cluster, definition.name)["properties"].keys()
            == definition.mappings["properties"].keys()
        )
    version = _state_version(cluster)
    Indices(cluster).ensure()
    assert _state_version(cluster) == version


def test_refused_setup_is_no_error_while_the_indices_are_usable(
    cluster: Elasticsearch, indices: Indices
) -> None:
    indices.ensure()
    cluster.indices.delete_index_template(name=SYNC_JOBS.template)
    _block_changes(cluster, True)

    indices.ensure()

    assert not cluster.indices.exists_index_template(name=SYNC_JOBS.template)


def test_refused_setup_is_an_error_when_an_index_is_missing(cluster: Elasticsearch, indices: Indices) -> None:
    _block_changes(cluster, True)

    with pytest.raises(AuthorizationException, match="read-only"):
        indices.ensure()

    assert len(indices.readiness()) == 2


@BOTH
def test_missing_index_is_reported_and_created_again(
    cluster: Elasticsearch, indices: Indices, definition: IndexDefinition
) -> None:
    indices.ensure()
    cluster.indices.delete(index=definition.name)

    [problem] = indices.check()
    assert f"no index behind the alias [{definition.alias}]" in problem
    assert "the service sees to it" in problem

    assert indices.readiness() == []
    assert indices.check() == []


def test_missing_alias_is_reported_and_created_again(cluster: Elasticsearch, indices: Indices) -> None:
    indices.ensure()
    cluster.indices.delete_alias(index=SYNC_JOBS.name, name=SYNC_JOBS.alias)

    [problem] = indices.check()
    assert f"no index behind the alias [{SYNC_JOBS.alias}]" in problem

    assert indices.readiness() == []


def test_missing_fields_are_added_again(cluster: Elasticsearch, indices: Indices) -> None:
    indices.ensure()
    cluster.indices.delete(index=SYNC_JOBS.name)
    cluster.indices.delete_index_template(name=SYNC_JOBS.template)
    _make(cluster, SYNC_JOBS.name, aliases={SYNC_JOBS.alias: {}})

    problems = indices.check()
    assert len(problems) == len(SYNC_JOBS.queried)
    assert "The field [connector.id]" in problems[0]
    assert "is not mapped, but must be [keyword]" in problems[0]

    assert indices.readiness() == []


def test_index_with_the_name_of_the_alias_is_reported(cluster: Elasticsearch, indices: Indices) -> None:
    _make(cluster, SYNC_JOBS.alias, settings={"hidden": True})

    indices.ensure()

    [problem] = indices.readiness()
    assert f"[{SYNC_JOBS.alias}] is an index, but must be an alias" in problem
    assert f"move its documents to [{SYNC_JOBS.name}] and delete it" in problem
    assert not cluster.indices.exists(index=SYNC_JOBS.name)


@pytest.mark.parametrize("write_index", [None, True])
def test_alias_on_two_indices_is_reported(
    cluster: Elasticsearch, indices: Indices, write_index: bool | None
) -> None:
    indices.ensure()
    _make(cluster, EXTRA)
    cluster.indices.put_alias(index=EXTRA, name=SYNC_JOBS.alias, is_write_index=write_index)

    [problem] = indices.readiness()
    assert f"[{SYNC_JOBS.alias}] stands for 2 indices ([{SYNC_JOBS.name}], [{EXTRA}])" in problem
    assert "take the alias off the others" in problem


def test_fields_that_cannot_be_queried_are_reported_and_kept(
    cluster: Elasticsearch, indices: Indices
) -> None:
    _make(cluster, SYNC_JOBS.name, aliases={SYNC_JOBS.alias: {}})
    job = {
        "status": "pending",
        "job_type": "full",
        "created_at": "soon",
        "connector": {"id": "a-b"},
        "last_seen": 1,
    }
    cluster.index(index=SYNC_JOBS.alias, document=job, refresh=True)

    indices.ensure()

    problems = indices.readiness()
    found = {
        "connector.id": "text",
        "created_at": "text",
        "job_type": "text",
        "last_seen": "long",
        "status": "text",
    }
    assert len(problems) == len(found)
    for problem, (field, type_) in zip(problems, found.items(), strict=True):
        assert f"The field [{field}] of [{SYNC_JOBS.name}] is of type [{type_}], but must be [" in problem
        assert (
            f"reindex it into an index with the mapping of the component template [{SYNC_JOBS.mappings_component}]"
            in problem
        )
    assert _mapping(cluster, SYNC_JOBS.name)["properties"]["status"]["type"] == "text"
    assert cluster.count(index=SYNC_JOBS.alias)["count"] == 1


def test_nested_connector_is_reported(cluster: Elasticsearch, indices: Indices) -> None:
    nested = {"type": "nested", "properties": {"id": {"type": "keyword"}}}
    _make(cluster, SYNC_JOBS.name, mappings={"properties": {"connector": nested}})

    indices.ensure()

    [problem] = indices.check()
    assert "The field [connector] of" in problem
    assert "of type [nested], but must be [object]" in problem


def test_field_that_cannot_be_sorted_by_is_reported(cluster: Elasticsearch, indices: Indices) -> None:
    _make(
        cluster,
        SYNC_JOBS.name,
        mappings={"properties": {"created_at": {"type": "date", "doc_values": False}}},
    )

    indices.ensure()

    [problem] = indices.check()
    assert "The field [created_at]" in problem
    assert "not searchable and sortable" in problem


def test_closed_index_is_reported(cluster: Elasticsearch, indices: Indices) -> None:
    indices.ensure()
    cluster.indices.close(index=SYNC_JOBS.name)

    [problem] = indices.readiness()
    assert "is closed: open it" in problem


def test_compatible_field_types_are_accepted(cluster: Elasticsearch, indices: Indices) -> None:
    _make(cluster, SYNC_JOBS.name, mappings={"properties": {"created_at": {"type": "date_nanos"}}})

    indices.ensure()

    assert indices.check() == []


def test_unreachable_elasticsearch_is_a_problem_and_no_exception() -> None:
    [problem] = Indices(Elasticsearch("http://127.0.0.1:9", max_retries=0)).readiness()

    assert "Elasticsearch cannot be reached" in problem
    assert "127.0.0.1" not in problem
