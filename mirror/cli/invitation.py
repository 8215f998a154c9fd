"""The file with which a second node joins: cluster.xml, its name, its key and certificate.

A zip of exactly the files below. It holds a private key, so it is written 0600 and never logged.
"""

import io
import json
import tempfile
import zipfile
from pathlib import Path

from mirror.adapters.pki import issue_node
from mirror.adapters.pki_files import PkiFiles
from mirror.config.cluster import load_cluster
from mirror.config.files import read_bytes, write_durably
from mirror.config.layout import Layout
from mirror.errors import ClusterInviteRefused
from mirror.vocabulary.said import Said, say

CLUSTER_XML, NODE_JSON = "cluster.xml", "node.json"
PRIVATE = frozenset({"node.key", "cluster.key"})
PKI = ("ca.crt", "node.crt", "node.key", "cluster.key")
INVITATION_BYTES_MAX = 4 * 1024 * 1024


def build(layout: Layout, name: str, addresses: list[str]) -> bytes:
    """Make key and certificate for the node and return its invitation, which is secret.

    Raises: PkiRefused (this node has no authority), FileNotReadable.
    """
    content = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix=".invite.", dir=layout.cluster) as staging:
        issued = issue_node(layout.pki, name, addresses, Path(staging) / "pki")
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr(CLUSTER_XML, read_bytes(layout.cluster_config))
            archive.writestr(NODE_JSON, json.dumps({"name": name}))
            for one in PKI:
                archive.writestr(f"pki/{one}", read_bytes(issued.directory / one))
    return content.getvalue()


def accept(layout: Layout, content: bytes, source: str, *, replace: bool) -> str:
    """Check the invitation whole, then become that node; return its name.

    source: where it came from, for sentences.
    node.json is written last: a node whose joining was interrupted has no name and can join again.
    Raises: ClusterInviteRefused (MIR-114), ConfigRefused, FileNotReadable.
    """
    refuse_when_member(layout, source, replace=replace)
    files = _read(content, source)
    text = files[CLUSTER_XML]
    checked = load_cluster(text, f"{source}:{CLUSTER_XML}")
    try:
        name = str(json.loads(files[NODE_JSON])["name"])
    except (ValueError, TypeError, KeyError) as error:
        raise _refused(source, say("join.node_json")) from error
    if name not in checked.node_names:
        raise _refused(source, say("join.not_named", name=name))
    layout.pki.mkdir(parents=True, exist_ok=True)
    layout.pki.chmod(0o700)
    # An authority of another cluster must not stay beside a certificate of this one.
    PkiFiles(layout.pki).ca_key.unlink(missing_ok=True)
    for one in PKI:
        mode = 0o600 if one in PRIVATE else 0o644
        write_durably(layout.pki / one, files[f"pki/{one}"], mode=mode)
    write_durably(layout.cluster_config, text)
    write_durably(layout.node_identity, json.dumps({"name": name}).encode() + b"\n")
    return name


def refuse_when_member(layout: Layout, source: str, *, replace: bool) -> None:
    """A node leaves its cluster only when asked to. Raises: ClusterInviteRefused (MIR-114)."""
    if layout.node_identity.exists() and not replace:
        raise ClusterInviteRefused(
            what=source, observed=say("join.member"), remedy=say("do.leave_first")
        )


def _read(content: bytes, source: str) -> dict[str, bytes]:
    expected = {CLUSTER_XML, NODE_JSON, *(f"pki/{one}" for one in PKI)}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if {entry.filename for entry in entries} != expected or len(entries) != len(expected):
                raise _refused(source, say("join.files"))
            if sum(entry.file_size for entry in entries) > INVITATION_BYTES_MAX:
                raise _refused(source, say("join.large"))
            return {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, ValueError, RuntimeError, NotImplementedError, EOFError) as error:
        raise _refused(source, say("join.no_invitation")) from error


def _refused(source: str, observed: Said) -> ClusterInviteRefused:
    return ClusterInviteRefused(what=source, observed=observed, remedy=say("do.invite_again"))
