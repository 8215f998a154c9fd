"""Replay, silence, stalls and urgency, with time as a value and datagrams passed by hand."""

from mirror.adapters.heartbeats.engine import HeartbeatEngine
from mirror.adapters.heartbeats.packet import Refusal
from mirror.adapters.heartbeats.settings import HeartbeatSettings, Lan

SECOND_US = 1_000_000
LANS = (Lan("a", "10.0.0.1", "10.0.0.2", 700, 3000), Lan("b", "10.1.0.1", "10.1.0.2", 700, 3000))


def engine(node: str, peer: str, now_us: int = 0, *, key: bytes = b"k" * 32) -> HeartbeatEngine:
    return HeartbeatEngine(HeartbeatSettings("demo", node, peer, LANS, 8888, key), now_us)


def send(sender: HeartbeatEngine, receiver: HeartbeatEngine, now_us: int) -> list[bytes]:
    """Exchange what is due, and every answer, until nobody has anything to say."""
    recorded = []
    waiting = [(sender, receiver, lan, datagram) for lan, datagram in sender.due(now_us)]
    while waiting:
        source, target, lan, datagram = waiting.pop(0)
        recorded.append(datagram)
        answer = target.take(lan, datagram, now_us).answer
        if answer is not None:
            waiting.append((target, source, lan, answer))
    return recorded


def acquainted(now_us: int = 0) -> tuple[HeartbeatEngine, HeartbeatEngine]:
    left, right = engine("n1", "n2", now_us), engine("n2", "n1", now_us)
    send(left, right, now_us)
    send(right, left, now_us)
    assert left.statistics(now_us)["a"].heard_count
    assert right.statistics(now_us)["a"].heard_count
    return left, right


def test_two_strangers_believe_each_other_within_one_pulse() -> None:
    left, right = engine("n1", "n2"), engine("n2", "n1")
    send(left, right, 0)
    assert left.statistics(0)["a"].heard_count, "answers, not the next pulse, carry the challenge"
    assert right.statistics(0)["a"].heard_count


def test_a_replayed_packet_is_refused() -> None:
    left, right = acquainted()
    [(lan, datagram), _] = left.due(SECOND_US)
    assert right.take(lan, datagram, SECOND_US).heard is not None
    again = right.take(lan, datagram, SECOND_US)
    assert again.heard is None
    assert again.first_refusal is Refusal.REPLAYED
    assert right.take(lan, datagram, SECOND_US).first_refusal is None, "said once, then counted"
    assert right.statistics(SECOND_US)["a"].refused == {Refusal.REPLAYED.value: 2}


def test_a_packet_of_one_network_is_nothing_on_another() -> None:
    left, right = acquainted()
    [(_, datagram), _] = left.due(SECOND_US)
    assert right.take("b", datagram, SECOND_US).first_refusal is Refusal.FOREIGN


def test_our_own_packets_sent_back_are_nothing() -> None:
    left, _ = acquainted()
    [(lan, datagram), _] = left.due(SECOND_US)
    assert left.take(lan, datagram, SECOND_US).first_refusal is Refusal.FOREIGN


def test_packets_of_a_past_incarnation_are_never_believed_again() -> None:
    left, right = acquainted()
    past = [each for at in range(1, 4) for each in send(left, right, at * SECOND_US)]
    late = [datagram for lan, datagram in left.due(4 * SECOND_US) if lan == "a"]  # never delivered
    reborn = engine("n1", "n2", 5 * SECOND_US)
    send(reborn, right, 5 * SECOND_US)
    heard_count = right.statistics(5 * SECOND_US)["a"].heard_count
    for at, datagram in enumerate([*past, *late]):
        incoming = right.take("a", datagram, 6 * SECOND_US + at * SECOND_US)
        assert incoming.heard is None
    assert right.statistics(9 * SECOND_US)["a"].heard_count == heard_count
    assert right.take("a", dict(reborn.due(99 * SECOND_US))["a"], 99 * SECOND_US).heard


