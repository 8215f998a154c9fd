"""<user>, <errd> and <vhost> as values: scripts, processes, the name of the host."""

from mirror.config.check_models import VirtualHostName
from mirror.config.models import Errd, User, WatchedProcess
from mirror.config.notes import Notes
from mirror.config.reader import Checked
from mirror.vocabulary.said import say

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
        if "/" in value["action"]:
            notes.collector.refuse(
                child.line_of("action"),
                say("config.handler", value=value["action"]),
            )
        if value["restart_services"] and value["action"] != "restart":
            line = child.line_of("restart_services")
            notes.collector.refuse(line, say("config.restart_services"))
        if 0 <= value["atmax"] < value["atleast"]:
            notes.collector.refuse(
                child.line,
                say("config.atmax", atmax=value["atmax"], atleast=value["atleast"]),
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
                restart_services=value["restart_services"],
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
            say(
                "config.process_name",
                name=name,
                bytes_max=PROCESS_NAME_BYTES_MAX,
                short=name[:PROCESS_NAME_BYTES_MAX],
            ),
        )


def build_vhost(notes: Notes, element: Checked) -> tuple[VirtualHostName, ...]:
    """Build <vhost>."""
    names = element.all("virtualhostname")
    notes.once(names, "when")
    notes.once(names, "envfile")
    return tuple(
        VirtualHostName(one.values["name"], one.values["envfile"], one.values["when"])
        for one in names
    )
