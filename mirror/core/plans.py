"""Steps of the automaton into actions, with the values of the moment.

Each function gives the actions of one step, in order; a note (performed at once, beside the plan)
may be among them. What a step changes in the context is what this node has begun to do.
"""

from collections.abc import Callable
from dataclasses import replace

from mirror.core import lineage, scripts
from mirror.core.automaton import Step
from mirror.core.context import Context
from mirror.core.generations import COMMANDED_THERE, How
from mirror.core.looking import back_off
from mirror.core.settings import OFFER_BACKOFF_MS
from mirror.vocabulary.actions import (
    AskWitness,
    CallData,
    ClearDeadMount,
    CloseDataPlane,
    CloseGateNow,
    EnsureDataPlane,
    Fence,
    FreezeNow,
    KillApplication,
    Note,
    PersistRecord,
    PlanAction,
    RebootHost,
    ReleaseAddress,
    RunBackground,
    RunScripts,
    TakeAddress,
    TellWitness,
)
from mirror.vocabulary.facts import FenceSays, Proof, WitnessKind, WitnessSays
from mirror.vocabulary.record import Record
from mirror.vocabulary.states import SERVING, Goal, ScreenWord, State
from mirror.vocabulary.words import Offer

Actions = list[PlanAction | Note]
W, S = ScreenWord, State
# What scripts are told, as their third argument.
ACTIONS = {Goal.STOP: "stop", Goal.START: "stopstart", Goal.JOIN: "swap"}


def build(step: Step, context: Context, now_ms: int) -> Actions:
    """Give the actions of a step."""
    return _BUILDERS[step](context, now_ms)


def _data(verb: str, **fields: object) -> Actions:
    return [CallData(verb, fields)]


def _record(context: Context, record: Record, *, hidden: bool = False) -> Actions:
    """Persist; with hidden, the disk's own numbers first: they are never the older ones."""
    record = replace(record, roots=_roots(context) or record.roots)
    if not hidden:
        return [PersistRecord(record)]
    record = replace(record, checkpoint=max(record.checkpoint, context.checkpoint))
    fields = {"generation": record.current, "checkpoint": record.checkpoint}
    return [CallData("record_hidden", fields), PersistRecord(record)]


def _roots(context: Context) -> tuple[tuple[str, str], ...]:
    seen = context.roots or ()
    if context.damaged() or not all(root.identity for root in seen):
        return ()
    return tuple((root.directory, root.identity) for root in seen)


def _alone_record(context: Context, now_ms: int) -> Record:
    """Give the record this node wants to go on with; the same one until it is used."""
    if context.wished is None:
        proof, case = context.case(now_ms)
        accepted = "FORCED" in case.verdict.name or proof.proof is Proof.RECENT
        forced = accepted and not context.record.blank
        node, fresh = context.settings.node, context.fresh()
        held = context.record
        if context.damaged():  # forced: nothing partial may ever follow from this disk
            held = lineage.damaged(held)
        if forced and context.disputed(now_ms):
            held = lineage.disputed(held)
        covered = context.in_step
        if context.wants_full_peer:
            held, covered = lineage.uncounted(held), False
        context.wished = lineage.alone(held, node, fresh, forced=forced, covered=covered)
    return context.wished


def _ask_witness(context: Context, now_ms: int) -> Actions:
    wished = _alone_record(context, now_ms)
    return [AskWitness(*_held(context.record), wished.current, wished.may_serve)]


def _held(record: Record) -> tuple[str, frozenset[str], tuple[str, ...]]:
    """What this node holds, as the witness is told."""
    return record.current, record.may_serve, record.history


def _record_alone(context: Context, now_ms: int) -> Actions:
    before, wished = context.record, _alone_record(context, now_ms)
    context.wished = None
    actions = _record(context, wished, hidden=True)
    etcd = context.settings.witness is WitnessKind.ETCD
    if etcd and context.witness is not WitnessSays.GRANTS:  # forced: it must know all the same
        then = (wished.current, wished.may_serve)
        actions.append(TellWitness(*_held(before), *then, forced=True))
    return actions


