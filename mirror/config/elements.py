"""userconfig.xml as tables: every element, attribute, kind and default, one row each.

Defaults are SafeKit's, as its guide prints them, and those of what this product adds (reference
section 9). What is known but does nothing here says why in its row; what would change behaviour
and is not built yet is refused with a reason, so that no file is half obeyed.
"""

# A row is a line, however wide.
# ruff: noqa: E501

from mirror.config import check_elements
from mirror.config.grammar import Attribute, Element, grammar
from mirror.config.kinds import (
    Address,
    Choice,
    Device,
    Directory,
    Duration,
    Ident,
    Netmask,
    Number,
    ProcessLabel,
    Regex,
    RelativePath,
    Schedule,
    Size,
    Switch,
    Text,
    VariableName,
)
from mirror.vocabulary.said import say

A = Attribute
PORT = Number(1, 65_535)
ANY_NUMBER = Number(0, 2**62)
FARM = say("later.farm")

NO_NFS = say("idle.nfs")
NO_WINDOWS = say("idle.windows")

# fmt: off
SERVICE = Element("service", (
    A("mode",             Choice(("mirror", "farm", "light")), required=True,
      later=(("farm", FARM),)),
    A("boot",             Choice(("on", "off", "auto", "ignore")), "ignore"),
    A("boot_delay",       Duration("s"),       "0"),
    A("failover",         Switch(),            "on"),
    A("defaultprim",      Ident(),             "alone"),
    A("maxloop",          Number(0, 1_000),    "3"),
    A("loop_interval",    Duration("h"),       "24"),
    A("automatic_reboot", Switch(),            "off"),
), children=("heart", "vip", "rfs", "user", "vhost", "errd", "failover", "fence"), repeated=("check",))

HEART = Element("heart", (
    A("profile",       Choice(("fast", "standard", "safekit"))),
    A("port",          PORT),
    A("pulse",         Duration("ms", 10)),
    A("timeout",       Duration("ms", 100)),
    A("watchdog",      Device(),  "off"),
    A("permanent_arp", Switch(), "on", no_effect=say("idle.neighbours")),
), repeated=("heartbeat",), one_of=("heartbeat",))

HEARTBEAT = Element("heartbeat", (
    A("name",    Ident()),
    A("ident",   Ident()),
    A("pulse",   Duration("ms", 10)),
    A("timeout", Duration("ms", 100)),
), repeated=("server",))

SERVER = Element("server", (A("addr", Address(), required=True),))

VIP = Element("vip", (
    A("tcpreset",      Switch(), "on"),
    A("scriptcontrol", Switch(), "off", later=(("on", FARM),)),
), children=("interface_list",), one_of=("interface_list",))

INTERFACE_LIST = Element("interface_list", repeated=("interface",), one_of=("interface",))

INTERFACE = Element("interface", (
    A("name",        Ident()),
    A("check",       Switch(),      "on"),
    A("arpreroute",  Switch(),      "off"),
    A("arpinterval", Duration("s"), "60"),
    A("arpelapse",   Duration("s"), "1200"),
), children=("real_interface",), one_of=("real_interface",))

REAL_INTERFACE = Element("real_interface", repeated=("virtual_addr",), one_of=("virtual_addr",))

VIRTUAL_ADDR = Element("virtual_addr", (
    A("addr",        Address(), required=True),
    A("where",       Choice(("one_side_alias", "one_side", "alias")), "one_side_alias",
      later=(("alias", FARM),)),
    A("check",       Switch(), "on"),
    A("connections", Switch(), "off"),
    A("netmask",     Netmask()),
))

