"""The process checker of one module, and what its configuration says to do when one is gone."""

from collections.abc import Callable, Sequence

from mirror.adapters.errd import ProcessChecker
from mirror.config.models import Errd
from mirror.vocabulary.events import CommandAsked, Event

COMMANDS = frozenset({"restart", "stopstart", "stop"})


class ProcessPort:
    """Implements ports.ProcessWatch; without <errd> it watches nothing. Used by one event loop.

    set_resource(name, value): a state changed. run_handler(script, class): an executable of bin/.
    """

    def __init__(
        self,
        errd: Errd | None,
        post: Callable[[Event], None],
        set_resource: Callable[[str, str], None],
        run_handler: Callable[[str, str], None],
    ) -> None:
        self._errd = errd
        self._post = post
        self._set_resource = set_resource
        self._run_handler = run_handler
        self._checker = ProcessChecker(errd, self._changed) if errd is not None else None
        self._classes: tuple[str, ...] = ()
        self._disabled: set[str] = set()
        self._paused: set[str] = set()

    def watch(self, classes: Sequence[str]) -> None:
        self._classes = tuple(classes)
        self._apply()

    def switch_class(self, process_class: str, *, on: bool) -> None:
        """`errd enable|disable CLASS`."""
        if on:
            self._disabled.discard(process_class)
        else:
            self._disabled.add(process_class)
        self._apply()

    def pause(self, process_class: str) -> None:
        """A script stops what this class watches, or starts it again: its absence is no death."""
        self._paused.add(process_class)
        self._apply()

    def resume(self, process_class: str) -> None:
        """It was started: looked at anew, so what is not there again is acted upon again."""
        self._paused.discard(process_class)
        self._apply()

    def listed(self, resources: dict[str, str]) -> list[str]:
        """One line a process: name, class, action, what was last seen."""
        processes = self._errd.processes if self._errd else ()
        return [
            f"{one.name} class={one.process_class} action={one.action}"
            f" {resources.get(f'proc.{one.name}', 'init')}"
            for one in processes
        ]

    async def close(self) -> None:
        """Watch nothing any more."""
        if self._checker is not None:
            await self._checker.close()

    def _apply(self) -> None:
        if self._checker is None:
            return
        wanted = [one for one in self._classes if one not in self._disabled | self._paused]
        self._checker.watch(wanted)

    def _changed(self, resource: str, state: str) -> None:
        self._set_resource(resource, state)
        if state != "down" or self._errd is None:
            return
        name = resource.removeprefix("proc.")
        process = next((one for one in self._errd.processes if one.name == name), None)
        if process is None or process.action == "noaction":
            return
        if process.action in COMMANDS:
            targeted = process.action == "restart" and process.restart_services
            extra = ("-Services", process.restart_services) if targeted else ()
            self._post(CommandAsked(process.action, extra, "errd"))
        else:
            self._run_handler(process.action, process.process_class)