def _offer(context: Context, now_ms: int) -> Actions:
    assert context.peer_word is not None
    row = context.judgement(context.peer_word)
    session = context.fresh()
    aside = f"{row.row_id}-{session[:8]}" if row.aside else ""
    context.session, context.offered_ms = session, now_ms
    context.offer = Offer(session, row.how is How.FULL, aside, context.record.current, row.row_id)
    return []


def _lead(context: Context, _: int) -> Actions:
    offer = context.offer
    assert offer is not None
    context.leading, context.link = True, True
    return _data(
        "lead",
        session=offer.session,
        peer_node=context.settings.peer,
        peer_addresses=list(context.settings.peer_addresses),
        port=context.settings.data_port,
        full=offer.full,
        aside=offer.aside,
        generation=offer.generation,
        commanded=offer.row in COMMANDED_THERE or context.record.forced,
        trusts_before_s=context.peer_word.trusts_before_s if context.peer_word else 0,
    )


def _record_pair(context: Context, _: int) -> Actions:
    settings, before = context.settings, context.record
    paired = lineage.paired(before, settings.node, settings.peer)
    actions = _record(context, paired)
    if settings.witness is WitnessKind.ETCD:  # SECOND re-enters last (design 10.3)
        holds = [(*context.superseded, ())] if context.superseded is not None else []
        for held in (*holds, _held(before)):
            actions.append(TellWitness(*held, paired.current, paired.may_serve, forced=False))
    context.superseded = None
    return actions


def _tell_witness(context: Context, _: int) -> Actions:
    """Say what the record says; who was not granted anything has nothing to give back."""
    if context.state is State.ORPHANED and context.witness is not WitnessSays.GRANTS:
        return []
    if context.settings.witness is not WitnessKind.ETCD:
        return []
    held = _held(context.record)
    return [TellWitness(*held, held[0], held[1], forced=False)]


def _record_target(context: Context, now_ms: int) -> Actions:
    word = context.word_now(now_ms)
    assert word is not None
    assert word.offer is not None
    offer = word.offer
    context.session = context.offer_seen = offer.session
    context.confirmed = context.ready_for = context.promises_out = ""
    context.offer, context.link = offer, False
    wants = lineage.target(context.record, context.settings.peer, full=offer.full)
    return _record(context, wants)


def _follow(context: Context, _: int) -> Actions:
    offer = context.offer
    assert offer is not None
    context.link = True
    return _data(
        "follow",
        session=offer.session,
        peer_node=context.settings.peer,
        full=offer.full,
        aside=offer.aside,
    )


def _record_in_sync(context: Context, _: int) -> Actions:
    assert context.peer_word is not None
    source, settings = context.peer_word.record, context.settings
    done = lineage.synchronised(
        context.record, source, context.sync_generation, settings.node, settings.peer
    )
    if context.trusts_before_s:
        done = replace(done, forced=True)
    return [*_data("identify"), *_record(context, done, hidden=True)]


def _confirm_sync(context: Context, _: int) -> Actions:
    context.confirmed = context.session
    return _data("confirm_sync", session=context.session)


def _record_out(context: Context, _: int) -> Actions:
    # A newer plan may have ended the one that was to record it, and the session with it.
    session = context.session or context.owes_out
    if not session or context.settings.node not in context.record.may_serve:
        return []  # out already
    if context.peer_word is not None and context.peer_word.out_of(session):
        return []  # the primary handed over: were both out, nobody could start again
    if context.state in SERVING:
        return []
    # A control plane that comes back too late to go on: the primary waits for this word.
    was_second = context.state is State.STOP and context.left_from in {S.SECOND, S.ORPHANED}
    held_all = context.in_step or was_second or context.owes_out == session
    if not held_all and context.confirmed != session:
        return []
    context.owes_out = session
    return _record(context, lineage.out(context.record, context.settings.peer, session))


