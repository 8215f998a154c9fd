"""Facts of this very host: real directories, the real mount table, real interfaces."""

import ipaddress
from pathlib import Path

from mirror.adapters.host_facts import (
    directory_facts,
    gather_host_facts,
    interface_networks,
    mount_points,
    resolve,
)
from mirror.config.layout import Layout
from mirror.config.models import Replicated
from mirror.config.userconfig import load_userconfig


def test_the_mount_table_is_read() -> None:
    points = dict(mount_points())
    assert "/" in points
    assert points["/proc"] == "proc"


def test_a_directory_and_what_is_mounted_beneath_it(tmp_path: Path) -> None:
    home = tmp_path / "a b"
    home.mkdir()
    link = tmp_path / "link"
    link.symlink_to(home)
    mounts = [("/", "ext4"), (str(home), "xfs"), (f"{home}/disk", "ext4"), (f"{home}x", "ext4")]
    facts = directory_facts(
        Replicated(str(link), read_only=False, to_check=("there", "gone")), mounts
    )
    assert (facts.exists, facts.is_directory, facts.filesystem) == (True, True, "xfs")
    assert facts.real_path == str(home)
    assert facts.mounts_beneath == (f"{home}/disk",)
    assert facts.missing_to_check == ("there", "gone")
    (home / "there").touch()
    again = directory_facts(Replicated(str(home), read_only=False, to_check=("there",)), mounts)
    assert again.missing_to_check == ()


def test_what_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, exists in (("file", True), ("none", False)):
        facts = directory_facts(Replicated(str(tmp_path / name), read_only=False), [])
        assert (facts.exists, facts.is_directory) == (exists, False)


def test_proc_is_seen_as_a_mount_beneath_the_root() -> None:
    facts = directory_facts(Replicated("/dev", read_only=False), mount_points())
    assert all(path.startswith("/dev/") for path in facts.mounts_beneath)
    assert "/dev/pts" in facts.mounts_beneath


def test_names_and_interfaces() -> None:
    assert resolve("127.0.0.1") == ("127.0.0.1",)
    assert resolve("fd00:0::1") == ("fd00::1",)
    assert "127.0.0.1" in resolve("localhost")
    assert resolve("no-such-host.invalid") == ()
    networks = interface_networks()
    assert "lo" not in networks
    for found in networks.values():
        assert all(isinstance(one, ipaddress.IPv4Network | ipaddress.IPv6Network) for one in found)


def test_everything_at_once(tmp_path: Path) -> None:
    text = f"""<safe><service mode="mirror"><heart><heartbeat name="a"/></heart>
    <rfs><replicated dir="{tmp_path}"/></rfs></service></safe>"""
    layout = Layout(safe=tmp_path / "safe", safevar=tmp_path / "var")
    facts = gather_host_facts(load_userconfig(text.encode(), "f", {}), layout, {})
    assert facts.directories[str(tmp_path)].is_directory
    assert facts.own_paths == (str(tmp_path / "safe"), str(tmp_path / "var"))
    assert facts.networks == {}
