"""Who starts as what: the rows of SafeKit's section 3.3, each told by both engines on paper."""

from dataclasses import replace
from typing import Any

from mirror.core.engine import Engine
from mirror.core.settings import Settings
from mirror.core.whatif.place import Standing, place
from mirror.core.whatif.story import tell
from mirror.vocabulary.actions import Answer
from mirror.vocabulary.events import CommandAsked, Ticked
from mirror.vocabulary.facts import WitnessKind
from mirror.vocabulary.record import Record
from mirror.vocabulary.states import State
from mirror.vocabulary.words import Word
from tests.unit.core.test_what_if import PAIR, states

BLANK = {name: Standing(Word(State.STOP, Record())) for name in ("n1", "n2")}


def story(*events: str, standing: dict[str, Standing] = PAIR, **changed: Any) -> Any:
    mine = Settings("n1", "n2", 1_000, **changed)
    return tell(place({"n1": mine, "n2": mine.seen_from_peer()}, standing), events)


def said(told: Any) -> list[str]:
    return [line for event in told["events"] for step in event["steps"] for line in step["says"]]


def test_2_the_very_first_start_leaves_both_in_wait_until_prim() -> None:
    both = story("ask n1 start", "ask n2 start", standing=BLANK)
    assert states(both["after"]) == ("WAIT NotReady", "WAIT NotReady")
    assert any("run `prim`" in line for line in said(both))
    prim = story("ask n1 prim", "ask n2 second", standing=BLANK)
    assert states(prim["after"]) == ("PRIM Ready", "SECOND Ready")


def test_3_and_4_the_node_that_is_up_to_date_leads_and_the_stale_one_waits() -> None:
    stopped = ("ask n2 stop", "ask n1 stop")
    stale = story(*stopped, "ask n2 start")
    assert states(stale["after"]) == ("STOP NotReady", "WAIT NotReady")
    later = story(*stopped, "ask n2 start", "ask n1 start")
    assert states(later["after"]) == ("PRIM Ready", "SECOND Ready")


def test_5_and_6_remote_stop_and_no_heartbeat() -> None:
    assert "Action alone called by heart: remote stop" in said(story("ask n1 stop"))
    assert "Action alone called by heart: no heartbeat" in said(story("lost n1"))


def test_a_primary_that_is_back_before_it_was_missed_gives_way() -> None:
    """What it had in memory only is lost with its power: the other one has it (design 6)."""
    for timeout_ms in (1_000, 30_000):
        mine = Settings("n1", "n2", timeout_ms)
        world = place({"n1": mine, "n2": mine.seen_from_peer()}, PAIR)
        told = tell(world, ("reset n1",))
        assert states(told["after"]) == ("SECOND Ready", "PRIM Ready")
    with_witness = story("reset n1", witness=WitnessKind.ETCD)
    assert states(with_witness["after"]) == ("SECOND Ready", "PRIM Ready")


def test_a_secondary_that_is_back_before_it_was_missed_returns() -> None:
    assert states(story("reset n2")["after"]) == ("PRIM Ready", "SECOND Ready")


def test_secondforce_on_a_secondary_leaves_it_able_to_take_over() -> None:
    told = story("ask n2 secondforce -d 2026-01-01", "lost n1")
    assert states(told["after"])[1] == "ALONE Ready"


def test_a_late_stopstart_of_a_machine_does_not_start_a_stopped_module() -> None:
    engine = Engine(Settings("n1", "n2", 1_000), Record(), b"seed", "one", 0)
    engine.handle(Ticked(), 0)
    answers = engine.handle(CommandAsked("stopstart", (), "errd:db", 7), 1)
    assert engine.state is State.STOP
    assert Answer(7, "the module is stopped, or is stopping") in answers


def test_8_prim_beside_a_primary_and_second_without_one_are_refused() -> None:
    refused = story("ask n2 stop", "ask n2 prim")
    assert "refused: n1 is primary: stop it first, or start this node" in said(refused)
    nobody = story("ask n2 stop", "ask n1 stop", "ask n2 second")
    assert "refused: n1 is not primary: nothing to be the secondary of" in said(nobody)


def test_9_after_the_loss_of_both_hosts_the_first_waits_for_the_other() -> None:
    record = PAIR["n1"].word.record if PAIR["n1"].word else Record()
    fell = {
        "n1": Standing(Word(State.STOP, record)),
        "n2": Standing(Word(State.STOP, replace(record, was_primary=False))),
    }
    first = story("lost n1", "ask n2 start", standing=fell)
    assert states(first["after"])[1] == "WAIT NotReady"
    both = story("lost n1", "ask n2 start", "back n1", standing=fell)
    assert states(both["after"]) == ("PRIM Ready", "SECOND Ready")


def test_11_after_a_split_brain_the_former_primary_stays() -> None:
    told = story("cut", "heal")
    assert "Split brain recovery: staying alone" in said(told)
    assert "Split brain recovery: exiting alone" in said(told)
    assert states(told["after"]) == ("PRIM Ready", "SECOND Ready")


def test_13_without_failover_only_prim_promotes() -> None:
    told = story("lost n1", failover=False)
    assert "Action stopstart from failover rule failover-off" in said(told)
    assert states(told["after"])[1] == "WAIT NotReady"
    assert states(story("lost n1", "ask n2 prim", failover=False)["after"])[1] == "ALONE Ready"


def test_without_failover_a_primary_that_fell_does_not_serve_what_it_lost() -> None:
    """What it had in memory only is on the secondary's disk: an administrator promotes it."""
    reset = story("reset n1", failover=False)
    assert states(reset["after"]) == ("WAIT NotReady", "WAIT NotReady")
    assert "will start first" in reset["after"]["n1"]["reason"]
    chosen = story("reset n1", "ask n2 prim", failover=False)
    assert states(chosen["after"]) == ("SECOND Ready", "PRIM Ready")
    lost = story("lost n1", "back n1", failover=False)
    assert states(lost["after"]) == ("WAIT NotReady", "WAIT NotReady")


def test_14_defaultprim_swaps_back_after_a_start_and_not_after_a_swap() -> None:
    told = story("lost n1", "back n1", defaultprim="n1")
    assert "Transition SWAP from defaultprim" in said(told)
    assert states(told["after"]) == ("PRIM Ready", "SECOND Ready")
    swapped = story("ask n1 swap", defaultprim="n1")
    assert states(swapped["after"]) == ("SECOND Ready", "PRIM Ready")


def test_lastprim_becomes_primary_again() -> None:
    told = story("ask n1 stop", "ask n1 start", defaultprim="lastprim")
    assert "Transition SWAP from defaultprim" in said(told)
    assert states(told["after"]) == ("PRIM Ready", "SECOND Ready")


def test_15_the_death_of_the_primarys_data_plane_is_a_takeover_and_heals() -> None:
    told = story("kill-data n1")
    assert states(told["after"]) == ("SECOND Ready", "PRIM Ready")


def test_16_a_broken_link_heals_without_touching_the_application() -> None:
    told = story("cut-data", "heal")
    assert states(told["after"]) == ("PRIM Ready", "SECOND Ready")
    does = [one for step in told["events"][0]["steps"] for one in step["does"]]
    assert not [one for one in does if "start_prim" in one]


def test_swap_nosync_is_a_swap() -> None:
    assert states(story("ask n1 swap nosync")["after"]) == ("SECOND Ready", "PRIM Ready")
