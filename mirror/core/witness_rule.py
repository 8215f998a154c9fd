"""May this node replace what the witness holds: pure, the same for etcd and the simulator."""

from collections.abc import Collection

Held = tuple[str, frozenset[str]]  # generation, may serve


def may_replace(held: Held | None, mine: Held, history: Collection[str], node: str) -> bool:
    """Tell whether `node`, whose durable record says `mine`, may become the one that serves.

    history: the generations that its data descend from. Yes when nobody was ever recorded, when it
    holds exactly what is named (what a peer that gave way was granted by force), when the witness
    holds what this node holds and counts it among those who may serve, when it holds this node
    alone (granted before a crash), or when it holds what this node has moved on from: nobody
    moves on without the witness but at the durable word of a peer that serves no more, and
    whoever the witness let go on from there since then holds a generation of its own.
    """
    if held is None or held == mine:
        return True
    generation, may_serve = held
    if generation in history:
        return True
    if node not in may_serve:
        return False
    return may_serve == {node} or generation == mine[0]
