"""The program as `pip install .` makes it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.installation import install


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    return install(tmp_path_factory.mktemp("installation"))


def test_command_line_and_testing_module_are_installed_and_no_service(installed) -> None:
    names = {each.name for each in installed.iterdir() if not each.name.endswith(".dist-info")}
    assert names == {"bin", "connector_cli", "connector_testing"}
    assert [each.name for each in (installed / "bin").iterdir()] == ["sync-jobs"]


def test_installed_program_runs(installed, program, new_job, tmp_path) -> None:
    job = new_job()
    done = subprocess.run(
        [installed / "bin" / "sync-jobs", "show", job, "--json"],
        cwd=tmp_path,
        env={**program.environment, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f'"id":"{job}"' in done.stdout
