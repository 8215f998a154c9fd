"""Replay, silence, stalls and urgency, with time as a value and datagrams passed by hand."""

import random

import pytest

from mirror.adapters.heartbeats.belief import WINDOW
from mirror.adapters.heartbeats.engine import HeartbeatEngine, Incoming, Stalled
from mirror.adapters.heartbeats.packet import BUNDLE_BYTES_MAX, Refusal
from mirror.adapters.heartbeats.settings import HeartbeatSettings, Lan
from mirror.adapters.heartbeats.statistics import LanStatistics
from mirror.config.models import Profile
from mirror.config.timing import PROFILES, resolve_heart_timing

SECOND_US = 1_000_000
LANS = (Lan("a", "10.0.0.1", "10.0.0.2", 700, 3000), Lan("b", "10.1.0.1", "10.1.0.2", 700, 3000))


def engine(
    node: str, peer: str, now_us: int = 0, *, modules: tuple[str, ...] = ("demo",)
) -> HeartbeatEngine:
    made = HeartbeatEngine(settings_of("", node, peer), now_us)
    for module in modules:
        made.join(settings_of(module, node, peer), now_us)
    return made


def settings_of(
    module: str, node: str, peer: str, lans: tuple[Lan, ...] = LANS
) -> HeartbeatSettings:
    return HeartbeatSettings(module, node, peer, lans, 8888, b"k" * 32)


def take(
    receiver: HeartbeatEngine, lan: str, datagram: bytes, arrived_us: int, late_us: int = 0
) -> Incoming:
    """What came in on a network; the path is the sender's, which the receiver mirrors."""
    path = next(one.path for one in LANS if one.name == lan)
    return receiver.take(path, datagram, arrived_us, arrived_us + late_us)


def body_of(receiver: HeartbeatEngine, module: str = "demo") -> object:
    heard = receiver.modules[module].heard()
    return None if heard is None else heard.body


def due(sender: HeartbeatEngine, now_us: int) -> list[tuple[str, bytes]]:
    """Packets to send now, by the name of their network."""
    return [(path[0], datagram) for path, datagram in sender.due(now_us)]


def send(sender: HeartbeatEngine, receiver: HeartbeatEngine, now_us: int) -> list[bytes]:
    """Exchange what is due, and every answer, until nobody has anything to say."""
    recorded = []
    waiting = [(sender, receiver, lan, datagram) for lan, datagram in due(sender, now_us)]
    while waiting:
        source, target, lan, datagram = waiting.pop(0)
        recorded.append(datagram)
        answers = take(target, lan, datagram, now_us).answers
        waiting += [(target, source, lan, answer) for answer in answers]
    return recorded


def statistics(
    one: HeartbeatEngine, now_us: int, module: str = "demo"
) -> dict[str, LanStatistics]:
    return one.statistics(module, now_us)


def set_body(one: HeartbeatEngine, body: dict[str, str], now_us: int, *, urgent: bool) -> None:
    one.set_body("demo", body, now_us, urgent=urgent)


def acquainted(now_us: int = 0) -> tuple[HeartbeatEngine, HeartbeatEngine]:
    left, right = engine("n1", "n2", now_us), engine("n2", "n1", now_us)
    send(left, right, now_us)
    send(right, left, now_us)
    assert statistics(left, now_us)["a"].heard_count
    assert statistics(right, now_us)["a"].heard_count
    return left, right


def test_two_strangers_believe_each_other_within_one_pulse() -> None:
    left, right = engine("n1", "n2"), engine("n2", "n1")
    send(left, right, 0)
    assert statistics(left, 0)["a"].heard_count, "answers, not the next pulse, carry the challenge"
    assert statistics(right, 0)["a"].heard_count


def test_a_replayed_packet_is_refused() -> None:
    left, right = acquainted()
    [(lan, datagram), _] = due(left, SECOND_US)
    assert take(right, lan, datagram, SECOND_US).first_refusal is None
    assert statistics(right, SECOND_US)["a"].last_heard_ms == 0
    again = take(right, lan, datagram, SECOND_US)
    assert again.told == []
    assert again.first_refusal is Refusal.REPLAYED
    assert take(right, lan, datagram, SECOND_US).first_refusal is None, "said once, then counted"
    assert statistics(right, SECOND_US)["a"].refused == {Refusal.REPLAYED.value: 2}


