"""python -m scripts.endpoint_table: prints the table of all endpoints for docs/reference/api.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app import create_app
from app.api_reference.document import build


def table(document: Mapping[str, Any]) -> str:
    """Return the operations of an OpenAPI document as a Markdown table."""
    rows = [
        f"| `{method.upper()} {path}` | {operation['summary']} | {_privileges(operation)} | {_owner(operation)} |"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return "\n".join(["| endpoint | what it does | privilege | whose |", "|---|---|---|---|", *rows])


def _privileges(operation: Mapping[str, Any]) -> str:
    if "x-privileges" in operation:
        return " or ".join(f"`{name}`" for name in operation["x-privileges"])
    return "no credentials" if operation.get("security") == [] else "any credentials"


def _owner(operation: Mapping[str, Any]) -> str:
    return "ours" if operation.get("x-extension") else "Elasticsearch's"


if __name__ == "__main__":
    app = create_app()
    print(table(build(app.url_map.iter_rules(), app.view_functions)))
