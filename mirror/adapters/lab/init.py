"""PID 1 of a host: reaps, and keeps one command running. Everything of the host ends with it.

SIGTERM is an orderly shutdown: every process gets SIGTERM and ten seconds, then the disk is
synced. Loss of power is SIGKILL, after which nothing here runs.
"""

import os
import signal
import sys
import time
from typing import NoReturn

from mirror.adapters.lab import plan

# What ends at once would keep a processor busy with its starts: each waits longer than the last.
_RESTART_DELAY_S = 0.1
_RESTART_DELAY_S_MAX = 3.2
_SHORT_LIFE_S = 2.0
_SHUTDOWN_S = 10.0
_WATCHED = (signal.SIGCHLD, signal.SIGTERM)
# Where systemd's protocol puts the first inherited descriptor.
_FIRST_INHERITED = 3


def run(command: tuple[str, ...], console: int) -> NoReturn:
    """Run `command` again whenever it ends, with `console` (-1: none) as inherited socket."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    delay_s = _RESTART_DELAY_S
    service, begun_s = _start(command, console), time.monotonic()
    while True:
        seen = signal.sigwait(_WATCHED)
        if seen == signal.SIGTERM:
            _shut_down()
        if service in _reap():
            lived_s = time.monotonic() - begun_s
            short = lived_s < _SHORT_LIFE_S
            delay_s = min(delay_s * 2, _RESTART_DELAY_S_MAX) if short else _RESTART_DELAY_S
            if signal.sigtimedwait((signal.SIGTERM,), delay_s) is not None:
                _shut_down()
            service, begun_s = _start(command, console), time.monotonic()


def _say(text: str) -> None:
    sys.stderr.write(f"lab init: {text}\n")
    sys.stderr.flush()


def _start(command: tuple[str, ...], console: int) -> int:
    """Pid of the new process; 0 when there is no command."""
    if not command:
        return 0
    pid = os.fork()
    if pid:
        _say(f"started {command[0]} pid={pid}")
        return pid
    try:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        environment = plan.environment()
        if console >= 0:
            if console != _FIRST_INHERITED:
                os.dup2(console, _FIRST_INHERITED)
            os.set_inheritable(_FIRST_INHERITED, True)
            environment |= {
                "LISTEN_FDS": "1",
                "LISTEN_FDNAMES": "console",
                "LISTEN_PID": str(os.getpid()),
            }
        os.execvpe(command[0], command, environment)  # noqa: S606 - that is what an init does
    except OSError as error:
        _say(f"cannot start {command[0]}: {error}")
    os._exit(127)


def _reap() -> set[int]:
    """Collect every ended child."""
    ended: set[int] = set()
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.add(pid)
        if status:
            _say(f"pid={pid} ended with {os.waitstatus_to_exitcode(status)}")


def _shut_down() -> NoReturn:
    _say("shutting down")
    os.kill(-1, signal.SIGTERM)
    deadline = time.monotonic() + _SHUTDOWN_S
    while time.monotonic() < deadline:
        signal.sigtimedwait((signal.SIGCHLD,), 0.1)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            break  # nobody is left
    os.sync()
    os._exit(0)
