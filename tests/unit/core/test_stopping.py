"""A stop on a disk that fails ends, and what it leaves behind calls nothing good that is not."""

from mirror.vocabulary.actions import PersistRecord, Plan
from mirror.vocabulary.events import (
    CommandAsked,
    DataFault,
    Event,
    PlanDone,
    PlanFailed,
    RecordNotPersisted,
)
from mirror.vocabulary.said import Said
from mirror.vocabulary.states import State
from tests.unit.core.test_engine import SOLE, Node, prim, resumed


def alone() -> Node:
    node = Node(SOLE)
    node.happen(resumed(State.ALONE, "alone"))
    assert node.state() is State.ALONE
    return node


def stopped_by(node: Node, *meanwhile: Event) -> Node:
    node.happen(CommandAsked("stop"))
    for event in meanwhile:
        node.happen(event)
    node.finish()  # LEAVING
    node.finish()  # CLOSING
    assert node.state() is State.STOP
    return node


def refuse_record(node: Node) -> Plan:
    """The disk takes no record. Returns: the plan that wanted it."""
    plan = node.plan()
    (persist,) = [one for one in plan.actions if isinstance(one, PersistRecord)]
    node.happen(RecordNotPersisted(persist.record, "Read-only file system"))
    return plan


def test_who_served_alone_leaves_a_clean_stop_on_a_disk_that_holds_it_all() -> None:
    record = stopped_by(alone()).said().record
    assert record.clean_stop
    assert record.may_serve == {"a"}


def test_who_served_alone_leaves_no_clean_stop_on_a_disk_that_failed_to_sync() -> None:
    """It has the only copy all the same."""
    record = stopped_by(alone(), DataFault("local", "failed to sync")).said().record
    assert not record.clean_stop
    assert not record.inconsistent
    assert record.may_serve == {"a"}


def test_a_stop_that_cannot_be_recorded_is_tried_again_and_says_why() -> None:
    node = prim()
    node.happen(CommandAsked("stop"))
    node.finish()
    plan = refuse_record(node)
    node.happen(PlanFailed(plan.plan_id, "PersistRecord", "Read-only file system"))
    reason = node.engine.context.reason
    assert isinstance(reason, Said)
    assert reason.code == "stops.not_recorded"
    node.happen(CommandAsked("stop"), after_ms=60_000)
    assert node.plan().plan_id != plan.plan_id
    assert node.state() is State.CLOSING


def test_forcestop_ends_a_stop_that_cannot_be_recorded() -> None:
    """The peer goes on by this node's word."""
    node = prim()
    node.happen(CommandAsked("stop"))
    node.finish()
    plan = refuse_record(node)
    node.happen(PlanFailed(plan.plan_id, "PersistRecord", "Read-only file system"))
    node.happen(CommandAsked("forcestop"))
    plan = refuse_record(node)
    assert [one.may_fail for one in plan.actions if isinstance(one, PersistRecord)] == [True]
    node.happen(PlanDone(plan.plan_id))
    assert node.state() is State.STOP
    assert node.said().record.may_serve == {"a", "b"}
    assert node.said().promises_out


def test_a_stop_that_waits_for_processes_says_so() -> None:
    node = prim()
    node.happen(CommandAsked("stop"))
    node.happen(PlanFailed(node.plan().plan_id, "KillApplication", "processes remain"))
    reason = node.engine.context.reason
    assert isinstance(reason, Said)
    assert (reason.code, str(reason)) == ("stops.not_stopped", "Not stopped yet: processes remain")
    node.happen(CommandAsked("forcestop"))
    node.finish()
    assert node.state() is State.CLOSING
    assert node.engine.context.reason != reason