def test_a_restarted_receiver_believes_no_recording() -> None:
    left, right = acquainted()
    recorded = send(left, right, SECOND_US)
    fresh = engine("n2", "n1", 2 * SECOND_US)
    for lan in ("a", "b"):
        for datagram in recorded:
            assert fresh.take(lan, datagram, 2 * SECOND_US).heard is None
    assert fresh.silent(20 * SECOND_US) == ["a", "b"], "answering a recording is not hearing it"


def test_an_older_body_that_comes_late_by_another_network_does_not_undo_the_newer() -> None:
    left, right = acquainted()
    left.set_body({"state": "PRIM"}, SECOND_US, urgent=True)
    old = dict(left.due(SECOND_US))
    left.set_body({"state": "ALONE"}, SECOND_US, urgent=True)
    new = dict(left.due(SECOND_US))
    first = right.take("a", new["a"], SECOND_US).heard
    late = right.take("b", old["b"], SECOND_US).heard
    assert first is not None
    assert late is not None
    assert first.body == late.body == {"state": "ALONE"}


def test_silence_is_said_once_for_each_network_and_ends_when_heard() -> None:
    left, right = acquainted()
    assert right.silent(3 * SECOND_US) == []
    assert right.silent(3 * SECOND_US + 1) == ["a", "b"]
    assert right.silent(60 * SECOND_US) == []
    send(left, right, 61 * SECOND_US)
    assert not right.statistics(61 * SECOND_US)["a"].silent
    assert right.silent(65 * SECOND_US) == ["a", "b"]


def test_a_stall_is_a_turn_that_comes_too_late() -> None:
    left, _ = acquainted()
    assert left.turn(3 * SECOND_US) == 0
    assert left.turn(6 * SECOND_US + 1_000) == 3001
    assert left.turn(6 * SECOND_US + 2_000) == 0


def test_a_virtual_machine_that_was_paused_learns_it_from_the_peer() -> None:
    left, right = acquainted()
    for at in range(1, 6):
        send(left, right, at * SECOND_US)
    # The pause: the peer's clock goes on for 8 s while ours stands; what it sent has queued up.
    stalls = []
    for at in range(6, 14):
        for lan, datagram in left.due(at * SECOND_US):
            stalls.append(right.take(lan, datagram, 5 * SECOND_US + at).stalled_ms)
    assert [stall for stall in stalls if stall], "it was noticed"
    assert sum(stalls) <= 8000


def test_delay_and_jitter_are_no_stall() -> None:
    left, right = acquainted()
    for at in range(1, 60):
        for lan, datagram in left.due(at * SECOND_US):
            delay_us = 2_500_000 if at % 7 == 0 else 100
            incoming = right.take(lan, datagram, at * SECOND_US + delay_us)
            assert incoming.stalled_ms == 0


def test_an_urgent_body_goes_at_once_and_twice_more() -> None:
    left, _ = acquainted()
    left.set_body({"state": "WAIT"}, 1000, urgent=False)
    assert left.due(1000) == []
    left.set_body({"state": "STOP"}, 1000, urgent=True)
    assert left.wait_us(1000) == 0
    assert len(left.due(1000)) == 2
    assert left.wait_us(1000) == 30_000
    assert len(left.due(31_000)) == 2
    assert len(left.due(121_000)) == 2
    assert left.due(200_000) == []


def test_lost_packets_are_counted() -> None:
    left, right = acquainted()
    for at in range(1, 11):
        for lan, datagram in left.due(at * SECOND_US):
            if at not in {4, 5, 6}:
                right.take(lan, datagram, at * SECOND_US)
    assert right.statistics(11 * SECOND_US)["a"].lost_count == 3


def test_a_one_way_cut_shows_in_the_peers_own_words() -> None:
    left, right = acquainted()
    for at in range(1, 6):
        for lan, datagram in left.due(at * SECOND_US):
            right.take(lan, datagram, at * SECOND_US)  # and nothing the other way
    seen = right.statistics(5 * SECOND_US)["a"]
    assert seen.last_heard_ms == 0
    assert seen.peer_heard_ms == 5000


def test_a_hung_control_loop_is_told_to_the_peer() -> None:
    left, right = acquainted()
    left.loop_turned(SECOND_US)
    send(left, right, 4 * SECOND_US)
    assert right.statistics(4 * SECOND_US)["a"].peer_loop_ms == 3000
