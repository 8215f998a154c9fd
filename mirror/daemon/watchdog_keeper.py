"""The guardian's watchdog: armed before a module serves, kept quiet only while that is right.

It is petted while a control plane lives, and after one was lost for too long only when nothing of
the modules that want it is left here: no process, no address. Then the host, not an opinion of its
processes, ends what could still write; and it does so before the peer may serve.

    T: the shortest heartbeat timeout of these modules, at least TIMEOUT_MS_MIN (config)
    0        the control plane was last heard
    LOST     of T: no other one is there; the guardian silences the modules
    LOST+FIRES of T at most: the watchdog fires, unless they are silent
    T        the peer may serve
"""

from pathlib import Path

import structlog

from mirror.adapters.watchdog import Watchdog
from mirror.config.build_network import WATCHDOG_TIMEOUT_MS_MIN
from mirror.config.layout import Layout
from mirror.daemon.fence import all_silent
from mirror.daemon.node.fence_file import FenceFile, read_fence_files
from mirror.errors import WatchdogNotArmed

log = structlog.get_logger()

HANGS_PART, LOST_PART, FIRES_PART = 0.3, 0.5, 0.4
PET_MS = 200
assert WATCHDOG_TIMEOUT_MS_MIN * FIRES_PART >= 1000  # the device counts whole seconds


class WatchdogKeeper:
    """Used by the guardian's one thread."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._watchdog: Watchdog | None = None
        self._petted_ms = 0
        self._refused = ""

    @property
    def armed(self) -> bool:
        """Whether it counts now."""
        return self._watchdog is not None and self._watchdog.armed

    def turn(self, now_ms: int, *, wanted: bool, alive: bool) -> None:
        """Do what is right now, quickly.

        wanted: a module that has a watchdog is not stopped. alive: a control plane is there, or
        was a moment ago.
        """
        if not wanted and alive:
            self.disarm()
            return
        if wanted and not self.armed:
            self._arm(now_ms)
            return
        if not self.armed or now_ms - self._petted_ms < PET_MS:
            return
        if alive or all_silent(self._layout):
            assert self._watchdog is not None
            self._watchdog.pet()
            self._petted_ms = now_ms

    def end(self, *, in_order: bool) -> None:
        """Stop it when this node ends and leaves nothing behind; otherwise it fires."""
        if in_order or all_silent(self._layout):
            self.disarm()

    def disarm(self) -> None:
        """Stop it: the modules were stopped in order."""
        if self._watchdog is not None:
            self._watchdog.disarm()
            self._watchdog, self._refused = None, ""
            log.info("watchdog disarmed")

    def _arm(self, now_ms: int) -> None:
        wanting = [one for one in self._known() if one.watchdog]
        if not wanting:
            return
        timeout_ms = min(one.timeout_ms for one in wanting)
        watchdog = Watchdog(Path(wanting[0].watchdog), int(timeout_ms * FIRES_PART) // 1000)
        try:
            watchdog.arm()
        except WatchdogNotArmed as error:
            if str(error) != self._refused:  # tried again each turn, said once
                self._refused = str(error)
                log.error("watchdog not armed", error=str(error))  # noqa: TRY400
            return
        self._watchdog, self._petted_ms = watchdog, now_ms
        log.info("watchdog armed", device=wanting[0].watchdog)

    def _known(self) -> list[FenceFile]:
        return read_fence_files(self._layout.safevar / "modules")
