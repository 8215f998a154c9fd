"""Modules on disk: installed, applied, their ids and their last three configurations."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.adapters.lab.linux import cut_power
from mirror.config import files
from mirror.config.environment import script_environment
from mirror.config.files import replace_directory, write_durably
from mirror.config.installation import ensure_directories
from mirror.config.layout import Layout, ports_of
from mirror.config.module_ids import ModuleIds
from mirror.config.module_store import ModuleStore, find_package
from mirror.config.names import check_module_name
from mirror.config.package import pack
from mirror.config.userconfig import load_userconfig
from mirror.errors import (
    FileNotReadable,
    ModuleIdRefused,
    ModuleInUse,
    ModuleNameRefused,
    ModuleUnknown,
    PackageRefused,
)
from tests.mount.small_disk import mount_again, small_disk


@pytest.fixture
def store(tmp_path: Path) -> ModuleStore:
    return ModuleStore(Layout(safe=tmp_path / "safe", safevar=tmp_path / "var"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A module as a directory."""
    root = tmp_path / "shipped" / "web"
    (root / "conf").mkdir(parents=True)
    (root / "bin").mkdir()
    (root / "conf" / "userconfig.xml").write_text("<safe/>")
    (root / "bin" / "start_prim").write_text("#!/bin/sh\n")
    return root


def test_ports_follow_from_ids() -> None:
    assert (ports_of(1).heartbeat_udp, ports_of(1).data_tcp) == (8888, 5600)
    assert (ports_of(3).heartbeat_udp, ports_of(3).data_tcp) == (8888, 5608)


@pytest.mark.parametrize("name", ["", "1a", "a/b", "..", "a b", "é", "a" * 33, "lastconfig"])
def test_names_refused(name: str) -> None:
    with pytest.raises(ModuleNameRefused):
        check_module_name(name)


def test_the_environment_decides_where_everything_is() -> None:
    layout = Layout.from_environment({"SAFE": "/s", "SAFEVAR": "/v"})
    assert str(layout.control_socket) == "/v/run/control.sock"
    assert str(layout.module("web").applied_userconfig) == (
        "/s/private/modules/web/conf/userconfig.xml"
    )
    assert str(Layout.from_environment({}).safe) == "/opt/mirror"


def test_install_uninstall_and_ids(store: ModuleStore, source: Path) -> None:
    assert store.installed() == ()
    assert store.install("web", source) == 1
    assert store.install("db", source) == 2
    assert store.installed() == ("web", "db")
    with pytest.raises(ModuleInUse, match="-r replaces"):
        store.install("web", source)
    assert store.install("web", source, replace=True) == 1
    assert store.install("mail", source, module_id=7) == 7
    with pytest.raises(ModuleIdRefused, match="held by mail"):
        store.install("other", source, module_id=7)
    assert "other" not in store.installed()
    store.uninstall("web")
    assert store.install("new", source) == 1
    with pytest.raises(ModuleUnknown):
        store.uninstall("web")


def test_a_module_goes_round_as_a_package(
    store: ModuleStore, source: Path, tmp_path: Path
) -> None:
    store.install("web", source)
    store.package("web", tmp_path / "web.safe")
    store.install("copy", tmp_path / "web.safe")
    edited = store.layout.module("copy").edited
    assert (edited / "bin" / "start_prim").read_text() == "#!/bin/sh\n"
    assert store.signature(edited) == store.signature(store.layout.module("web").edited)
    (edited / "bin" / "start_prim").write_text("#!/bin/sh\ntrue\n")
    assert store.signature(edited) != store.signature(store.layout.module("web").edited)
    assert store.signature(tmp_path) is None


def apply(store: ModuleStore, module: str) -> None:
    store.apply(module, store.stage(module))
    store.keep_last(module)


def test_apply_keeps_the_last_three(store: ModuleStore, source: Path) -> None:
    store.install("web", source)
    edited = store.layout.module("web").edited_userconfig
    for number in range(5):
        edited.write_text(f"<safe><!-- {number} --></safe>")
        apply(store, "web")
        applied = store.layout.module("web").applied_userconfig
        assert applied.read_text() == edited.read_text()
    assert [path.name for path in store.last_configurations("web")] == [
        "web.000003.safe",
        "web.000004.safe",
        "web.000005.safe",
    ]
    assert store.configured() == ("web",)
    assert store.installed() == ("web",)
    with pytest.raises(ModuleInUse, match="deconfig"):
        store.uninstall("web")
    store.remove_applied("web")
    assert store.configured() == ()
    store.uninstall("web")


