"""The one action that `state` suggests to a person, in a sentence. It decides nothing."""

from mirror.core.context import Context
from mirror.vocabulary.said import Said
from mirror.vocabulary.states import State

NOTHING_TO_DO = "Nothing."
# Reasons of WAIT with which `prim` is refused, or would serve less than what is on this disk.
_INCOMPLETE = frozenset({"wait.not_complete", "wait.target", "wait.disk_failed", "wait.misfit"})
_OF_A_RULE = frozenset({"wait.rule", "wait.first_answer"})


def action_of(context: Context) -> str:
    """Suggest one action, or say that there is none."""
    node, peer = context.settings.node, context.settings.peer
    match context.state:
        case State.STOP:
            return f"`start` it on {node}."
        case State.WAIT if context.settings.ask and context.record.split == "seen":
            return "Compare with `kept changed` on both nodes; then `prim` on the one to keep."
        case State.WAIT if context.record.blank:
            return f"If the data of {node} are the right ones: `prim` here, `second` on {peer}."
        case State.WAIT:
            return _of_waiting(context)
        case State.ALONE if not context.leading:
            return _of_serving_alone(context)
        case _:
            return NOTHING_TO_DO


def _of_serving_alone(context: Context) -> str:
    """Tell what brings the second copy back; a peer that is refused is there already."""
    node, peer = context.settings.node, context.settings.peer
    code = context.refusal.code if isinstance(context.refusal, Said) else ""
    if code == "reintegration.serves":
        return (
            f"{peer} has gone on from these data, so you choose. To keep what {peer} has: `stop`"
            f" here, `start` again once {peer} serves. To keep what {node} has: `second fullsync`"
            " there, after a `stop`. What is replaced is kept aside."
        )
    if code == "reintegration.refused":
        return f"{peer} is refused: {context.refusal}."
    return f"Bring {peer} back."


def _of_waiting(context: Context) -> str:
    """Tell what ends the waiting, also when the peer is lost for good, which no node knows.

    A secondary that stood still just before its primary fell silent waits like this, too.
    """
    node, peer = context.settings.node, context.settings.peer
    code = context.reason.code if isinstance(context.reason, Said) else ""
    if code in _OF_A_RULE:
        return "Mend what the rule looks at; it goes on by itself."
    if code == "wait.syncat":
        return "Nothing: it joins at the next of these times; `second` joins now."
    if code == "wait.failover_off":
        return f"Failover is off, so you decide: start {peer}, or `prim` here."
    if code in _INCOMPLETE:
        return (
            f"Start {peer}: {node} lacks changes, and follows it by itself. If {peer} is lost for"
            " good: `primforce` here; what is not here is then lost."
        )
    return (
        f"Start {peer}: it may hold changes that {node} has not, and {node} follows it by itself."
        f" If {peer} is lost for good: `prim` here; what only {peer} holds is then missing."
    )
