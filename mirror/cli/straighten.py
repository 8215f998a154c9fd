"""`mirror module straighten`: typographic quotes of pasted files become straight ones."""

from pathlib import Path

import click

from mirror.cli.options import common, pass_session
from mirror.cli.session import Session
from mirror.config.files import read_bytes, write_durably
from mirror.config.script_text import straighten_script, straighten_xml
from mirror.errors import FileNotReadable


@click.command()
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@common
@pass_session
def straighten(session: Session, files: tuple[Path, ...]) -> None:
    """Make typographic quotes straight, in FILEs or in all files of the module.

    Only where they do harm: in tags of XML, and in scripts outside of texts and comments.
    """
    found = files or _files_of(session, session.module_for("module straighten"))
    changed = [str(file) for file in found if _straighten(file)]
    session.report(
        {"changed": changed}, "\n".join(f"{file}: straightened" for file in changed) or "no change"
    )


def _files_of(session: Session, module: str) -> tuple[Path, ...]:
    session.store.require_installed(module)
    paths = session.layout.module(module)
    scripts = sorted(path for path in (paths.edited / "bin").glob("*") if path.is_file())
    return (paths.edited_userconfig, *scripts)


def _straighten(file: Path) -> bool:
    content = read_bytes(file)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise FileNotReadable(file=file, observed="it is no UTF-8 text") from error
    straight = straighten_xml(text) if file.suffix == ".xml" else straighten_script(text)
    if straight == text:
        return False
    mode = file.stat().st_mode & 0o777
    write_durably(file, straight.encode(), mode=mode)
    return True
