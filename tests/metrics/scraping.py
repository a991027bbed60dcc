"""A scrape as numbers."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from tests.service import Http

Series = tuple[str, frozenset[tuple[str, str]]]


class Scrape:
    """The values of `GET /metrics`, by the name of a metric and its labels."""

    def __init__(self, text: str) -> None:
        self.values: dict[Series, float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        """The sum over all series that have these labels; 0 where there is none."""
        return sum(
            value for (each, has), value in self.values.items() if each == name and labels.items() <= has
        )

    def has(self, name: str) -> bool:
        return any(each == name for each, _ in self.values)

    def rises_since(self, before: Scrape, name: str, **labels: str) -> float:
        return self.value(name, **labels) - before.value(name, **labels)


def scrape(http: Http, headers: Mapping[str, str] | None = None) -> Scrape:
    """Scrape once; all processes of the service stand behind any response."""
    response = http.get("/metrics", headers=dict(headers or {}))
    assert response.status_code == 200, response.text
    return Scrape(response.text)