def test_a_packet_of_one_network_is_nothing_on_another() -> None:
    left, right = acquainted()
    [(_, datagram), _] = due(left, SECOND_US)
    assert take(right, "b", datagram, SECOND_US).first_refusal is Refusal.FOREIGN


def test_our_own_packets_sent_back_are_nothing() -> None:
    left, _ = acquainted()
    [(lan, datagram), _] = due(left, SECOND_US)
    assert take(left, lan, datagram, SECOND_US).first_refusal is Refusal.FOREIGN


def test_packets_of_a_past_incarnation_are_never_believed_again() -> None:
    left, right = acquainted()
    past = [each for at in range(1, 4) for each in send(left, right, at * SECOND_US)]
    late = [
        datagram for lan, datagram in due(left, 4 * SECOND_US) if lan == "a"
    ]  # never delivered
    reborn = engine("n1", "n2", 5 * SECOND_US)
    send(reborn, right, 5 * SECOND_US)
    heard_count = statistics(right, 5 * SECOND_US)["a"].heard_count
    for at, datagram in enumerate([*past, *late]):
        incoming = take(right, "a", datagram, 6 * SECOND_US + at * SECOND_US)
        assert incoming.told == []
    assert statistics(right, 9 * SECOND_US)["a"].heard_count == heard_count
    assert take(right, "a", dict(due(reborn, 99 * SECOND_US))["a"], 99 * SECOND_US).told


def test_a_restarted_receiver_believes_no_recording() -> None:
    left, right = acquainted()
    recorded = send(left, right, SECOND_US)
    fresh = engine("n2", "n1", 2 * SECOND_US)
    for lan in ("a", "b"):
        for datagram in recorded:
            assert take(fresh, lan, datagram, 2 * SECOND_US).told == []
    fallen = fresh.silent(20 * SECOND_US)
    assert fallen == [("demo", "a"), ("demo", "b")], "answering a recording is not hearing it"


def test_an_older_body_that_comes_late_by_another_network_does_not_undo_the_newer() -> None:
    left, right = acquainted()
    send(left, right, 700_000)
    set_body(left, {"state": "PRIM"}, SECOND_US, urgent=True)
    old = dict(due(left, SECOND_US))
    set_body(left, {"state": "ALONE"}, SECOND_US, urgent=True)
    new = dict(due(left, SECOND_US))
    assert take(right, "a", new["a"], SECOND_US).told == [("demo", "a")]
    assert body_of(right) == {"state": "ALONE"}
    assert take(right, "b", old["b"], SECOND_US).told == [], "it tells nothing new"
    assert body_of(right) == {"state": "ALONE"}
    assert statistics(right, SECOND_US)["b"].last_heard_ms == 0, "but it was heard"


def test_silence_is_said_once_for_each_network_and_ends_when_heard() -> None:
    left, right = acquainted()
    assert right.silent(3 * SECOND_US) == []
    assert right.silent(3 * SECOND_US + 1) == [("demo", "a"), ("demo", "b")]
    assert right.silent(60 * SECOND_US) == []
    send(left, right, 61 * SECOND_US)
    assert not statistics(right, 61 * SECOND_US)["a"].silent
    assert right.silent(65 * SECOND_US) == [("demo", "a"), ("demo", "b")]


def test_what_came_in_time_and_is_read_late_was_heard_when_it_came() -> None:
    left, right = acquainted()
    for lan, datagram in due(left, 2 * SECOND_US):
        take(right, lan, datagram, 2 * SECOND_US, late_us=2 * SECOND_US)
    assert right.silent(4 * SECOND_US) == [], "it did come"
    assert statistics(right, 4 * SECOND_US)["a"].last_heard_ms == 2000
    assert right.silent(5 * SECOND_US + 1) == [("demo", "a"), ("demo", "b")]


