"""Three members of a real etcd with TLS and passwords on: one dies, most die, one comes back."""

import asyncio
import datetime as dt
import shutil
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from mirror.adapters.pki import create_cluster, issue_node
from mirror.adapters.pki_files import load_key
from mirror.adapters.witness import EtcdSettings, EtcdWitness, WitnessValue
from mirror.adapters.witness.credentials import Credentials, read_credentials
from mirror.adapters.witness.etcd import ABSENT
from mirror.daemon.node.witness_port import EtcdPort, Seen
from mirror.errors import PkiRefused, WitnessNotReachable, WitnessRefused
from tests.network.namespaces import Namespace

# A connection whose TLS handshake is given up is closed by the collector, which the library's
# transports complain of.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

MEMBERS = ("a", "b", "c")
ENDPOINTS = tuple(f"https://127.0.0.1:{2379 + 10 * at}" for at in range(len(MEMBERS)))
ANSWER_S = 60.0  # of members on a machine that does other work too
PASSWORD = "correct horse"


class Members:
    """The members, each a process that can be killed and started again."""

    def __init__(self, directory: Path) -> None:
        self.namespace = Namespace()
        self.directory = directory
        create_cluster(directory)
        self.files = issue_node(directory, "n1", ["127.0.0.1"], directory)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._log = (directory / "etcd.log").open("w")

    def start(self, name: str) -> None:
        at = MEMBERS.index(name)
        peers = ",".join(
            f"{one}=http://127.0.0.1:{2380 + 10 * number}" for number, one in enumerate(MEMBERS)
        )
        files = self.files
        self._running[name] = subprocess.Popen(
            self.namespace.command(
                "etcd", "--name", name, "--data-dir", str(self.directory / name),
                "--listen-client-urls", ENDPOINTS[at], "--advertise-client-urls", ENDPOINTS[at],
                "--listen-peer-urls", f"http://127.0.0.1:{2380 + 10 * at}",
                "--initial-advertise-peer-urls", f"http://127.0.0.1:{2380 + 10 * at}",
                "--initial-cluster", peers, "--unsafe-no-fsync",
                "--cert-file", str(files.node_certificate), "--key-file", str(files.node_key),
                "--trusted-ca-file", str(files.ca_certificate), "--client-cert-auth",
            ),
            stdout=self._log,
            stderr=self._log,
        )  # fmt: skip
        deadline = time.monotonic() + ANSWER_S
        while True:
            assert time.monotonic() < deadline, "etcd does not listen"
            with self.namespace.entered(), suppress(OSError):
                socket.create_connection(("127.0.0.1", 2379 + 10 * at), 1).close()
                return
            time.sleep(0.05)

    def kill(self, name: str) -> None:
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def close(self) -> None:
        for name in tuple(self._running):
            self.kill(name)
        self._log.close()
        self.namespace.close()

    def control(self, *arguments: str) -> None:
        files = self.files
        self.namespace.run(
            "env", "ETCDCTL_API=3", "etcdctl", "--endpoints", ENDPOINTS[0],
            "--cacert", str(files.ca_certificate), "--cert", str(files.node_certificate),
            "--key", str(files.node_key), f"--command-timeout={ANSWER_S:.0f}s", *arguments,
        )  # fmt: skip


@pytest.fixture(name="members", scope="module")
def _members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Members]:
    if shutil.which("etcd") is None or shutil.which("etcdctl") is None:
        pytest.skip("etcd is not installed (Debian: etcd-server, etcd-client)")
    members = Members(tmp_path_factory.mktemp("etcd"))
    try:
        for name in MEMBERS:
            members.start(name)
        members.control("user", "add", f"root:{PASSWORD}")
        members.control("user", "grant-role", "root", "root")
        members.control("auth", "enable")
        yield members
    finally:
        members.close()


@pytest.fixture(name="shown")
def _shown(members: Members, tmp_path: Path) -> Path:
    """What an administrator puts into SAFEVAR/cluster/witness."""
    shutil.copy(members.files.ca_certificate, tmp_path / "ca.crt")
    issue_without_a_name(members.directory, tmp_path)
    login = tmp_path / "login"
    login.write_text(f"root\n{PASSWORD}\n")
    login.chmod(0o600)
    return tmp_path


