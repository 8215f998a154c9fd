"""cluster config, confcheck, confinfo, state, init, invite, join: two nodes learn of each other.

`init` on the first node, `token` there, `join` with that token on the second; or `token` on the
second, `join` with it on the first. Where neither reaches the other yet, `invite` writes a file.
It holds a private key: readable by its owner only, to be carried safely (scp), then removed.
"""

import contextlib
import hashlib
import json
import shutil
import sys
from dataclasses import replace as replace_fields
from pathlib import Path

import click

from mirror.adapters.console.database import Database
from mirror.adapters.console.users import Users
from mirror.adapters.host_facts import interface_addresses
from mirror.adapters.joining import (
    JoinServer,
    fetch_invitation,
    hand_invitation,
    waiting_to_be_taken_in,
)
from mirror.adapters.peer_https import Answer, PeerConsole
from mirror.adapters.pki import (
    Renewal,
    create_cluster,
    issue_node,
    replace_authority,
    sign_request,
)
from mirror.adapters.pki_files import PkiFiles
from mirror.cli import invitation
from mirror.cli.configure import read_cluster
from mirror.cli.options import SectionedGroup, common, pass_session
from mirror.cli.session import Session
from mirror.config.cluster import Cluster, addresses_of, load_cluster
from mirror.config.collector import listed
from mirror.config.files import read_bytes, write_durably
from mirror.config.layout import CLUSTER_UDP_PORT, CONSOLE_HTTPS_PORT
from mirror.errors import ClusterInviteRefused, ModuleInUse, NodeNotReachable, TokenRefused
from mirror.vocabulary.said import from_parts, say
from mirror.wire.join_token import PREFIXES, decode_token, new_secret

FILE = click.Path(path_type=Path)


@click.group(cls=SectionedGroup)
def cluster() -> None:
    """Describe the cluster: its networks, its two nodes, their keys."""


@cluster.command(name="config")
@click.argument("file", required=False, type=FILE)
@click.argument("lock", required=False, type=click.Choice(["lock", "unlock"]))
@common
@pass_session
def config_cluster(session: Session, file: Path | None, lock: str | None) -> None:
    """Check FILE (cluster.xml) and put it in force; without FILE, the one in force again."""
    del lock  # accepted for SafeKit's scripts; a file is replaced whole here, there is no lock
    target = session.layout.cluster_config
    text = read_bytes(file or target)
    checked = load_cluster(text, str(file or target))
    _say(checked)
    write_durably(target, text)
    told = _tell(session)
    names = ", ".join(checked.node_names)
    session.report(
        {"nodes": checked.node_names, "lans": [lan.name for lan in checked.lans]},
        f"cluster configured: nodes {names}"
        + ("" if told else "; the node reads it when it starts"),
    )


@cluster.command(name="confcheck")
@click.argument("file", type=FILE)
@common
@pass_session
def confcheck_cluster(session: Session, file: Path) -> None:
    """Check FILE (cluster.xml) and change nothing."""
    checked = load_cluster(read_bytes(file), str(file))
    _say(checked)
    session.report({"nodes": checked.node_names}, f"{file}: valid")


@cluster.command(name="confinfo")
@common
@pass_session
def confinfo_cluster(session: Session) -> None:
    """Show the cluster in force and its signature, which must be the same on both nodes."""
    checked = read_cluster(session.layout)
    signature = hashlib.sha256(read_bytes(session.layout.cluster_config)).hexdigest()[:16]
    me = node_name(session)
    value = {
        "signature": signature,
        "this_node": me,
        "lans": {
            lan.name: {node.name: node.address for node in lan.nodes} for lan in checked.lans
        },
    }
    lines = [f"signature {signature}, this node is {me or 'not named yet'}"]
    for lan in checked.lans:
        nodes = ", ".join(f"{node.name}={node.address}" for node in lan.nodes)
        lines.append(f"{lan.name}: {nodes}")
    session.report(value, "\n".join(lines))


