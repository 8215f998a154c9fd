"""The part of userconfig.xml that looks after things: <check>, <fence> and <vhost>, as tables.

As in elements.py a row says everything about an attribute. `<to>` stands in several checkers; which
of its attributes belong where, and the default of `action`, say the tables of build_checks.py.
"""

# A row is a line, however wide.
# ruff: noqa: E501

from mirror.config.grammar import Attribute, Element
from mirror.config.kinds import (
    Address,
    Choice,
    Duration,
    FilePath,
    HostLabel,
    Ident,
    Number,
    ProcessLabel,
    RelativePath,
    Switch,
    Text,
)
from mirror.vocabulary.said import say

A = Attribute
WHEN = Choice(("pre", "prim", "second", "both"))
ACTION = Choice(("wait", "stop", "stopstart", "restart", "swap", "noaction"))

# fmt: off
CHECK = Element("check", repeated=("check", "splitbrain", "tcp", "ping", "intf", "ip", "custom", "module"))

SPLITBRAIN = Element("splitbrain", (
    A("ident", Ident(), required=True),
    A("exec",  Choice(("ping", "etcd")), "ping"),
    A("arg",   Text(), required=True),
    A("when",  Choice(("pre",)), "pre"),
))

TO = Element("to", (
    A("addr",       Address()),
    A("local_addr", Address()),
    A("port",       Number(1, 65_535)),
    A("interval",   Duration("s", 100), "10"),
    A("timeout",    Duration("s", 100), "5"),
    A("secure",     Switch(),           "off"),
))

TCP = Element("tcp", (
    A("ident",  Ident(), required=True),
    A("when",   WHEN,    required=True),
    A("action", ACTION),
), children=("to",), one_of=("to",))

PING = Element("ping", (
    A("ident",  Ident(), required=True),
    A("when",   WHEN, "pre"),
    A("action", ACTION),
), children=("to",), one_of=("to",))

INTF = Element("intf", (
    A("ident", Ident(), required=True),
    A("when",  Choice(("pre",)), "pre"),
), children=("to",), one_of=("to",))

IP = Element("ip", (
    A("ident", Ident(), required=True),
    A("when",  Choice(("prim", "both")), required=True),
), children=("to",), one_of=("to",))

CUSTOM = Element("custom", (
    A("ident",  Ident(), required=True),
    A("when",   WHEN,    required=True),
    A("exec",   RelativePath(say("kind.program")), required=True),
    A("arg",    Text(empty=True), ""),
    A("action", ACTION),
))

MODULE = Element("module", (
    A("name",  Ident(), required=True),
    A("ident", Ident()),
), children=("to",))

FENCE = Element("fence", (
    A("agent",   ProcessLabel()),
    A("exec",    RelativePath(say("kind.program"))),
    A("delay",   Duration("s"),      "5"),
    A("timeout", Duration("s", 100), "60"),
), repeated=("option",))

OPTION = Element("option", (
    A("name",  Ident(), required=True),
    A("value", Text()),
    A("file",  FilePath()),
    A("node",  Ident()),
))

VHOST = Element("vhost", repeated=("virtualhostname",), one_of=("virtualhostname",))

VIRTUALHOSTNAME = Element("virtualhostname", (
    A("name",    HostLabel(), required=True),
    A("envfile", RelativePath(say("kind.bin_file")), required=True),
    A("when",    Choice(("prim", "second", "both")), "prim"),
))
# fmt: on

ELEMENTS = (
    CHECK,
    SPLITBRAIN,
    TO,
    TCP,
    PING,
    INTF,
    IP,
    CUSTOM,
    MODULE,
    FENCE,
    OPTION,
    VHOST,
    VIRTUALHOSTNAME,
)
