"""The witnesses: a real etcd on a private loopback, and hosts that answer or do not."""

import asyncio
import contextlib
import http.client
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from mirror.adapters.pki import create_cluster, issue_node
from mirror.adapters.tls import tls_context
from mirror.adapters.witness import (
    EtcdSettings,
    EtcdWitness,
    PingWitness,
    WitnessState,
    WitnessValue,
)
from mirror.adapters.witness.etcd import ABSENT
from mirror.errors import WitnessNotReachable, WitnessRefused
from tests.network.namespaces import Namespace, join

ANSWER_S = 60.0  # of an etcd on a machine that does other work too
BOTH = WitnessValue("9f3a07", ("n1", "n2"))
ONE = WitnessValue("c0ffee", ("n1",))
PLAIN = EtcdSettings(("http://127.0.0.1:2379",), "lab", "demo")


@contextlib.contextmanager
def etcd(directory: Path, scheme: str = "http", *options: str) -> Iterator[Namespace]:
    if shutil.which("etcd") is None:
        pytest.skip("etcd is not installed (Debian: etcd-server)")
    namespace = Namespace()
    log = (directory / "etcd.log").open("w")
    server = subprocess.Popen(
        namespace.command(
            "etcd", "--data-dir", str(directory / "data"), "--unsafe-no-fsync",
            "--listen-client-urls", f"{scheme}://127.0.0.1:2379",
            "--advertise-client-urls", f"{scheme}://127.0.0.1:2379",
            "--listen-peer-urls", "http://127.0.0.1:2380", *options,
        ),
        stdout=log,
        stderr=log,
    )  # fmt: skip
    try:
        until_listening(namespace, server)
        yield namespace
    finally:
        server.kill()
        server.wait()
        log.close()
        namespace.close()


