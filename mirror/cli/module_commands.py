"""module install, package, uninstall, list, listid, getports, straighten, genkey, delkey."""

from pathlib import Path

import click

import mirror
from mirror.cli.options import SectionedGroup, common, json_option, module_option, pass_session
from mirror.cli.session import Session
from mirror.cli.straighten import straighten
from mirror.config.layout import MODULE_ID_MAX, MODULE_ID_MIN, ModulePorts, ports_of
from mirror.config.module_store import find_package
from mirror.config.names import check_module_name
from mirror.config.ports import ports_in_use
from mirror.errors import ConfigRefused, ModuleUnknown
from mirror.vocabulary.said import say

FILE = click.Path(path_type=Path)


@click.group(cls=SectionedGroup)
def module() -> None:
    """Install, package and list modules."""


@module.command()
@click.argument("file", required=False, type=FILE)
@click.option("-M", "module_id", type=int, help="The id wanted; the lowest free one if none.")
@click.option("-r", "replace", is_flag=True, help="Replace the module if it is installed.")
@common
@pass_session
def install(session: Session, file: Path | None, *, module_id: int | None, replace: bool) -> None:
    """Install a module from FILE (.safe, or a directory laid out as one).

    Without FILE, the module of that name among the packages of this node or those shipped; they
    are also found by the name of a package, as in `-m shop mirror.safe`.
    """
    name = session.module_or_none()
    if name is None and file is not None:
        name = check_module_name(file.name.removesuffix(".safe"))
    if name is None:
        name = session.module_for("module install")
    session.ensure_directories()
    source = file
    if source is None or (source.parent == Path() and not source.exists()):
        wanted = name if source is None else source.name.removesuffix(".safe")
        source = find_package(session.layout, wanted, shipped_modules())
    number = session.store.install(name, source, module_id=module_id, replace=replace)
    edited = session.layout.module(name).edited_userconfig
    session.report(
        {"module": name, "id": number, "userconfig": str(edited)},
        f"{name} is installed with id {number}; edit {edited}, then `config -m {name}`",
    )


@module.command()
@click.argument("file", type=FILE)
@common
@pass_session
def package(session: Session, file: Path) -> None:
    """Write the edited configuration of the module as a package, FILE."""
    name = session.module_for("module package")
    session.store.package(name, file)
    session.report({"module": name, "file": str(file)}, f"{name} is packaged in {file}")


@module.command()
@common
@pass_session
def uninstall(session: Session) -> None:
    """Remove the module and its id; its data and logs stay."""
    name = session.module_for("module uninstall")
    session.store.uninstall(name)
    session.report({"module": name}, f"{name} is uninstalled")


@module.command(name="list")
@common
@pass_session
def list_modules(session: Session) -> None:
    """List the installed modules."""
    configured = session.store.configured()
    rows = {name: name in configured for name in session.store.installed()}
    lines = [
        name + ("" if is_configured else "  (not configured)")
        for name, is_configured in rows.items()
    ]
    value = {"modules": [{"module": name, "configured": one} for name, one in rows.items()]}
    session.report(value, "\n".join(lines) or "no module is installed: `module install FILE`")


@module.command()
@common
@pass_session
def listid(session: Session) -> None:
    """List the installed modules with their ids."""
    ids = session.store.ids.all()
    session.report({"ids": ids}, "\n".join(f"{number} {name}" for name, number in ids.items()))


@module.command()
@click.option(
    "-i",
    "module_id",
    type=click.IntRange(MODULE_ID_MIN, MODULE_ID_MAX),
    help="Instead of -m: an id.",
)
@module_option
@json_option
@pass_session
def getports(session: Session, module_id: int | None) -> None:
    """Show the ports of a module, for a firewall."""
    ids = session.store.ids
    if module_id is None:
        name = session.module_for("module getports")
        module_id = ids.of(name)
        if module_id is None:
            raise ModuleUnknown(module=name, observed=say("module.absent"))
    else:
        by_id = {number: name for name, number in ids.all().items()}
        name = by_id.get(module_id, "")
    ports = _ports(session, name, module_id) if name else ports_of(module_id)
    value = {"id": module_id, "heartbeat_udp": ports.heartbeat_udp, "data_tcp": ports.data_tcp}
    used = f"heartbeats: UDP {ports.heartbeat_udp}\nreplication: TCP {ports.data_tcp}"
    session.report(value, used if ports.data_tcp else "none: a light module runs on one node")


def _ports(session: Session, name: str, module_id: int) -> ModulePorts:
    """Give the ports of a module; before its configuration is whole, with a word about it."""
    try:
        return ports_in_use(session.store, name, module_id, session.environment)
    except ConfigRefused:
        click.echo(
            "note: the configuration is refused as it stands: what <heart port> says is not known",
            err=True,
        )
        return ports_of(module_id)


def _key_command(name: str) -> None:
    @pass_session
    def run(session: Session) -> None:
        session.report(
            {"effect": False}, f"{name}: nothing to do, links between nodes are always encrypted"
        )

    help_text = "Accepted without effect: links between nodes are always encrypted."
    module.command(name=name, help=help_text)(common(run))


_key_command("genkey")
_key_command("delkey")
module.add_command(straighten)


def shipped_modules() -> Path | None:
    """Directory of the modules that come with the program.

    Inside an installed package it is mirror/modules; in a checkout, modules/ beside mirror/.
    """
    package_root = Path(mirror.__file__).parent
    for candidate in (package_root / "modules", package_root.parent / "modules"):
        if candidate.is_dir():
            return candidate
    return None