def issue_without_a_name(authority: Path, directory: Path) -> None:
    """A client certificate as etcd wants it beside passwords: its subject is empty."""
    issuer = x509.load_pem_x509_certificate((authority / "ca.crt").read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(load_key(authority / "ca.key"), hashes.SHA256())
    )
    (directory / "client.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "client.key").touch(0o600)
    (directory / "client.key").write_bytes(private)


def settings(shown: Credentials, module: str) -> EtcdSettings:
    return EtcdSettings(ENDPOINTS, "lab", module, shown.tls, shown.user, shown.password)


def within(
    members: Members, given: EtcdSettings, story: Callable[[EtcdWitness], Awaitable[None]]
) -> None:
    async def run() -> None:
        witness = EtcdWitness(given)
        try:
            async with asyncio.timeout(4 * ANSWER_S):
                await story(witness)
        finally:
            await witness.close()

    with members.namespace.entered():
        asyncio.run(run())


def test_members_that_die_in_the_middle_change_nothing_that_was_agreed(
    members: Members, shown: Path
) -> None:
    async def story(witness: EtcdWitness) -> None:
        state = await witness.read(ANSWER_S)
        assert state.revision == ABSENT
        swapped, given_up = 0, set[WitnessValue | None]()
        for number in range(60):
            if number == 20:
                members.kill("b")
            if number == 40:
                members.start("b")
                members.kill("a")
            wanted = WitnessValue(f"g{number}", ("n1", "n2"))
            try:
                done = await witness.compare_and_swap(state.revision, wanted, 5)
                now = await witness.read(ANSWER_S)
                # Or one that was given up has come late, and this one knew nothing of it.
                assert now.value == wanted if done else now.value in given_up
            except WitnessNotReachable:  # while a leader is elected: it may hold any of these
                given_up.add(wanted)
                now = await witness.read(ANSWER_S)
                assert now.value in given_up | {state.value}
            state = now
            swapped += state.value == wanted
        assert swapped > 30
        members.kill("c")  # one of three is no majority: no answer, and never a wrong one
        with pytest.raises(WitnessNotReachable):
            await witness.read(1)
        with pytest.raises(WitnessNotReachable):
            await witness.compare_and_swap(state.revision, WitnessValue("late", ("n2",)), 1)
        members.start("a")
        members.start("c")
        held = (await witness.read(ANSWER_S)).value
        assert held in {state.value, WitnessValue("late", ("n2",))}

    within(members, settings(read_credentials(shown), "dying"), story)


def test_without_the_right_files_nothing_is_believed(members: Members, shown: Path) -> None:
    async def not_reachable(witness: EtcdWitness) -> None:
        with pytest.raises(WitnessNotReachable):
            await witness.read(3)

    async def named_client(witness: EtcdWitness) -> None:
        with pytest.raises(WitnessRefused, match="CommonName"):
            await witness.read(ANSWER_S)

    async def refused(witness: EtcdWitness) -> None:
        with pytest.raises(WitnessRefused, match="MIR-323"):
            await witness.read(ANSWER_S)

    for name in ("client.crt", "client.key"):
        (shown / name).rename(shown / f"{name}.away")
    within(members, settings(read_credentials(shown), "m"), not_reachable)
    for name in ("client.crt", "client.key"):
        (shown / f"{name}.away").rename(shown / name)
    for name, named in (("client.crt", "node_certificate"), ("client.key", "node_key")):
        (shown / name).rename(shown / f"{name}.away")
        shutil.copy(getattr(members.files, named), shown / name)
    within(members, settings(read_credentials(shown), "m"), named_client)
    for name in ("client.crt", "client.key"):
        (shown / f"{name}.away").rename(shown / name)
    (shown / "login").write_text("root\nwrong\n")
    within(members, settings(read_credentials(shown), "m"), refused)
    (shown / "login").unlink()
    within(members, settings(read_credentials(shown), "m"), refused)


def test_of_two_nodes_that_both_could_one_may_serve(members: Members, shown: Path) -> None:
    both = frozenset({"n1", "n2"})
    said: list[tuple[str, str]] = []

    async def story(witness: EtcdWitness) -> None:
        ports = {
            node: EtcdPort(witness, node, Seen("w", lambda *one: said.append(one)))
            for node in ("n1", "n2")
        }

        async def ask(node: str, generation: str) -> tuple[bool, str]:
            then = (generation, frozenset({node}))
            while True:
                granted, sentence = await ports[node].ask("g0", both, (), then, forced=False)
                if granted is not None:  # members at work may have no answer in time
                    return granted, sentence

        asked = await asyncio.gather(*(ask(node, f"g-{node}") for node in ports))
        granted = [answer for answer, _ in asked]
        assert sorted(granted) == [False, True]
        (winner,) = (node for node, yes in zip(ports, granted, strict=True) if yes)
        (loser,) = set(ports) - {winner}
        # The loser is refused for ever, the winner may ask again (it crashed before it heard).
        refused, sentence = await ask(loser, "x")
        assert not refused
        assert f"{winner} may serve" in sentence
        assert await ask(winner, "y") == (True, "")
        assert ("splitbrain.w", "up") in said
        assert ("splitbrain.uptodate", "down") in said

    within(members, settings(read_credentials(shown), "two"), story)


def test_secrets_that_others_may_read_are_refused(tmp_path: Path) -> None:
    assert read_credentials(tmp_path) == Credentials()
    login = tmp_path / "login"
    login.write_text(f"root\n{PASSWORD}\n")
    login.chmod(0o644)
    with pytest.raises(PkiRefused, match="0644"):
        read_credentials(tmp_path)
    login.chmod(0o600)
    found = read_credentials(tmp_path)
    assert (found.user, found.password) == ("root", PASSWORD)
    assert PASSWORD not in repr(found)
    login.write_text("root\n")
    with pytest.raises(PkiRefused, match="a user and a password"):
        read_credentials(tmp_path)
