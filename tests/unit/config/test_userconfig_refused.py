"""What a userconfig.xml must not say: one sentence each, with line, element, attribute, remedy."""

import pytest

from mirror.config.userconfig import ConfigRefused, Refusal, load_userconfig
from mirror.vocabulary.said import Said

HEART = '<heart><heartbeat name="default"/></heart>'


def service(inside: str = "", attributes: str = 'mode="mirror"', heart: str = HEART) -> str:
    return f"<safe>\n<service {attributes}>\n{heart}\n{inside}\n</service>\n</safe>\n"


def rfs(inside: str, attributes: str = "") -> str:
    return service(f"<rfs {attributes}>\n{inside}\n</rfs>")


def vip(virtual_addr: str) -> str:
    return service(
        f"<vip><interface_list><interface><real_interface>{virtual_addr}"
        "</real_interface></interface></interface_list></vip>"
    )


def refusals(text: str | bytes) -> tuple[Refusal, ...]:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(ConfigRefused) as caught:
        load_userconfig(data, "userconfig.xml", {"KNOWN": "x"})
    return caught.value.refusals


REPLICATED = '<replicated dir="/srv/a"/>'
CASES = {
    "unknown attribute": (rfs(REPLICATED, 'nbrie="3"'), 4, ['"nbrie"', '"nbrei"?', "<rfs>"]),
    "unknown element": (service("<rsf/>"), 4, ["<rsf>", '"rfs"?', "<service>"]),
    "unknown element without resemblance": (service("<zebra/>"), 4, ["allowed in it: check,"]),
    "misplaced element": (service("<replicated dir='/a'/>"), 4, ["belongs in <rfs>"]),
    "element twice": (service("<user/><user/>"), 4, ["<user>", "twice"]),
    "word": (rfs(REPLICATED, 'async="secnd"'), 4, ["secnd", '"second"?', "second, none"]),
    "farm mode": (service(attributes='mode="farm"'), 2, ["farm mode comes later"]),
    "farm": (service("<farm/>"), 4, ["farm mode comes later"]),
    "checker without target": (
        service("<check><tcp ident='x' when='prim'/></check>"),
        4,
        ["<tcp> holds no <to>"],
    ),
    "checker without port": (
        service("<check><tcp ident='x' when='prim'>\n<to addr='a'/></tcp></check>"),
        5,
        ['<to> in <tcp>: attribute "port" is missing'],
    ),
    "attribute of another checker": (
        service("<check><ping ident='x'>\n<to addr='a' port='3'/></ping></check>"),
        5,
        ['"port" means nothing here', "allowed: addr, interval, timeout"],
    ),
    "stop before the start": (
        service("<check>\n<ping ident='x' action='stop'><to addr='a'/></ping></check>"),
        5,
        ['action "stop" does not go with when="pre"', "allowed: wait, noaction"],
    ),
    "wait while it runs": (
        service("<check>\n<custom ident='x' when='prim' exec='c' action='wait'/></check>"),
        5,
        ['action "wait" does not go with when="prim"'],
    ),
    "checker twice": (
        service(
            "<check><custom ident='x' when='prim' exec='c'/>\n"
            "<custom ident='x' when='prim' exec='c'/></check>"
        ),
        5,
        ['"x" stands already in line 4'],
    ),
    "checker outside bin": (
        service("<check><custom ident='x' when='prim' exec='../c'/></check>"),
        4,
        ["a program of the module's bin"],
    ),
    "module checker": (
        service("<check><module name='1x'/></check>"),
        4,
        ['"1x" is no module name'],
    ),
    "watchdog that cannot fire in time": (
        service(
            heart='<heart profile="fast" watchdog="/dev/watchdog"><heartbeat name="a"/></heart>'
        ),
        3,
        ["whole seconds", "1000 ms", 'profile="standard"'],
    ),
    "watchdog without a path": (
        service(heart='<heart watchdog="on"><heartbeat name="a"/></heart>'),
        3,
        ["off, or the path of a device"],
    ),
    "handler outside of bin": (
        service('<user/><errd><proc name="a" class="prim" action="/bin/true"/></errd>'),
        4,
        ['"/bin/true"', "a program of bin"],
    ),
    "services of no restart": (
        service('<user/><errd><proc name="a" class="prim" restart_services="b"/></errd>'),
        4,
        ['needs action="restart"'],
    ),
    "fence without a program": (service("<fence/>"), 4, ['"agent"', '"exec"', "one of them"]),
    "fence with two programs": (
        service("<fence agent='fence_dummy' exec='off'/>"),
        4,
        ["one of them"],
    ),
    "secret in the file": (
        service("<fence agent='fence_dummy'>\n<option name='password' value='x'/></fence>"),
        5,
        ["a secret does not belong", "file="],
    ),
    "option without value": (
        service("<fence agent='fence_dummy'>\n<option name='ip'/></fence>"),
        5,
        ['"ip" needs "value" or "file"'],
    ),
    "vhost without a name": (service("<vhost/>"), 4, ["holds no <virtualhostname>"]),
    "virtual host name": (
        service("<vhost><virtualhostname name='a_b' envfile='e'/></vhost>"),
        4,
        ["a host name of 1 to 63"],
    ),
    "schedule": (rfs(REPLICATED, 'syncat="0 25 * * *"'), 4, ["syncat", "hour", "0 to 23"]),
    "callbacks": (rfs(REPLICATED, 'scripts="on"'), 4, ["scripts", "not in this version"]),
    "no mode": (service(attributes=""), 2, ['"mode" is missing']),
    "no heart": (service(heart=""), 2, ["no <heart>"]),
    "no heartbeat": (service(heart="<heart/>"), 3, ["no <heartbeat>"]),
    "heartbeat without name": (service(heart="<heart><heartbeat/></heart>"), 3, ['"name"']),
    "mixed syntax": (
        service(heart='<heart><heartbeat name="a"><server addr="1.1.1.1"/></heartbeat></heart>'),
        3,
        ["do not mix"],
    ),
    "heartbeat twice": (
        service(heart='<heart><heartbeat name="a"/>\n<heartbeat name="a"/></heart>'),
        4,
        ['"a" stands already in line 3'],
    ),
    "label twice": (
        service(
            heart='<heart><heartbeat name="a" ident="flow"/>\n'
            '<heartbeat name="b" ident="flow"/></heart>'
        ),
        4,
        ['"flow" stands already in line 3'],
    ),
    "timeout too short": (
        service(heart='<heart pulse="500" timeout="900"><heartbeat name="a"/></heart>'),
        3,
        ["900 ms is less than 2 pulses"],
    ),
    "rounds to zero": (rfs(REPLICATED, 'locktimeout="1ms"'), 4, ["rounds to 0 s"]),
    "not a duration": (rfs(REPLICATED, 'locktimeout="soon"'), 4, ["soon", "d h m s ms us"]),
    "not a number": (rfs(REPLICATED, 'nbrei="many"'), 4, ["many", "1 to 64"]),
    "number out of range": (rfs(REPLICATED, 'nbrei="65"'), 4, ["65", "1 to 64"]),
    "no directory": (rfs(""), 4, ["no <replicated>"]),
    "empty directory": (rfs('<replicated dir=""/>'), 5, ['"dir": empty', "absolute path"]),
    "relative directory": (rfs('<replicated dir="srv/a"/>'), 5, ["relative path", "srv/a"]),
    "root directory": (rfs('<replicated dir="/"/>'), 5, ["other than '/'"]),
    "root directory, disguised": (rfs('<replicated dir="//"/>'), 5, ["other than '/'"]),
    "dots": (rfs('<replicated dir="/srv/../etc"/>'), 5, ['".."']),
    "nested": (
        rfs(f'{REPLICATED}\n<replicated dir="/srv/a/b"/>'),
        6,
        ["overlaps /srv/a of line 5"],
    ),
    "nested, outer last": (rfs(f'{REPLICATED}\n<replicated dir="/srv"/>'), 6, ["overlaps"]),
    "same directory": (rfs(f'{REPLICATED}\n<replicated dir="/srv/a/"/>'), 6, ["is the same as"]),
    "absolute exclusion": (
        rfs('<replicated dir="/a">\n<notreplicated path="/a/b"/></replicated>'),
        6,
        ["relative to the replicated directory"],
    ),
    "regular expression": (
        rfs('<replicated dir="/a">\n<notreplicated regexpath="!(a"/></replicated>'),
        6,
        ["!(a", "POSIX"],
    ),
    "empty address": (vip('<virtual_addr addr=""/>'), 4, ['"addr": empty', "IPv4"]),
    "wrong address": (vip('<virtual_addr addr="10.0.0.256"/>'), 4, ["10.0.0.256"]),
    "address with mask": (vip('<virtual_addr addr="10.0.0.1/24"/>'), 4, ["10.0.0.1/24"]),
    "placeholder": (
        vip('<virtual_addr addr="VIRTUAL_TO_BE_DEFINED"/>'),
        4,
        ["placeholder VIRTUAL_TO_BE_DEFINED", "replace it by an IPv4"],
    ),
    "placeholder of a process": (
        service('<user/><errd><proc name="PROCESS_NAME" class="prim"/></errd>'),
        4,
        ["placeholder PROCESS_NAME"],
    ),
    "load balancing": (vip('<virtual_addr addr="10.0.0.1" where="alias"/>'), 4, ["farm mode"]),
    "empty label": (
        service('<check><splitbrain ident="" arg="10.0.0.1"/></check>'),
        4,
        ['"ident": empty'],
    ),
    "two witnesses": (
        service(
            '<check><splitbrain ident="a" arg="10.0.0.1"/></check>'
            '<check>\n<splitbrain ident="b" arg="10.0.0.1"/></check>'
        ),
        5,
        ["twice"],
    ),
    "witness": (
        service('<check><splitbrain ident="a" arg="10.0.0.999"/></check>'),
        4,
        ["10.0.0.999"],
    ),
    "etcd witness": (
        service('<check><splitbrain ident="a" exec="etcd" arg="h1:2379"/></check>'),
        4,
        ["h1:2379", "https://"],
    ),
    "errd without user": (service("<errd/>"), 4, ["needs <user>"]),
    "process bounds": (
        service('<user/><errd><proc name="a" class="prim" atleast="3" atmax="2"/></errd>'),
        4,
        ['"atmax" 2 is below "atleast" 3'],
    ),
    "process name too long": (
        service('<user/><errd><proc name="sixteen-letters-" class="prim"/></errd>'),
        4,
        ["longer than the 15 bytes", '"sixteen-letters"'],
    ),
    "process with a slash": (
        service('<user/><errd><proc name="/bin/a" class="prim"/></errd>'),
        4,
        ["without '/'"],
    ),
    "two exclusions in one": (
        rfs('<replicated dir="/a">\n<notreplicated path="a" regexpath="b"/></replicated>'),
        6,
        ["one of", "not both"],
    ),
    "no exclusion": (
        rfs('<replicated dir="/a">\n<notreplicated/></replicated>'),
        6,
        ["one of", "not both"],
    ),
    "variable name": (service('<user><var name="A-B" value=""/></user>'), 4, ['"A-B"']),
    "unknown macro": (rfs('<replicated dir="%NOWHERE%/a"/>'), 5, ["%NOWHERE%", "neither"]),
    "rules": (
        service('<failover period="2s" handle_time="5s"/>'),
        4,
        ["5000 ms is no multiple", "2000 ms"],
    ),
    "text": (service("hello"), 2, ['"hello"']),
    "root": ("<sefe/>", 1, ["<sefe>", '"safe"?']),
    "two services": (
        "<safe><service mode='mirror'/>\n<service mode='mirror'/></safe>",
        2,
        ["twice"],
    ),
    "quote inside straight quotes": (rfs('<replicated dir="”/srv/a”"/>'), 5, ["typographic"]),
    "attribute of a tag over several lines": (
        rfs('<replicated\n  dir="/srv/a"\n  mode="readonly"\n/>'),
        7,
        ["readonly", '"read_only"?'],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_refused(name: str) -> None:
    text, line, words = CASES[name]
    found = [one for one in refusals(text) if all(word in one.sentence for word in words)]
    assert [one.line for one in found] == [line], refusals(text)


def test_everything_wrong_is_reported_at_once_in_order_of_lines() -> None:
    text = rfs('<replicated dir="a"/>\n<replicated dir="b" mood="x"/>', 'async="x" nbrei="0"')
    assert [one.line for one in refusals(text)] == [4, 4, 5, 6, 6]


def test_typographic_quotes_are_refused_with_their_line() -> None:
    text = (
        "<safe>\n<!-- l\u2019essai, dir=”x” -->\n<service mode=”mirror”>\n"
        '<heart pulse="700">\n<heartbeat name=“default” />\n</heart></service></safe>'
    )
    found = refusals(text)
    assert [one.line for one in found] == [3, 5]
    assert all("typographic quote" in one.sentence and '"' in one.sentence for one in found)


def test_an_attribute_closed_by_a_typographic_quote() -> None:
    found = refusals('<safe>\n<service mode="mirror”>\n</service></safe>')
    assert found[0].line == 2
    assert "typographic quote" in found[0].sentence


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE safe SYSTEM "http://127.0.0.1:9/safe.dtd">',
        '<!DOCTYPE safe [<!ENTITY a "b">]>',
        '<!DOCTYPE safe PUBLIC "a" "file:///etc/passwd">',
    ],
)
def test_a_dtd_is_refused(doctype: str) -> None:
    found = refusals("<?xml version='1.0'?>\n<!-- c -->\n" + doctype + service())
    assert [(one.line, "DTD" in one.sentence) for one in found] == [(3, True)]


