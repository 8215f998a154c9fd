"""Commands about the configuration of a module: config, update, deconfig, confcheck, confinfo."""

import click

from mirror.cli import configure
from mirror.cli.distributed import deployer, on_each
from mirror.cli.options import common, pass_session
from mirror.cli.session import Session
from mirror.config.collector import listed
from mirror.config.dynamic import needs_stop
from mirror.config.models import ModuleConfig
from mirror.config.ports import ports_shown
from mirror.errors import LocalCallFailed, ModuleInUse, NodeNotReachable
from mirror.vocabulary.said import say
from mirror.wire.local import Message


@click.command()
@click.option("--all-nodes", is_flag=True, help="Configure the module on the other node too.")
@common
@click.pass_context
@pass_session
def config(session: Session, ctx: click.Context, *, all_nodes: bool) -> None:
    """Check the edited configuration of the module and put it in force.

    While the module runs, changes that need no stop are taken up at once; others are refused.
    """
    module = session.module_for("config")
    if all_nodes:
        outcomes = on_each(session, "*", deployer(session, module))
        ctx.exit(max(one.exit_code for one in outcomes))
    _configure(session, module)


@click.command()
@common
@pass_session
def update(session: Session) -> None:
    """Take up changes of the configuration while the module runs, without a stop."""
    _configure(session, session.module_for("update"))


def _configure(session: Session, module: str) -> None:
    configured = module in session.store.configured()
    state = running_state(session, module, loaded=True) if configured else "STOP"
    if state == "STOP":
        checked = configure.configure(session.store, module, session.environment)
        reply = tell_control_plane(session, "reconfigure", module)
    else:
        refuse_what_needs_a_stop(session, module, state)
        checked, reply = _configure_live(session, module)
    _say_notices(checked)
    number = session.store.ids.of(module)
    when = "" if reply else "; the node reads it when it starts"
    how = "is configured" if state == "STOP" else f"took the changes up in {state}"
    session.report(
        {
            "module": module,
            "id": number,
            "live": state != "STOP",
            "notices": [str(one) for one in checked.notices],
        },
        f"{module} (id {number}) {how} on this node{when}",
    )


def _configure_live(session: Session, module: str) -> tuple[ModuleConfig, Message | None]:
    """Have a module that runs take the changes up; when it does not, they are taken back.

    Its next start would be with what could not be taken up, and might fail.
    """
    replies: list[Message | None] = []

    def tell() -> None:
        replies.append(tell_control_plane(session, "reconfigure", module))

    try:
        checked = configure.configure(session.store, module, session.environment, tell)
    except LocalCallFailed:  # of `tell`: the files are those of before again
        tell_control_plane(session, "reconfigure", module, put_back=True)
        raise
    return checked, replies[0]


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
    session.report(
        value, f"{module} ({_numbers(session, module, number)}): edited {edited}, {relation}"
    )


def _numbers(session: Session, module: str, number: int | None) -> str:
    """Write `id 3, ports UDP 8888 and TCP 5608`; a light module has no ports."""
    if number is None:
        return "no id"
    ports = ports_shown(session.store, module, number, session.environment)
    used = f", ports UDP {ports.heartbeat_udp} and TCP {ports.data_tcp}" if ports.data_tcp else ""
    return f"id {number}{used}"


def running_state(session: Session, module: str, *, loaded: bool = False) -> str:
    """State of the module on this node; a node that is not running runs no module.

    loaded: only of a module that is loaded; one that is not takes no change up while it runs.
    """
    try:
        with session.client() as client:
            found = client.call("state")["modules"].get(module, {})
    except NodeNotReachable:
        return "STOP"
    if loaded and not found.get("loaded", True):
        return "STOP"
    return str(found.get("state", "STOP"))


def refuse_when_running(session: Session, module: str) -> None:
    """Raise ModuleInUse (MIR-106) for a module that is not in STOP."""
    state = running_state(session, module)
    if state != "STOP":
        raise ModuleInUse(
            module=module,
            observed=say("module.runs", state=state),
            remedy=say("do.stop_it", module=module),
        )


def refuse_what_needs_a_stop(session: Session, module: str, state: str) -> None:
    """Raise ModuleInUse (MIR-106) with the changes that a running module cannot take up."""
    store, environment = session.store, session.environment
    old = configure.read_applied(store, module, environment)
    new = configure.read_edited(store, module, environment)
    if changed := needs_stop(old, new):
        raise ModuleInUse(
            module=module,
            observed=say("module.cannot_change", state=state, changed=listed(changed)),
            remedy=say("do.stop_it", module=module),
        )


def tell_control_plane(session: Session, do: str, module: str, **fields: object) -> Message | None:
    """Tell the control plane that the files changed; None when it does not run."""
    try:
        with session.client() as client:
            return client.call(do, module=module, **fields)
    except NodeNotReachable:
        return None


def _say_notices(checked: ModuleConfig) -> None:
    for notice in checked.notices:
        click.echo(f"note: {notice}", err=True)