@cluster.command(name="state")
@common
@pass_session
def state_cluster(session: Session) -> None:
    """Show which nodes are seen, on which networks."""
    with session.client() as client:
        reply = client.call("cluster_state")
    nodes = reply.get("nodes", {})
    session.report(reply, "\n".join(f"{name}: {seen}" for name, seen in nodes.items()))


@cluster.command(name="deconfig")
@common
@pass_session
def deconfig_cluster(session: Session) -> None:
    """Leave the cluster: cluster.xml, name and keys go; no module may be configured."""
    configured = session.store.configured()
    if configured:
        raise ModuleInUse(
            module=configured[0],
            observed=say("module.needs_cluster"),
            remedy=say("do.deconfig_it", module=configured[0]),
        )
    layout = session.layout
    layout.cluster_config.unlink(missing_ok=True)
    layout.node_identity.unlink(missing_ok=True)
    shutil.rmtree(layout.pki, ignore_errors=True)
    _tell(session)
    session.report({}, "this node is in no cluster any more")


def _key_command(name: str) -> None:
    @pass_session
    def run(session: Session) -> None:
        session.report(
            {"effect": False}, f"{name}: nothing to do, nodes always speak encrypted to each other"
        )

    help_text = "Accepted without effect: nodes always speak encrypted to each other."
    cluster.command(name=name, help=help_text)(common(run))


_key_command("genkey")
_key_command("delkey")


@cluster.command()
@click.argument("file", required=False, type=FILE)
@click.option("--name", required=True, metavar="NODE", help="Which node of cluster.xml this is.")
@common
@pass_session
def init(session: Session, file: Path | None, name: str) -> None:
    """Begin a cluster on its first node: cluster.xml (FILE), name and keys."""
    layout = session.layout
    source = file or layout.cluster_config
    text = read_bytes(source)
    checked = load_cluster(text, str(source))
    _require_node(checked, name)
    _say(checked)
    session.ensure_directories()
    create_cluster(layout.pki)
    issue_node(layout.pki, name, addresses_of(checked, name), layout.pki)
    write_durably(layout.cluster_config, text)
    write_durably(layout.node_identity, json.dumps({"name": name}).encode() + b"\n")
    _tell(session)
    peer = checked.peer_of(name)
    following = f"; next: `cluster token {peer}` here" if peer else ""
    session.report({"node": name}, f"this node is {name}{following}")


@cluster.command()
@click.argument("name", metavar="NODE")
@click.argument("file", type=FILE)
@common
@pass_session
def invite(session: Session, name: str, file: Path) -> None:
    """Write FILE, with which NODE joins this cluster. It holds NODE's private key."""
    checked = read_cluster(session.layout)
    _require_node(checked, name)
    content = invitation.build(session.layout, name, addresses_of(checked, name))
    write_durably(file, content, mode=0o600)
    session.report(
        {"node": name, "file": str(file)},
        f"{file} lets {name} join: carry it there safely, `cluster join {file.name}`, remove it",
    )


@cluster.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    default=CONSOLE_HTTPS_PORT,
    show_default=True,
    help="Of the other node's console, when the authority's key is there.",
)
@click.option(
    "--authority",
    is_flag=True,
    help="Make a new authority here: the node with its key is lost. The other node joins anew.",
)
@common
@pass_session
def renew(session: Session, *, port: int, authority: bool) -> None:
    """Make a new key for this node, and have the cluster's authority sign its certificate."""
    layout, name = session.layout, node_name(session)
    checked = read_cluster(layout)
    if name is None or name not in checked.node_names:
        raise ClusterInviteRefused(
            what=say("join.renewal"), observed=say("join.none"), remedy=say("do.cluster_join")
        )
    if authority:
        replace_authority(layout.pki, name, addresses_of(checked, name))
        session.report(
            {"node": name, "signed_by": name},
            f"{name} is the authority now; `cluster token` here lets the other node join anew",
        )
        return
    renewal = Renewal(layout.pki, name)
    if PkiFiles(layout.pki).ca_key.is_file():
        signed, by = (
            sign_request(layout.pki, name, addresses_of(checked, name), renewal.request),
            name,
        )
    else:
        signed, by = _signed_there(session, checked, name, renewal.request, port)
    renewal.install(signed)
    session.report(
        {"node": name, "signed_by": by},
        f"{name} has a new certificate, signed on {by}; it is taken up at once, and by the data"
        " link at its next session",
    )