def until_listening(namespace: Namespace, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + ANSWER_S
    while True:
        assert server.poll() is None, "etcd ended"
        assert time.monotonic() < deadline, "etcd does not listen"
        with namespace.entered(), contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", 2379), 1).close()
            return
        time.sleep(0.05)


@pytest.fixture(name="plain", scope="module")
def _plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    with etcd(tmp_path_factory.mktemp("etcd")) as namespace:
        yield namespace


def within(
    namespace: Namespace, settings: EtcdSettings, story: Callable[[EtcdWitness], Awaitable[None]]
) -> None:
    async def run() -> None:
        witness = EtcdWitness(settings)
        try:
            async with asyncio.timeout(4 * ANSWER_S):
                await story(witness)
        finally:
            await witness.close()

    with namespace.entered():
        asyncio.run(run())


def call(namespace: Namespace, path: str, body: dict[str, object]) -> None:
    with namespace.entered():
        connection = http.client.HTTPConnection("127.0.0.1", 2379, timeout=ANSWER_S)
        connection.request("POST", f"/v3/{path}", json.dumps(body))
        response = connection.getresponse()
        assert response.status == 200, response.read()
        response.read()
        connection.close()


def test_created_once_then_swapped_by_who_has_read_it(plain: Namespace) -> None:
    async def story(witness: EtcdWitness) -> None:
        assert await witness.read(ANSWER_S) == WitnessState(None, ABSENT)
        assert await witness.compare_and_swap(ABSENT, BOTH, ANSWER_S)
        assert not await witness.compare_and_swap(ABSENT, ONE, ANSWER_S)
        before = await witness.read(ANSWER_S)
        assert before.value == BOTH
        assert await witness.compare_and_swap(before.revision, ONE, ANSWER_S)
        assert not await witness.compare_and_swap(before.revision, BOTH, ANSWER_S)
        assert (await witness.read(ANSWER_S)).value == ONE

    within(plain, replace(PLAIN, module="swapped"), story)


def test_of_many_that_swap_at_once_one_succeeds(plain: Namespace) -> None:
    async def story(witness: EtcdWitness) -> None:
        values = [WitnessValue(f"g{number}", (f"n{number}",)) for number in range(8)]
        won = await asyncio.gather(
            *(witness.compare_and_swap(ABSENT, value, ANSWER_S) for value in values)
        )
        assert sum(won) == 1
        assert (await witness.read(ANSWER_S)).value == values[won.index(True)]

    within(plain, replace(PLAIN, module="raced"), story)


def test_the_same_swap_through_several_endpoints_is_one(plain: Namespace) -> None:
    async def story(witness: EtcdWitness) -> None:
        assert await witness.compare_and_swap(ABSENT, BOTH, ANSWER_S)
        state = await witness.read(ANSWER_S)
        for _ in range(10):
            assert await witness.compare_and_swap(state.revision, ONE, ANSWER_S)
            state = await witness.read(ANSWER_S)

    endpoints = ("http://127.0.0.1:2379", "http://localhost:2379", "http://127.0.0.1:1")
    within(plain, replace(PLAIN, module="several", endpoints=endpoints), story)


def test_modules_and_clusters_do_not_meet(plain: Namespace) -> None:
    async def fill(witness: EtcdWitness) -> None:
        assert await witness.compare_and_swap(ABSENT, BOTH, ANSWER_S)

    async def absent(witness: EtcdWitness) -> None:
        assert (await witness.read(ANSWER_S)).value is None

    within(plain, replace(PLAIN, module="m1"), fill)
    within(plain, replace(PLAIN, module="m2"), absent)
    within(plain, replace(PLAIN, module="m1", cluster="other"), absent)


def test_a_key_with_something_else_is_refused_and_not_overwritten(plain: Namespace) -> None:
    # base64 of mirror/lab/foreign, and of text that is no value of ours
    call(plain, "kv/put", {"key": "bWlycm9yL2xhYi9mb3JlaWdu", "value": "aGVsbG8="})

    async def story(witness: EtcdWitness) -> None:
        with pytest.raises(WitnessRefused, match="not ours"):
            await witness.read(ANSWER_S)
        with pytest.raises(WitnessRefused, match="not ours"):
            await witness.compare_and_swap(ABSENT, ONE, ANSWER_S)

    within(plain, replace(PLAIN, module="foreign"), story)


def test_nobody_there_is_said_at_once_and_silence_at_the_deadline(plain: Namespace) -> None:
    async def refused(witness: EtcdWitness) -> None:
        with pytest.raises(WitnessNotReachable, match="MIR-322"):
            await witness.read(ANSWER_S)

    async def silent(witness: EtcdWitness) -> None:
        started = time.monotonic()
        with pytest.raises(WitnessNotReachable, match=r"no answer within 0\.3 s"):
            await witness.compare_and_swap(ABSENT, ONE, 0.3)
        assert time.monotonic() - started < ANSWER_S / 2

    started = time.monotonic()
    within(plain, replace(PLAIN, endpoints=("http://127.0.0.1:1",)), refused)
    assert time.monotonic() - started < ANSWER_S / 2
    with plain.entered():
        server = socket.create_server(("127.0.0.1", 7777))
    within(plain, replace(PLAIN, endpoints=("http://127.0.0.1:7777",)), silent)
    server.close()


@pytest.mark.parametrize("answer", [b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n[]"])
def test_what_is_no_etcd_is_not_believed(plain: Namespace, answer: bytes) -> None:
    with plain.entered():
        server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        connection.recv(65536)
        connection.sendall(answer)
        connection.close()

    async def story(witness: EtcdWitness) -> None:
        with pytest.raises(WitnessNotReachable):
            await witness.read(ANSWER_S)

    thread = threading.Thread(target=serve)
    thread.start()
    port = server.getsockname()[1]
    within(plain, replace(PLAIN, endpoints=(f"http://127.0.0.1:{port}",)), story)
    thread.join(ANSWER_S)
    server.close()


def ask_for_passwords(namespace: Namespace) -> None:
    for path, body in (
        ("auth/user/add", {"name": "root", "password": "secret"}),
        ("auth/role/add", {"name": "root"}),
        ("auth/user/grant", {"user": "root", "role": "root"}),
        ("auth/enable", {}),
    ):
        call(namespace, path, dict(body))


def test_user_and_password_and_a_token_that_expired(tmp_path: Path) -> None:
    with etcd(tmp_path, "http", "--auth-token-ttl", "1") as namespace:
        ask_for_passwords(namespace)

        async def refused(witness: EtcdWitness) -> None:
            with pytest.raises(WitnessRefused):
                await witness.read(ANSWER_S)

        async def accepted(witness: EtcdWitness) -> None:
            assert await witness.compare_and_swap(ABSENT, BOTH, ANSWER_S)
            witness._tokens[PLAIN.endpoints[0]] = "expired.1"
            assert (await witness.read(ANSWER_S)).value == BOTH

        within(namespace, PLAIN, refused)
        within(namespace, replace(PLAIN, user="root", password="wrong"), refused)
        within(namespace, replace(PLAIN, user="root", password="secret"), accepted)


def test_a_signed_token_is_of_no_use_once_somebody_changed_the_users(tmp_path: Path) -> None:
    private, public = tmp_path / "private", tmp_path / "public"
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    private.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    signed = f"jwt,pub-key={public},priv-key={private},sign-method=RS256,ttl=10m"
    with etcd(tmp_path, "http", "--auth-token", signed) as namespace:
        ask_for_passwords(namespace)

        async def story(witness: EtcdWitness) -> None:
            assert await witness.compare_and_swap(ABSENT, BOTH, ANSWER_S)
            held = {"Authorization": witness._tokens[PLAIN.endpoints[0]]}
            added = {"name": "somebody", "password": "else"}
            await witness._post(PLAIN.endpoints[0], "auth/user/add", added, held)
            assert (await witness.read(ANSWER_S)).value == BOTH

        within(namespace, replace(PLAIN, user="root", password="secret"), story)


def test_tls_with_certificates_on_both_ends(tmp_path: Path) -> None:
    create_cluster(tmp_path)
    files = issue_node(tmp_path, "n1", ["127.0.0.1"], tmp_path)
    options = (
        "--cert-file", str(files.node_certificate), "--key-file", str(files.node_key),
        "--trusted-ca-file", str(files.ca_certificate), "--client-cert-auth",
    )  # fmt: skip
    with etcd(tmp_path, "https", *options) as namespace:
        secure = replace(PLAIN, endpoints=("https://127.0.0.1:2379",))

        async def accepted(witness: EtcdWitness) -> None:
            assert await witness.compare_and_swap(ABSENT, BOTH, ANSWER_S)

        async def refused(witness: EtcdWitness) -> None:
            with pytest.raises(WitnessNotReachable):
                await witness.read(ANSWER_S)

        within(namespace, replace(secure, tls=tls_context(tmp_path, server_side=False)), accepted)
        within(namespace, secure, refused)


@pytest.mark.parametrize(
    ("left", "right"), [("10.96.0.1", "10.96.0.2"), ("fd96::1", "fd96::2")], ids=["IPv4", "IPv6"]
)
def test_one_host_that_answers_is_enough(
    pair: tuple[Namespace, Namespace], left: str, right: str
) -> None:
    length = 64 if ":" in left else 24
    join(*pair, "cable", f"{left}/{length}", f"{right}/{length}")
    absent = right[:-1] + "7"

    async def story() -> None:
        assert await PingWitness([absent, right]).reachable(ANSWER_S)
        assert not await PingWitness([absent]).reachable(0.3)
        pair[1].run("ip", "link", "set", "dev", "cable", "down")
        assert not await PingWitness([absent, right]).reachable(0.3)

    with pair[0].entered():
        asyncio.run(asyncio.wait_for(story(), 4 * ANSWER_S))


def test_a_host_may_be_named_and_one_that_nobody_knows_is_one_that_does_not_answer() -> None:
    assert asyncio.run(PingWitness(["localhost"]).reachable(ANSWER_S))
    assert asyncio.run(PingWitness(["nobody.invalid", "127.0.0.1"]).reachable(ANSWER_S))
    assert not asyncio.run(PingWitness(["nobody.invalid"]).reachable(1.0))
