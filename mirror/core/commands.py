"""Commands of SafeKit: which kind of event each is, and when it is refused at once.

What only the state decides stands in the automaton; here is what the peer or the record decide.
"""

from mirror.core.context import Context
from mirror.vocabulary.events import CommandAsked, EventKind
from mirror.vocabulary.facts import Hearing
from mirror.vocabulary.said import say
from mirror.vocabulary.states import SERVING, Goal, State

KIND: dict[str, EventKind] = {
    "start": EventKind.START_ASKED,
    "prim": EventKind.PRIM_ASKED,
    "primforce": EventKind.PRIM_ASKED,
    "second": EventKind.SECOND_ASKED,
    "secondforce": EventKind.SECOND_ASKED,
    "stop": EventKind.STOP_ASKED,
    "forcestop": EventKind.FORCESTOP_ASKED,
    "stopstart": EventKind.STOPSTART_ASKED,
    "wait": EventKind.STOPSTART_ASKED,  # of a failover rule: it stops, and waits when it starts
    "restart": EventKind.RESTART_ASKED,
    "swap": EventKind.SWAP_ASKED,
}
# What a machine asks for is counted against maxloop; what stops for good needs no limit.
COUNTED = frozenset({"stopstart", "restart", "wait", "swap"})
MAXLOOP = "maxloop"  # identity of a stop by it
DATE_WORD = "before="  # of `secondforce`, followed by seconds since 1970
IDLE = frozenset({State.STOP, State.STARTING, State.WAIT})


def refusal(context: Context, command: CommandAsked, now_ms: int) -> str:
    """Give the sentence with which a command is refused, "" when the automaton decides."""
    if command.verb not in KIND:
        return say("refused.unknown", verb=command.verb)
    serves = context.peer_serves(now_ms)
    if context.state in IDLE:
        if command.verb in {"prim", "primforce"} and serves:
            return say("refused.peer_is_primary", peer=context.settings.peer)
        if command.verb == "prim" and (context.record.target_of or context.record.inconsistent):
            return say("refused.inconsistent")
        if command.verb in {"second", "secondforce"} and _nobody_to_follow(context, now_ms):
            return say("refused.nobody_to_follow", peer=context.settings.peer)
    if command.verb == "swap" and context.state is State.PRIM:
        return _swap_refusal(context, now_ms)
    return ""


def _date_of(command: CommandAsked) -> int:
    """The date of `secondforce`, in seconds since 1970; 0 when it is none: all is compared."""
    given = next((one for one in command.arguments if one.startswith(DATE_WORD)), "")
    text = given.removeprefix(DATE_WORD)
    return int(text) if text.isascii() and text.isdigit() else 0


def _nobody_to_follow(context: Context, now_ms: int) -> bool:
    """Tell whether the other node is known not to be primary, nor about to be."""
    word = context.word_now(now_ms)
    if word is None:
        return context.hearing(now_ms) is Hearing.SILENT
    return word.state not in SERVING and word.state is not State.STARTING


def _swap_refusal(context: Context, now_ms: int) -> str:
    word = context.word_now(now_ms)
    if word is None or word.state is not State.SECOND or word.session != context.session:
        return say("refused.nobody_to_swap_with", peer=context.settings.peer)
    return ""


def remember(context: Context, command: CommandAsked) -> None:
    """Keep what the command wants beyond its kind: a role to start in, what follows a stop.

    A role is wanted by a node that has none. One that serves and is told `prim` again would, much
    later, overrule the witness; a SECOND that is told `second` again would never take over.
    """
    idle = context.state in IDLE
    match command.verb:
        case "prim" | "primforce" if idle:
            context.intent, context.awaits_admin = command.verb, False
            context.wants_full_peer = "fullsync" in command.arguments
        case "second" if idle or context.state is State.JOINING:
            full = "fullsync" in command.arguments
            context.intent = "second fullsync" if full else "second"
            context.trusts_before_s = 0
        case "secondforce" if idle or context.state is State.JOINING:
            context.intent, context.trusts_before_s = "second fullsync", _date_of(command)
        case "start":
            context.intent = context.intent if context.state is not State.STOP else ""
        case "stop" | "forcestop":
            context.goal = Goal.STOP
        case "stopstart" | "wait":
            context.goal = Goal.START
        case "swap":
            context.goal = Goal.JOIN
        case "restart":
            context.restart_extra = command.arguments
        case _:
            pass


def loops_over(context: Context, now_ms: int) -> bool:
    """Count one automatic action; tell whether it is one too many in the interval."""
    settings = context.settings
    if not settings.maxloop or not settings.loop_interval_ms:
        return False
    since_ms = now_ms - settings.loop_interval_ms
    context.loops_ms = [at for at in context.loops_ms if at > since_ms]
    context.loops_ms.append(now_ms)
    return len(context.loops_ms) > settings.maxloop
