"""userconfig.xml -> ModuleConfig: parse, check against the tables, build, check what rows cannot.

Pure: what concerns this host or the cluster is in host_check.py. All refusals are collected.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import PurePosixPath

from mirror.config.collector import Collector
from mirror.config.elements import USERCONFIG
from mirror.config.kinds import Address
from mirror.config.macros import Macros
from mirror.config.models import (
    Errd,
    Failover,
    Heart,
    Heartbeat,
    ModuleConfig,
    Replicated,
    Rfs,
    Service,
    SplitBrain,
    User,
    Vip,
    VipInterface,
    VirtualAddress,
    WatchedProcess,
)
from mirror.config.reader import Checked, Reader
from mirror.config.timing import HeartTiming, resolve_heart_timing
from mirror.config.xml_text import parse_xml
from mirror.errors import ConfigRefused, Refusal

__all__ = ["ConfigRefused", "Refusal", "load_userconfig"]

PROCESS_NAME_BYTES_MAX = 15  # TASK_COMM_LEN - 1


def load_userconfig(text: bytes, file: str, environment: Mapping[str, str]) -> ModuleConfig:
    """Read and check one file. file: its name in sentences; environment: for %NAME%.

    Raises: ConfigRefused (MIR-101) with everything that is wrong.
    """
    collector = Collector(file)
    macros = Macros(environment)
    document = parse_xml(text, collector)
    collector.raise_if_refused()
    assert document is not None
    root = Reader(USERCONFIG, document, collector, macros).read()
    # Values that were refused are missing: what would be built from them has no meaning.
    collector.raise_if_refused()
    assert root is not None
    builder = _Builder(collector)
    config = builder.module(root)
    collector.raise_if_refused()
    return replace(config, macros=macros.defined, notices=tuple(collector.notices))


class _Builder:
    """Builds the values of one file; what no row of a table can say is checked on the way."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._lines: dict[str, int] = {}

    def module(self, root: Checked) -> ModuleConfig:
        element = root.one("service")
        assert element is not None
        heart = element.one("heart")
        if heart is None:
            self._collector.refuse(
                element.line, "<service> holds no <heart>; a mirror module needs one heartbeat"
            )
            self._collector.raise_if_refused()
        assert heart is not None
        vip, rfs, user, errd = (element.one(name) for name in ("vip", "rfs", "user", "errd"))
        if errd is not None and user is None:
            self._collector.refuse(
                errd.line, "<errd> needs <user>, for it acts through the scripts; add <user/>"
            )
        return ModuleConfig(
            file=self._collector.file,
            service=self._service(element),
            heart=self._heart(heart),
            failover=self._failover(element.one("failover")),
            vip=self._vip(vip) if vip else None,
            rfs=self._rfs(rfs) if rfs else None,
            user=self._user(user) if user else None,
            errd=self._errd(errd) if errd else None,
            splitbrain=self._splitbrain(element),
            lines=self._lines,
        )

    def _service(self, element: Checked) -> Service:
        value = element.values
        return Service(
            mode=value["mode"],
            boot=value["boot"],
            boot_delay_ms=value["boot_delay"],
            failover=value["failover"],
            defaultprim=value["defaultprim"],
            maxloop=value["maxloop"],
            loop_interval_ms=value["loop_interval"],
            automatic_reboot=value["automatic_reboot"],
        )

    def _heart(self, element: Checked) -> Heart:
        value = element.values
        timing = self._timing(element, value["profile"], value["pulse"], value["timeout"])
        beats = []
        for child in element.all("heartbeat"):
            pulse_ms = child.values["pulse"] or timing.pulse_ms
            timeout_ms = child.values["timeout"] or timing.timeout_ms
            own = self._timing(child, None, pulse_ms, timeout_ms)
            beats.append(self._heartbeat(child, own))
        self._once(element.all("heartbeat"), "name")
        self._once(element.all("heartbeat"), "ident")
        return Heart(
            profile=value["profile"],
            port=value["port"],
            pulse_ms=timing.pulse_ms,
            timeout_ms=timing.timeout_ms,
            heartbeats=tuple(beats),
        )

    def _heartbeat(self, element: Checked, timing: HeartTiming) -> Heartbeat:
        name, ident = element.values["name"], element.values["ident"]
        servers = tuple(server.values["addr"] for server in element.all("server"))
        if name is None and not servers:
            self._collector.refuse(
                element.line,
                '<heartbeat>: attribute "name" is missing; give a <lan> name of cluster.xml',
            )
        if name is not None and servers:
            self._collector.refuse(
                element.line,
                "<heartbeat> has a name and holds <server>; the old and the new syntax do not mix:"
                " keep the name",
            )
        if name is not None:
            self._lines[f"network {name}"] = element.line_of("name")
        return Heartbeat(
            name=name,
            ident=ident or name or "heartbeat",
            pulse_ms=timing.pulse_ms,
            timeout_ms=timing.timeout_ms,
            servers=servers,
        )

    def _timing(
        self, element: Checked, profile: str | None, pulse_ms: int | None, timeout_ms: int | None
    ) -> HeartTiming:
        try:
            return resolve_heart_timing(profile, pulse_ms, timeout_ms)  # type: ignore[arg-type]
        except ValueError as error:
            self._collector.refuse(
                element.line, f'<{element.name}>: {error}; raise "timeout" or lower "pulse"'
            )
            return HeartTiming(pulse_ms=0, timeout_ms=0)

    def _vip(self, element: Checked) -> Vip:
        interface_list = element.one("interface_list")
        assert interface_list is not None
        interfaces = []
        addresses: list[Checked] = []
        for child in interface_list.all("interface"):
            real = child.one("real_interface")
            assert real is not None
            addresses += real.all("virtual_addr")
            interfaces.append(
                VipInterface(
                    name=child.values["name"],
                    check=child.values["check"],
                    arpreroute=child.values["arpreroute"],
                    arpinterval_ms=child.values["arpinterval"],
                    arpelapse_ms=child.values["arpelapse"],
                    addresses=tuple(
                        VirtualAddress(
                            addr=one.values["addr"],
                            where=one.values["where"],
                            check=one.values["check"],
                            prefix_length=one.values["netmask"],
                        )
                        for one in real.all("virtual_addr")
                    ),
                )
            )
        self._once(tuple(addresses), "addr")
        for one in addresses:
            self._lines[f"addr {one.values['addr']}"] = one.line_of("addr")
        return Vip(tcpreset=element.values["tcpreset"], interfaces=tuple(interfaces))

    def _rfs(self, element: Checked) -> Rfs:
        value = element.values
        replicated = element.all("replicated")
        self._refuse_nested(replicated)
        flow = element.one("flow")
        if value["capture"] == "watch":
            self._collector.notice(
                element.line_of("capture"),
                '<rfs capture="watch"> is asynchronous: what was written last may be lost',
            )
        return Rfs(
            barrier=value["barrier"],
            acknowledge=value["async"],
            capture=value["capture"],
            policy=value["policy"],
            nbrei=value["nbrei"],
            reiallowedbw_bytes_s=value["reiallowedbw"],
            locktimeout_ms=value["locktimeout"],
            sendtimeout_ms=value["sendtimeout"],
            iotimeout_ms=value["iotimeout"],
            reitimeout_ms=value["reitimeout"],
            syncdelta_ms=value["syncdelta"],
            flow_network=flow.values["name"] if flow else None,
            replicated=tuple(self._replicated(child) for child in replicated),
        )

    def _replicated(self, element: Checked) -> Replicated:
        self._lines[f"dir {element.values['dir']}"] = element.line_of("dir")
        excluded = element.all("notreplicated")
        for child in excluded:
            if (child.values["path"] is None) == (child.values["regexpath"] is None):
                self._collector.refuse(
                    child.line, '<notreplicated> needs one of "path" and "regexpath", not both'
                )
        paths = (child.values["path"] for child in excluded)
        expressions = (child.values["regexpath"] for child in excluded)
        return Replicated(
            directory=element.values["dir"],
            read_only=element.values["mode"] == "read_only",
            to_check=tuple(child.values["path"] for child in element.all("tocheck")),
            not_replicated=tuple(path for path in paths if path is not None),
            not_replicated_regex=tuple(one for one in expressions if one is not None),
        )

    def _refuse_nested(self, replicated: tuple[Checked, ...]) -> None:
        for first, second in combinations(replicated, 2):
            outer, inner = first.values["dir"], second.values["dir"]
            if overlaps(outer, inner):
                relation = "is the same as" if outer == inner else "overlaps"
                self._collector.refuse(
                    second.line_of("dir"),
                    f'<replicated>: attribute "dir": {inner} {relation} {outer} of line'
                    f" {first.line_of('dir')}; replicate the outer one only",
                )

    def _user(self, element: Checked) -> User:
        value = element.values
        self._once(element.all("var"), "name")
        return User(
            nicestoptimeout_ms=value["nicestoptimeout"],
            forcestoptimeout_ms=value["forcestoptimeout"],
            logging=value["logging"],
            userlogsize_bytes=value["userlogsize"],
            variables={var.values["name"]: var.values["value"] for var in element.all("var")},
        )

    def _errd(self, element: Checked) -> Errd:
        self._once(element.all("proc"), "name")
        processes = []
        for child in element.all("proc"):
            value = child.values
            self._check_process_name(child)
            if 0 <= value["atmax"] < value["atleast"]:
                self._collector.refuse(
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

    def _check_process_name(self, element: Checked) -> None:
        """A name the kernel cuts would never be found; a unit or an expression may be longer."""
        name = element.values["name"]
        by_name = not element.values["service"] and element.values["nameregex"] is None
        if by_name and len(name.encode()) > PROCESS_NAME_BYTES_MAX:
            self._collector.refuse(
                element.line_of("name"),
                f'<proc>: attribute "name": "{name}" is longer than the'
                f" {PROCESS_NAME_BYTES_MAX} bytes that Linux keeps of a process name; write"
                f' "{name[:PROCESS_NAME_BYTES_MAX]}", or use "argregex" too',
            )

    def _splitbrain(self, service: Checked) -> SplitBrain | None:
        found = [one for check in service.all("check") for one in _descend(check, "splitbrain")]
        for extra in found[1:]:
            self._collector.refuse(
                extra.line, f"<splitbrain> stands twice; the one of line {found[0].line} is enough"
            )
        if not found:
            return None
        element = found[0]
        value = element.values
        witnesses = tuple(value["arg"].replace(",", " ").split())
        for witness in witnesses:
            self._check_witness(element, value["exec"], witness)
        return SplitBrain(ident=value["ident"], exec=value["exec"], witnesses=witnesses)

    def _check_witness(self, element: Checked, exec_: str, witness: str) -> None:
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
            self._collector.refuse(
                element.line_of("arg"),
                f'<splitbrain>: attribute "arg": "{witness}"; allowed: {allowed}',
            )

    def _failover(self, element: Checked | None) -> Failover:
        if element is None:
            row = USERCONFIG.elements["failover"].attribute
            defaults = {name: row(name) for name in ("extends", "period", "handle_time")}
            values = {
                name: one.kind.parse(one.default)
                for name, one in defaults.items()
                if one is not None and one.default is not None
            }
            element = Checked("failover", 0, values, {}, (), "")
        elif element.text:
            self._collector.notice(
                element.line, "<failover>: the rules are kept; they are not evaluated yet"
            )
        value = element.values
        if value["handle_time"] % value["period"]:
            self._collector.refuse(
                element.line_of("handle_time"),
                f'<failover>: attribute "handle_time": {value["handle_time"]} ms is no multiple of'
                f" the period, {value['period']} ms; choose one",
            )
        return Failover(
            extends=value["extends"] == "yes",
            period_ms=value["period"],
            handle_time_ms=value["handle_time"],
            rules=element.text,
        )

    def _once(self, elements: tuple[Checked, ...], attribute: str) -> None:
        """Refuse a value that stands twice among sisters."""
        first_line: dict[str, int] = {}
        for element in elements:
            value = element.values[attribute]
            if value is None:
                continue
            if value in first_line:
                self._collector.refuse(
                    element.line_of(attribute),
                    f'<{element.name}>: attribute "{attribute}": "{value}" stands already in line'
                    f" {first_line[value]}; once is allowed",
                )
            first_line.setdefault(value, element.line_of(attribute))


def overlaps(first: str, second: str) -> bool:
    """Whether one of two absolute directories is the other, or lies beneath it."""
    one, other = PurePosixPath(first), PurePosixPath(second)
    return one == other or one in other.parents or other in one.parents


def _descend(element: Checked, name: str) -> Iterator[Checked]:
    """Find elements at any depth: <check> may be nested in <check> in real files."""
    for child in element.children:
        if child.name == name:
            yield child
        yield from _descend(child, name)
