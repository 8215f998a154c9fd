"""What `pip install .` brings: everything that a server needs, without this checkout."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = (
    "mirror/_native.abi3.so",
    "mirror/_vhost.abi3.so",
    "mirror/modules/mirror/conf/userconfig.xml",
    "mirror/modules/postgresql/bin/start_prim",
    "mirror/web/operations/grafana-dashboard.json",
    "mirror/web/static/index.html",
)


@pytest.mark.slow
def test_the_package_is_whole(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "bench/")):
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, checkout / name)
    shutil.copytree(ROOT / "webconsole/node_modules", checkout / "webconsole/node_modules")
    words = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), "."]
    subprocess.run([sys.executable, "-m", "pip", *words], cwd=checkout, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as package:
        held = set(package.namelist())
        missing = [name for name in NEEDED if name not in held]
        assert not missing
        assert any(name.startswith("mirror/web/static/assets/main-") for name in held)
        assert not [name for name in held if name.startswith(("tests", "bench", "webconsole"))]
