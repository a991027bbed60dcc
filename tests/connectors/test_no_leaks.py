"""Sensitive configuration values are only in the connector, never in a log or an error."""

from __future__ import annotations

import pytest
import requests

from app.store.index_definitions import CONNECTORS
from tests.connectors.test_deletion import read_only
from tests.documents import ID
from tests.endpoints import ROOT
from tests.no_leaks import JSON, MARKER, assert_no_leak, failing_bodies
from tests.responses import error
from tests.service import Http

PATH = f"{ROOT}/{ID}/_configuration"
ITEM = {"label": "Password", "sensitive": True, "value": MARKER}
WHOLE = {"configuration": {"password": ITEM}}
VALUE = {"values": {"password": MARKER}}
FAILING = [
    *failing_bodies('{"configuration": {"password": {"label": "L", "sensitive": true, "value": ', "}}}"),
    *failing_bodies('{"values": {"password": ', "}}"),
    f'{{"values": {{"password": "{MARKER}"}}, "other": "{MARKER}"}}',
    f'{{"values": {{"password": "{MARKER}", "password": "{MARKER}"}}}}',
    f'{{"values": "{MARKER}"}}',
    f'{{"values": ["{MARKER}"]}}',
    f'{{"configuration": "{MARKER}"}}',
    f'{{"configuration": {{"password": "{MARKER}"}}}}',
    f'{{"configuration": {{"password": {{"value": "{MARKER}"}}}}}}',
    f'{{"configuration": {{"password": {{"label": "L", "value": ["{MARKER}"]}}}}}}',
    f'{{"configuration": {{"password": {{"label": "L", "default_value": {{"a": "{MARKER}"}}}}}}}}',
    f'{{"configuration": {{"password": {{"label": "L", "value": "{MARKER}", "order": "x"}}}}}}',
]
# These are refused by Elasticsearch only.
REFUSED_LATE = [{"configuration": {"": ITEM}}, {"configuration": {".": ITEM}}, {"configuration": {" ": ITEM}}]


@pytest.fixture
def loud(http: Http, connector: str) -> Http:
    """An HTTP client of a service with log level debug; there is a connector."""
    return http


def test_sensitive_value_is_not_logged(service, loud) -> None:
    responses = [loud.put(PATH, json=body) for body in (WHOLE, VALUE, VALUE)]
    assert [response.status_code for response in responses] == [200] * 3
    shown = loud.get(f"{ROOT}/{ID}")
    assert shown.json()["configuration"]["password"]["value"] == MARKER
    assert loud.get(ROOT).status_code == 200
    assert_no_leak(responses, service.log())
    assert PATH in service.log()


def test_sensitive_value_is_in_no_error(service, loud, elasticsearch) -> None:
    assert loud.put(PATH, json=WHOLE).status_code == 200

    def sent(**options) -> requests.Response:
        response = loud.put(options.pop("path", PATH), **options)
        assert response.status_code >= 400, (options, response.text)
        return response

    responses = [sent(data=body.encode(), headers=JSON) for body in FAILING]
    responses += [sent(json=body) for body in REFUSED_LATE]
    for body in (WHOLE, VALUE):
        responses += [
            sent(json=body, headers={"Content-Type": "application/yaml"}),
            sent(json=body, path=f"{PATH}?refresh=true"),
            sent(json=body, path=f"{ROOT}/{'x' * 600}/_configuration"),
            sent(json=body, path=f"{ROOT}/other/_configuration"),
            sent(json=body, path=f"{ROOT}/{ID}/_name"),
            sent(json=body, path=f"{ROOT}/{ID}/_check_in"),
        ]
        with read_only(elasticsearch, CONNECTORS.alias):
            responses.append(sent(json=body))
    assert responses[-1].status_code == 503
    assert_no_leak(responses, service.log())


def test_syntax_error_has_its_position(loud) -> None:
    response = loud.put(PATH, data=b'{"values": {"a": bare}}', headers=JSON)
    assert error(response)[:2] == (400, "x_content_parse_exception")
    assert error(response)[2].startswith("[1:23] Unrecognized token [not shown]: was expecting")
