"""The cluster: its nodes and networks, cluster.xml, making one, joining one."""

import asyncio
import contextlib
import hashlib
import platform
import socket
import tempfile
from importlib.metadata import version
from pathlib import Path as FilePath

from starlette.responses import Response

from mirror.adapters import clock
from mirror.adapters.joining import fetch_invitation, hand_invitation
from mirror.adapters.pki import sign_request
from mirror.adapters.pki_files import PkiFiles
from mirror.config.cluster import Cluster, LanNode, addresses_of, load_cluster
from mirror.config.collector import Notice
from mirror.config.files import read_bytes
from mirror.errors import (
    ConfigRefused,
    EditedBySomebody,
    InputRefused,
    MirrorError,
    NotFoundHere,
)
from mirror.vocabulary.said import Said, say
from mirror.web.about_certificates import certificates_of
from mirror.web.about_peer import ask_about
from mirror.web.console import Console, Here, Who
from mirror.web.endpoints.configuration import etag_of, refuse_when_changed
from mirror.web.identity import Caller
from mirror.web.models.cluster import (
    CertificateRequest,
    CheckCluster,
    CheckedCluster,
    ClusterNode,
    ClusterView,
    ClusterXml,
    Editing,
    EditKey,
    EditLockView,
    InitCluster,
    JoinCluster,
    Joined,
    JoinTokenView,
    LanAddress,
    LanView,
    MakeJoinToken,
    NodeView,
    RenewCertificate,
    Renewed,
    SaveCluster,
    SignedCertificate,
)
from mirror.web.models.configuration import NodeResult, Results
from mirror.web.models.said import told
from mirror.web.on_nodes import PeerRefusal, ask_peer, failed
from mirror.web.refusals import from_notice, from_refusal
from mirror.wire.join_token import JoinToken, decode_token

CLUSTER_XML = "cluster.xml"


