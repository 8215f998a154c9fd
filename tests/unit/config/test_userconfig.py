"""userconfig.xml: what real files say is understood, with every default of the reference."""

from pathlib import Path

import pytest

from mirror.config.models import (
    Errd,
    Failover,
    Heart,
    Heartbeat,
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
from mirror.config.userconfig import load_userconfig

GOLDEN = Path(__file__).parents[2] / "golden" / "config"
MINIMAL = b"""<safe><service mode="mirror"><heart><heartbeat name="default"/></heart>%s
</service></safe>"""


def test_a_file_in_the_manner_of_published_modules() -> None:
    config = load_userconfig((GOLDEN / "legacy_sample.xml").read_bytes(), "userconfig.xml", {})
    assert config.service == Service(
        mode="mirror",
        boot="ignore",
        boot_delay_ms=0,
        failover=True,
        defaultprim="alone",
        maxloop=3,
        loop_interval_ms=86_400_000,
        automatic_reboot=False,
    )
    assert config.heart == Heart(
        profile=None,
        port=None,
        pulse_ms=700,
        timeout_ms=30_000,
        heartbeats=(Heartbeat("default", "flow", pulse_ms=700, timeout_ms=30_000),),
    )
    address = VirtualAddress(
        "192.168.1.32", "one_side_alias", check=True, connections=False, prefix_length=None
    )
    assert config.vip == Vip(
        tcpreset=True,
        interfaces=(
            VipInterface(
                name=None,
                check=True,
                arpreroute=True,
                arpinterval_ms=60_000,
                arpelapse_ms=1_200_000,
                addresses=(address,),
            ),
        ),
    )
    assert config.errd == Errd(
        polltimer_ms=10_000,
        processes=(
            WatchedProcess(
                name="apache2",
                is_service=False,
                nameregex=None,
                argregex=None,
                atleast=1,
                atmax=-1,
                action="restart",
                process_class="prim",
                start_after=0,
            ),
        ),
    )
    assert config.rfs == Rfs(
        barrier="write",
        acknowledge="second",
        capture="mount",
        policy="keep-prim",
        nbrei=3,
        reiallowedbw_bytes_s=None,
        locktimeout_ms=100_000,
        sendtimeout_ms=30_000,
        iotimeout_ms=300_000,
        reitimeout_ms=150_000,
        syncdelta_ms=0,
        verifyat=None,
        syncat=None,
        flow_network=None,
        replicated=(
            Replicated(
                "/srv/web data",
                read_only=True,
                to_check=("htdocs/index.html",),
            ),
        ),
    )
    assert config.user == User(
        nicestoptimeout_ms=300_000,
        forcestoptimeout_ms=300_000,
        logging="userlog",
        userlogsize_bytes=2048 * 1024,
        # XML itself turns the newline of the attribute into a space.
        variables={"SERVICES": "apache2,     php-fpm"},
    )
    assert config.splitbrain == SplitBrain("router", "ping", ("192.168.1.1", "192.168.1.2"))
    assert config.failover == Failover(
        extends=True, period_ms=5_000, handle_time_ms=15_000, rules=""
    )
    assert config.flow_network == "default"
    assert config.directories == ("/srv/web data",)
    assert [(notice.line, notice.sentence) for notice in config.notices] == [
        (
            24,
            (
                "<rfs mountover> has no effect here:"
                " the directory is always mounted over, never renamed"
            ),
        ),
        (24, "<rfs acl> has no effect here: ACLs are always replicated"),
    ]


def test_old_syntax_macros_before_the_root_and_rules() -> None:
    config = load_userconfig((GOLDEN / "legacy_flow.xml").read_bytes(), "userconfig.xml", {})
    assert config.heart.heartbeats == (
        Heartbeat(None, "flow", 700, 30_000, servers=("10.1.0.1", "10.1.0.2")),
    )
    assert config.flow_network == "net2"
    assert config.directories == ("/srv/a",)
    assert config.failover.rules.startswith("net_failure: if (heartbeat.* == down &&")
    assert config.failover.handle_time_ms == 10_000
    assert config.macros == {"DIRECTORY": "/srv/a"}
    said = " ".join(notice.sentence for notice in config.notices)
    for name in ("packetsize", "namespacepolicy", "roflags", "nbremconn"):
        assert said.count(name) == 1


def test_a_notice_is_given_once() -> None:
    text = MINIMAL % (
        b'<rfs packetsize="1"><replicated dir="/a"/></rfs><user/><errd>'
        b'<proc name="a" class="prim" cpu="1"/><proc name="b" class="prim" cpu="1"/></errd>'
    )
    assert len(load_userconfig(text, "f", {}).notices) == 2


def test_what_is_not_written_is_absent() -> None:
    config = load_userconfig(MINIMAL % b"", "f", {})
    assert (config.vip, config.rfs, config.user, config.errd) == (None, None, None, None)
    assert config.splitbrain is None
    assert config.directories == ()


def test_a_macro_wins_over_the_environment_and_may_use_earlier_macros() -> None:
    text = MINIMAL.replace(
        b"<safe>",
        b'<safe><macro name="ROOT" value="/srv"/><macro name="DIR" value="%ROOT%/%SUB%"/>',
    ).replace(b"%s", b'<rfs><replicated dir="%DIR%"/></rfs>')
    environment = {"ROOT": "/elsewhere", "SUB": "app"}
    assert load_userconfig(text, "f", environment).directories == ("/srv/app",)


def test_the_etcd_witness_has_several_endpoints() -> None:
    text = MINIMAL % (
        b'<check><splitbrain ident="w" exec="etcd" arg="https://h1:2379,https://h2:2379"/></check>'
    )
    splitbrain = load_userconfig(text, "f", {}).splitbrain
    assert splitbrain == SplitBrain("w", "etcd", ("https://h1:2379", "https://h2:2379"))


@pytest.mark.parametrize(
    ("heart", "expected"),
    [
        (b"", (700, 30_000)),
        (b'profile="safekit"', (700, 30_000)),
        (b'profile="standard"', (500, 5_000)),
        (b'profile="fast"', (100, 1_000)),
        (b'profile="fast" timeout="2s"', (100, 2_000)),
        (b'pulse="1s"', (1_000, 30_000)),
    ],
)
def test_heart_timing(heart: bytes, expected: tuple[int, int]) -> None:
    text = (MINIMAL % b"").replace(b"<heart>", b"<heart " + heart + b">")
    config = load_userconfig(text, "f", {})
    assert (config.heart.pulse_ms, config.heart.timeout_ms) == expected
    beat = config.heart.heartbeats[0]
    assert (beat.pulse_ms, beat.timeout_ms) == expected


def test_timing_of_one_heartbeat() -> None:
    text = (MINIMAL % b"").replace(b'name="default"', b'name="default" pulse="50" timeout="3s"')
    beat = load_userconfig(text, "f", {}).heart.heartbeats[0]
    assert (beat.pulse_ms, beat.timeout_ms) == (50, 3_000)


def test_what_is_not_replicated_as_the_data_plane_takes_it() -> None:
    text = (
        '<safe><service mode="mirror"><heart><heartbeat name="default"/></heart>'
        '<rfs><replicated dir="/a"><tocheck path="mounted"/><notreplicated path="cache/"/>'
        '<notreplicated regexpath="\\.tmp$"/><notreplicated regexpath="!^[[:alpha:]]+$"/>'
        "</replicated></rfs></service></safe>"
    )
    config = load_userconfig(text.encode(), "userconfig.xml", {})
    assert config.rfs is not None
    (replicated,) = config.rfs.replicated
    assert replicated.to_check == ("mounted",)
    assert replicated.rules == (
        ("path", "cache"),
        ("regex", r"\.tmp$"),
        ("only", "^[[:alpha:]]+$"),
    )
