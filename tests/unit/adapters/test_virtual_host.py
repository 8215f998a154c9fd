"""<vhost> with real programs: what they see, odd buffers, which scripts have it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mirror.adapters import virtual_host
from mirror.adapters.scripts import ScriptRunner
from mirror.config.check_models import VirtualHostName
from mirror.config.layout import Layout
from mirror.errors import FileNotReadable

PRIM = (VirtualHostName("shop", "vhostenv", "prim"),)

GETHOSTNAME = """
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
full = ctypes.create_string_buffer(b"x" * 80, 80)
assert libc.gethostname(full, 80) == 0
short = ctypes.create_string_buffer(b"x" * 80, 80)
assert libc.gethostname(short, 3) == -1 and ctypes.get_errno() == errno.ENAMETOOLONG
assert libc.uname(None) == -1 and ctypes.get_errno() == errno.EFAULT
checked = ctypes.create_string_buffer(b"x" * 80, 80)
assert libc.__gethostname_chk(checked, 80, 80) == 0 and checked.value == full.value
print(full.value.decode(), short.raw[:4].decode(), os.uname().nodename)
"""


@pytest.fixture(name="layout")
def _layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "safe", tmp_path / "var")
    layout.module("demo").applied_bin.mkdir(parents=True)
    return layout


def said(layout: Layout, name: str, *command: str) -> str:
    environment = {"PATH": "/usr/bin:/bin", **virtual_host.variables(layout, name)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_programs_see_the_virtual_name(layout: Layout) -> None:
    virtual_host.install(layout, "demo", PRIM)
    assert said(layout, "shop", "uname", "-n") == "shop"
    assert said(layout, "shop", "bash", "-c", "echo $HOSTNAME; uname -n") == "shop\nshop"
    python = (sys.executable, "-c", "import socket; print(socket.gethostname())")
    assert said(layout, "shop.example.org", *python) == "shop.example.org"
    assert said(layout, "", "uname", "-n") == os.uname().nodename


def test_buffers_that_are_too_small_and_names_that_are_too_long(layout: Layout) -> None:
    virtual_host.install(layout, "demo", PRIM)
    assert said(layout, "shop", sys.executable, "-c", GETHOSTNAME) == "shop shox shop"
    long = said(layout, "n" * 100, sys.executable, "-c", GETHOSTNAME)
    assert long == f"{'n' * 64} nnnx {'n' * 64}"


def test_the_file_is_for_a_shell_and_for_systemd(layout: Layout) -> None:
    virtual_host.install(layout, "demo", PRIM)
    file = layout.module("demo").applied_bin / "vhostenv"
    shell = f'. "{file}" && uname -n && env | grep -c MIRROR_VIRTUAL'
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True)
    assert done.stdout == "shop\n1\n"
    lines = file.read_text().splitlines()
    assert lines[1:3] == [
        f"LD_PRELOAD={layout.safebin}/libvhost.so",
        "MIRROR_VIRTUAL_HOSTNAME=shop",
    ]
    before = (layout.safebin / "libvhost.so").stat().st_ino
    virtual_host.install(layout, "demo", PRIM)
    assert (layout.safebin / "libvhost.so").stat().st_ino == before  # loaded: never rewritten


@pytest.mark.parametrize(
    ("when", "script", "sees"),
    [
        ("prim", "start_prim", True),
        ("prim", "start_second", False),
        ("prim", "start_both", False),
        ("second", "stop_second", True),
        ("second", "start_sec", True),
        ("second", "stop_prim", False),
        ("both", "start_prim", True),
        ("both", "start_both", True),
        ("both", "transition", False),
    ],
)
def test_scripts_of_the_class_see_it(layout: Layout, when: str, script: str, sees: bool) -> None:
    vhost = (VirtualHostName("shop", "e", when),)  # type: ignore[arg-type]
    assert bool(virtual_host.of_script(layout, vhost, script)) == sees


def test_a_script_and_what_it_leaves_running(layout: Layout, tmp_path: Path) -> None:
    virtual_host.install(layout, "demo", PRIM)
    script = layout.module("demo").applied_bin / "start_prim"
    script.write_text(f"#!/bin/sh\nuname -n > {tmp_path}/said\n")
    script.chmod(0o755)
    runner = ScriptRunner(layout, "demo", cgroup2=None)
    variables = virtual_host.of_script(layout, PRIM, "start_prim")
    result = asyncio.run(runner.run("start_prim", ("WAIT", "ALONE", "start"), variables))
    assert result.succeeded
    assert (tmp_path / "said").read_text() == "shop\n"


def test_a_path_that_cannot_be_preloaded_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "a safe place", tmp_path / "var")
    with pytest.raises(FileNotReadable, match="a space cannot be preloaded"):
        virtual_host.install(layout, "demo", PRIM)
