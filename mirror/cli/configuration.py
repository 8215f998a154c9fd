"""Commands about the configuration of a module: config, deconfig, confcheck, confinfo."""

import click

from mirror.cli import configure
from mirror.cli.options import common, pass_session
from mirror.cli.session import Session
from mirror.config.layout import ports_of
from mirror.config.models import ModuleConfig
from mirror.config.package import pack
from mirror.errors import ModuleInUse, NodeNotReachable
from mirror.wire.local import Message


@click.command()
@click.option("--all-nodes", is_flag=True, help="Configure the module on the other node too.")
@common
@pass_session
def config(session: Session, *, all_nodes: bool) -> None:
    """Check the edited configuration of the module and put it in force."""
    module = session.module_for("config")
    refuse_when_running(session, module)
    checked = configure.configure(session.store, module, session.environment)
    reply = tell_control_plane(session, "reconfigure", module)
    if all_nodes:
        reply = _push(session, module)
    _say_notices(checked)
    number = session.store.ids.of(module)
    when = "" if reply else "; the node reads it when it starts"
    where = "on all nodes" if all_nodes else "on this node"
    session.report(
        {"module": module, "id": number, "notices": [str(one) for one in checked.notices]},
        f"{module} (id {number}) is configured {where}{when}",
    )


@click.command()
@common
@pass_session
def deconfig(session: Session) -> None:
    """Take the configuration of the module out of force; its data stay."""
    module = session.module_for("deconfig")
    refuse_when_running(session, module)
    configure.deconfigure(session.store, module, session.environment)
    tell_control_plane(session, "reconfigure", module)
    session.report({"module": module}, f"{module} is no longer configured on this node")


@click.command()
@common
@pass_session
def confcheck(session: Session) -> None:
    """Check the edited configuration of the module and change nothing."""
    module = session.module_for("confcheck")
    checked = configure.check_with_script(session.store, module, session.environment)
    _say_notices(checked)
    session.report(
        {"module": module, "notices": [str(one) for one in checked.notices]},
        f"{module}: the configuration is valid",
    )


@click.command()
@common
@pass_session
def confinfo(session: Session) -> None:
    """Show which configuration is in force, and whether the edited one differs."""
    module = session.module_for("confinfo")
    store = session.store
    store.require_installed(module)
    paths = session.layout.module(module)
    edited, applied = store.signature(paths.edited), store.signature(paths.applied)
    number = store.ids.of(module)
    value = {
        "module": module,
        "id": number,
        "edited": edited,
        "applied": applied,
        "differs": edited != applied,
        "last": [path.name for path in store.last_configurations(module)],
    }
    relation = "not configured" if applied is None else f"in force {applied}"
    if applied is not None and edited != applied:
        relation += ", the edited one differs: `config` puts it in force"
    ports = f", ports {ports_of(number)}" if number else ""
    session.report(value, f"{module} (id {number}{ports}): edited {edited}, {relation}")


def refuse_when_running(session: Session, module: str) -> None:
    """A configuration changes in STOP only, as long as there is no dynamic configuration.

    Raises: ModuleInUse (MIR-106). A node that is not running runs no module.
    """
    try:
        with session.client() as client:
            modules = client.call("state")["modules"]
    except NodeNotReachable:
        return
    state = modules.get(module, {}).get("state", "STOP")
    if state != "STOP":
        raise ModuleInUse(
            module=module, observed=f"it is in {state}", remedy=f"`stop -m {module}` it first"
        )


def tell_control_plane(session: Session, do: str, module: str) -> Message | None:
    """Tell the control plane that the files changed; None when it does not run."""
    try:
        with session.client() as client:
            return client.call(do, module=module)
    except NodeNotReachable:
        return None


def _push(session: Session, module: str) -> Message:
    """Have the control plane configure the peer with the very same files."""
    file = session.layout.run / f".{module}.push.safe"
    try:
        pack(session.layout.module(module).applied, file)
        with session.client() as client:
            return client.call(
                "push_config",
                module=module,
                module_id=session.store.ids.of(module),
                package=file.read_bytes(),
            )
    finally:
        file.unlink(missing_ok=True)


def _say_notices(checked: ModuleConfig) -> None:
    for notice in checked.notices:
        click.echo(f"note: {notice}", err=True)