def test_what_disappears_from_the_edited_copy_disappears_from_the_applied_one(
    store: ModuleStore, source: Path
) -> None:
    store.install("web", source)
    apply(store, "web")
    edited = store.layout.module("web").edited
    (edited / "bin" / "start_prim").unlink()
    (edited / "bin" / "stop_prim").write_text("")
    apply(store, "web")
    scripts = list(store.layout.module("web").applied_bin.iterdir())
    assert [path.name for path in scripts] == ["stop_prim"]
    assert scripts[0].stat().st_mode & 0o777 == 0o755


def test_a_link_is_not_applied(store: ModuleStore, source: Path) -> None:
    store.install("web", source)
    (store.layout.module("web").edited / "bin" / "link").symlink_to("/etc")
    with pytest.raises(PackageRefused, match="symbolic link"):
        store.stage("web")
    with pytest.raises(ModuleUnknown):
        store.require_configured("web")


def test_a_crash_between_two_renames_is_undone(tmp_path: Path) -> None:
    target, new = tmp_path / "m", tmp_path / "new"
    (tmp_path / ".m.old").mkdir()
    (tmp_path / ".m.old" / "kept").touch()
    new.mkdir()
    replace_directory(new, target)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.fixture
def power(tmp_path: Path) -> Iterator[Path]:
    """A disk whose power can be cut, and which keeps names before it keeps data."""
    with small_disk(tmp_path / "disk", 32 << 20, features="has_journal"):
        yield tmp_path / "disk"


def lose_power(disk: Path) -> None:
    """What was not synced is gone; then the host is up again."""
    cut_power(disk)
    mount_again(disk)


def put_in_force(store: ModuleStore, text: str) -> None:
    edited = store.layout.module("web").edited
    (edited / "conf" / "userconfig.xml").write_text(f"<safe>{text}</safe>")
    (edited / "bin" / "start_prim").write_text(f"#!/bin/sh\necho {text}\n")
    store.apply("web", store.stage("web"))


def in_force(store: ModuleStore) -> tuple[str, str]:
    paths = store.layout.module("web")
    return paths.applied_userconfig.read_text(), (paths.applied_bin / "start_prim").read_text()


@pytest.mark.mount
def test_what_is_in_force_outlives_a_power_loss_with_all_its_files(
    power: Path, source: Path
) -> None:
    store = ModuleStore(Layout(safe=power / "safe", safevar=power / "var"))
    store.layout.applied_modules.mkdir(parents=True)
    store.install("web", source)
    lose_power(power)
    assert store.installed() == ("web",)
    put_in_force(store, "old")
    lose_power(power)
    assert in_force(store) == ("<safe>old</safe>", "#!/bin/sh\necho old\n")
    put_in_force(store, "new")
    lose_power(power)
    assert in_force(store) == ("<safe>new</safe>", "#!/bin/sh\necho new\n")
    previous = store.set_aside("web")
    put_in_force(store, "refused")
    store.put_back("web", previous)
    lose_power(power)
    assert in_force(store) == ("<safe>new</safe>", "#!/bin/sh\necho new\n")
    store.remove_applied("web")
    lose_power(power)
    assert store.configured() == ()


