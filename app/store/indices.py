"""Creating the indices, and checking whether they can be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from elasticsearch import AuthorizationException, BadRequestError, Elasticsearch, NotFoundError

from app.errors import ApiError
from app.store import index_problems, mapping_changes
from app.store.failures import IndexMissing
from app.store.index_definitions import DEFINITIONS, IndexDefinition
from app.store.index_problems import Problem
from app.store.retries import send

log = structlog.get_logger(__name__)

# Longer than Elasticsearch's own 30 s for a change of the cluster's state, so that its response is seen.
_CLUSTER_STATE_TIMEOUT_SECONDS = 35.0
# For an index that others create or delete at the same time.
_MAX_ATTEMPTS = 3


class Indices:
    """The indices of `definitions`, with their aliases and templates. Safe to use from several processes at once.

    Nothing is ever overwritten, reindexed or deleted; an index that exists is only added to.
    """

    def __init__(self, client: Elasticsearch, definitions: Sequence[IndexDefinition] = DEFINITIONS) -> None:
        self._client = client
        self._definitions = definitions
        self._patient_client = client.options(request_timeout=_CLUSTER_STATE_TIMEOUT_SECONDS)
        self._reported: list[str] = []

    def ensure(self) -> None:
        """Make what is missing: templates, indices, aliases, fields. Writes nothing where nothing is missing.

        A user who may not do so is no error as long as the indices can be used as they are. Where another process
        made an index a moment ago, its shard may still be starting. Raises the client's exceptions.
        """
        steps: list[Callable[[], None]] = [
            self._put_templates,
            *(partial(self._set_up, definition) for definition in self._definitions),
        ]
        refused: list[AuthorizationException] = []
        for step in steps:
            try:
                step()
            except AuthorizationException as refusal:
                refused.append(refusal)
        if not refused:
            return
        if self.check():
            raise refused[-1]
        log.info(
            "indices_not_managed", reason=_reason(refused[-1]), outcome="the indices are usable as they are"
        )

    def check(self) -> list[str]:
        """What keeps the indices from being used, one sentence each that says how to fix it; empty if they can be used.

        Needs the privilege `read` only. Raises the client's exceptions.
        """
        return [problem.text for problem in self._problems()]

    def unusable(self, definition: IndexDefinition) -> list[str]:
        """What keeps one index from being used that creating it would not fix, as with `check`. Raises `ApiError`."""
        problems = send(lambda _is_retry: self._problems_of(definition))
        return [problem.text for problem in problems if not problem.fixable]

    def readiness(self) -> list[str]:
        """As `check`, but what is missing is created, once, and nothing is raised: a failure is reported as a problem.

        Other problems than last time are logged, not each time, since this is asked again and again.
        """
        problems = self._problems_left()
        if problems != self._reported:
            self._reported = problems
            log.info("readiness_changed", problems=problems)
        return problems

    def _problems_left(self) -> list[str]:
        try:
            problems = send(lambda _: self._problems(), quiet=True)
            if any(problem.fixable for problem in problems):
                problems = send(lambda _: self._fix(problems), quiet=True)
        except ApiError as failure:
            return [failure.cause.reason or failure.cause.type]
        except IndexMissing as deleted:
            return [f"An index was deleted while it was looked at: {deleted}."]
        return [problem.text for problem in problems]

    def _fix(self, problems: list[Problem]) -> list[Problem]:
        try:
            self.ensure()
        except AuthorizationException as refusal:
            log.warning("indices_not_managed", reason=_reason(refusal), outcome="the indices are not usable")
            return problems
        return self._problems()

    def _problems(self) -> list[Problem]:
        return [problem for definition in self._definitions for problem in self._problems_of(definition)]

    def _problems_of(self, definition: IndexDefinition) -> list[Problem]:
        try:
            capabilities = self._client.field_caps(index=definition.alias, fields=list(definition.queried))
        except NotFoundError as error:
            if error.error != "index_not_found_exception":  # its shard is starting
                raise
            return [index_problems.absent(definition)]
        except (BadRequestError, AuthorizationException) as error:
            if _is_closed(error):
                return [index_problems.closed(definition)]
            raise
        return index_problems.find(definition, capabilities.body)

    def _put_templates(self) -> None:
        """Templates under the names that Elasticsearch itself would use: so whoever creates the indices creates them right."""
        present = self._component_templates()
        for definition in self._definitions:
            for name, template in definition.component_templates.items():
                if name not in present:
                    self._put_component_template(name, template, definition.own_meta)
                    present.add(name)
        present = self._index_templates()
        for definition in self._definitions:
            if definition.template is not None and definition.template not in present:
                self._put_index_template(definition.template, definition)

    def _component_templates(self) -> set[str]:
        try:
            response = self._client.cluster.get_component_template(name="elastic-connectors*")
        except NotFoundError:
            return set()
        return {template["name"] for template in response["component_templates"]}

    def _index_templates(self) -> set[str]:
        try:
            response = self._client.indices.get_index_template(name="elastic-connectors*")
        except NotFoundError:
            return set()
        return {template["name"] for template in response["index_templates"]}

    def _put_component_template(self, name: str, template: dict[str, Any], meta: dict[str, Any]) -> None:
        try:
            self._patient_client.cluster.put_component_template(
                name=name, template=template, meta=meta, create=True
            )
        except BadRequestError as error:
            if name not in self._component_templates():
                log.warning("template_refused", template=name, reason=_reason(error))

    def _put_index_template(self, name: str, definition: IndexDefinition) -> None:
        try:
            self._patient_client.indices.put_index_template(
                name=name,
                index_patterns=[definition.name],
                composed_of=list(definition.component_templates),
                template={"aliases": {definition.alias: definition.alias_options}},
                priority=definition.template_priority,
                allow_auto_create=True,
                meta=definition.own_meta,
                create=True,
            )
        except BadRequestError as error:
            # Somebody else's template for the same name is no obstacle: the index is made with our own mapping.
            if name not in self._index_templates():
                log.warning("template_refused", template=name, reason=_reason(error))

    def _set_up(self, definition: IndexDefinition) -> None:
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            try:
                self._create_or_add(definition)
            except NotFoundError:  # deleted since we looked
                if attempt == _MAX_ATTEMPTS:
                    raise
            except BadRequestError as error:  # made since we looked
                if error.error != "resource_already_exists_exception" or attempt == _MAX_ATTEMPTS:
                    raise
            else:
                return

    def _create_or_add(self, definition: IndexDefinition) -> None:
        found = self._look(definition.alias) or self._look(definition.name)
        if not found:
            self._patient_client.indices.create(
                index=definition.name,
                settings=definition.settings,
                mappings=definition.mappings,
                aliases={definition.alias: definition.alias_options},
            )
            log.info("index_created", index=definition.name)
        elif len(found) == 1 and definition.alias not in found:
            [(index, state)] = found.items()
            self._add(definition, index, state)
        # Else it is not clear which index is meant; `check` reports that.

    def _look(self, name: str) -> dict[str, Any]:
        """Aliases and mappings of the indices behind a name."""
        try:
            return dict(self._client.indices.get(index=name, features=["aliases", "mappings"]))
        except NotFoundError:
            return {}

    def _add(self, definition: IndexDefinition, index: str, state: Mapping[str, Any]) -> None:
        if definition.alias not in state["aliases"]:
            added = {"index": index, "alias": definition.alias, **definition.alias_options}
            self._patient_client.indices.update_aliases(actions=[{"add": added}])
            log.info("alias_added", index=index, alias=definition.alias)
        changes = mapping_changes.missing(state["mappings"], definition.mappings)
        if not changes:
            return
        try:
            self._patient_client.indices.put_mapping(index=index, **changes)
        except BadRequestError as error:
            # A document may have mapped a field of ours meanwhile, or the limit of fields is reached; `check` decides.
            log.warning("mapping_refused", index=index, reason=_reason(error))
        else:
            log.info("mapping_extended", index=index, fields=sorted(changes.get("properties", {})))


def _is_closed(error: AuthorizationException | BadRequestError) -> bool:
    """Elasticsearch 9 has an error type for it, 8.14 reports a cluster block."""
    return error.error == "index_closed_exception" or (
        error.error == "cluster_block_exception" and "index closed" in _reason(error)
    )


def _reason(error: AuthorizationException | BadRequestError) -> str:
    try:
        return str(error.body["error"]["reason"])
    except (KeyError, TypeError):
        return str(error)
