"""Each request of docs/workers.md is sent as it is shown, and gets the response that is shown."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.environment import skip_or_fail
from tests.service import REPOSITORY, Service

PAGE = REPOSITORY / "docs" / "workers.md"
BLOCK = re.compile(r"^```(sh|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:9280"
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")


class Shell:
    """Runs blocks of the page; variables that one sets are there in the next."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._url = url
        self._variables = ""
        self.ids: dict[str, str] = {}  # of the jobs, by those on the page

    def run(self, block: str) -> str:
        """The response to the request of a block, if it sends one."""
        block = self.translated(block).replace(ADDRESS, self._url)
        script = f"{self._variables}\n{block}".replace("curl ", "curl --silent --show-error --noproxy '*' ")
        done = subprocess.run(["sh", "-euc", script], cwd=self._folder, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), (block, done.stderr)
        self._variables += "".join(line for line in block.splitlines(True) if re.match("[A-Z]+=", line))
        return done.stdout

    def translated(self, text: str) -> str:
        """With the ids of this run."""
        for shown, real in self.ids.items():
            text = text.replace(shown, real)
        return text


def comparable(response: dict[str, Any]) -> Any:
    """Without times; of an error what the page shows."""
    if "error" in response:
        error = response["error"]
        return error["type"], error["reason"], response["status"]
    return json.loads(TIMESTAMP.sub("a timestamp", json.dumps(response)))


def test_requests_get_the_responses_of_the_page(service: Service, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        skip_or_fail("there is no curl here")
    blocks = BLOCK.findall(PAGE.read_text("utf-8"))
    shell = Shell(tmp_path, service.url)
    count = 0
    for (kind, block), (next_kind, shown) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if kind == "json":
            continue
        text = shell.run(block)
        if "curl " not in block:
            assert text == ""
            continue
        assert next_kind == "json", f"The response is not shown: {block}"
        response, expected = json.loads(text), json.loads(shown)
        if expected.keys() == {"id"}:  # a new job
            shell.ids[expected["id"]] = response["id"]
        assert comparable(response) == comparable(json.loads(shell.translated(shown))), block
        count += 1
    assert count == PAGE.read_text("utf-8").count("curl -X") > 20