def test_a_configuration_is_in_force_at_each_moment_of_its_replacement(
    store: ModuleStore, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads it now, or after a crash, finds the old one or the new one."""
    store.layout.applied_modules.mkdir(parents=True)
    store.install("web", source)
    put_in_force(store, "old")
    rename, seen = Path.rename, list[tuple[str, str]]()

    def looked_at(path: Path, target: Path) -> Path:
        seen.append(in_force(store))
        moved = rename(path, target)
        seen.append(in_force(store))
        return moved

    monkeypatch.setattr(Path, "rename", looked_at)
    put_in_force(store, "new")
    assert {text for text, _ in seen} == {"<safe>new</safe>"}
    assert len(list(store.layout.applied_modules.iterdir())) == 1


def test_what_a_crash_left_between_two_names_is_in_force_at_the_next_start(
    store: ModuleStore, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that cannot exchange two names, as NFS."""
    store.layout.applied_modules.mkdir(parents=True)
    store.install("web", source)
    put_in_force(store, "old")
    rename = Path.rename

    def dies(path: Path, target: Path) -> Path:
        if target.name == "web":
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(files, "_exchange", lambda *_: False)
        patched.setattr(Path, "rename", dies)
        with pytest.raises(KeyboardInterrupt):
            put_in_force(store, "new")
    assert store.configured() == ()
    store.recover()
    assert in_force(store)[0] == "<safe>old</safe>"
    assert store.configured() == ("web",)


def test_what_is_private_is_not_written_where_somebody_waits_for_it(tmp_path: Path) -> None:
    """An invitation may be written to /tmp: the name it has at first cannot be guessed."""
    theirs = tmp_path / f".invitation.{os.getpid()}"
    theirs.touch(0o666)
    with theirs.open("rb") as held:
        write_durably(tmp_path / "invitation", b"a private key", mode=0o600)
        assert held.read() == b""
    assert (tmp_path / "invitation").read_bytes() == b"a private key"
    assert (tmp_path / "invitation").stat().st_mode & 0o777 == 0o600
    victim = tmp_path / "victim"
    for name in ("file", "web.safe"):
        (tmp_path / f".{name}.{os.getpid()}").symlink_to(victim)
    write_durably(tmp_path / "file", b"content")
    module = tmp_path / "module"
    (module / "conf").mkdir(parents=True)
    (module / "conf" / "userconfig.xml").write_text("<safe/>")
    pack(module, tmp_path / "web.safe")
    assert not victim.exists()


def test_ids_on_disk_are_not_believed(store: ModuleStore) -> None:
    ids = ModuleIds(store.layout)
    for content in (b"{", b"[]", b'{"a": 1, "b": 1}', b'{"a": 99}'):
        write_durably(store.layout.module_ids, content)
        with pytest.raises(FileNotReadable):
            ids.all()
    with pytest.raises(FileNotReadable):
        write_durably(store.layout.module_ids / "beneath", b"")


def test_ids_end(store: ModuleStore) -> None:
    ids = ModuleIds(store.layout)
    assert [ids.assign(f"m{number}") for number in range(32)] == list(range(1, 33))
    with pytest.raises(ModuleIdRefused):
        ids.assign("one-more")
    with pytest.raises(ModuleIdRefused, match="1 to 32"):
        ids.assign("m1", 33)


def test_where_a_package_is_looked_for(store: ModuleStore, source: Path, tmp_path: Path) -> None:
    assert find_package(store.layout, "web", source.parent) == source
    with pytest.raises(FileNotReadable):
        find_package(store.layout, "none", source.parent)
    generic = store.layout.application_modules / "generic"
    generic.mkdir(parents=True)
    (generic / "web.safe").touch()
    assert find_package(store.layout, "web", source.parent) == generic / "web.safe"


def test_directories_are_made_and_the_command_runs(store: ModuleStore, tmp_path: Path) -> None:
    for _ in range(2):
        ensure_directories(store.layout, sys.executable)
    said = subprocess.run(
        [store.layout.command, "--version"], capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith("mirror, version")
    assert store.layout.run.stat().st_mode & 0o777 == 0o700
    # Root stands where somebody else can write; Python would look there first.
    (tmp_path / "click.py").write_text("raise SystemExit('not ours')")
    said = subprocess.run(
        [store.layout.command, "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.stdout.startswith("mirror, version"), said.stderr
    store.layout.command.write_text("mine")
    ensure_directories(store.layout, sys.executable)
    assert store.layout.command.read_text() == "mine"


def test_the_environment_of_scripts(store: ModuleStore) -> None:
    config = load_userconfig(
        b"""<safe><service mode="mirror"><heart><heartbeat name="a"/></heart><user>
        <var name="SERVICES" value="x"/><var name="SAFE" value="/evil"/></user>
        </service></safe>""",
        "f",
        {},
    )
    found = script_environment(store.layout, "web", config, {"PATH": "/bin", "TOKEN": "s"})
    assert found["SERVICES"] == "x"
    assert found["SAFE"] == str(store.layout.safe)
    assert found["SAFEUSERBIN"].endswith("private/modules/web/bin")
    assert found["PATH"] == "/bin"
    assert "TOKEN" not in found
