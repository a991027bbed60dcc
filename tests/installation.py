"""What `pip install .` of this project installs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.service import REPOSITORY


def install(folder: Path) -> Path:
    """Install the project, without its requirements, below `folder`; returns the folder with the packages and `bin`."""
    source, target = folder / "source", folder / "installed"
    source.mkdir()  # builds leave files beside the source
    for name in ("cli", "testing"):
        shutil.copytree(REPOSITORY / name, source / name)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(REPOSITORY / name, source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--disable-pip-version-check", "--target", str(target), str(source)], check=True)
    return target
