"""<user>, <errd> and <splitbrain> as values: scripts, processes, witness."""

from collections.abc import Iterator

from mirror.config.kinds import Address
from mirror.config.models import Errd, SplitBrain, User, WatchedProcess
from mirror.config.notes import Notes
from mirror.config.reader import Checked

PROCESS_NAME_BYTES_MAX = 15  # TASK_COMM_LEN - 1


def build_user(notes: Notes, element: Checked) -> User:
    """Build <user>."""
    value = element.values
    notes.once(element.all("var"), "name")
    return User(
        nicestoptimeout_ms=value["nicestoptimeout"],
        forcestoptimeout_ms=value["forcestoptimeout"],
        logging=value["logging"],
        userlogsize_bytes=value["userlogsize"],
        variables={var.values["name"]: var.values["value"] for var in element.all("var")},
    )


def build_errd(notes: Notes, element: Checked) -> Errd:
    """Build <errd>."""
    notes.once(element.all("proc"), "name")
    processes = []
    for child in element.all("proc"):
        value = child.values
        _check_process_name(notes, child)
        if 0 <= value["atmax"] < value["atleast"]:
            notes.collector.refuse(
                child.line,
                f'<proc>: "atmax" {value["atmax"]} is below "atleast" {value["atleast"]};'
                " raise one or lower the other",
            )
        processes.append(
            WatchedProcess(
                name=value["name"],
                is_service=value["service"],
                nameregex=value["nameregex"],
                argregex=value["argregex"],
                atleast=value["atleast"],
                atmax=value["atmax"],
                action=value["action"],
                process_class=value["class"],
                start_after=value["start_after"],
            )
        )
    return Errd(polltimer_ms=element.values["polltimer"], processes=tuple(processes))


def _check_process_name(notes: Notes, element: Checked) -> None:
    """A name the kernel cuts would never be found; a unit or an expression may be longer."""
    name = element.values["name"]
    by_name = not element.values["service"] and element.values["nameregex"] is None
    if by_name and len(name.encode()) > PROCESS_NAME_BYTES_MAX:
        notes.collector.refuse(
            element.line_of("name"),
            f'<proc>: attribute "name": "{name}" is longer than the'
            f" {PROCESS_NAME_BYTES_MAX} bytes that Linux keeps of a process name; write"
            f' "{name[:PROCESS_NAME_BYTES_MAX]}", or use "argregex" too',
        )


def build_splitbrain(notes: Notes, service: Checked) -> SplitBrain | None:
    """Build the one <splitbrain> of a <service>; None when there is none."""
    found = [one for check in service.all("check") for one in _descend(check, "splitbrain")]
    for extra in found[1:]:
        notes.collector.refuse(
            extra.line, f"<splitbrain> stands twice; the one of line {found[0].line} is enough"
        )
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
        allowed = "endpoints such as https://10.0.0.9:2379, separated by commas"
    else:
        allowed = f"witnesses, each {Address().allowed}, separated by spaces"
        try:
            Address().parse(witness)
            fine = True
        except ValueError:
            fine = False
    if not fine:
        notes.collector.refuse(
            element.line_of("arg"),
            f'<splitbrain>: attribute "arg": "{witness}"; allowed: {allowed}',
        )


def _descend(element: Checked, name: str) -> Iterator[Checked]:
    """Find elements at any depth: <check> may be nested in <check> in real files."""
    for child in element.children:
        if child.name == name:
            yield child
        yield from _descend(child, name)
