"""What the engine says: to the peer, to the module log, to people. Pure."""

from mirror.core.context import Context
from mirror.vocabulary.actions import Log, SetResource
from mirror.vocabulary.events import EventKind
from mirror.vocabulary.states import SHOWN, Readiness, ScreenWord, State
from mirror.vocabulary.words import Word


def word_of(context: Context) -> Word:
    """Give this node's word. Promises are in the record, which is the durable one."""
    frozen = context.state is State.FREEZING
    offering = context.state is State.ALONE
    return Word(
        state=context.state,
        record=context.record,
        session=context.session,
        offer=context.offer if offering else None,
        ready_for=context.ready_for if context.state is State.JOINING else "",
        asks_out=context.session if frozen else "",
        promises_out=context.promises_out,
        damaged=context.damaged(),
        wants_full=context.intent == "second fullsync",
        asks_swap=context.asks_swap,
        incarnation=context.incarnation,
        refusal=context.refusal,
    )


def shown(context: Context) -> tuple[ScreenWord, Readiness]:
    """Give SafeKit's word and readiness; a swap is shown as the PRIM it still is."""
    return SHOWN[context.state]


def state_line(before: State, context: Context, kind: EventKind, row_id: str) -> Log:
    """Give the one trace line of a change of state."""
    from_word, from_ready = SHOWN[before]
    to_word, to_ready = SHOWN[context.state]
    text = (
        f"state {from_word}({from_ready}) -> {to_word}({to_ready}) row={row_id}"
        f" cause={kind.value.lower()} generation={context.record.current[:6] or '-'}"
    )
    fields = {
        "row": row_id,
        "cause": kind.value,
        "from": before.value,
        "to": context.state.value,
        "generation": context.record.current,
    }
    return Log("D", "heart", text, fields)


def local_line(word: ScreenWord, readiness: Readiness, row_id: str) -> Log:
    """`Local state ALONE Ready`, as SafeKit says it."""
    return Log("E", "heart", f"Local state {word} {readiness}", {"row": row_id})


def remote_line(word: str, readiness: str) -> Log:
    """`Remote state UNKNOWN Unknown`, as SafeKit says it."""
    return Log("E", "heart", f"Remote state {word} {readiness}")


def action_line(kind: EventKind, context: Context) -> Log | None:  # noqa: PLR0911 - one line a case
    """`Action alone called by heart: no heartbeat` and its like, before the change."""
    why = "remote stop" if context.peer_out() else "no heartbeat"
    if kind is EventKind.MAY_SERVE:
        if context.state in {State.ORPHANED, State.FREEZING}:
            return Log("E", "heart", f"Action alone called by heart: {why}", {"row": context.row})
        verb = "prim" if context.intent else "start"
        return Log("E", "heart", f"Action {verb} called by heart", {"row": context.row})
    if kind is EventKind.SPLIT_WON:
        return Log("E", "heart", "Split brain recovery: staying alone", {"row": context.row})
    if kind is EventKind.SPLIT_LOST:
        return Log("E", "heart", "Split brain recovery: exiting alone", {"row": context.row})
    if kind in {EventKind.PLAN_FAILED, EventKind.DATA_PLANE_LOST, EventKind.DATA_FAULT}:
        return Log("C", "heart", context.failure or kind.value.lower(), {"state": context.state})
    if kind is EventKind.PEER_REFUSED:
        return Log("E", "rfsplug", f"Reintegration refused: {context.refusal}")
    if kind is EventKind.IN_SYNC:
        return Log("E", "reintegre", "Reintegration ended (synchronize)")
    return None


def safety(context: Context) -> str:  # noqa: PLR0911 - one line a sentence
    """Answer "is the data safe?" in the console's sentence, true at this second."""
    node, peer = context.settings.node, context.settings.peer
    match context.state:
        case State.PRIM | State.SECOND:
            return "Both nodes hold everything. Either one may be lost."
        case State.ALONE | State.PAIRING | State.TAKING_OVER | State.GOING_ALONE:
            if context.leading and context.progress:
                left = int(context.progress.get("bytes_left") or 0)
                done = int(context.progress.get("bytes_done") or 0)
                percent = 100 * done // (done + left) if done + left else 100
                return f"{peer} is catching up: {percent} %. Until then only {node} is complete."
            return f"Only {node} holds the last changes. Do not stop it."
        case State.JOINING:
            return f"{node} is catching up. Until then only {peer} is complete."
        case State.FREEZING | State.ORPHANED | State.SETTLING:
            return "Both nodes hold everything; the link between them is lost."
        case _:
            if context.complete():
                return f"{node} holds everything that it knows of; nobody serves here."
            return context.reason or f"{node} does not hold everything."


def resources(context: Context) -> tuple[SetResource, ...]:
    """Give the resources of SafeKit that follow from the state."""
    word, readiness = shown(context)
    return (
        SetResource("state.local", f"{word} {readiness}"),
        SetResource("rfs.uptodate", "up" if context.complete() else "down"),
        SetResource("rfs.degraded", "down"),
    )
