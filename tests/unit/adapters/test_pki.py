"""A cluster's keys: real handshakes between real sockets, and what is refused."""

import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest

from mirror.adapters.pki import create_cluster, issue_node
from mirror.adapters.pki_files import PkiFiles, read_cluster_key
from mirror.adapters.tls import check_node, tls_context
from mirror.errors import PkiRefused


def handshake(server: Path, client: Path, name: str, version: str = "TLSv1_3") -> str | None:
    """Do a handshake over a socket pair; the TLS version agreed on. Raises: ssl.SSLError."""
    client_context = tls_context(client, server_side=False)
    if version == "TLSv1_2":
        client_context.minimum_version = ssl.TLSVersion.TLSv1_2
        client_context.maximum_version = ssl.TLSVersion.TLSv1_2
    near, far = socket.socketpair()
    near.settimeout(60)
    far.settimeout(60)
    refused: list[Exception] = []

    def serve() -> None:
        try:
            with tls_context(server, server_side=True).wrap_socket(
                far, server_side=True
            ) as stream:
                stream.sendall(stream.recv(1))
        except OSError as error:
            refused.append(error)
            far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client_context.wrap_socket(near, server_hostname=name) as stream:
            stream.sendall(b"x")
            assert stream.recv(1) == b"x", "the server closed"
            return stream.version()
    finally:
        near.close()
        thread.join(60)
        if refused:
            raise refused[0]


@pytest.fixture(name="pair", scope="module")
def _pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    base = tmp_path_factory.mktemp("pki")
    create_cluster(base / "n1")
    issue_node(base / "n1", "n1", ["10.0.0.1", "fd00::1", "n1"], base / "n1")
    issue_node(base / "n1", "n2", ["10.0.0.2", "second.example"], base / "n2")
    return base / "n1", base / "n2"


@pytest.mark.parametrize("name", ["n1", "10.0.0.1", "fd00::1"])
def test_two_nodes_of_a_cluster_talk_tls_1_3(pair: tuple[Path, Path], name: str) -> None:
    assert handshake(pair[0], pair[1], name) == "TLSv1.3"


def test_older_tls_is_refused(pair: tuple[Path, Path]) -> None:
    with pytest.raises(ssl.SSLError):
        handshake(pair[0], pair[1], "n1", version="TLSv1_2")


def test_a_name_that_is_not_in_the_certificate_is_refused(pair: tuple[Path, Path]) -> None:
    with pytest.raises(OSError, match=r"(?i)certificate|unknown.ca|eof|reset"):
        handshake(pair[0], pair[1], "n2")


def test_a_node_of_another_cluster_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    create_cluster(tmp_path)
    issue_node(tmp_path, "n2", ["10.0.0.2"], tmp_path)
    with pytest.raises(OSError, match=r"(?i)certificate|unknown.ca|eof|reset"):
        handshake(pair[0], tmp_path, "n1")
    # The stranger knows our public certificate and trusts it: it is still refused, by us.
    PkiFiles(tmp_path).ca_certificate.write_bytes(PkiFiles(pair[0]).ca_certificate.read_bytes())
    with pytest.raises(OSError, match=r"(?i)certificate|unknown.ca"):
        handshake(pair[0], tmp_path, "n1")


def test_no_secret_is_readable_by_others(pair: tuple[Path, Path]) -> None:
    for directory in pair:
        for path in directory.glob("*.key"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert PkiFiles(pair[0]).ca_key.exists()
    assert not PkiFiles(pair[1]).ca_key.exists()
    assert read_cluster_key(pair[0]) == read_cluster_key(pair[1])


def test_a_shared_or_short_secret_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    path = PkiFiles(tmp_path).cluster_key
    path.write_bytes(read_cluster_key(pair[0]))
    path.chmod(0o640)
    with pytest.raises(PkiRefused, match="mode 0640"):
        read_cluster_key(tmp_path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(PkiRefused, match="5 bytes"):
        read_cluster_key(tmp_path)


def test_an_authority_is_never_replaced(pair: tuple[Path, Path]) -> None:
    before = PkiFiles(pair[0]).ca_certificate.read_bytes()
    with pytest.raises(PkiRefused, match="already"):
        create_cluster(pair[0])
    assert PkiFiles(pair[0]).ca_certificate.read_bytes() == before


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    create_cluster(tmp_path / "a")
    create_cluster(tmp_path / "b")
    files = issue_node(tmp_path / "a", "n1", [], tmp_path / "a")
    assert check_node(tmp_path / "a") == "n1"
    other = issue_node(tmp_path / "b", "n1", [], tmp_path / "b")
    files.node_key.write_bytes(other.node_key.read_bytes())
    with pytest.raises(PkiRefused, match="not the key"):
        check_node(tmp_path / "a")
    files.node_certificate.write_bytes(other.node_certificate.read_bytes())
    with pytest.raises(PkiRefused, match=r"not issued by ca\.crt"):
        check_node(tmp_path / "a")


@pytest.mark.parametrize("name", ["", "../n1", "n 1", "-n", "n" * 65])
def test_names_that_are_no_names_are_refused(tmp_path: Path, name: str) -> None:
    create_cluster(tmp_path)
    with pytest.raises(PkiRefused):
        issue_node(tmp_path, name, [], tmp_path)
