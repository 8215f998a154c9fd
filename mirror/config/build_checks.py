"""<check> and <fence> as values: each checker with what it looks at, the witness, the fence."""

from collections.abc import Iterator
from dataclasses import dataclass

from mirror.config.check_models import (
    Check,
    CheckAction,
    CustomCheck,
    Fence,
    FenceOption,
    IntfCheck,
    IpCheck,
    ModuleCheck,
    PingCheck,
    TcpCheck,
)
from mirror.config.kinds import Address
from mirror.config.models import SplitBrain
from mirror.config.names import MODULE_NAME
from mirror.config.notes import Notes
from mirror.config.reader import Checked
from mirror.vocabulary.said import say

PRE_ACTIONS = ("wait", "noaction")
RUN_ACTIONS = ("stop", "stopstart", "restart", "swap", "noaction")
# What a checker asks for when nothing is written, beside `wait` with when="pre".
ACTION_DEFAULT: dict[str, CheckAction] = {
    "tcp": "restart",
    "ping": "stopstart",
    "custom": "noaction",
}
SECRET_NAMES = ("passw", "secret", "token", "key")
LOCAL = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ToRule:
    """Which attributes of <to> mean something in a checker, and which must be there."""

    needed: tuple[str, ...]
    allowed: tuple[str, ...]


TO_RULES = {
    "tcp": ToRule(("addr", "port"), ("addr", "port", "interval", "timeout")),
    "ping": ToRule(("addr",), ("addr", "interval", "timeout")),
    "intf": ToRule(("local_addr",), ("local_addr",)),
    "ip": ToRule(("addr",), ("addr", "interval")),
    "module": ToRule((), ("addr", "port", "interval", "timeout", "secure")),
}


def build_checks(notes: Notes, service: Checked) -> tuple[Check, ...]:
    """Build the checkers of a <service>, in the order of the file."""
    every = [one for check in service.all("check") for one in _descend(check)]
    found = [one for one in every if one.name != "splitbrain"]
    for name in (*TO_RULES, "custom"):
        notes.once(tuple(one for one in found if one.name == name), "ident")
    built = []
    for one in found:
        _check_to(notes, one)
        if one.name == "module" or _fits(notes, one):
            check = _check(notes, one)
            if check is not None:
                built.append(check)
    return tuple(built)


def _check(notes: Notes, element: Checked) -> Check | None:
    """Build one; None when it was refused."""
    value, to = element.values, element.one("to")
    if element.name == "custom":
        return CustomCheck(
            value["ident"], value["when"], _action(element), value["exec"], value["arg"]
        )
    if element.name == "module":
        return _module(notes, element, to)
    if to is None or any(to.values[name] is None for name in TO_RULES[element.name].needed):
        return None
    return _looking(element, to)


def _looking(element: Checked, to: Checked) -> Check:
    value, target = element.values, to.values
    ident, addr, interval_ms = value["ident"], target["addr"], target["interval"]
    match element.name:
        case "tcp":
            return TcpCheck(
                ident,
                value["when"],
                _action(element),
                addr,
                target["port"],
                interval_ms,
                target["timeout"],
            )
        case "ping":
            return PingCheck(
                ident, value["when"], _action(element), addr, interval_ms, target["timeout"]
            )
        case "intf":
            return IntfCheck(ident, target["local_addr"])
        case _:
            return IpCheck(ident, value["when"], addr, interval_ms)


def _module(notes: Notes, element: Checked, to: Checked | None) -> ModuleCheck | None:
    name = element.values["name"]
    if not MODULE_NAME.fullmatch(name):
        notes.collector.refuse(element.line_of("name"), say("config.module_name", name=name))
        return None
    given = to.values if to is not None else {}
    addr = given.get("addr") or LOCAL
    return ModuleCheck(
        name=name,
        ident=element.values["ident"] or f"{name}_{addr}",
        addr=addr,
        port=given.get("port"),
        interval_ms=given.get("interval", 10_000),
        timeout_ms=given.get("timeout", 5_000),
        secure=given.get("secure", False),
    )


