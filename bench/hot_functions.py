"""Hot pure functions, each alone, by pytest-benchmark: `python -m bench --only p` runs this file.

What is here is called for each block, each name, each heartbeat or each tick; all else waits for
a disk or a network.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import xxhash
from pytest_benchmark.fixture import BenchmarkFixture

from mirror.adapters.heartbeats import packet
from mirror.adapters.native import block_hash
from mirror.core.engine import Engine
from mirror.core.generations import Side, judge
from mirror.core.generations import compare as compare_sides
from mirror.core.reintegration.names import Standing, compare
from mirror.core.settings import Settings
from mirror.vocabulary.events import PeerHeard, Resumed, Ticked
from mirror.vocabulary.record import Record
from mirror.vocabulary.states import Goal, State
from mirror.vocabulary.words import Word
from mirror.wire import codec
from mirror.wire.local import Decoder, encode, event

BLOCK = os.urandom(64 << 10)
NAMES = [Standing(f"file{at}".encode(), (at + 1).to_bytes(16), 0o100000) for at in range(512)]
BOTH = Record(current="1" * 32, term=2, may_serve=frozenset({"a", "b"}), was_primary=True)


@pytest.mark.parametrize("hashed", [block_hash, xxhash.xxh3_128_digest], ids=["native", "xxhash"])
def test_hash_of_64_kib(benchmark: BenchmarkFixture, hashed: Callable[[bytes], bytes]) -> None:
    assert benchmark(hashed, BLOCK) == xxhash.xxh3_128_digest(BLOCK)


def test_encode_512_names(benchmark: BenchmarkFixture) -> None:
    entries = [{"name": each.name, "id": each.id, "kind": each.kind} for each in NAMES]
    assert benchmark(codec.encode, "Names", error=0, entries=entries)


def test_decode_512_names(benchmark: BenchmarkFixture) -> None:
    entries = [{"name": each.name, "id": each.id, "kind": each.kind} for each in NAMES]
    payload = codec.encode("Names", error=0, entries=entries)
    decoded = benchmark(codec.decode, codec.code_of("Names"), payload)
    assert len(decoded["entries"]) == len(NAMES)


def test_compare_512_names(benchmark: BenchmarkFixture) -> None:
    theirs = {each.name: each for each in NAMES[1:]}
    compared = benchmark(compare, NAMES, theirs)
    assert [each.name for each in compared.attach] == [b"file0"]


def test_judge_two_records(benchmark: BenchmarkFixture) -> None:
    mine = Side("a", BOTH, serves=True, damaged=False, clean=False, wants_full=False)
    peer = replace(mine, node="b", serves=False)
    assert benchmark(lambda: judge(compare_sides(mine, peer))).row_id == "G17"


def test_tick_of_a_primary_in_step(benchmark: BenchmarkFixture) -> None:
    chosen = Settings(node="a", peer="b", timeout_ms=1_000)
    engine = Engine(chosen, BOTH, b"seed", "i", 1_000)
    engine.handle(Resumed(State.PRIM, Goal.START, "5" * 32, "prim", "5" * 32, "open", 100), 1_000)
    heard = PeerHeard(Word(state=State.SECOND, record=BOTH, session="5" * 32))
    now_ms = 1_000

    def tick() -> None:
        nonlocal now_ms
        now_ms += 100
        engine.handle(heard, now_ms)
        engine.handle(Ticked(), now_ms)

    benchmark(tick)
    assert engine.state is State.PRIM


def test_heartbeat_of_32_modules_there_and_back(benchmark: BenchmarkFixture) -> None:
    key = packet.derive_key(os.urandom(32), 8888)
    sent = packet.Packet(
        node="a",
        lan="default",
        incarnation=os.urandom(16),
        seq=1,
        sent_us=time.monotonic_ns() // 1_000,
        nonce=os.urandom(16),
        echo=os.urandom(16),
        believed=os.urandom(16),
        heard_age_ms=50,
        loop_age_ms=5,
        sections=tuple(packet.Section(f"module{at}", at + 1, 1, None) for at in range(32)),
    )
    assert benchmark(lambda: packet.decode(packet.encode(sent, key), key)) == sent


def test_local_message_there_and_back(benchmark: BenchmarkFixture) -> None:
    message = event("progress", files_done=12_345, bytes_done=1 << 40, pending=["a/b"] * 10)
    assert list(benchmark(lambda: list(Decoder().feed(encode(message))))) == [message]
