"""Raw events into what the engine knows, and into the kinds that the table decides.

`note` takes what has just happened. What is so for as long as it is so (the peer's word, silence,
deadlines) is looking.py's.
"""

from mirror.core.context import Context
from mirror.core.settings import OFFER_BACKOFF_MS, RETRY_MS
from mirror.vocabulary.events import (
    CheckpointReached,
    DataFault,
    DataPlaneLost,
    Drained,
    Event,
    EventKind,
    FenceAnswered,
    LinkAlive,
    LinkLost,
    LinkUp,
    PeerHeard,
    PlanDone,
    PlanFailed,
    Progressed,
    RecordNotPersisted,
    RecordPersisted,
    ResourceChanged,
    Resumed,
    RootsIdentified,
    SourceInSync,
    Stalled,
    SwitchSet,
    SyncDue,
    SyncedAgo,
    TargetInSync,
    WitnessAnswered,
    WitnessTold,
)
from mirror.vocabulary.facts import FenceSays, WitnessKind, WitnessSays
from mirror.vocabulary.said import Said, say
from mirror.vocabulary.states import SERVING, Goal, State
from mirror.vocabulary.words import Word

E = EventKind
_BEGINNING = frozenset({State.STOP, State.STARTING, State.WAIT})
_CLOSED = {
    Goal.STOP: E.CLOSED_TO_STOP,
    Goal.START: E.CLOSED_TO_START,
    Goal.JOIN: E.CLOSED_TO_JOIN,
}


def note(context: Context, event: Event, now_ms: int) -> EventKind | None:  # noqa: C901, PLR0911, PLR0912, PLR0915 - one arm an event
    """Remember what happened; give the kind that the table is asked about, if any."""
    match event:
        case PeerHeard(word, ago_ms):  # what is known of it by now: `heard_before`
            known = context.peer_word
            another_life = known is not None and known.incarnation != word.incarnation
            context.peer_began |= another_life or word.state in _BEGINNING
            if word.state is State.STOP:  # not between its own restarts: they are to wait longer
                context.offer_backoff_ms, context.offer_after_ms = OFFER_BACKOFF_MS, 0
            if context.swap_seen is None:
                context.swap_seen = word.asks_swap
            context.peer_word, context.heard_ms = word, now_ms - ago_ms
            _be_sure(context, word)
        case PlanDone() | PlanFailed():
            return _plan_ended(context, event, now_ms)
        case RecordPersisted(record):
            if record.current != context.record.current:
                context.misfit = False
            context.record = record
            if context.settings.node not in record.may_serve:
                context.owes_out = ""
        case RecordNotPersisted(record, sentence):
            context.failure = sentence
            if record.out_of and context.settings.node not in record.may_serve:
                # The disk hangs: the word must do, or the primary would freeze to its limit.
                # Safe without the disk: a start never serves unheard with both in its record.
                context.promises_out = record.out_of
        case RootsIdentified(roots):
            context.roots = roots
            if context.state in {State.STARTING, State.CLOSING}:
                context.misfit = context.disk_misfits()
        case Drained(equal):
            context.drained_equal = equal
        case WitnessAnswered(says, sentence):
            context.witness, context.failure = says, sentence
            context.witness_behind &= says is not WitnessSays.GRANTS
            context.witness_again_ms = now_ms + context.settings.timeout_ms
        case WitnessTold(done):
            context.witness_behind = not done
            context.witness_again_ms = now_ms + RETRY_MS
        case FenceAnswered(done, sentence) if context.fence is FenceSays.CALLED:
            context.failure, context.fence_again_ms = sentence, now_ms + RETRY_MS
            context.fence = FenceSays.DONE if done else FenceSays.FAILED
            if done:  # what it said before it went off is nobody's word now
                context.heard_ms = context.alive_ms = None
        case ResourceChanged(name, value):
            context.resources[name] = value
        case SwitchSet(name, on):
            context.switches[name] = on
        case SyncDue():
            context.sync_due = context.state in {State.WAIT, State.JOINING}
        case SyncedAgo(ago_ms):
            context.synced_ms = now_ms - ago_ms
        case CheckpointReached(epoch):
            context.checkpoint = max(context.checkpoint, epoch)
        case Progressed(progress):
            context.progress = progress
        case Stalled():
            # What was heard before says nothing about now: listen for a full timeout again.
            context.listening_since_ms, context.heard_ms, context.alive_ms = now_ms, None, None
            _be_unsure(context, now_ms)
            return E.STALLED
        case LinkUp() | LinkAlive() | LinkLost() | SourceInSync() | TargetInSync():
            return _of_session(context, event, now_ms)
        case DataFault(where, sentence):
            context.failure = sentence
            if where == "local":
                # Seen while it ends, in a last sync, say: the record must not call the copy good.
                context.fault |= context.state is State.LEAVING and context.left_from in SERVING
                return E.DATA_FAULT
        case DataPlaneLost(sentence):
            context.failure, context.data_lost, context.link = sentence, True, False
            if context.goal is Goal.JOIN:  # no data plane to join with: a new one is started
                context.goal = Goal.START
            return E.DATA_PLANE_LOST
        case Resumed():  # what the witness was told died with the control plane before
            context.witness_behind = context.settings.witness is WitnessKind.ETCD
            return _resumed(context, event)
        case _:
            pass  # commands are the engine's; a tick only asks to look
    return None


