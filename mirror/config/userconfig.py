"""userconfig.xml -> ModuleConfig: parse, check against the tables, build, check what rows cannot.

Pure: what concerns this host or the cluster is in host_check.py. All refusals are collected.
"""

from collections.abc import Mapping
from dataclasses import replace

from mirror.config.build_application import build_errd, build_user, build_vhost
from mirror.config.build_checks import build_checks, build_fence, build_splitbrain
from mirror.config.build_network import build_heart, build_vip
from mirror.config.build_replication import build_rfs
from mirror.config.collector import Collector
from mirror.config.elements import USERCONFIG
from mirror.config.macros import Macros
from mirror.config.models import Failover, Heart, ModuleConfig, Service
from mirror.config.notes import Notes
from mirror.config.reader import Checked, Reader
from mirror.config.xml_text import parse_xml
from mirror.errors import ConfigRefused, Refusal
from mirror.vocabulary.said import say

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
    heart = _heart(notes, element)
    vip, rfs, user, errd = (element.one(name) for name in ("vip", "rfs", "user", "errd"))
    fence, vhost = element.one("fence"), element.one("vhost")
    if errd is not None and user is None:
        notes.collector.refuse(errd.line, say("config.errd"))
    return ModuleConfig(
        file=notes.collector.file,
        service=_service(element),
        heart=heart,
        failover=_failover(notes, element.one("failover")),
        vip=build_vip(notes, vip) if vip else None,
        rfs=build_rfs(notes, rfs) if rfs else None,
        user=build_user(notes, user) if user else None,
        errd=build_errd(notes, errd) if errd else None,
        splitbrain=build_splitbrain(notes, element),
        checks=build_checks(notes, element),
        fence=build_fence(notes, fence) if fence else None,
        vhost=build_vhost(notes, vhost) if vhost else (),
        lines=notes.lines,
    )


def _heart(notes: Notes, service: Checked) -> Heart:
    """Build <heart>. A light module runs on one node and has nothing that takes two."""
    element = service.one("heart")
    if service.values["mode"] == "light":
        splitbrains = (one for check in service.all("check") for one in check.all("splitbrain"))
        of_two = (service.one(name) for name in ("heart", "vip", "rfs", "fence"))
        for found in (*of_two, *splitbrains):
            if found is not None:
                notes.collector.refuse(found.line, say("config.light", element=found.name))
        return Heart(profile=None, port=None, pulse_ms=0, timeout_ms=0, heartbeats=())
    if element is None:
        notes.collector.refuse(service.line, say("config.no_heart"))
        notes.collector.raise_if_refused()
    assert element is not None
    return build_heart(notes, element)


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
    notes.lines["rules"] = element.text_line
    value = element.values
    if value["handle_time"] % value["period"]:
        notes.collector.refuse(
            element.line_of("handle_time"),
            say(
                "config.handle_time",
                handle_time_ms=value["handle_time"],
                period_ms=value["period"],
            ),
        )
    return Failover(
        extends=value["extends"] == "yes",
        period_ms=value["period"],
        handle_time_ms=value["handle_time"],
        rules=element.text,
    )