def test_jitter_is_of_the_network_and_how_late_it_is_read_beside_it() -> None:
    left, right = acquainted()
    for at in range(1, 100):
        for lan, datagram in due(left, at * SECOND_US):
            take(right, lan, datagram, at * SECOND_US, late_us=5_000 if at > 90 else 50)
    seen = statistics(right, 100 * SECOND_US)["a"]
    assert seen.jitter_max_us == 0
    assert (seen.late_p99_us, seen.late_max_us) == (5_000, 5_000)


def test_the_newest_of_two_networks_counts_whichever_is_read_first() -> None:
    left, right = acquainted()
    early, late = due(left, SECOND_US)
    take(right, *late, 2 * SECOND_US)
    take(right, *early, SECOND_US, late_us=SECOND_US)
    heard = right.modules["demo"].heard()
    assert heard is not None
    assert heard.heard_us == 2 * SECOND_US


def test_what_waited_while_the_host_stood_still_is_no_silence_of_the_peer() -> None:
    """Only the first of what it sent found room, and nothing was heard of since."""
    left, right = acquainted()
    [(lan, datagram), _] = due(left, SECOND_US)
    assert right.turn(9 * SECOND_US) == [Stalled("demo", 9000)]
    take(right, lan, datagram, SECOND_US, late_us=8 * SECOND_US)
    assert right.silent(9 * SECOND_US) == []
    heard = right.modules["demo"].heard()
    assert heard is not None
    assert heard.heard_us == 9 * SECOND_US
    assert right.silent(12 * SECOND_US + 1) == [("demo", "a"), ("demo", "b")]


def test_a_stall_is_a_turn_that_comes_too_late() -> None:
    left, _ = acquainted()
    assert left.turn(3 * SECOND_US) == []
    assert left.turn(6 * SECOND_US + 1_000) == [Stalled("demo", 3001)]
    assert left.turn(6 * SECOND_US + 2_000) == []


def test_a_virtual_machine_that_was_paused_learns_it_from_the_peer() -> None:
    left, right = acquainted()
    for at in range(1, 6):
        send(left, right, at * SECOND_US)
    # The pause: the peer's clock goes on for 8 s while ours stands; what it sent has queued up.
    stalls: list[Stalled] = []
    for at in range(6, 14):
        for lan, datagram in due(left, at * SECOND_US):
            stalls += take(right, lan, datagram, 5 * SECOND_US + at).stalled
    assert stalls, "it was noticed"
    assert sum(stall.stalled_ms for stall in stalls) <= 8000


def test_delay_and_jitter_are_no_stall() -> None:
    left, right = acquainted()
    for at in range(1, 60):
        for lan, datagram in due(left, at * SECOND_US):
            delay_us = 2_500_000 if at % 7 == 0 else 100
            incoming = take(right, lan, datagram, at * SECOND_US + delay_us)
            assert incoming.stalled == []


def test_an_urgent_body_goes_at_once_and_twice_more() -> None:
    left = engine("n1", "n2")
    left.due(0)
    set_body(left, {"state": "WAIT"}, 1000, urgent=False)
    assert due(left, 1000) == []
    set_body(left, {"state": "STOP"}, 1000, urgent=True)
    assert left.wait_us(1000) == 0
    assert len(due(left, 1000)) == 2
    assert left.wait_us(1000) == 30_000
    assert len(due(left, 31_000)) == 2
    assert len(due(left, 121_000)) == 2
    assert due(left, 200_000) == []


def test_a_pulse_is_one_packet_a_network_for_all_modules() -> None:
    names = tuple(f"m{number}" for number in range(1, 33))
    left, right = engine("n1", "n2", modules=names), engine("n2", "n1", modules=names)
    for name in names:
        left.set_body(name, {"state": "PRIM", "of": name, "record": "r" * 300}, 0, urgent=False)
    first = send(left, right, 0)
    assert max(len(datagram) for datagram in first) <= BUNDLE_BYTES_MAX
    assert all(body_of(right, name) for name in names), "the answers, not the next pulse"
    send(right, left, 700_000)  # it says what it holds
    pulse = due(left, 700_000)
    assert [lan for lan, _ in pulse] == ["a", "b"], "words that it holds do not travel"
    assert max(len(datagram) for _, datagram in pulse) <= BUNDLE_BYTES_MAX
    for lan, datagram in pulse:
        told = take(right, lan, datagram, 700_000).told
        assert told == [] if lan == "a" else len(told) == len(names), "b is heard first now"
    for name in names:
        assert statistics(right, 700_000, name)["a"].last_heard_ms == 0


