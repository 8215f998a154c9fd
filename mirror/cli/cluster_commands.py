"""cluster config, confcheck, confinfo, state, init, invite, join: two nodes learn of each other.

`init` on the first node, `token` there, `join` with that token on the second. Where the second
cannot reach the first yet, `invite` writes a file instead. It holds a private key: readable by its
owner only, to be carried by a safe way (scp), then removed.
"""

import contextlib
import hashlib
import json
from dataclasses import replace as replace_fields
from pathlib import Path

import click

from mirror.adapters.joining import JoinServer, fetch_invitation
from mirror.adapters.pki import create_cluster, issue_node
from mirror.cli import invitation
from mirror.cli.configure import read_cluster
from mirror.cli.options import SectionedGroup, common, pass_session
from mirror.cli.session import Session
from mirror.config.cluster import Cluster, load_cluster
from mirror.config.collector import listed
from mirror.config.files import read_bytes, write_durably
from mirror.errors import ClusterInviteRefused, NodeNotReachable
from mirror.wire.join_token import PREFIX, decode_token, new_secret

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
@click.argument("name", metavar="NODE")
@click.option("--wait", "wait_s", type=float, default=900.0, help="Seconds to wait for NODE.")
@common
@pass_session
def token(session: Session, name: str, wait_s: float) -> None:
    """Print a one-time token for NODE and wait until NODE has joined with it."""
    layout = session.layout
    checked = read_cluster(layout)
    _require_node(checked, name)
    here = checked.command_lan.node(node_name(session) or "")
    if here is None:
        raise ClusterInviteRefused(
            what=name, observed="this node is in no cluster", remedy="`cluster init` it first"
        )
    server = JoinServer(layout.pki, here.local_address, checked.port, new_secret())
    with contextlib.closing(server):
        content = invitation.build(layout, name, addresses_of(checked, name))
        word = replace_fields(server.token, address=here.address).encode()
        session.report(
            {"node": name, "token": word},
            f"on {name}: mirror cluster join {word}\nwaiting for {name}; Ctrl-C ends the token",
        )
        address = server.serve(content, wait_s)
    session.report({"node": name, "joined_from": address}, f"{name} joined from {address}")


@cluster.command()
@click.argument("token_or_file", metavar="TOKEN|FILE")
@click.option("-r", "replace", is_flag=True, help="Leave the cluster this node is in.")
@common
@pass_session
def join(session: Session, token_or_file: str, *, replace: bool) -> None:
    """Join a cluster with the TOKEN of `cluster token`, or the FILE of `cluster invite`."""
    layout = session.layout
    session.ensure_directories()
    if token_or_file.startswith(PREFIX):
        invitation.refuse_when_member(layout, "the token", replace=replace)
        content, source, after = fetch_invitation(decode_token(token_or_file)), "the token", ""
    else:
        content, source = read_bytes(Path(token_or_file)), token_or_file
        after = f"; remove {token_or_file}"
    name = invitation.accept(layout, content, source, replace=replace)
    _tell(session)
    session.report({"node": name}, f"this node is {name} of the cluster{after}")


def node_name(session: Session) -> str | None:
    """Name of this node, or None when it has none yet."""
    file = session.layout.node_identity
    if not file.is_file():
        return None
    return str(json.loads(read_bytes(file))["name"])


def addresses_of(checked: Cluster, name: str) -> list[str]:
    """All addresses of a node, for its certificate."""
    found = [node for lan in checked.lans if (node := lan.node(name)) is not None]
    return list(
        dict.fromkeys([*(one.address for one in found), *(one.local_address for one in found)])
    )


def _require_node(checked: Cluster, name: str) -> None:
    if name not in checked.node_names:
        raise ClusterInviteRefused(
            what=name,
            observed="no such node in cluster.xml",
            remedy=f"choose one of {listed(checked.node_names)}",
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
