"""What the engine says: to the peer, to the module log, to people. Pure."""

from mirror.core.context import Context
from mirror.vocabulary.actions import Log, SetResource
from mirror.vocabulary.events import CommandAsked, EventKind
from mirror.vocabulary.said import Said, say
from mirror.vocabulary.states import SHOWN, Readiness, ScreenWord, State
from mirror.vocabulary.words import Word

RULE = "rule"  # identity of a command that a failover rule asked for: rule:LABEL
RESOURCES_MAX = 32  # a word is one datagram
# Told even when nothing is done about them at once.
LOUD = frozenset(
    {
        EventKind.SPLIT_WON,
        EventKind.PLAN_FAILED,
        EventKind.PEER_REFUSED,
        EventKind.DATA_FAULT,
    }
)


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
        trusts_before_s=context.trusts_before_s,
        asks_swap=context.asks_swap,
        incarnation=context.incarnation,
        refusal=context.refusal,
        resources=_for_peer(context),
    )


def _for_peer(context: Context) -> tuple[tuple[str, str], ...]:
    """Give what the rules, which are the same there, look at on this node."""
    wanted = context.settings.rules.remote
    if not wanted:
        return ()
    found = [
        (name, value)
        for name, value in sorted(context.resources.items())
        if name in wanted or f"{name.partition('.')[0]}." in wanted
    ]
    return tuple(found[:RESOURCES_MAX])


def shown(context: Context) -> tuple[ScreenWord, Readiness]:
    """Give SafeKit's word and readiness; WAIT is in movement until its checkers have spoken."""
    word, readiness = SHOWN[context.state]
    if context.state is State.WAIT and context.held is not None and context.held.initial:
        readiness = Readiness.TRANSIENT
    return word, readiness


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


def action_line(kind: EventKind, context: Context) -> Log | None:  # noqa: C901, PLR0911, PLR0912 - one line a case
    """`Action alone called by heart: no heartbeat` and its like, before the change."""
    why = "remote stop" if context.peer_out() else "no heartbeat"
    if kind is EventKind.MAY_SERVE:
        if context.state in {State.ORPHANED, State.FREEZING}:
            if context.settings.watch and context.state is State.ORPHANED:
                why += f"; what {context.settings.peer} wrote last may be missing here"
            return Log("E", "heart", f"Action alone called by heart: {why}", {"row": context.row})
        if context.row.endswith("E12"):
            return Log("E", "rfsplug", "Action start called by syncdelta", {"row": context.row})
        verb = "prim" if context.intent else "start"
        return Log("E", "heart", f"Action {verb} called by heart", {"row": context.row})
    if kind is EventKind.SPLIT_WON:
        return Log("E", "heart", "Split brain recovery: staying alone", {"row": context.row})
    if kind is EventKind.SPLIT_UNDECIDED:
        return Log("E", "heart", "Split brain: an administrator chooses", {"row": context.row})
    if kind is EventKind.SYNC_OVER:
        return Log("E", "rfsplug", "Synchronised: waiting for the next time of syncat")
    if kind is EventKind.SPLIT_LOST:
        return Log("E", "heart", "Split brain recovery: exiting alone", {"row": context.row})
    if kind in {EventKind.PLAN_FAILED, EventKind.DATA_PLANE_LOST, EventKind.DATA_FAULT}:
        return Log("C", "heart", context.failure or kind.value.lower(), {"state": context.state})
    if kind is EventKind.PEER_REFUSED:
        return Log("E", "rfsplug", f"Reintegration refused: {context.refusal}")
    if kind is EventKind.TAKEOVER_FORBIDDEN:
        label = context.held.label if context.held is not None else "failover-off"
        return Log("E", "heart", f"Action stopstart from failover rule {label}")
    if kind is EventKind.LINK_LOST and context.leading:
        return Log("E", "reintegre", f"Reintegration ended early: {context.failure}")
    if kind is EventKind.LINK_LOST and context.state in {State.PRIM, State.SECOND}:
        return link_line(context.failure)
    if kind is EventKind.IN_SYNC:
        return Log("E", "reintegre", "Reintegration ended (synchronize)")
    return None


def link_line(reason: str) -> Log:
    """`Link lost: No space left on device`, whichever of the two noticed first."""
    return Log("E", "nfsbox", f"Link lost: {reason}")


def command_line(command: CommandAsked, row_id: str) -> Log:
    """`Action stop called by administrator`, `Action wait from failover rule t_web`."""
    source, _, label = command.identity.partition(":")
    if source == RULE:
        text = f"Action {command.verb} from failover rule {label}"
    else:
        text = f"Action {command.verb} called by {command.identity or 'administrator'}"
    return Log("E", "heart", text, {"row": row_id})


IN_STEP_ONCE = frozenset(
    {State.PRIM, State.SECOND, State.FREEZING, State.ORPHANED, State.SETTLING}
)


def safety(context: Context, *, mute: bool = False, full: bool = False) -> Said:  # noqa: PLR0911 - one line a sentence
    """Answer "is the data safe?" in the console's sentence, true at this second.

    mute: the peer's control plane is not heard. full: there is no room on a disk here.
    """
    node, peer = context.settings.node, context.settings.peer
    if context.settings.watch and context.state in IN_STEP_ONCE:
        return _safety_of_watch(context)
    match context.state:
        case State.PRIM | State.SECOND if mute:
            return say("safe.mute", peer=peer)
        case State.PRIM | State.SECOND:
            return say("safe.both")
        case State.ALONE | State.PAIRING | State.TAKING_OVER | State.GOING_ALONE:
            return _safety_of_source(context)
        case State.JOINING if full:
            return say("safe.full", node=node, peer=peer)
        case State.JOINING:
            return say("safe.catching", node=node, peer=peer)
        case State.FREEZING | State.ORPHANED | State.SETTLING:
            return say("safe.parted")
        case _ if context.settings.light:
            return say("safe.light")
        case _:
            if context.complete():
                return say("safe.idle", node=node)
            why = context.reason
            return why if isinstance(why, Said) else Said(why) or say("safe.lacks", node=node)


def _safety_of_source(context: Context) -> Said:
    node, peer = context.settings.node, context.settings.peer
    if context.leading and context.progress:
        left = int(context.progress.get("bytes_left") or 0)
        done = int(context.progress.get("bytes_done") or 0)
        percent = 100 * done // (done + left) if done + left else 100
        return say("safe.percent", node=node, peer=peer, percent=percent)
    return say("safe.alone", node=node)


def _safety_of_watch(context: Context) -> Said:
    peer = context.settings.peer
    match context.state:
        case State.PRIM:
            return say("safe.follows", peer=peer)
        case State.SECOND:
            return say("safe.behind", peer=peer)
        case _:
            return say("safe.one_node")


def resources(context: Context) -> tuple[SetResource, ...]:
    """Give the resources of SafeKit that follow from the state."""
    word, readiness = shown(context)
    local = SetResource("state.local", f"{word} {readiness}")
    if context.settings.light:
        return (local,)
    return (
        local,
        SetResource("rfs.uptodate", "up" if context.complete() else "down"),
        SetResource("rfs.degraded", "down"),
    )