def test_a_changed_word_travels_alone_and_at_once() -> None:
    left, right = engine("n1", "n2", modules=("x", "y")), engine("n2", "n1", modules=("x", "y"))
    send(left, right, 0)
    send(right, left, 0)
    send(left, right, 0)
    left.set_body("y", {"state": "ALONE"}, 600_000, urgent=True)
    [(lan, datagram), _] = due(left, 600_000)
    assert take(right, lan, datagram, 600_000).told == [("y", "a")]
    assert body_of(right, "y") == {"state": "ALONE"}
    assert statistics(right, 600_000, "x")["a"].last_heard_ms == 600, "nothing was said of it"


def test_a_module_that_ends_falls_silent_and_no_other_does() -> None:
    left, right = engine("n1", "n2", modules=("x", "y")), engine("n2", "n1", modules=("x", "y"))
    send(left, right, 0)
    left.leave("x")
    for at in range(1, 5):
        send(left, right, at * SECOND_US)
    assert right.silent(4 * SECOND_US) == [("x", "a"), ("x", "b")]


def test_a_module_that_begins_anew_is_told_at_once_what_the_peer_said_long_ago() -> None:
    left, right = acquainted()
    set_body(left, {"state": "PRIM"}, SECOND_US, urgent=True)
    send(left, right, SECOND_US)
    send(right, left, SECOND_US)  # it holds the word: left says it no more
    right.leave("demo")
    right.join(settings_of("demo", "n2", "n1"), 2 * SECOND_US)
    [(lan, reference), _] = due(left, 2 * SECOND_US)
    take(right, lan, reference, 2 * SECOND_US)
    assert body_of(right) is None, "it speaks of a word that was not told to this one"
    send(right, left, 2 * SECOND_US)
    assert left.wait_us(2 * SECOND_US) == 0
    send(left, right, 2 * SECOND_US)
    assert body_of(right) == {"state": "PRIM"}


def test_a_peer_that_began_anew_is_told_everything() -> None:
    left, right = acquainted()
    set_body(left, {"state": "PRIM"}, SECOND_US, urgent=True)
    send(left, right, SECOND_US)
    send(right, left, SECOND_US)
    fresh = engine("n2", "n1", 2 * SECOND_US)
    send(fresh, left, 2 * SECOND_US)
    assert body_of(fresh) == {"state": "PRIM"}


def test_a_packet_from_before_the_peer_was_believed_is_never_heard() -> None:
    left, right = engine("n1", "n2"), engine("n2", "n1")
    unheard = dict(due(left, 0))["a"]
    send(right, left, 0)
    send(left, right, 700_000)
    assert statistics(right, 700_000)["a"].heard_count
    assert take(right, "a", unheard, 700_000).first_refusal is Refusal.REPLAYED


def test_packets_of_a_pulse_may_come_in_any_order_but_only_once() -> None:
    left, right = acquainted()
    packets = []
    for number in range(WINDOW + 1):
        set_body(left, {"n": str(number)}, SECOND_US + number, urgent=True)
        packets.append(dict(due(left, SECOND_US + number))["a"])
    for datagram in reversed(packets[1:]):
        assert take(right, "a", datagram, SECOND_US).first_refusal is None
    assert body_of(right) == {"n": str(WINDOW)}, "an older one tells nothing"
    assert take(right, "a", packets[0], SECOND_US).first_refusal is Refusal.REPLAYED, "too old"
    refused = statistics(right, SECOND_US)["a"].refused
    for datagram in packets:
        take(right, "a", datagram, SECOND_US)
    again = statistics(right, SECOND_US)["a"].refused
    assert again[Refusal.REPLAYED.value] - refused[Refusal.REPLAYED.value] == len(packets)
    assert statistics(right, SECOND_US)["a"].lost_count == 1


