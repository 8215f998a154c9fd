"""What a command would do: asked of the node's own decision code, before the command is given."""

from mirror.config.names import check_module_name
from mirror.errors import CommandRefused, InputRefused
from mirror.vocabulary.said import say
from mirror.web.console import Console, Here
from mirror.web.endpoints.control import check_arguments, discards_data, given
from mirror.web.endpoints.state import ModuleName
from mirror.web.models.what_if import WhatIf, WhatIfAsked
from mirror.web.what_if import nodes_of, refusal_of, steps_of, warnings_of


async def what_if(console: Here, module: ModuleName, body: WhatIfAsked) -> WhatIf:
    """What each node would do, by which rows, and where both stand then. Nothing is done.

    A command that the node would refuse is refused here, with the same sentence.
    """
    name = check_module_name(module)
    check_arguments(body.verb, body.arguments)
    words = sorted(given(body.arguments))
    events = [" ".join(("ask", node, body.verb, *words)) for node in _nodes(console, body)]
    told = await console.control("simulate", module=name, events=events, state=None)
    if refusal := refusal_of(told):
        raise CommandRefused(module=name, verb=body.verb, observed=refusal)
    happens, warnings = told.get("events") or (), warnings_of(told)
    return WhatIf(
        module=name,
        verb=body.verb,
        steps=steps_of(told),
        nodes=nodes_of(told),
        interrupts=any(event["interrupts"] for event in happens),
        discards=discards_data(body.verb, body.arguments),
        warnings=[one.text for one in warnings],
        warnings_said=warnings,
        rests=all(event["rests"] for event in happens),
    )


def _nodes(console: Console, body: WhatIfAsked) -> list[str]:
    membership = console.membership
    known = {membership.shown_node, membership.peer} - {""}
    for node in body.nodes:
        if node not in known:
            raise InputRefused(
                what="nodes",
                observed=say("seen.no_node", node=repr(node)),
                remedy=say("do.choose_of", known=sorted(known)),
            )
    return body.nodes or [membership.shown_node]
