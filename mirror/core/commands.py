"""Commands of SafeKit: which kind of event each is, and when it is refused at once.

What only the state decides stands in the automaton; here is what the peer or the record decide.
"""

from mirror.core.context import Context
from mirror.vocabulary.events import CommandAsked, EventKind
from mirror.vocabulary.states import Goal, State

KIND: dict[str, EventKind] = {
    "start": EventKind.START_ASKED,
    "prim": EventKind.PRIM_ASKED,
    "primforce": EventKind.PRIM_ASKED,
    "second": EventKind.SECOND_ASKED,
    "stop": EventKind.STOP_ASKED,
    "forcestop": EventKind.FORCESTOP_ASKED,
    "stopstart": EventKind.STOPSTART_ASKED,
    "wait": EventKind.STOPSTART_ASKED,  # of a failover rule: it stops, and waits when it starts
    "restart": EventKind.RESTART_ASKED,
    "swap": EventKind.SWAP_ASKED,
}
# What a machine asks for is counted against maxloop; what stops for good needs no limit.
COUNTED = frozenset({"stopstart", "restart", "wait"})
IDLE = frozenset({State.STOP, State.STARTING, State.WAIT})


def refusal(context: Context, command: CommandAsked, now_ms: int) -> str:
    """Give the sentence with which a command is refused, "" when the automaton decides."""
    if command.verb not in KIND:
        return f"unknown command: {command.verb}"
    serves = context.peer_serves(now_ms)
    if context.state in IDLE:
        if command.verb in {"prim", "primforce"} and serves:
            return f"{context.settings.peer} is primary: stop it first, or start this node"
        if command.verb == "prim" and (context.record.target_of or context.record.inconsistent):
            return (
                "Data may be inconsistent for replicated directories (stopped during"
                " reintegration): only `primforce` starts it, and some data will be lost"
            )
        if command.verb == "second" and not serves and context.state is not State.STOP:
            return f"{context.settings.peer} is not primary: nothing to be the secondary of"
    if command.verb == "swap" and context.state is State.PRIM:
        return _swap_refusal(context, now_ms)
    return ""


def _swap_refusal(context: Context, now_ms: int) -> str:
    word = context.word_now(now_ms)
    if word is None or word.state is not State.SECOND or word.session != context.session:
        return f"{context.settings.peer} is not SECOND (Ready): nobody to swap with"
    return ""


def remember(context: Context, command: CommandAsked) -> None:
    """Keep what the command wants beyond its kind: a role to start in, what follows a stop."""
    match command.verb:
        case "prim" | "primforce":
            context.intent = command.verb
        case "second":
            full = "fullsync" in command.arguments
            context.intent = "second fullsync" if full else "second"
        case "start":
            context.intent = context.intent if context.state is not State.STOP else ""
        case "stop" | "forcestop":
            context.goal = Goal.STOP
        case "stopstart" | "wait":
            context.goal = Goal.START
        case "swap":
            context.goal = Goal.JOIN
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
