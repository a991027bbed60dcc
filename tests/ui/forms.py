"""The forms of the page, sent as a browser sends them."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import requests

from tests.service import Http
from tests.ui.conftest import URL


@dataclass(frozen=True)
class Form:
    """The address of a question, and the form that stands in it."""

    path: str
    http: Http | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    cookie: str = ""

    def send(
        self, http: Http | None = None, *, headers: Mapping[str, str] = {}, **fields: str
    ) -> requests.Response:
        """Send it; `headers` and `fields` replace what a browser would send."""
        client = http or self.http
        assert client is not None
        sent = {"Sec-Fetch-Site": "same-origin", "Origin": client.url, "Cookie": self.cookie} | dict(headers)
        url = URL + self.path.partition("?")[0]
        return client.post(
            url, data={**self.fields, **fields}, headers={key: value for key, value in sent.items() if value}
        )


ACTIONS = [
    Form("/jobs/cancel?id=j"),
    Form("/jobs/cancel?connector=c1&status=pending"),
    Form("/job/delete?id=j"),
    Form("/jobs/rescue"),
    Form("/connector/sync?id=c1&type=full"),
]
"""All that change something, for the job `j` of the connector `c1`."""


def form_of(http: Http, act: Form, headers: Mapping[str, str] = {}) -> Form:
    """The form by which the page asks about an action."""
    response = http.get(URL + act.path, headers=dict(headers))
    assert response.status_code == 200, response.text
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', response.text)
    fields: dict[str, Any] = {name: html.unescape(value) for name, value in found}
    cookie = response.headers["Set-Cookie"].partition(";")[0]
    return replace(act, http=http, fields=fields, cookie=cookie)
