"""Sources of Debian packages, fetched without changing what apt of this machine knows."""

import subprocess
import tarfile
from pathlib import Path

_PARTS = Path("/etc/apt/sources.list.d")
_LIST = Path("/etc/apt/sources.list")


def fetch_source(package: str, into: Path) -> Path:
    """Fetch and unpack the upstream source of a package. Returns: its directory.

    What is there already is not fetched again.
    Raises: subprocess.CalledProcessError, OSError.
    """
    target = into / package
    if target.is_dir():
        return target
    apt = into / "apt"
    for directory in (apt / "parts", apt / "lists", into / f"{package}.fetched"):
        directory.mkdir(parents=True, exist_ok=True)
    for file in (_LIST, *_PARTS.glob("*.list"), *_PARTS.glob("*.sources")):
        if file.is_file():
            (apt / "parts" / file.name).write_text(_as_source(file.read_text()))
    (apt / "parts" / "sources.list").touch()
    options = (
        f"Dir::Etc::sourceparts={apt / 'parts'}",
        "Dir::Etc::sourcelist=/dev/null",
        f"Dir::State::lists={apt / 'lists'}",
        "APT::Sandbox::User=root",
    )
    command = ["apt-get", "-q", *(f"-o{option}" for option in options)]
    fetched = into / f"{package}.fetched"
    for words in (["update"], ["source", "--download-only", package]):
        subprocess.run([*command, *words], cwd=fetched, check=True, stdout=subprocess.DEVNULL)
    (archive,) = (file for file in fetched.glob("*.orig.tar.*") if file.suffix != ".asc")
    unpacked = into / f"{package}.unpacked"
    with tarfile.open(archive) as content:
        content.extractall(unpacked, filter="tar")
    (top,) = unpacked.iterdir()
    top.rename(target)
    return target


def _as_source(text: str) -> str:
    lines = []
    for line in text.splitlines():
        if line.startswith("Types:"):
            lines.append("Types: deb-src")
        elif line.startswith("deb "):
            lines.append("deb-src " + line.removeprefix("deb "))
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"