def test_entities_are_refused() -> None:
    found = refusals(service('<user><var name="a" value="&secret;"/></user>'))
    assert found[0].line == 4
    assert "secret" in found[0].sentence


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "not well-formed"),
        (b"<safe>", "not well-formed"),
        ("<safe/>".encode("utf-16"), "UTF-8"),
        (b"<safe>\xff\xfe</safe>", "not well-formed"),
        (b"x" * (1024 * 1024 + 1), "at most"),
        (b"<macro name='a' value='b'/>\n<safe>", "not well-formed"),
    ],
)
def test_what_is_no_xml_is_refused(data: bytes, word: str) -> None:
    assert word in refusals(data)[0].sentence


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", "xml.empty"),
        ("text", "xml.empty"),
        ("<a><b></a>", "xml.mismatch"),
        ("<a>", "xml.not_closed"),
        ("<macro name='a' value='b'/><a>", "xml.not_closed"),
        ("<a", "xml.unended"),
        ("<a x=1/>", "xml.quotes"),
        ("<a x/>", "xml.no_value"),
        ('<a x="1" x="2"/>', "xml.twice"),
        ('<a x="1></a>', "xml.less_than"),
        ('<a x="1"y="2"/>', "xml.blank"),
        ("<a>R&D</a>", "xml.ampersand"),
        ("<a>&</a>", "xml.ampersand"),
        ("< a/>", "xml.name"),
        ("<a>&nbsp;</a>", "xml.entity"),
        ("<a/><oops", "xml.after_end"),
        ("<a><!-- - -- --></a>", "xml.hyphens"),
        ("<a><!-- </a>", "xml.comment"),
        ("<a>\x01</a>", "xml.character"),
        (b"<a>\xff\xfe</a>", "xml.encoding"),
    ],
)
def test_what_the_parser_says_has_a_code(data: str | bytes, code: str) -> None:
    """The words are those of the library that is installed: another one may choose others."""
    sentence = refusals(data)[0].sentence
    assert isinstance(sentence, Said)
    observed = sentence.facts["observed"]
    assert isinstance(observed, Said)
    assert observed.code == code, observed


def test_no_sentence_shows_how_macros_are_parsed() -> None:
    assert "mirror-document" not in str(refusals(b"<macro name='a' value='b'/>\n<safe>"))


def test_the_names_of_the_environment_are_not_proposed() -> None:
    assert "KNOWN" not in str(refusals(rfs('<replicated dir="%KNOWM%"/>')))
