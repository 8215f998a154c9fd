"""<heart> and <vip> as values: how nodes hear each other, and what clients connect to."""

from mirror.config.models import Heart, Heartbeat, Vip, VipInterface, VirtualAddress
from mirror.config.notes import Notes
from mirror.config.reader import Checked
from mirror.config.timing import PULSES_PER_TIMEOUT_MIN, HeartTiming, resolve_heart_timing
from mirror.vocabulary.said import say

# Of it the watchdog gets the part that daemon/watchdog_keeper.py says, a second or more.
WATCHDOG_TIMEOUT_MS_MIN = 3_000


def build_heart(notes: Notes, element: Checked) -> Heart:
    """Build <heart>; its timing is resolved once, for the whole and for each network."""
    value = element.values
    timing = _timing(notes, element, value["profile"], value["pulse"], value["timeout"])
    beats = []
    for child in element.all("heartbeat"):
        pulse_ms = child.values["pulse"] or timing.pulse_ms
        timeout_ms = child.values["timeout"] or timing.timeout_ms
        own = _timing(notes, child, None, pulse_ms, timeout_ms)
        beats.append(_heartbeat(notes, child, own))
    notes.once(element.all("heartbeat"), "name")
    notes.once(element.all("heartbeat"), "ident")
    return Heart(
        profile=value["profile"],
        port=value["port"],
        pulse_ms=timing.pulse_ms,
        timeout_ms=timing.timeout_ms,
        heartbeats=tuple(beats),
        watchdog=_watchdog(notes, element, beats),
    )


def _watchdog(notes: Notes, element: Checked, beats: list[Heartbeat]) -> str:
    device: str = element.values["watchdog"]
    timeout_ms = min((beat.timeout_ms for beat in beats), default=0)
    if device and timeout_ms < WATCHDOG_TIMEOUT_MS_MIN:
        notes.collector.refuse(
            element.line_of("watchdog"),
            say("config.watchdog", timeout_ms=timeout_ms, minimum_ms=WATCHDOG_TIMEOUT_MS_MIN),
        )
    return device


def _heartbeat(notes: Notes, element: Checked, timing: HeartTiming) -> Heartbeat:
    name, ident = element.values["name"], element.values["ident"]
    servers = tuple(server.values["addr"] for server in element.all("server"))
    if name is None and not servers:
        notes.collector.refuse(element.line, say("config.heartbeat_name"))
    if name is not None and servers:
        notes.collector.refuse(element.line, say("config.heartbeat_both"))
    if name is not None:
        notes.lines[f"network {name}"] = element.line_of("name")
    return Heartbeat(
        name=name,
        ident=ident or name or "heartbeat",
        pulse_ms=timing.pulse_ms,
        timeout_ms=timing.timeout_ms,
        servers=servers,
    )


def _timing(
    notes: Notes,
    element: Checked,
    profile: str | None,
    pulse_ms: int | None,
    timeout_ms: int | None,
) -> HeartTiming:
    timing = resolve_heart_timing(profile, pulse_ms, timeout_ms)  # type: ignore[arg-type]
    if timing.timeout_ms < PULSES_PER_TIMEOUT_MIN * timing.pulse_ms:
        notes.collector.refuse(
            element.line,
            say(
                "config.timing",
                element=element.name,
                timeout_ms=timing.timeout_ms,
                pulses=PULSES_PER_TIMEOUT_MIN,
                pulse_ms=timing.pulse_ms,
            ),
        )
        return HeartTiming(pulse_ms=0, timeout_ms=0)
    return timing


def build_vip(notes: Notes, element: Checked) -> Vip:
    """Build <vip>."""
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
                        connections=one.values["connections"],
                        prefix_length=one.values["netmask"],
                    )
                    for one in real.all("virtual_addr")
                ),
            )
        )
    notes.once(tuple(addresses), "addr")
    for one in addresses:
        notes.lines[f"addr {one.values['addr']}"] = one.line_of("addr")
    return Vip(tcpreset=element.values["tcpreset"], interfaces=tuple(interfaces))