def _record_stood_by(context: Context, _: int) -> Actions:
    holds_all = context.complete() and not context.is_unsure()
    return _record(context, lineage.stood_by(context.record)) if holds_all else []


def _record_split(context: Context, _: int) -> Actions:
    return _record(context, lineage.disputed(context.record))


def _record_damaged(context: Context, _: int) -> Actions:
    record, session = lineage.damaged(context.record), context.session or context.owes_out
    if session and not record.blank:
        record = lineage.out(record, context.settings.peer, session)
    return _record(context, record)


def _settle(context: Context, _: int) -> Actions:
    """End the session's workers; nothing to do without one, or without a data plane."""
    if context.data_lost or not context.session:
        return []
    return _data("settle")


def _part_session(context: Context, now_ms: int) -> Actions:
    actions = _settle(context, now_ms)
    context.session = context.ready_for = context.confirmed = ""
    context.link = False
    return actions


def _drain(context: Context, _: int) -> Actions:
    if context.data_lost:
        return [ClearDeadMount()]
    if context.left_from not in SERVING:
        return []
    return _data("drain")


def _record_stop(context: Context, _: int) -> Actions:
    settings, record = context.settings, context.record
    if record.blank or context.left_from not in SERVING:
        return []
    in_step = context.left_from is State.PRIM and context.drained_equal is not False
    lacks = context.data_lost or context.fault
    if in_step and not context.peer_out():
        record = lineage.handed_over(record, settings.peer, context.session)
        if context.data_lost:
            record = replace(record, clean_stop=False)
    elif context.left_from in {State.ALONE, State.TAKING_OVER} and not lacks:
        record = lineage.stopped_alone(record)
    if context.fault and context.left_from is State.PRIM:
        record = lineage.damaged(record)  # who served alone has the only copy: as after a crash
    return _record(context, record) if record != context.record else []


def _try_record_stop(context: Context, now_ms: int) -> Actions:
    return [
        replace(action, may_fail=True) if isinstance(action, PersistRecord) else action
        for action in _record_stop(context, now_ms)
    ]


def _close_data(context: Context, _: int) -> Actions:
    if context.goal is Goal.JOIN and not context.data_lost:
        return [*_data("unserve"), *_data("cover"), *_data("identify")]
    return [CloseDataPlane()]


def _poststop(context: Context, _: int) -> Actions:
    if context.goal is Goal.JOIN and not context.data_lost:
        return []
    ending = RunScripts(scripts.after_stop(ACTIONS[context.goal]))
    actions: Actions = [KillApplication(scripts.STARTS), ending]
    if context.settings.automatic_reboot and context.goal is Goal.START and context.loops_ms:
        actions.append(RebootHost())
    return actions


def _stop_scripts(context: Context, _: int) -> Actions:
    swaps = context.goal is Goal.JOIN
    calls = (
        scripts.leave_for_swap(context.role)
        if swaps
        else scripts.leave(context.role, ACTIONS[context.goal])
    )
    return [RunScripts(calls)]


def _start_scripts(context: Context, _: int) -> Actions:
    role = W.UP if context.settings.light else W.ALONE
    calls = scripts.enter(context.role, role, "start")
    context.role = role
    return [RunScripts(calls)]


def _kill(context: Context, _: int) -> Actions:
    # A swap keeps what start_both runs: it belongs to the secondary too.
    swaps = context.goal is Goal.JOIN
    return [KillApplication(("start_prim",) if swaps else scripts.STARTS)]


def _restart_scripts(context: Context, _: int) -> Actions:
    return [RunBackground(scripts.restart(context.role, context.restart_extra))]


def _prestart(context: Context, _: int) -> Actions:
    calls = scripts.enter(W.STOP, W.WAIT, "start")
    context.role, context.data_lost, context.roots = W.WAIT, False, None
    context.wants_back = context.record.was_primary
    context.offer_backoff_ms, context.offer_after_ms = OFFER_BACKOFF_MS, 0
    return [RunScripts(calls)]


