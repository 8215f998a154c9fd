"""<check>, <fence> and <vhost> as values: defaults, idents, what each class may ask for."""

from mirror.config.check_models import (
    CustomCheck,
    Fence,
    FenceOption,
    IntfCheck,
    IpCheck,
    ModuleCheck,
    PingCheck,
    TcpCheck,
    VirtualHostName,
)
from mirror.config.models import ModuleConfig, SplitBrain
from mirror.config.userconfig import load_userconfig


def load(inside: str) -> ModuleConfig:
    text = (
        '<safe><service mode="mirror"><heart><heartbeat name="default"/></heart>'
        f"{inside}</service></safe>"
    )
    return load_userconfig(text.encode(), "userconfig.xml", {})


def test_every_checker_with_its_defaults_nested_or_not() -> None:
    config = load(
        '<check><tcp ident="web" when="prim"><to addr="10.0.0.1" port="80"/></tcp>'
        '<check><ping ident="router"><to addr="10.0.0.254"/></ping>'
        '<intf ident="lan"><to local_addr="10.0.0.1"/></intf></check></check>'
        '<check><ip ident="vip" when="both"><to addr="10.0.0.9" interval="3s"/></ip>'
        '<custom ident="c" when="second" exec="check_it" arg="a b"/>'
        '<module name="db"/><module name="db" ident="far"><to addr="h2" secure="on"/></module>'
        '<splitbrain ident="w" arg="10.0.0.254"/></check>'
    )
    assert config.checks == (
        TcpCheck("web", "prim", "restart", "10.0.0.1", 80, 10_000, 5_000),
        PingCheck("router", "pre", "wait", "10.0.0.254", 10_000, 5_000),
        IntfCheck("lan", "10.0.0.1"),
        IpCheck("vip", "both", "10.0.0.9", 3_000),
        CustomCheck("c", "second", "noaction", "check_it", "a b"),
        ModuleCheck("db", "db_127.0.0.1", "127.0.0.1", None, 10_000, 5_000, secure=False),
        ModuleCheck("db", "far", "h2", None, 10_000, 5_000, secure=True),
    )
    assert [check.resource for check in config.checks] == [
        *("tcp.web", "ping.router", "intf.lan", "ip.vip", "custom.c"),
        *("module.db_127.0.0.1", "module.far"),
    ]
    assert config.splitbrain == SplitBrain("w", "ping", ("10.0.0.254",))


def test_before_the_start_there_is_only_waiting() -> None:
    config = load('<check><tcp ident="a" when="pre"><to addr="h" port="1"/></tcp></check>')
    assert [check.action for check in config.checks] == ["wait"]


def test_a_fence_and_its_options() -> None:
    config = load(
        '<fence agent="fence_dummy" delay="5s"><option name="ip" value="10.0.0.2" node="n2"/>'
        '<option name="password" file="/etc/secret"/></fence>'
    )
    assert config.fence == Fence(
        agent="fence_dummy",
        exec="",
        delay_ms=5_000,
        timeout_ms=60_000,
        options=(
            FenceOption("ip", "10.0.0.2", "", "n2"),
            FenceOption("password", "", "/etc/secret", ""),
        ),
    )


def test_a_virtual_host_name() -> None:
    config = load('<vhost><virtualhostname name="shop" envfile="vhostenv"/></vhost>')
    assert config.vhost == (VirtualHostName("shop", "vhostenv", "prim"),)
