from __future__ import annotations

import sys
import zipfile

from scripts.elasticsearch.distribution import _run_maven, extract


def test_only_the_home_is_extracted_and_everybody_can_read_it(tmp_path):
    archive = tmp_path / "product.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name in (
            "product-1/bin/elasticsearch",
            "product-1/bin/product.sh",
            "product-1/elasticsearch/bin/elasticsearch-env",
            "product-1/elasticsearch/bin/elasticsearch.bat",
            "product-1/elasticsearch/config/jvm.options",
            "product-1/elasticsearch/lib/tools/server-launcher/launcher.jar",
            "product-1/elasticsearch/lib/tools/server-launcher/server-launcher",
            "product-1/elasticsearch/modules/reindex/reindex.jar",
            "product-1/elasticsearch/modules/x-pack-inference/inference.jar",
            "product-1/elasticsearch/../../outside",
            "product-1/web/index.html",
        ):
            packed.writestr(name, name)
    home = tmp_path / "home"

    extract(archive, home)

    files = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
    assert files == {
        "bin/elasticsearch",
        "bin/elasticsearch-env",
        "config/jvm.options",
        "lib/tools/server-launcher/launcher.jar",
        "modules/reindex/reindex.jar",
    }
    assert (home / "bin" / "elasticsearch").read_text() == "product-1/bin/elasticsearch"
    assert {oct(path.stat().st_mode & 0o777) for path in home.rglob("*") if path.is_file()} == {"0o644"}
    assert {oct(path.stat().st_mode & 0o777) for path in (home, *home.rglob("*")) if path.is_dir()} == {
        "0o755"
    }
    assert (home / "plugins").is_dir()


def test_download_shows_its_progress(capfd, tmp_path):
    """Maven draws its progress on one line; it is shown every few seconds, and only errors are kept."""
    maven = """
import sys, time
print("[INFO] Downloading", flush=True)
for megabytes in range(0, 951, 50):
    sys.stdout.write(f"Progress (1): {megabytes}/950 MB\\r")
    sys.stdout.flush()
    time.sleep(0.05)
print("[ERROR] it broke")
"""
    status, output = _run_maven([sys.executable, "-c", maven], tmp_path, seconds=0.2)
    shown = capfd.readouterr().err.splitlines()
    amounts = [line.partition("/950 MB, ")[0].strip() for line in shown if "/950 MB, " in line]
    assert len(amounts) >= 3
    assert amounts == sorted(amounts, key=int)
    assert (status, output) == (0, ["[INFO] Downloading", "[ERROR] it broke"])