RFS = Element("rfs", (
    # what this product adds (design 6, 9, 11)
    A("barrier",         Choice(("write", "fsync")),     "write"),
    A("capture",         Choice(("mount", "watch")),     "mount"),
    A("policy",          Choice(("keep-prim", "ask")),   "keep-prim"),
    A("verifyat",        Text()),
    # what means the same as in SafeKit
    A("async",           Choice(("second", "none")),     "second"),
    A("nbrei",           Number(1, 64),                  "6"),
    A("reiallowedbw",    Size("K")),
    A("locktimeout",     Duration("s", 100),             "100"),
    A("sendtimeout",     Duration("s", 100),             "30"),
    A("iotimeout",       Duration("s", 100),             "300"),
    A("reitimeout",      Duration("s", 100),             "150"),
    A("syncdelta",       Duration("m"),                  "0"),
    A("syncat",          Schedule(),                     "none"),
    # what is not built yet
    A("scripts",         Switch(),                       "off",
      later=(("on", say("later.rfs_scripts")),)),
    # what has nothing to act on
    A("mountover",       Switch(),       "off", no_effect=say("idle.mounted")),
    A("mountoversuffix", Text(),         "_For_SafeKit_Replication", no_effect=say("idle.renamed")),
    A("acl",             Switch(),       "off", no_effect=say("idle.acl")),
    A("packetsize",      Size("B"),      no_effect=NO_NFS),
    A("reipacketsize",   Size("B"),      "8388608", no_effect=say("idle.compared")),
    A("ruzone_blocksize", Size("B"),     "8388608", no_effect=say("idle.noted")),
    A("roflags",         Number(0, 2**32, hexadecimal=True), "0x10", no_effect=NO_WINDOWS),
    A("namespacepolicy", Number(0, 4),   "4", no_effect=say("idle.resumes")),
    A("reicommit",       ANY_NUMBER,     "0", no_effect=say("idle.checkpoints")),
    A("reidetail",       Switch(),       "off", no_effect=say("idle.detailed")),
    A("allocthreshold",  ANY_NUMBER,     "0", no_effect=NO_WINDOWS),
    A("nbremconn",       Number(1, 64),  "1", no_effect=say("idle.connections")),
    A("checktime",       Duration("ms"), "220000", no_effect=NO_NFS),
    A("checkintv",       Duration("s"),  "120", no_effect=NO_NFS),
    A("nfsbox_options",  Choice(("cross", "nocross")), "cross", no_effect=NO_WINDOWS),
    A("smartwrite",      Number(0, 16),  no_effect=say("idle.changed")),
), children=("flow",), repeated=("replicated",), one_of=("replicated",))

FLOW = Element("flow", (A("name", Ident()),), repeated=("server",))

REPLICATED = Element("replicated", (
    A("dir",  Directory(), required=True),
    A("mode", Choice(("read_only", "read_write")), "read_write"),
), repeated=("tocheck", "notreplicated"))

TOCHECK = Element("tocheck", (A("path", RelativePath(), required=True),))

NOTREPLICATED = Element("notreplicated", (
    A("path",      RelativePath()),
    A("regexpath", Regex(negation=True)),
))

USER = Element("user", (
    A("nicestoptimeout",  Duration("s", 100), "300"),
    A("forcestoptimeout", Duration("s", 100), "300"),
    A("logging",          Choice(("userlog", "none")), "userlog"),
    A("userlogsize",      Size("K"), "2048"),
), repeated=("var",))

VAR = Element("var", (
    A("name",  VariableName(), required=True),
    A("value", Text(empty=True), required=True),
))

ERRD = Element("errd", (
    A("polltimer", Duration("s", 100), "30"),
), repeated=("proc",))

PROC = Element("proc", (
    A("name",        ProcessLabel(), required=True),
    A("service",     Switch("yes", "no"), "no"),
    A("nameregex",   Regex()),
    A("argregex",    Regex()),
    A("atleast",     Number(-1, 1_000_000), "1"),
    A("atmax",       Number(-1, 1_000_000), "-1"),
    A("action",      Text(), "stopstart"),
    A("class",       Ident(), required=True),
    A("start_after", Number(0, 1_000_000), "0"),
    A("cpu",         Text(), no_effect=say("idle.load")),
    A("restart_services", Text(empty=True), ""),
))

FAILOVER = Element("failover", (
    A("extends",     Choice(("yes", "no")), "yes"),
    A("period",      Duration("ms", 100), "5000"),
    A("handle_time", Duration("ms", 100), "15000"),
), text=True)

MACRO = Element("macro", (
    A("name",  VariableName(), required=True),
    A("value", Text(empty=True), required=True),
))
# fmt: on

SAFE = Element("safe", children=("service",), repeated=("macro",), one_of=("service",))

USERCONFIG = grammar(
    root="safe",
    elements=(
        SAFE,
        MACRO,
        SERVICE,
        HEART,
        HEARTBEAT,
        SERVER,
        VIP,
        INTERFACE_LIST,
        INTERFACE,
        REAL_INTERFACE,
        VIRTUAL_ADDR,
        RFS,
        FLOW,
        REPLICATED,
        TOCHECK,
        NOTREPLICATED,
        USER,
        VAR,
        ERRD,
        PROC,
        FAILOVER,
        *check_elements.ELEMENTS,
    ),
    later={
        "farm": FARM,
        "lan": FARM,
        "virtual_interface": FARM,
        "loadbalancing_list": FARM,
    },
)
