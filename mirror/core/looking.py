"""What is so now: the second half of perceiving (perceive.py), asked after every event.

The peer's word, silence and deadlines are not events; each state says which of them it wants to
know, in which order.
"""

from mirror.core.context import Context
from mirror.core.election import Verdict
from mirror.core.generations import How
from mirror.core.settings import (
    OFFER_BACKOFF_MS_MAX,
    OFFER_PATIENCE_MS,
)
from mirror.vocabulary.events import (
    EventKind,
)
from mirror.vocabulary.facts import FenceSays, Hearing, Proof, Which, WitnessSays
from mirror.vocabulary.said import say
from mirror.vocabulary.states import SERVING, State
from mirror.vocabulary.words import Offer, Word

E = EventKind
_VERDICT = {
    Verdict.SERVE: E.MAY_SERVE,
    Verdict.SERVE_FORCED: E.MAY_SERVE,
    Verdict.JOIN: E.PEER_SERVES,
    Verdict.WAIT: E.MUST_WAIT,
    Verdict.ASK_WITNESS: E.WITNESS_WANTED,
    Verdict.DENIED: E.WITNESS_DENIED,
    Verdict.FENCE: E.FENCE_WANTED,
}


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
    """Tell whether the primary is gone and this node may not follow it.

    Who stood still may lack what a primary acknowledged alone meanwhile, unless it said it is out.
    """
    out = context.primary_out(now_ms)
    gone = out or context.hearing(now_ms) is Hearing.SILENT
    unsure = context.is_unsure() and not out
    return gone and (proof is Proof.FAILOVER_OFF or context.held is not None or unsure)


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