async def read_node(console: Here) -> NodeView:
    """Describe this node: name, host, version, clock, where its console is found."""
    return NodeView(
        node=console.membership.shown_node,
        host=socket.gethostname(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        version=version("mirror"),
        time_us=clock.wall_us(),
        urls=[*console.urls, *_https_urls(console)],
        signature=_signature(console),
        certificates=await asyncio.to_thread(certificates_of, console.cluster),
    )


async def read_cluster(console: Here, caller: Who) -> ClusterView:
    """The cluster as this node sees it: nodes, networks, versions, clocks."""
    membership = console.membership
    cluster = membership.cluster
    files = PkiFiles(console.layout.pki)
    seen = await _seen(console)
    own = await read_node(console)
    about: dict[str, tuple[NodeView | None, Said, float | None]] = {
        membership.shown_node: (own, Said(), 0.0)
    }
    if membership.peer:
        about[membership.peer] = await ask_about(console.peers, caller)
    names = cluster.node_names if cluster else (membership.shown_node,)
    peer_view = about[membership.peer][0] if membership.peer else None
    held = console.cluster_lock.held
    return ClusterView(
        editing=None
        if held is None
        else Editing(
            name=held.name,
            origin=held.origin,
            left_s=(held.until_ms - clock.boottime_ms()) // 1000,
        ),
        configured=cluster is not None and bool(membership.node),
        node=membership.shown_node,
        lans=[LanView(name=one.name, command=one.command) for one in cluster.lans]
        if cluster
        else [],
        nodes=[_node(name, name == membership.shown_node, cluster, seen, about) for name in names],
        same_configuration=None
        if peer_view is None
        else peer_view.signature == _signature(console),
        secured=files.node_certificate.is_file() and files.ca_certificate.is_file(),
        makes_certificates=files.ca_key.is_file(),
        certificates=[*own.certificates, *(peer_view.certificates if peer_view else ())],
    )


async def read_cluster_xml(console: Here) -> ClusterXml:
    """cluster.xml of this node; empty when there is none yet."""
    content = _content(console)
    xml = content.decode("utf-8", "replace")
    return ClusterXml(xml=xml, etag=etag_of(content), signature=_signature(console))


async def check_cluster(console: Here, body: CheckCluster) -> CheckedCluster:
    """Check a cluster.xml as it is typed. Nothing is saved."""
    try:
        checked = await asyncio.to_thread(load_cluster, body.xml.encode(), CLUSTER_XML)
    except ConfigRefused as error:
        errors = [from_refusal(one) for one in error.refusals]
        return CheckedCluster(valid=False, errors=errors, notices=[], nodes=[], lans=[])
    notices = [from_notice(one) for one in checked.notices]
    node = console.membership.node
    if node and node not in checked.node_names:
        leaves = say("cluster.leaves", node=node)
        notices.append(from_notice(Notice(CLUSTER_XML, 0, leaves)))
    return CheckedCluster(
        valid=True,
        errors=[],
        notices=notices,
        nodes=list(checked.node_names),
        lans=[lan.name for lan in checked.lans],
    )


async def save_cluster(console: Here, caller: Who, body: SaveCluster) -> Results:
    """Put a cluster.xml in force on each node named; a wrong one changes nothing.

    The other node, when it is named and no more in the file, leaves the cluster.
    """
    console.cluster_lock.check(body.key)
    refuse_when_changed(CLUSTER_XML, body.etag, etag_of(_content(console)))
    checked = await asyncio.to_thread(load_cluster, body.xml.encode(), CLUSTER_XML)
    membership = console.membership
    results: list[NodeResult] = []
    wanted = list(dict.fromkeys(body.nodes)) or [membership.shown_node]
    # Who leaves goes first: while it refuses, nothing is changed.
    wanted.sort(key=lambda node: node in checked.node_names)
    async with console.configuring():
        for node in wanted:
            if any(not one.done and one.node not in checked.node_names for one in results):
                break
            if node == membership.peer and node not in checked.node_names:
                results.append(await _leave_there(console, caller, node))
            elif node == membership.shown_node:
                results.append(await _save_here(console, node, body.xml))
            elif node == membership.peer:
                results.append(await _save_there(console, caller, node, body.xml, body.key))
            else:
                raise InputRefused(
                    what="nodes",
                    observed=say("seen.no_node_reachable", node=repr(node[:64])),
                    remedy=say("do.join_first"),
                )
    return Results(done=all(one.done for one in results), results=results)


async def take_edit_lock(console: Here, caller: Who, body: EditKey) -> EditLockView:
    """Edit cluster.xml alone, on both nodes, for two minutes; again with the key to go on."""
    held = console.cluster_lock.take(caller.name, caller.origin, body.key)
    if console.membership.peer and not body.only_here:
        try:
            asked = {"key": held.key, "only_here": True}
            await ask_peer(console, caller, "POST", "/api/v1/cluster/lock", asked)
        except PeerRefusal as refusal:
            console.cluster_lock.give_back(held.key)
            who = refusal.result(console.membership.peer).sentence
            raise EditedBySomebody(what=CLUSTER_XML, who=who, since_s=0) from refusal
        except MirrorError:
            pass  # a node that is away edits nothing
    left_us = (held.until_ms - clock.boottime_ms()) * 1000
    return EditLockView(key=held.key, until_us=clock.wall_us() + left_us)


async def give_edit_lock_back(console: Here, caller: Who, body: EditKey) -> Response:
    """Let others edit cluster.xml."""
    console.cluster_lock.give_back(body.key)
    if console.membership.peer and not body.only_here:
        with contextlib.suppress(MirrorError, PeerRefusal):
            asked = {"key": body.key, "only_here": True}
            await ask_peer(console, caller, "POST", "/api/v1/cluster/unlock", asked)
    return Response(status_code=204)


async def init_cluster(console: Here, body: InitCluster) -> Joined:
    """Begin a cluster on its first node: cluster.xml, name, keys."""
    # Checked here first, so that a refusal names cluster.xml and no file of ours.
    await asyncio.to_thread(load_cluster, body.xml.encode(), CLUSTER_XML)
    with tempfile.TemporaryDirectory(prefix="mirror-init.") as directory:
        file = FilePath(directory) / CLUSTER_XML
        await asyncio.to_thread(file.write_text, body.xml, "utf-8")
        answer = await console.command_line.mirror(
            "cluster", "init", str(file), "--name", body.node
        )
    return Joined(node=str(answer["node"]))


async def make_join_token(console: Here, body: MakeJoinToken) -> JoinTokenView:
    """Make a one-time token; it ends when used, after 15 minutes, or by a new one.

    On a node of the cluster it lets another one join; on a node of no cluster it lets one of a
    cluster take this node in.
    """
    await console.joining.make(body.node, body.address)
    return await read_join_token(console)


async def read_join_token(console: Here) -> JoinTokenView:
    """The token of this node, and whether somebody has joined with it."""
    job = console.joining.job
    if job is None:
        return JoinTokenView(node="", token="", waiting=False, joined_from="", failed="")
    return JoinTokenView(
        node=job.node,
        token=job.token if job.waiting else "",
        waiting=job.waiting,
        joined_from=job.joined_from,
        failed=job.failed,
    )


async def end_join_token(console: Here) -> JoinTokenView:
    """End the token."""
    console.joining.close()
    return await read_join_token(console)


async def join_cluster(console: Here, body: JoinCluster) -> Joined:
    """Join the cluster of the node that made the token; or take in the new node that made it."""
    # Used here, for an argument of a program can be read by everybody on this host.
    token = decode_token(body.token)
    if token.of_new_node:
        return Joined(node=await _take_in(console, token, body.node))
    invitation = await asyncio.to_thread(fetch_invitation, token)
    with tempfile.TemporaryDirectory(prefix="mirror-join.") as directory:
        file = FilePath(directory) / "invitation"
        file.touch(0o600)
        await asyncio.to_thread(file.write_bytes, invitation)
        arguments = ["cluster", "join", str(file), *(["-r"] if body.replace else [])]
        answer = await console.command_line.mirror(*arguments)
    return Joined(node=str(answer["node"]))


async def leave_cluster(console: Here) -> Joined:
    """Leave the cluster: cluster.xml, name and keys go. Refused while a module is configured."""
    node = console.membership.shown_node
    await console.command_line.mirror("cluster", "deconfig")
    return Joined(node=node)


async def renew_certificate(console: Here, body: RenewCertificate) -> Renewed:
    """Give this node a new key and certificate, without an interruption."""
    peer = console.membership.peer
    if body.authority and (not peer or body.confirm != peer):
        raise InputRefused(
            what="confirm",
            observed=say("seen.not_other_node"),
            remedy=say("do.name_it", node=peer or say("do.that_node")),
        )
    answer = await console.command_line.mirror(
        *("cluster", "renew", "--port", str(console.https_port)),
        *(["--authority"] if body.authority else []),
    )
    return Renewed(node=str(answer["node"]), signed_by=str(answer["signed_by"]))


async def sign_for_peer(console: Here, caller: Who, body: CertificateRequest) -> SignedCertificate:
    """Sign a certificate for the other node, which its certificate of now names."""
    node = caller.origin.removeprefix("node ")
    cluster = console.membership.cluster
    if cluster is None or node not in cluster.node_names:
        raise NotFoundHere(
            what=node, observed=say("seen.not_in_cluster"), remedy=say("do.let_join")
        )
    certificate = await asyncio.to_thread(
        sign_request,
        console.layout.pki,
        node,
        addresses_of(cluster, node),
        body.request.encode(),
    )
    return SignedCertificate(certificate=certificate.decode("ascii"))


async def download_authority(console: Here) -> Response:
    """The certificate of the cluster's authority, to be trusted by browsers."""
    file = PkiFiles(console.layout.pki).ca_certificate
    if not file.is_file():
        raise NotFoundHere(
            what="ca.crt", observed=say("seen.no_cluster"), remedy=say("do.make_or_join")
        )
    return Response(
        await asyncio.to_thread(file.read_bytes),
        media_type="application/x-x509-ca-cert",
        headers={"content-disposition": 'attachment; filename="mirror-ca.crt"'},
    )


async def _save_here(console: Console, node: str, xml: str) -> NodeResult:
    with tempfile.TemporaryDirectory(prefix="mirror-cluster.") as directory:
        file = FilePath(directory) / CLUSTER_XML
        await asyncio.to_thread(file.write_text, xml, "utf-8")
        try:
            await console.command_line.mirror("cluster", "config", str(file))
        except MirrorError as error:
            return failed(node, error)
    return _done(node)


async def _save_there(
    console: Console, caller: Caller, node: str, xml: str, key: str
) -> NodeResult:
    body = {"xml": xml, "nodes": [], "key": key}
    try:
        await ask_peer(console, caller, "PUT", "/api/v1/cluster/config", body)
    except MirrorError as error:
        return failed(node, error)
    except PeerRefusal as refusal:
        return refusal.result(node)
    return _done(node)


async def _leave_there(console: Console, caller: Caller, node: str) -> NodeResult:
    try:
        await ask_peer(console, caller, "POST", "/api/v1/cluster/leave", {})
    except MirrorError as error:
        return failed(node, error)
    except PeerRefusal as refusal:
        return refusal.result(node)
    return _done(node, "it has left the cluster")


async def _take_in(console: Console, token: JoinToken, node: str) -> str:
    """Hand an invitation to the new node that made the token; its name."""
    wanted = node or console.membership.peer
    if not wanted:
        raise InputRefused(
            what="node", observed=say("seen.no_other_node"), remedy=say("do.add_node")
        )
    with tempfile.TemporaryDirectory(prefix="mirror-invite.") as directory:
        file = FilePath(directory) / "invitation"
        await console.command_line.mirror("cluster", "invite", "--", wanted, str(file))
        invitation = await asyncio.to_thread(read_bytes, file)
        return await asyncio.to_thread(hand_invitation, token, invitation)


def _done(node: str, sentence: str = "the cluster is configured") -> NodeResult:
    return NodeResult(
        node=node, done=True, status=200, sentence=sentence, code="", errors=[], notices=[]
    )


async def _seen(console: Console) -> dict[str, str]:
    try:
        reply = await console.control("cluster_state")
    except MirrorError:
        return {}
    nodes = reply.get("nodes")
    return (
        {str(name): str(seen) for name, seen in nodes.items()} if isinstance(nodes, dict) else {}
    )


def _node(
    name: str,
    this: bool,  # noqa: FBT001 - a fact
    cluster: Cluster | None,
    seen: dict[str, str],
    about: dict[str, tuple[NodeView | None, Said, float | None]],
) -> ClusterNode:
    view, observed, difference_ms = about.get(name, (None, say("seen.not_asked"), None))
    found = [(lan.name, lan.node(name)) for lan in cluster.lans] if cluster else []
    return ClusterNode(
        name=name,
        this=this,
        addresses=[
            LanAddress(lan=lan, address=node.address)
            for lan, node in found
            if isinstance(node, LanNode)
        ],
        reachable=view is not None,
        observed=str(observed),
        observed_said=told(observed),
        seen=seen.get(name, ""),
        clock_difference_ms=difference_ms,
        about=view,
    )


def _content(console: Console) -> bytes:
    file = console.layout.cluster_config
    return read_bytes(file) if file.is_file() else b""


def _signature(console: Console) -> str:
    content = _content(console)
    return hashlib.sha256(content).hexdigest()[:16] if content else ""


def _https_urls(console: Console) -> list[str]:
    membership = console.membership
    if membership.cluster is None:
        return []
    found = (lan.node(membership.node) for lan in membership.cluster.lans)
    addresses = dict.fromkeys(one.address for one in found if one is not None)
    hosts = (f"[{one}]" if ":" in one else one for one in addresses)
    return [f"https://{host}:{console.https_port}" for host in hosts]
