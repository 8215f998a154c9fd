"""What a module asks of the host: decided from facts, without a host."""

import ipaddress
from dataclasses import replace

import pytest

from mirror.config.host_check import DirectoryFacts, HostFacts, OtherModule, check_against_host
from mirror.config.models import ModuleConfig
from mirror.config.userconfig import load_userconfig
from mirror.errors import ConfigRefused

TEXT = b"""<safe><service mode="mirror"><heart><heartbeat name="lan1"/></heart>
<vip><interface_list><interface>
<real_interface><virtual_addr addr="10.0.0.50"/></real_interface>
</interface></interface_list></vip>
<rfs>
<replicated dir="/srv/a"/>
<replicated dir="/srv/b"/>
</rfs></service></safe>"""
GOOD = HostFacts(
    directories={
        "/srv/a": DirectoryFacts(exists=True, is_directory=True, real_path="/srv/a"),
        "/srv/b": DirectoryFacts(exists=True, is_directory=True, real_path="/srv/b"),
    },
    networks={
        "eth0": (ipaddress.ip_network("10.0.0.0/24"), ipaddress.ip_network("fd00::/64")),
        "eth1": (),
    },
    resolved={"10.0.0.50": ("10.0.0.50",)},
    own_paths=("/opt/mirror", "/var/lib/mirror"),
)


def config(text: bytes = TEXT) -> ModuleConfig:
    return load_userconfig(text, "userconfig.xml", {})


def refused(facts: HostFacts, text: bytes = TEXT) -> list[tuple[int, str]]:
    with pytest.raises(ConfigRefused) as caught:
        check_against_host(config(text), facts)
    return [(one.line, one.sentence) for one in caught.value.refusals]


def with_a(**changes: object) -> HostFacts:
    changed = replace(GOOD.directories["/srv/a"], **changes)  # type: ignore[arg-type]
    return replace(GOOD, directories={**GOOD.directories, "/srv/a": changed})


def test_a_host_that_has_everything() -> None:
    check_against_host(config(), GOOD)


@pytest.mark.parametrize(
    ("facts", "line", "word"),
    [
        (with_a(exists=False, is_directory=False), 6, "does not exist; create it on both nodes"),
        (with_a(is_directory=False), 6, "is not a directory"),
        (with_a(mounts_beneath=("/srv/a/disk",)), 6, "/srv/a/disk is a mount point beneath it"),
        (with_a(subvolumes_beneath=("/srv/a/v",)), 6, "/srv/a/v is a btrfs subvolume"),
        (with_a(missing_to_check=("flag",)), 6, "flag of <tocheck> is missing"),
        (with_a(real_path="/opt/mirror/x"), 6, "overlaps /opt/mirror"),
        (with_a(real_path="/var"), 6, "overlaps /var/lib/mirror"),
        (with_a(real_path="/srv/b/in"), 7, "symbolic link to what /srv/a holds"),
        (
            replace(GOOD, others={"web": OtherModule(("/srv/a/x",), ())}),
            6,
            "overlaps /srv/a/x of module web",
        ),
        (
            replace(GOOD, others={"web": OtherModule((), ("10.0.0.50",))}),
            3,
            "held by module web",
        ),
        (replace(GOOD, resolved={"10.0.0.50": ("10.9.0.50",)}), 3, "no network of this host"),
        (replace(GOOD, resolved={"10.0.0.50": ()}), 3, "not known to name resolution"),
        (replace(GOOD, resolved={"10.0.0.50": ("127.0.0.1",)}), 3, "unicast"),
        (replace(GOOD, networks={}), 3, "networks here: none"),
    ],
)
def test_what_this_host_cannot_give(facts: HostFacts, line: int, word: str) -> None:
    assert any(at == line and word in said for at, said in refused(facts)), refused(facts)


def test_a_forced_interface() -> None:
    forced = TEXT.replace(b"<interface>", b'<interface name="eth2">')
    assert any('did you mean "eth' in said for _, said in refused(GOOD, forced))
    without_network = TEXT.replace(b"<interface>", b'<interface name="eth1">')
    assert any("no network" in said for _, said in refused(GOOD, without_network))
    with_mask = without_network.replace(
        b'addr="10.0.0.50"', b'addr="10.0.0.50" netmask="255.255.255.0"'
    )
    check_against_host(config(with_mask), GOOD)