def _signed_there(
    session: Session, checked: Cluster, name: str, request: bytes, port: int
) -> tuple[bytes, str]:
    """Have the node that holds the authority's key sign it. Raises: MirrorError."""
    peer = checked.peer_of(name) or ""
    console = PeerConsole(peer, addresses_of(checked, peer), port, session.layout.pki)
    body = json.dumps({"request": request.decode("ascii")}).encode()
    answer = console.ask("POST", "/api/v1/peer/certificate", body)
    certificate = answer.json.get("certificate")
    if answer.status != 200 or not isinstance(certificate, str):
        raise ClusterInviteRefused(
            what=say("join.renewal"),
            observed=_refusal_of(peer, answer),
            remedy=say("do.look_at", node=peer),
        )
    return certificate.encode("ascii"), peer


def _refusal_of(node: str, answer: Answer) -> str:
    """Give what the console of a node said against it, in any language."""
    if detail := answer.json.get("detail"):
        return from_parts(answer.json, str(detail))
    return say("join.answers", node=node, status=answer.status)


@cluster.command()
@click.argument("name", metavar="[NODE]", required=False)
@click.option("--address", help="Of this node, where the other one reaches it; before it joined.")
@click.option("--wait", "wait_s", type=float, default=900.0, help="Seconds to wait for the other.")
@common
@pass_session
def token(session: Session, name: str | None, address: str | None, wait_s: float) -> None:
    """Print a one-time token and wait until it was used with `cluster join` on the other node.

    On a node of the cluster it lets NODE join (the other node of cluster.xml when not given); on a
    node of no cluster it lets one take this node in.
    """
    if node_name(session) is None and name is None:
        _wait_to_be_taken_in(session, address, wait_s)
        return
    layout = session.layout
    checked = read_cluster(layout)
    here = checked.command_lan.node(node_name(session) or "")
    if here is None:
        raise ClusterInviteRefused(
            what=name or say("join.token"),
            observed=say("join.none"),
            remedy=say("do.cluster_init"),
        )
    name = _joining_node(session, checked, name)
    server = JoinServer(layout.pki, here.local_address, checked.port, new_secret())
    with contextlib.closing(server):
        content = invitation.build(layout, name, addresses_of(checked, name))
        word = replace_fields(server.token, address=here.address).encode()
        session.report(
            {"node": name, "token": word},
            f"on {name}: mirror cluster join, which asks for {word}\n"
            f"waiting for {name}; Ctrl-C ends the token",
        )
        other = server.serve(content, wait_s)
    session.report({"node": name, "joined_from": other}, f"{name} joined from {other}")


def _wait_to_be_taken_in(session: Session, address: str | None, wait_s: float) -> None:
    address = address or _first_address()
    session.ensure_directories()
    taken: list[str] = []

    def accept(content: bytes) -> str:
        taken.append(_accept(session, content, "the invitation", replace=False))
        return taken[-1]

    with waiting_to_be_taken_in(address, CLUSTER_UDP_PORT, new_secret()) as server:
        word = server.token.encode()
        session.report(
            {"node": "", "token": word},
            f"on a node of the cluster: mirror cluster join, which asks for {word}\n"
            "waiting to be taken in; Ctrl-C ends the token",
        )
        other = server.receive(accept, wait_s)
    session.report(
        {"node": taken[-1], "joined_from": other},
        f"this node is {taken[-1]} of the cluster of {other}",
    )