def _be_unsure(context: Context, now_ms: int) -> None:
    """The primary may have gone on alone while this secondary stood still; etcd would refuse."""
    if context.in_step and context.settings.witness is not WitnessKind.ETCD:
        context.awoke_in, context.awoke_ms = context.session, now_ms


def _be_sure(context: Context, word: Word) -> None:
    """A primary that is PRIM in our session, a timeout after we woke, has heard us since."""
    together = word.state is State.PRIM and word.session == context.awoke_in
    if together and (context.heard_ms or 0) - context.awoke_ms > context.settings.timeout_ms:
        context.awoke_in = ""


def heard_before(context: Context, word: Word) -> bool:
    """Tell whether hearing this word again tells only that the peer lives."""
    told = context.peer_began or word.state not in _BEGINNING
    backs_off = word.state is State.STOP and context.offer_after_ms != 0  # this ends it
    return told and not backs_off and context.swap_seen is not None and word == context.peer_word


def _plan_ended(context: Context, event: PlanDone | PlanFailed, now_ms: int) -> EventKind | None:
    if event.plan_id != context.plan_id:
        return None  # of a plan that a newer one has ended
    context.plan_id = 0
    if context.fence is FenceSays.CALLED:  # it ended without an answer
        context.fence, context.fence_again_ms = FenceSays.FAILED, now_ms + RETRY_MS
    if isinstance(event, PlanFailed):
        context.failure = event.sentence
        context.retry_ms = now_ms + RETRY_MS
        if context.state in {State.LEAVING, State.CLOSING}:
            context.reason = _not_ended(event)
        if context.state is State.ALONE and event.action == "go_alone":
            # Recorded alone, but the changes that wait can never be let through.
            return E.DATA_PLANE_LOST
        if context.state is State.ALONE and context.leading:
            return E.LINK_LOST
        return E.PLAN_FAILED
    context.retry_ms = None
    if context.state is State.CLOSING:
        return _CLOSED[context.goal]
    return E.PLAN_DONE


def _not_ended(event: PlanFailed) -> Said:
    """Say why a module that stops is not at its end yet."""
    if event.action == "PersistRecord":
        return say("stops.not_recorded", observed=event.sentence)
    return say("stops.not_stopped", observed=event.sentence)


def _of_session(
    context: Context,
    event: LinkUp | LinkAlive | LinkLost | SourceInSync | TargetInSync,
    now_ms: int,
) -> EventKind | None:
    if not context.session or event.session != context.session:
        return None  # of an older session: it parted as a whole
    match event:
        case LinkUp():
            context.link, context.alive_ms = True, now_ms
            return None
        case LinkAlive():
            context.alive_ms = now_ms
            return None
        case LinkLost(_, reason):
            context.link, context.ready_for, context.failure = False, "", reason
            if context.leading:
                context.refusal = reason  # shown until the next try begins
            return E.LINK_LOST
        case SourceInSync():
            return E.IN_SYNC
        case TargetInSync(_, generation):
            context.sync_generation = generation
            return E.TARGET_IN_SYNC


def _resumed(context: Context, event: Resumed) -> EventKind | None:  # noqa: PLR0911 - a line a case
    """Choose where to go on after a restart of the control plane (design 3)."""
    context.goal = Goal.START
    context.swap_seen = None
    saved, mode = event.saved_state, event.mode
    if saved is State.UP:
        return E.RESUMED_UP
    node = context.settings.node
    sole = context.record.may_serve == {node}
    if saved is State.STOP:
        return None
    context.session = event.session or event.saved_session
    if not mode:
        context.data_lost, context.left_from = True, saved
        return E.RESUMED_BROKEN
    context.link = bool(event.session) and event.gate == "open"
    if event.gate == "closed" and mode in {"alone", "leading", "prim"}:
        context.left_from = saved  # it was ending: a closed gate is never opened again
        return E.RESUMED_BROKEN
    if mode in {"alone", "leading", "prim"} and sole and saved in SERVING - {State.TAKING_OVER}:
        # What a reintegration told meanwhile was heard by nobody: it ends, and begins anew.
        context.leading, context.link = mode != "alone", False
        return E.RESUMED_ALONE
    if mode == "prim" and saved in {State.PRIM, State.FREEZING} and context.complete():
        return E.RESUMED_PRIM
    if saved in {State.SECOND, State.ORPHANED} and context.complete():
        if mode == "second" and event.session == event.saved_session and event.session:
            context.link = True
            return E.RESUMED_SECOND
        # The primary goes on alone only after a full timeout without our heartbeats.
        if event.down_ms * 2 < context.settings.timeout_ms:
            context.in_step = True
            return E.RESUMED_ORPHANED
    context.left_from = saved
    return E.RESUMED_BROKEN
