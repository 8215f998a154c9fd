"""What must be true after every step (design 7), asserted in production too.

Here stands what one node alone can see; the simulator checks those that need both nodes.
"""

from mirror.core.context import Context
from mirror.vocabulary.states import State
from mirror.vocabulary.words import Word

# States in which changes of the application are acknowledged.
ACKNOWLEDGING = frozenset({State.ALONE, State.PAIRING, State.PRIM})


class InvariantBroken(AssertionError):
    """A rule that saves data would be broken: the node stops rather than go on."""


def check(context: Context, said: Word) -> None:
    """Assert the invariants over one node. Raises: InvariantBroken."""
    record, node = context.record, context.settings.node
    if context.state in ACKNOWLEDGING:
        _require(node in record.may_serve, 4, "serves without being in its own may-serve set")
        _require(not record.target_of, 4, "serves while it is a target")
    if context.state is State.ALONE and not context.plan_id:
        _require(record.may_serve == {node}, 2, "alone without a record that says so")
        _require(record.lived_on, 2, "alone on a generation that is shared")
    if context.state in {State.PRIM, State.SECOND}:
        _require(bool(context.session), 1, "in step without a session")
        _require(len(record.may_serve) == 2, 3, "in step, and the record does not say both")
        _require(not record.target_of, 4, "in step while it is a target")
    if context.state is State.TAKING_OVER:
        _require(not context.in_step or context.complete(), 5, "takes over without proof")
    _require(said.record == record, 2, "says a record that is not durable")
    _require(said.asks_out in ("", context.session), 3, "asks about another session")


def _require(holds: bool, number: int, sentence: str) -> None:  # noqa: FBT001 - a fact
    if not holds:
        raise InvariantBroken(f"invariant {number}: {sentence}")
