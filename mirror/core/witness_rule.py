"""May this node replace what the witness holds: pure, the same for etcd and the simulator."""

Held = tuple[str, frozenset[str]]  # generation, may serve


def may_replace(held: Held | None, mine: Held, node: str) -> bool:
    """Tell whether `node`, whose durable record says `mine`, may become the one that serves.

    Yes when nobody was ever recorded, when it holds exactly what is named (what a peer that gave
    way was granted by force), when the witness holds what this node holds and counts it
    among those who may serve, or when it holds this node alone (granted before a crash).
    """
    if held is None or held == mine:
        return True
    generation, may_serve = held
    if node not in may_serve:
        return False
    return may_serve == {node} or generation == mine[0]
