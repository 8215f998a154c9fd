"""Raw events into what the engine knows, and into the kinds that the table decides.

`note` takes what has just happened; `look` takes what is so for as long as it is so (the peer's
word, silence, deadlines) and is asked again after every step.
"""

from mirror.core.context import Context
from mirror.core.election import Verdict
from mirror.core.generations import How
from mirror.core.settings import (
    OFFER_BACKOFF_MS,
    OFFER_BACKOFF_MS_MAX,
    OFFER_PATIENCE_MS,
    RETRY_MS,
)
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
from mirror.vocabulary.facts import FenceSays, Hearing, Proof, Which, WitnessKind, WitnessSays
from mirror.vocabulary.said import say
from mirror.vocabulary.states import SERVING, Goal, State
from mirror.vocabulary.words import Offer, Word

E = EventKind
_BEGINNING = frozenset({State.STOP, State.STARTING, State.WAIT})
_CLOSED = {
    Goal.STOP: E.CLOSED_TO_STOP,
    Goal.START: E.CLOSED_TO_START,
    Goal.JOIN: E.CLOSED_TO_JOIN,
}
_VERDICT = {
    Verdict.SERVE: E.MAY_SERVE,
    Verdict.SERVE_FORCED: E.MAY_SERVE,
    Verdict.JOIN: E.PEER_SERVES,
    Verdict.WAIT: E.MUST_WAIT,
    Verdict.ASK_WITNESS: E.WITNESS_WANTED,
    Verdict.DENIED: E.WITNESS_DENIED,
    Verdict.FENCE: E.FENCE_WANTED,
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
            return E.STALLED
        case LinkUp() | LinkAlive() | LinkLost() | SourceInSync() | TargetInSync():
            return _of_session(context, event, now_ms)
        case DataFault(where, sentence):
            context.failure = sentence
            if where == "local":
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


def heard_before(context: Context, word: Word) -> bool:
    """Tell whether hearing this word again tells only that the peer lives."""
    told = context.peer_began or word.state not in _BEGINNING
    return told and context.swap_seen is not None and word == context.peer_word


def _plan_ended(context: Context, event: PlanDone | PlanFailed, now_ms: int) -> EventKind | None:
    if event.plan_id != context.plan_id:
        return None  # of a plan that a newer one has ended
    context.plan_id = 0
    if context.fence is FenceSays.CALLED:  # it ended without an answer
        context.fence, context.fence_again_ms = FenceSays.FAILED, now_ms + RETRY_MS
    if isinstance(event, PlanFailed):
        context.failure = event.sentence
        context.retry_ms = now_ms + RETRY_MS
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


def look(context: Context, now_ms: int) -> EventKind | None:  # noqa: PLR0911 - a line a state
    """Give the first thing that is so now and that this state wants to know."""
    if context.settings.light and context.state is State.WAIT:
        return _going_up(context, now_ms)
    match context.state:
        case State.WAIT | State.ORPHANED | State.FREEZING | State.SETTLING:
            return _electing(context, now_ms)
        case State.ALONE:
            return _alone(context, now_ms)
        case State.PRIM:
            return _prim(context, now_ms)
        case State.JOINING:
            return _joining(context, now_ms)
        case State.SECOND:
            return _second(context, now_ms)
        case State.LEAVING | State.CLOSING:
            due = context.retry_ms is not None and now_ms >= context.retry_ms
            return E.RETRY_DUE if due and not context.plan_id else None
        case _:
            return None


def _going_up(context: Context, now_ms: int) -> EventKind | None:
    """A light module serves unless a failover rule keeps it waiting."""
    context.look_at_hold(now_ms)
    context.reason = context.held.reason if context.held is not None else ""
    return E.MAY_SERVE if context.held is None and not context.plan_id else None


def _electing(context: Context, now_ms: int) -> EventKind | None:  # noqa: C901, PLR0911, PLR0912 - a line a case
    state = context.state
    if state in {State.ORPHANED, State.SETTLING} and _goes_on(context, now_ms):
        return E.PEER_GOES_ON
    if state is State.ORPHANED and _still_together(context, now_ms):
        return E.PRIM_CONFIRMED
    refused = context.witness is WitnessSays.REFUSES
    if refused and state is State.WAIT and now_ms >= context.witness_again_ms:
        context.witness = WitnessSays.UNASKED
    context.look_at_hold(now_ms)
    proof, case = context.case(now_ms)
    kind = _VERDICT[case.verdict]
    if state is State.ORPHANED and _forbidden(context, proof.proof, now_ms):
        return E.TAKEOVER_FORBIDDEN
    if state is State.SETTLING:
        return kind if kind is E.PEER_SERVES else None
    if kind in {E.MUST_WAIT, E.WITNESS_DENIED}:
        denied = kind is E.WITNESS_DENIED
        context.reason = (
            say("wait.witness", observed=context.failure)
            if denied
            else context.waiting_reason(proof.proof)
        )
    else:
        context.reason = ""
    context.row = f"{context.row.split('/')[0]}/{proof.row_id}/{case.row_id}"
    if state is State.FREEZING and now_ms - context.frozen_ms > context.settings.freeze_limit_ms:
        return kind if kind is E.MAY_SERVE else E.FREEZE_EXPIRED
    if state is State.WAIT and kind is E.PEER_SERVES and _between_schedules(context):
        context.reason = say("wait.syncat")
        return None
    if state is State.WAIT and kind is E.MUST_WAIT and proof.proof is Proof.DISPUTED:
        return _remember_split(context)
    if kind is E.WITNESS_WANTED and (context.plan_id or now_ms < context.witness_again_ms):
        return None
    if kind is E.WITNESS_DENIED and state is State.WAIT:
        return None
    if kind is E.FENCE_WANTED and not _fence_due(context, now_ms):
        return None
    stays = kind is E.MUST_WAIT or (kind is E.PEER_SERVES and state is State.ORPHANED)
    return None if stays else kind


def _remember_split(context: Context) -> EventKind | None:
    """Have it recorded, once, that an administrator chooses."""
    return None if context.plan_id or context.record.split == "seen" else E.SPLIT_UNDECIDED


def _between_schedules(context: Context) -> bool:
    """Tell whether a secondary that could join waits for its time; `second` is a time too."""
    asked = context.intent.startswith("second")
    return context.settings.syncat and not context.sync_due and not asked


def _forbidden(context: Context, proof: Proof, now_ms: int) -> bool:
    """Tell whether the primary is gone and this node may not follow it."""
    gone = context.primary_out(now_ms) or context.hearing(now_ms) is Hearing.SILENT
    return gone and (proof is Proof.FAILOVER_OFF or context.held is not None)


def _fence_due(context: Context, now_ms: int) -> bool:
    """Tell whether the agent is to be called: after its delay, and again when it failed.

    Who serves shoots at once, as does whom etcd chose; the delay leaves them their turn.
    """
    if context.fence_due_ms is None:
        first = context.state is State.FREEZING or context.granted_by_etcd()
        context.fence_due_ms = now_ms + (0 if first else context.settings.fence_delay_ms)
    due_ms = max(context.fence_due_ms, context.fence_again_ms)
    return now_ms >= due_ms and not context.plan_id


def _still_together(context: Context, now_ms: int) -> bool:
    """Tell whether the primary was only silent: it is PRIM in our session, and the link stands."""
    word = context.word_now(now_ms)
    if word is None or word.state is not State.PRIM or context.plan_id or not context.link:
        return False
    return word.session == context.session and not context.peer_out()


def _goes_on(context: Context, now_ms: int) -> bool:
    """Tell whether a living primary goes on, or asks to, without this secondary, or did so."""
    word = context.word_now(now_ms)
    if word is None or not context.session:
        return False
    if context.fence is FenceSays.CALLED:  # it may be off in a moment: were we out, nobody is left
        return False
    if word.state not in SERVING:
        return _went_on(context, word)
    return word.asks_out == context.session or word.session != context.session


def _went_on(context: Context, word: Word) -> bool:
    """Tell whether the peer's disk says that it served alone with what both held: it has more."""
    alone = word.record.may_serve == {context.settings.peer}
    return alone and context.record.current in (word.record.base, *word.record.history)


def _alone(context: Context, now_ms: int) -> EventKind | None:  # noqa: PLR0911 - a line a case
    if _tells_again(context, now_ms):
        return E.RETRY_DUE
    word = context.word_now(now_ms)
    if word is None:
        return None
    meets = word.state in SERVING or word.state is State.JOINING or word.record.split == "seen"
    if meets and context.undecided(word):
        return E.SPLIT_UNDECIDED
    if word.state in SERVING:
        return _two_serve(context, word)
    if context.leading:
        # The target began anew: this session is over, whether or not its connections know.
        return E.PEER_PARTED if word.session != context.session else None
    if word.state is not State.JOINING:
        return None
    if context.offer is not None and not _suffices(context, context.offer, word):
        context.offer = None
    if context.offer is not None:
        return _offered(context, word, now_ms)
    if now_ms < context.offer_after_ms or context.plan_id:
        return None
    return _judge_joining(context, word, now_ms)


def _suffices(context: Context, offer: Offer, word: Word) -> bool:
    """Tell whether an offer still copies and keeps aside enough for the record heard now.

    The target may not have heard it, and have served meanwhile: it comes back with other data.
    """
    row = context.judgement(word)
    full, aside = row.how is not How.FULL or offer.full, not row.aside or bool(offer.aside)
    return row.source is Which.ME and full and aside


def _offered(context: Context, word: Word, now_ms: int) -> EventKind | None:
    """Wait for the target to be ready, not for ever."""
    assert context.offer is not None
    if word.ready_for == context.offer.session:
        return None if context.plan_id else E.PEER_READY
    if now_ms - context.offered_ms > OFFER_PATIENCE_MS:
        context.offer = None
        back_off(context, now_ms)
    return None


def _judge_joining(context: Context, word: Word, now_ms: int) -> EventKind:
    """Compare with a peer that wants to be the target."""
    row = context.judgement(word)
    if row.split and row.source is Which.ME and not context.split_seen:
        context.split_seen = True  # it gave way before its word as the other primary was heard
        return E.SPLIT_WON
    if row.source is Which.ME:
        context.refusal = ""
        served = word.record.may_serve == {context.settings.peer}
        context.superseded = (word.record.current, word.record.may_serve) if served else None
        return E.PEER_JOINS
    code = "reintegration.refused" if row.how is How.REFUSED else "reintegration.serves"
    context.refusal = say(code, why=row.said, row=row.row_id)
    back_off(context, now_ms)
    return E.PEER_REFUSED


def back_off(context: Context, now_ms: int) -> None:
    """Wait before the next offer, longer each time (one verdict, no retry storm)."""
    context.offer_after_ms = now_ms + context.offer_backoff_ms
    context.offer_backoff_ms = min(2 * context.offer_backoff_ms, OFFER_BACKOFF_MS_MAX)


def _two_serve(context: Context, word: Word) -> EventKind | None:
    row = context.judgement(word)
    context.row = f"{context.row.split('/')[0]}/{row.row_id}"
    if row.source is Which.PEER:
        return E.SPLIT_LOST
    if context.split_seen or not row.split:
        return None
    context.split_seen = True
    return E.SPLIT_WON


def _prim(context: Context, now_ms: int) -> EventKind | None:
    word = context.word_now(now_ms)
    if word is None or context.peer_word is None:
        return None
    # After a pairing the target is still JOINING in this session, until it hears of PRIM.
    mates = {State.JOINING, State.SECOND, State.ORPHANED, State.SETTLING}
    if word.session != context.session or word.state not in mates or context.peer_out():
        return E.PEER_PARTED
    if _tells_again(context, now_ms):
        return E.RETRY_DUE
    if word.state is not State.SECOND:
        return None
    if context.swap_due or (word.asks_swap and word.asks_swap != context.swap_seen):
        context.swap_due, context.swap_seen = False, word.asks_swap
        return E.SWAP_ASKED
    return None


def _tells_again(context: Context, now_ms: int) -> bool:
    """Tell whether the witness, which could not be told of this record, is to be told now."""
    return context.witness_behind and not context.plan_id and now_ms >= context.witness_again_ms


def _joining(context: Context, now_ms: int) -> EventKind | None:  # noqa: PLR0911 - one line a case
    hearing = context.hearing(now_ms)
    word = context.word_now(now_ms)
    if hearing is Hearing.SILENT:
        return E.PEER_LOST
    if word is None:
        return None
    if word.state in {State.STOP, State.STARTING, State.WAIT, State.JOINING}:
        return E.PEER_LOST
    node, session = context.settings.node, context.session
    if word.state not in SERVING or context.plan_id:
        return None
    in_both = node in context.record.may_serve and context.promises_out != session
    if session and in_both and context.confirmed == session:
        if word.asks_out == session:
            return E.PEER_GOES_ON
        if word.state is State.PRIM and word.session == session and context.link:
            return E.PRIM_CONFIRMED
    offer = word.offer
    if offer is not None and offer.session != context.offer_seen:
        return E.OFFER_HEARD
    return None


def _second(context: Context, now_ms: int) -> EventKind | None:
    word = context.word_now(now_ms)
    if context.peer_out() or (word is not None and context.primary_fell(word)):
        return E.PEER_LEFT
    if _goes_on(context, now_ms):
        return E.PEER_GOES_ON
    if context.hearing(now_ms) is Hearing.SILENT:
        return E.PEER_LOST
    return E.SYNC_OVER if context.settings.syncat and not context.sync_due else None