def test_after_a_stall_a_module_says_nothing_before_its_loop_has() -> None:
    quick = (Lan("a", "10.0.0.1", "10.0.0.2", 100, 1000),)
    left = engine("n1", "n2")
    left.join(settings_of("quick", "n1", "n2", quick), 0)
    left.due(0)
    assert left.turn(2 * SECOND_US) == [Stalled("quick", 2000)], "the other has more patience"
    [(_, datagram), _] = due(left, 2 * SECOND_US)
    assert b"quick" not in datagram
    left.set_body("quick", {"state": "ALONE"}, 2 * SECOND_US, urgent=True)
    assert b"quick" in dict(due(left, 2 * SECOND_US))["a"]


def test_lost_packets_are_counted() -> None:
    left, right = acquainted()
    for at in range(1, 11):
        for lan, datagram in due(left, at * SECOND_US):
            if at not in {4, 5, 6}:
                take(right, lan, datagram, at * SECOND_US)
    assert statistics(right, 11 * SECOND_US)["a"].lost_count == 3


def test_a_one_way_cut_shows_in_the_peers_own_words() -> None:
    left, right = acquainted()
    for at in range(1, 6):
        for lan, datagram in due(left, at * SECOND_US):
            take(right, lan, datagram, at * SECOND_US)  # and nothing the other way
    seen = statistics(right, 5 * SECOND_US)["a"]
    assert seen.last_heard_ms == 0
    assert seen.peer_heard_ms == 5000


def test_a_hung_control_loop_is_told_to_the_peer() -> None:
    left, right = acquainted()
    left.loop_turned(SECOND_US)
    send(left, right, 4 * SECOND_US)
    assert statistics(right, 4 * SECOND_US)["a"].peer_loop_ms == 3000


@pytest.mark.parametrize("profile", list(PROFILES))
def test_each_profile_detects_a_loss_in_its_time(profile: Profile) -> None:
    """About 1 s, 5 s and 30 s, on a clock that the test moves."""
    timing = resolve_heart_timing(profile, None, None)
    lan = Lan("a", "10.0.0.1", "10.0.0.2", timing.pulse_ms, timing.timeout_ms)
    left, right = engine("n1", "n2", modules=()), engine("n2", "n1", modules=())
    left.join(settings_of("demo", "n1", "n2", (lan,)), 0)
    right.join(settings_of("demo", "n2", "n1", (lan,)), 0)
    lost_us = 100 * timing.pulse_ms * 1000
    for now_us in range(0, lost_us, timing.pulse_ms * 1000):
        send(left, right, now_us)
        send(right, left, now_us)
        assert right.silent(now_us) == []
    now_us = lost_us
    while not right.silent(now_us):
        right.turn(now_us)
        now_us += 10_000
    detected_ms = (now_us - lost_us) // 1000 + timing.pulse_ms  # since the last packet
    assert timing.timeout_ms <= detected_ms <= timing.timeout_ms + timing.pulse_ms + 20
    assert detected_ms < {"fast": 1_200, "standard": 5_600, "safekit": 31_000}[profile]


def test_a_network_that_doubles_delays_reorders_and_garbles_is_no_silence() -> None:
    left, right = acquainted()
    chance = random.Random(7)
    waiting: list[bytes] = []
    refused: list[Refusal] = []
    for now_us in range(SECOND_US, 60 * SECOND_US, 700_000):
        waiting += [datagram for lan, datagram in due(left, now_us) if lan == "a"] * 2
        waiting.append(bytes(chance.randrange(256) for _ in range(chance.randrange(200))))
        chance.shuffle(waiting)
        keep = chance.randrange(3)
        for datagram in waiting[keep:]:
            first = take(right, "a", datagram, now_us).first_refusal
            refused += [first] if first is not None else []
        del waiting[keep:]
        assert ("demo", "a") not in right.silent(now_us)
    seen = statistics(right, 60 * SECOND_US)["a"]
    assert sorted(refused) == [Refusal.MALFORMED, Refusal.REPLAYED], "each is said once"
    assert set(seen.refused) == {Refusal.MALFORMED.value, Refusal.REPLAYED.value}
    assert all(count > 50 for count in seen.refused.values())
    assert seen.heard_count > 50
