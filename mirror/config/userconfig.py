"""userconfig.xml -> ModuleConfig: parse, check against the tables, build, check what rows cannot.

Pure: what concerns this host or the cluster is in host_check.py. All refusals are collected.
"""

from collections.abc import Mapping
from dataclasses import replace

from mirror.config.build_application import build_errd, build_splitbrain, build_user
from mirror.config.build_network import build_heart, build_vip
from mirror.config.build_replication import build_rfs
from mirror.config.collector import Collector
from mirror.config.elements import USERCONFIG
from mirror.config.macros import Macros
from mirror.config.models import Failover, ModuleConfig, Service
from mirror.config.notes import Notes
from mirror.config.reader import Checked, Reader
from mirror.config.xml_text import parse_xml
from mirror.errors import ConfigRefused, Refusal

__all__ = ["ConfigRefused", "Refusal", "load_userconfig"]


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
    config = _module(Notes(collector), root)
    collector.raise_if_refused()
    return replace(config, macros=macros.defined, notices=tuple(collector.notices))


def _module(notes: Notes, root: Checked) -> ModuleConfig:
    element = root.one("service")
    assert element is not None
    heart = element.one("heart")
    if heart is None:
        notes.collector.refuse(
            element.line, "<service> holds no <heart>; a mirror module needs one heartbeat"
        )
        notes.collector.raise_if_refused()
    assert heart is not None
    vip, rfs, user, errd = (element.one(name) for name in ("vip", "rfs", "user", "errd"))
    if errd is not None and user is None:
        notes.collector.refuse(
            errd.line, "<errd> needs <user>, for it acts through the scripts; add <user/>"
        )
    return ModuleConfig(
        file=notes.collector.file,
        service=_service(element),
        heart=build_heart(notes, heart),
        failover=_failover(notes, element.one("failover")),
        vip=build_vip(notes, vip) if vip else None,
        rfs=build_rfs(notes, rfs) if rfs else None,
        user=build_user(notes, user) if user else None,
        errd=build_errd(notes, errd) if errd else None,
        splitbrain=build_splitbrain(notes, element),
        lines=notes.lines,
    )


def _service(element: Checked) -> Service:
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


def _failover(notes: Notes, element: Checked | None) -> Failover:
    if element is None:
        defaults = USERCONFIG.elements["failover"].defaults()
        element = Checked("failover", 0, defaults, {}, (), "")
    elif element.text:
        notes.collector.notice(
            element.line, "<failover>: the rules are kept; they are not evaluated yet"
        )
    value = element.values
    if value["handle_time"] % value["period"]:
        notes.collector.refuse(
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
