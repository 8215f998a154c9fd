"""`mirror node`: starts the control plane, restarts it at once, and acts when it stays away.

What it must never do: decide who serves. When no control plane answers for a heartbeat timeout,
this node cannot keep its promises to the peer any more: the gate of each data plane is closed, the
application is killed, the addresses are removed, in this order, and only then may the peer, which
waits for silence, be right to take over.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import structlog

from mirror.adapters import clock
from mirror.adapters.addresses import release_now
from mirror.adapters.local_client import LocalClient
from mirror.adapters.process_log import configure_trace
from mirror.adapters.scripts import ScriptRunner
from mirror.config.layout import Layout
from mirror.config.models import ModuleConfig
from mirror.config.module_store import ModuleStore
from mirror.config.userconfig import load_userconfig
from mirror.daemon.control_plane import CONSOLE_FD_VARIABLE
from mirror.errors import MirrorError

trace = structlog.get_logger()
POLL_S = 0.05
PROBE_S = 1.0
PROBE_EVERY_S = 1.0
# A control plane needs about a second to start: a shorter timeout would act on every restart.
PATIENCE_MS_MIN = 5_000
STOP_S = 150.0
FIRST_INHERITED_FD = 3


class Guardian:
    """The parent of the control plane. Single-threaded and small on purpose."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._child: subprocess.Popen[bytes] | None = None
        self._ending = threading.Event()
        self._console = _inherited_console()
        self._away_since_ms: int | None = None
        self._acted = False

    def run(self) -> int:
        """Keep a control plane running until SIGTERM; then let it stop everything in order."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_end)
        probed_ms = 0
        while not self._ending.is_set():
            if self._child is None or self._child.poll() is not None:
                self._start()
            now_ms = clock.boottime_ms()
            if now_ms - probed_ms >= PROBE_EVERY_S * 1000:
                probed_ms = now_ms
                self._probe(now_ms)
            self._ending.wait(POLL_S)
        return self._end()

    def _on_end(self, number: int, frame: object) -> None:
        del number, frame
        self._ending.set()

    def _start(self) -> None:
        if self._child is not None:
            trace.warning("control plane ended", code=self._child.returncode)
            self._note_away(clock.boottime_ms())
        environment = dict(os.environ)
        inherited: tuple[int, ...] = ()
        if self._console is not None:
            environment[CONSOLE_FD_VARIABLE] = str(self._console)
            inherited = (self._console,)
        self._child = subprocess.Popen(
            [sys.executable, "-m", "mirror.daemon.control_plane"],
            env=environment,
            stdin=subprocess.DEVNULL,
            pass_fds=inherited,
        )

    def _note_away(self, now_ms: int) -> None:
        if self._away_since_ms is None:
            self._away_since_ms = now_ms

    def _probe(self, now_ms: int) -> None:
        """Ask whether the control plane answers; act when it has not for too long."""
        try:
            with LocalClient(self._layout.control_socket, timeout_s=PROBE_S) as client:
                client.call("state")
        except (MirrorError, OSError):
            self._note_away(now_ms)
        else:
            self._away_since_ms, self._acted = None, False
            return
        away_ms = now_ms - (self._away_since_ms or now_ms)
        if away_ms > self._patience_ms() and not self._acted:
            self._acted = True
            self._act()
            if self._child is not None:
                self._child.kill()  # one that hangs holds the socket of the next one

    def _patience_ms(self) -> int:
        timeouts = [
            beat.timeout_ms
            for module in self._configured().values()
            for beat in module.heart.heartbeats
        ]
        return max([PATIENCE_MS_MIN, *timeouts])

    def _configured(self) -> dict[str, ModuleConfig]:
        found = {}
        for name in ModuleStore(self._layout).configured():
            file = self._layout.module(name).applied_userconfig
            try:
                found[name] = load_userconfig(file.read_bytes(), str(file), os.environ)
            except (MirrorError, OSError) as error:
                trace.warning("module not readable", module=name, error=str(error))
        return found

    def _act(self) -> None:
        """Close gates, kill applications, remove addresses: whatever ran here runs no more."""
        for name, config in self._configured().items():
            if _saved_state(self._layout, name) in {"STOP", "WAIT", "SECOND", "JOINING", ""}:
                continue
            trace.error("control plane away: module ended", module=name)
            try:
                with LocalClient(self._layout.module(name).data_socket, timeout_s=3) as client:
                    client.call("gate", to="closed")
            except (MirrorError, OSError) as error:
                trace.warning("gate not closed", module=name, error=str(error))
            try:
                asyncio.run(ScriptRunner.probe(self._layout, name).end_everything())
            except (MirrorError, OSError) as error:
                trace.error("application not ended", module=name, error=str(error))
            for address in config.vip.addresses if config.vip else ():
                try:
                    release_now(address.addr)
                except (MirrorError, OSError) as error:
                    trace.error("address not removed", module=name, error=str(error))

    def _end(self) -> int:
        child = self._child
        if child is None or child.poll() is not None:
            return 0
        child.terminate()
        try:
            return abs(child.wait(STOP_S))
        except subprocess.TimeoutExpired:
            trace.error("control plane does not end")
            child.kill()
            return 1


def _saved_state(layout: Layout, name: str) -> str:
    file = layout.module(name).state / "automaton.json"
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["state"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _inherited_console() -> int | None:
    """Take the console's listening socket from systemd or the lab (LISTEN_FDS)."""
    mine = os.environ.pop("LISTEN_PID", "") in {"", str(os.getpid())}
    count = os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    return FIRST_INHERITED_FD if count.isdigit() and int(count) > 0 and mine else None


def main() -> int:
    """Run this node in the foreground."""
    configure_trace()
    layout = Layout.from_environment()
    Path(layout.run).mkdir(parents=True, exist_ok=True, mode=0o700)
    return Guardian(layout).run()