def _first_address() -> str:
    found = [one.ip for addresses in interface_addresses().values() for one in addresses]
    reachable = [str(one) for one in found if not one.is_link_local]
    if not reachable:
        raise ClusterInviteRefused(
            what=say("join.token"), observed=say("join.no_address"), remedy=say("do.name_address")
        )
    return reachable[0]


@cluster.command()
@click.argument("token_or_file", metavar="[TOKEN|FILE]", required=False)
@click.option("-r", "replace", is_flag=True, help="Leave the cluster this node is in.")
@click.option("--name", metavar="NODE", help="Whom the TOKEN of a new node makes of it.")
@common
@pass_session
def join(session: Session, token_or_file: str | None, name: str | None, *, replace: bool) -> None:
    """Join a cluster with the TOKEN of `cluster token`, or the FILE of `cluster invite`.

    Without either it asks for the token, or reads it from standard input: an argument can be read
    by every user of this server, who might be faster. With the TOKEN of a new node, on a node of
    the cluster: take that node in.
    """
    if token_or_file is not None and not token_or_file.startswith(PREFIXES):
        if "/" not in token_or_file and not Path(token_or_file).exists():
            raise TokenRefused(observed=say("token.no_file"))
        content, after = read_bytes(Path(token_or_file)), f"; remove {token_or_file}"
        mine = _accept(session, content, token_or_file, replace=replace)
        session.report({"node": mine}, f"this node is {mine} of the cluster{after}")
        return
    found = decode_token(token_or_file or _asked_token())
    if found.of_new_node:
        checked = read_cluster(session.layout)
        wanted = _joining_node(session, checked, name)
        content = invitation.build(session.layout, wanted, addresses_of(checked, wanted))
        made = hand_invitation(found, content)
        session.report({"node": made}, f"{made} is taken in: the node at {found.address}")
        return
    invitation.refuse_when_member(session.layout, "the token", replace=replace)
    mine = _accept(session, fetch_invitation(found), "the token", replace=replace)
    session.report({"node": mine}, f"this node is {mine} of the cluster")


def _asked_token() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("token", hide_input=True, err=True))
    return sys.stdin.readline()


def _accept(session: Session, content: bytes, source: str, *, replace: bool) -> str:
    """Become the node that is invited; its name."""
    session.ensure_directories()
    name = invitation.accept(session.layout, content, source, replace=replace)
    with Database(session.layout.safevar) as database:
        Users(database).give_way()
    _tell(session)
    return name


def _joining_node(session: Session, checked: Cluster, name: str | None) -> str:
    """The node of cluster.xml that is to join. Raises: ClusterInviteRefused (MIR-114)."""
    wanted = name or checked.peer_of(node_name(session) or "")
    if not wanted:
        raise ClusterInviteRefused(
            what=say("join.token"),
            observed=say("join.no_other"),
            remedy=say("do.cluster_config"),
        )
    _require_node(checked, wanted)
    return wanted


def node_name(session: Session) -> str | None:
    """Name of this node, or None when it has none yet."""
    file = session.layout.node_identity
    if not file.is_file():
        return None
    return str(json.loads(read_bytes(file))["name"])


def _require_node(checked: Cluster, name: str) -> None:
    if name not in checked.node_names:
        raise ClusterInviteRefused(
            what=name,
            observed=say("join.no_node"),
            remedy=say("do.choose_of", known=listed(checked.node_names)),
        )


def _tell(session: Session) -> bool:
    """Tell the control plane that cluster.xml changed; False when it does not run."""
    try:
        with session.client() as client:
            client.call("cluster_changed")
    except NodeNotReachable:
        return False
    return True


def _say(checked: Cluster) -> None:
    for notice in checked.notices:
        click.echo(f"note: {notice}", err=True)
