"""Fencing by a real agent of fence-agents (fence_dummy) and by scripts: only off is a yes."""

import asyncio
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from mirror.adapters.fencing import Fencer, read_secret
from mirror.config.check_models import Fence, FenceOption
from mirror.errors import FenceFailed, FenceNotUsable

AGENT = pytest.mark.skipif(
    shutil.which("fence_dummy", path="/usr/sbin:/usr/bin") is None,
    reason="fence_dummy is not installed (Debian: fence-agents)",
)

PATIENCE_MS = 60_000


def dummy(status: Path, *options: FenceOption) -> Fence:
    file = FenceOption("status_file", str(status), "", "n2")
    return Fence("fence_dummy", "", 0, 60_000, (file, *options))


def script(tmp_path: Path, text: str, timeout_ms: int = 60_000, secret: str = "") -> Fencer:
    path = tmp_path / "off"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    options = (FenceOption("password", "", secret, ""),) if secret else ()
    return Fencer(Fence("", "off", 0, timeout_ms, options), tmp_path)


@AGENT
def test_the_agent_switches_off_and_is_asked_whether_it_is(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("on")
    fencer = Fencer(dummy(status), tmp_path)
    asyncio.run(fencer.monitor("n2"))
    assert status.read_text() == "on"
    assert "n2 is off, says fence_dummy" in asyncio.run(fencer.fence("n2"))
    assert status.read_text() == "off"


@AGENT
def test_an_agent_that_fails_is_no_yes(tmp_path: Path) -> None:
    fail = (FenceOption("type", "fail", "", ""), FenceOption("power_timeout", "1", "", ""))
    with pytest.raises(FenceFailed, match="MIR-220") as refused:
        asyncio.run(Fencer(dummy(tmp_path / "status", *fail), tmp_path).fence("n2"))
    assert "fence_dummy answers off with" in str(refused.value)


def test_an_agent_that_is_not_installed_is_said_by_name(tmp_path: Path) -> None:
    with pytest.raises(FenceNotUsable, match="fence_nowhere: no such program"):
        asyncio.run(Fencer(Fence("fence_nowhere", "", 0, 1000, ()), tmp_path).fence("n2"))


def test_only_off_is_a_yes_and_it_is_waited_for(tmp_path: Path) -> None:
    count = tmp_path / "count"
    fencer = script(
        tmp_path,
        f'read line; case "$line" in action=off) exit 0;; esac\n'
        f"echo . >> {count}; [ $(wc -l < {count}) -ge 3 ] && exit 2; exit 0",
    )
    asyncio.run(fencer.fence("n2"))
    assert count.read_text() == ".\n.\n.\n"


def test_what_says_on_for_ever_is_given_up_and_killed(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(FenceFailed, match="did not say off within 400 ms"):
        asyncio.run(script(tmp_path, "sleep 1000", 400).fence("n2"))
    with pytest.raises(FenceFailed, match="did not say off within 600 ms"):
        asyncio.run(script(tmp_path, "exit 0", 600).fence("n2"))
    with pytest.raises(FenceFailed, match="off answers status with 1"):
        asyncio.run(script(tmp_path, 'read line; [ "$line" = action=off ]').fence("n2"))
    assert time.monotonic() - began < 60


def test_a_child_that_holds_the_output_open_holds_up_no_takeover(tmp_path: Path) -> None:
    fencer = script(
        tmp_path,
        f"sleep 1000 & echo $! >> {tmp_path}/pids\n"
        'read line; [ "$line" = action=off ] && exit 0; exit 2',
        PATIENCE_MS,
    )
    began = time.monotonic()
    try:
        asyncio.run(fencer.fence("n2"))
        asyncio.run(fencer.fence("n2"))  # what the first one's children hold is no matter
    finally:
        for pid in (tmp_path / "pids").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
    assert time.monotonic() - began < PATIENCE_MS / 1000


def test_a_child_in_a_session_of_its_own_holds_up_no_refusal(tmp_path: Path) -> None:
    fencer = script(
        tmp_path, f"setsid sleep 1000 & echo $! > {tmp_path}/pid; echo at work; sleep 1000", 1000
    )
    began = time.monotonic()
    try:
        with pytest.raises(FenceFailed, match="did not say off within 1000 ms"):
            asyncio.run(fencer.fence("n2"))
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert time.monotonic() - began < PATIENCE_MS / 1000


def test_what_it_said_last_is_told_however_much_it_said(tmp_path: Path) -> None:
    fencer = script(tmp_path, "seq 100000; echo it hangs on the wall; exit 3")
    with pytest.raises(FenceFailed, match="off answers off with 3: it hangs on the wall"):
        asyncio.run(fencer.fence("n2"))


def test_a_secret_is_in_no_argument_no_environment_and_no_sentence(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    secret.chmod(0o600)
    fencer = script(
        tmp_path,
        f"tr '\\0' ' ' < /proc/$$/cmdline > {tmp_path}/seen; env >> {tmp_path}/seen\n"
        f"cat > {tmp_path}/said; echo the password is hunter2; exit 1",
        secret=str(secret),
    )
    with pytest.raises(FenceFailed) as refused:
        asyncio.run(fencer.fence("n2"))
    assert "hunter2" not in str(refused.value)
    assert "the password is (hidden)" in str(refused.value)
    assert "hunter2" not in (tmp_path / "seen").read_text()
    said = (tmp_path / "said").read_text()
    assert said == "action=off\nnodename=n2\npassword=hunter2\n"


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    with pytest.raises(FenceNotUsable, match="No such file"):
        read_secret(secret)
    secret.write_text("x")
    secret.chmod(0o640)
    with pytest.raises(FenceNotUsable, match="chmod 600"):
        read_secret(secret)
    secret.chmod(0o600)
    link = tmp_path / "link"
    link.symlink_to(secret)
    with pytest.raises(FenceNotUsable, match="symbolic links"):
        read_secret(link)