def _action(element: Checked) -> CheckAction:
    written: CheckAction | None = element.values["action"]
    if written is not None:
        return written
    return "wait" if element.values["when"] == "pre" else ACTION_DEFAULT[element.name]


def _fits(notes: Notes, element: Checked) -> bool:
    """Refuse an action that the class cannot have: before the start there is only waiting."""
    when, written = element.values["when"], element.values.get("action")
    allowed = PRE_ACTIONS if when == "pre" else RUN_ACTIONS
    if written is None or written in allowed:
        return True
    notes.collector.refuse(
        element.line_of("action"),
        say(
            "config.check_action",
            element=element.name,
            action=written,
            when=when,
            allowed=list(allowed),
        ),
    )
    return False


def _check_to(notes: Notes, element: Checked) -> None:
    to, rule = element.one("to"), TO_RULES.get(element.name)
    if to is None or rule is None:
        return
    for name in rule.needed:
        if to.values[name] is None:
            notes.collector.refuse(
                to.line, say("config.to_missing", element=element.name, name=name)
            )
    for name in to.lines:
        if name not in rule.allowed:
            notes.collector.refuse(
                to.line_of(name),
                say(
                    "config.to_unused",
                    element=element.name,
                    name=name,
                    allowed=list(rule.allowed),
                ),
            )


def build_fence(notes: Notes, element: Checked) -> Fence:
    """Build <fence>."""
    value = element.values
    if (value["agent"] is None) == (value["exec"] is None):
        notes.collector.refuse(element.line, say("config.fence"))
    options = []
    for one in element.all("option"):
        name, text, file = (one.values[key] for key in ("name", "value", "file"))
        if (text is None) == (file is None):
            notes.collector.refuse(one.line, say("config.option", name=name))
        elif text is not None and any(part in name.lower() for part in SECRET_NAMES):
            notes.collector.refuse(one.line, say("config.secret", name=name))
        elif "\n" in (text or ""):
            notes.collector.refuse(one.line, say("config.option_line", name=name))
        if one.values["node"] is not None:
            notes.lines[f"fenced {one.values['node']}"] = one.line_of("node")
        options.append(FenceOption(name, text or "", file or "", one.values["node"] or ""))
    return Fence(
        agent=value["agent"] or "",
        exec=value["exec"] or "",
        delay_ms=value["delay"],
        timeout_ms=value["timeout"],
        options=tuple(options),
    )


def build_splitbrain(notes: Notes, service: Checked) -> SplitBrain | None:
    """Build the one <splitbrain> of a <service>; None when there is none."""
    found = [
        one
        for check in service.all("check")
        for one in _descend(check)
        if one.name == "splitbrain"
    ]
    for extra in found[1:]:
        notes.collector.refuse(extra.line, say("config.splitbrain", line=found[0].line))
    if not found:
        return None
    element = found[0]
    value = element.values
    witnesses = tuple(value["arg"].replace(",", " ").split())
    for witness in witnesses:
        _check_witness(notes, element, value["exec"], witness)
    return SplitBrain(ident=value["ident"], exec=value["exec"], witnesses=witnesses)


def _check_witness(notes: Notes, element: Checked, exec_: str, witness: str) -> None:
    if exec_ == "etcd":
        fine = witness.startswith(("https://", "http://"))
        allowed = say("kind.endpoints")
    else:
        allowed = say("kind.witnesses", kind=Address().allowed)
        try:
            Address().parse(witness)
            fine = True
        except ValueError:
            fine = False
    if not fine:
        notes.collector.refuse(
            element.line_of("arg"),
            say("config.witness", value=witness, allowed=allowed),
        )


def _descend(element: Checked) -> Iterator[Checked]:
    """Find checkers at any depth: <check> may be nested in <check> in real files."""
    for child in element.children:
        if child.name == "check":
            yield from _descend(child)
        else:
            yield child