def _adopt(context: Context, _: int) -> Actions:
    if not context.record.blank:
        return []
    return [*_data("adopt"), *_data("identify")]


def _go_alone(context: Context, now_ms: int) -> Actions:
    context.leading, context.offer, context.link = False, None, False
    if context.state is not State.FREEZING:  # a reintegration ended early: the next one later
        context.session = ""
        back_off(context, now_ms)
    return [CallData("go_alone", {"generation": GENERATION_OF_PLAN})]


def _fence(context: Context, _: int) -> Actions:
    context.fence = FenceSays.CALLED
    return [Fence(context.settings.peer)]


def _ask_swap(context: Context, _: int) -> Actions:
    context.asks_swap = context.fresh()
    return []


# The record of the same plan says it; the engine puts it in when the plan is whole.
GENERATION_OF_PLAN = "generation of this plan's record"

_BUILDERS: dict[Step, Callable[[Context, int], Actions]] = {
    Step.RUN_PRESTART: _prestart,
    Step.START_DATA: lambda _c, _n: [EnsureDataPlane()],
    Step.COVER: lambda _c, _n: _data("cover"),
    Step.IDENTIFY: lambda _c, _n: _data("identify"),
    Step.ASK_WITNESS: _ask_witness,
    Step.FENCE: _fence,
    Step.SETTLE: _settle,
    Step.PART_SESSION: _part_session,
    Step.ADOPT: _adopt,
    Step.RECORD_ALONE: _record_alone,
    Step.MOUNT: lambda _c, _n: _data("serve", generation=GENERATION_OF_PLAN),
    Step.TAKE_ADDRESS: lambda context, _: [TakeAddress(agreed=context.peer_out())],
    Step.RUN_START: _start_scripts,
    Step.FREEZE: lambda _c, _n: [FreezeNow()],
    Step.GO_ALONE: _go_alone,
    Step.OFFER: _offer,
    Step.LEAD: _lead,
    Step.RECORD_PAIR: _record_pair,
    Step.TELL_WITNESS: _tell_witness,
    Step.RECORD_TARGET: _record_target,
    Step.FOLLOW: _follow,
    Step.RECORD_IN_SYNC: _record_in_sync,
    Step.CONFIRM_SYNC: _confirm_sync,
    Step.RECORD_OUT: _record_out,
    Step.RECORD_DAMAGED: _record_damaged,
    Step.RECORD_SPLIT: _record_split,
    Step.RECORD_STOOD_BY: _record_stood_by,
    Step.ASK_SWAP: _ask_swap,
    Step.RESTART_SCRIPTS: _restart_scripts,
    Step.CLOSE_GATE: lambda _c, _n: [CloseGateNow()],
    Step.RUN_STOP: _stop_scripts,
    Step.KILL: _kill,
    Step.RELEASE_ADDRESS: lambda _c, _n: [ReleaseAddress()],
    Step.DRAIN: _drain,
    Step.RECORD_STOP: _record_stop,
    Step.TRY_RECORD_STOP: _try_record_stop,
    Step.CLOSE_DATA: _close_data,
    Step.RUN_POSTSTOP: _poststop,
}


def build_all(steps: tuple[Step, ...], context: Context, now_ms: int) -> Actions:
    """Give the actions of all steps, and put the plan's own generation where it is wanted."""
    actions: Actions = []
    for step in steps:
        actions.extend(build(step, context, now_ms))
    generation = context.record.current
    for number, action in enumerate(actions):
        if isinstance(action, PersistRecord):
            generation = action.record.current
        elif isinstance(action, CallData) and "generation" in action.fields:
            fields = dict(action.fields)
            if fields["generation"] == GENERATION_OF_PLAN:
                actions[number] = replace(action, fields={**fields, "generation": generation})
    return actions
