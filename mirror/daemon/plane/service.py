"""What the control plane may ask of a data plane: one verb a method, over a local socket.

Verbs that change something run one after the other in a thread; `hello`, `status` and `freeze` are
answered at once, whatever else waits. Events go to every connection. The socket's messages:
mirror/wire/local.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import structlog

from mirror.adapters.native import Hello, protect_process
from mirror.core.reintegration.progress import Outcome
from mirror.core.verification import DIFFERENCES_LISTED_MAX
from mirror.daemon.plane.agreement import roots_held
from mirror.daemon.plane.changed import changed
from mirror.daemon.plane.directories import Directory
from mirror.daemon.plane.estimate import estimate
from mirror.daemon.plane.exclusions import add_rules, digest_of
from mirror.daemon.plane.index_file import open_plane
from mirror.daemon.plane.interrupted import keep_interrupted
from mirror.daemon.plane.kept import KeptVersions
from mirror.daemon.plane.lanes import Listener
from mirror.daemon.plane.link_tls import LinkTls
from mirror.daemon.plane.marks import reserve_mark
from mirror.daemon.plane.numbers import HiddenNumbers
from mirror.daemon.plane.primary import Primary
from mirror.daemon.plane.scan import Scan
from mirror.daemon.plane.secondary import Secondary
from mirror.daemon.plane.settings import PlaneSettings
from mirror.daemon.plane.stamps import Stamps
from mirror.daemon.plane.strays import list_strays
from mirror.daemon.plane.target import Target
from mirror.errors import MirrorError, PlaneFailed, PlaneNotReady
from mirror.vocabulary.said import say
from mirror.wire import local
from mirror.wire.schema import Feature

log = structlog.get_logger()

CONFIRM_S_MAX = 10.0
EVENT_LINK_LOST, EVENT_LOCAL_FAULT, EVENT_UNMOUNTED = 1, 2, 3


class Service:
    """One data plane. Made and run inside the event loop."""

    def __init__(self, settings: PlaneSettings) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._one_verb = ThreadPoolExecutor(1, thread_name_prefix="verb")
        self._at_once = ThreadPoolExecutor(2, thread_name_prefix="now")
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="kept")
        self._stopped = asyncio.Event()
        self._covered = False
        self._in_step = False
        self._event_fd = -1
        try:
            protect_process()
        except OSError as error:
            log.warning("process not protected", error=str(error))
        self._directories = [
            Directory(number, path, f"{settings.lower_prefix}{number}")
            for number, path in enumerate(settings.directories)
        ]
        for directory in self._directories:
            directory.check(settings.to_check_of(directory.number))
        self._tls = LinkTls(settings)
        unbroken = [directory.bind_lower() for directory in self._directories]
        self._numbers = HiddenNumbers(self._directories)
        self._plane, self._index_lost = open_plane(settings, self._numbers)
        self._identities: list[bytes | None] = []
        self._scan = Scan(self._plane, self._numbers, watched=settings.watch)
        for directory, was_covered in zip(self._directories, unbroken, strict=True):
            number, identity = self._plane.root_add(directory.lower)
            self._identities.append(identity)
            rules = settings.rules_of(number)
            add_rules(self._plane, number, rules)
            ruled_anew = self._numbers.of(number).rules != digest_of(rules)
            if identity and (not was_covered or self._numbers.of(number).scan_due or ruled_anew):
                self._scan.owe(number, rules=digest_of(rules))
            directory.cover()  # what is changed after the scan would not be found
        self._scan.start()
        self._primary = Primary(
            settings,
            self._plane,
            self._tls,
            self._directories,
            self.emit,
            self._scan,
            lambda: bool(self._writers),
        )
        self._secondary = Secondary(
            self._plane,
            self._make_target,
            self._adopt_root,
            lambda: roots_held(self._plane, self._directories),
            self.emit,
        )
        self._stamps = Stamps(self._plane, self._numbers, self._scan, self._primary, self._mode)
        self._kept = KeptVersions(
            self._plane,
            self._directories,
            (settings.node, settings.peer),
            lambda: self._primary.rpc(Feature.KEPT),
        )
        self._listener = Listener(settings, self._tls, self._admit, self._secondary.serve)

    # The socket.

    async def run(self) -> None:
        """Serve until `stop`."""
        _clear_socket(self._settings.socket)
        server = await asyncio.start_unix_server(self._connected, self._settings.socket)
        async with server:
            await self._stopped.wait()
        _clear_socket(self._settings.socket)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        if self._index_lost:
            self.emit("index_lost", sentence=self._index_lost)
            self._index_lost = ""  # once, to whoever comes first
        decoder = local.Decoder()
        tasks: set[asyncio.Task[None]] = set()
        try:
            while chunk := await reader.read(65_536):
                for message in decoder.feed(chunk):
                    task = asyncio.create_task(self._answer(message, writer))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
        except (OSError, MirrorError) as error:
            log.warning("control connection ended", error=str(error))
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, message: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        number, verb = int(message.get("id", 0)), str(message.get("do", ""))
        fields = {key: value for key, value in message.items() if key not in ("v", "id", "do")}
        try:
            answer = local.reply(number, **await self._perform(verb, fields))
        except MirrorError as error:
            answer = local.reply_error(number, error)
        except (OSError, TimeoutError) as error:
            log.warning("verb failed", verb=verb, error=str(error))
            answer = local.reply_error(number, PlaneFailed(verb=verb, observed=str(error)))
        except Exception as error:
            log.exception("verb failed", verb=verb)
            answer = local.reply_error(number, PlaneFailed(verb=verb, observed=repr(error)))
        with contextlib.suppress(OSError):
            writer.write(local.encode(answer))
            await writer.drain()
        if verb == "stop" and answer["ok"]:
            self._stopped.set()

    async def _perform(self, verb: str, fields: dict[str, Any]) -> dict[str, Any]:
        if verb in self._NOW:
            act, pool = self._NOW[verb], self._at_once
        elif verb in self._IN_TURN:
            act, pool = self._IN_TURN[verb], self._one_verb
        elif verb in self._BESIDE:
            act, pool = self._BESIDE[verb], self._beside
        else:
            raise PlaneNotReady(verb=verb, mode=say("plane.other_version"))
        result = await self._loop.run_in_executor(pool, lambda: act(self, **fields))
        self._watch_events()
        return result or {}

    def emit(self, name: str, /, **fields: object) -> None:
        """Tell every connection. Any thread."""
        self._loop.call_soon_threadsafe(self._emit_here, local.encode(local.event(name, **fields)))

    def _emit_here(self, frame: bytes) -> None:
        for writer in self._writers:
            with contextlib.suppress(OSError, RuntimeError):
                writer.write(frame)

    # Events of the capture.

    def _watch_events(self) -> None:
        fd = self._plane.event_fd() if self._primary.mode != "idle" else -1
        if fd == self._event_fd:
            return
        if self._event_fd >= 0:
            self._loop.remove_reader(self._event_fd)
        if fd >= 0:
            self._loop.add_reader(fd, self._read_events)
        self._event_fd = fd

    def _read_events(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._event_fd, 8)
        while (event := self._plane.event_take()) is not None:
            log.info("capture event", kind=event.kind, error=event.error, detail=event.detail)
            if event.kind == EVENT_LINK_LOST:
                self._primary.froze()
                self._primary.verifier.abandon()
                self.emit("link_lost", session=self._primary.session(), reason=event.detail)
            elif event.kind == EVENT_LOCAL_FAULT:
                self.emit("fault", where="local", error=event.error, sentence=event.detail)
            elif event.kind == EVENT_UNMOUNTED and self._primary.gate != "closed":
                os._exit(1)  # not by us: the mount is dead, and so is who serves it (automaton.py)

    # What the secondary needs of this process.

    def _admit(self, hello: Hello) -> str:
        if hello.module != self._settings.module:
            return f"this is module {self._settings.module}"
        return self._secondary.admit(hello)

    def _make_target(self, aside: str) -> Target:
        return Target(
            self._plane,
            [directory.lower for directory in self._directories],
            aside=aside,
            on_end=self._synchronised,
            scan=self._scan,
            watched=self._settings.watch,
        )

    def _synchronised(self, generation: bytes, checkpoint: int, record: bytes) -> None:
        """Both disks hold everything: the control plane makes its record durable."""
        self._in_step = True
        self.emit(
            "target_in_sync",
            session=self._secondary.session(),
            generation=generation.hex(),
            checkpoint=checkpoint,
            **asdict(Outcome.from_bytes(record)),
        )

    def _adopt_root(self, root: int, identity: bytes, full: bool) -> bool:  # noqa: FBT001
        if self._identities[root] == identity:
            return True
        if self._identities[root] is not None and not full:
            return False
        self._plane.root_adopt(root, identity)
        reserve_mark(self._directories[root].lower, anew=True)
        self._identities[root] = identity
        self._numbers.adopted(root, digest_of(self._settings.rules_of(root)))
        return True

    # Verbs.

    def _mode(self) -> str:
        if self._primary.mode != "idle":
            return self._primary.mode
        if self._secondary.session():
            return "second" if self._in_step else "following"
        return "covered" if self._covered else "idle"

    def _hello(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "mode": self._mode(),
            "gate": self._primary.gate,
            "session": self._primary.session() or self._secondary.session(),
            "epoch": self._plane.counters().epoch,
            "checkpoint": self._primary.checkpoint,
        }

    def _link(self) -> dict[str, Any]:
        """Give the session and a count that grows while its other end lives."""
        mine = self._primary.session()
        beats = self._primary.pulse.beats if mine else self._plane.apply_pings()
        return {"session": mine or self._secondary.session(), "beats": beats}

    def _status(self) -> dict[str, Any]:
        counters = self._plane.counters()
        return {
            **self._hello(),
            "counters": counters._asdict(),
            "progress": self._primary.progress,
            "verification": self._primary.verifier.fields(),
            "capture": "watch" if self._settings.watch else "mount",
            "watch": self._primary.behind(),
            "recent": self._plane.recent_count(),
            "index": self._plane.index_count(),
            "applied": self._plane.apply_operations(),
            "disks": [each.room() for each in self._directories],
        }

    def _cover(self) -> None:
        for directory in self._directories:
            directory.cover()
        self._covered = True

    def _uncover(self) -> None:
        for directory in self._directories:
            directory.clear()
        self._covered = False

    def _identify(self) -> dict[str, Any]:
        roots = []
        for directory, identity in zip(self._directories, self._identities, strict=True):
            numbers = self._numbers.of(directory.number)
            roots.append(
                {
                    "directory": directory.path,
                    "identity": identity.hex() if identity else "",
                    "generation": numbers.generation,
                    "checkpoint": numbers.checkpoint,
                    "empty": directory.is_empty(),
                }
            )
        return {"roots": roots}

    def _adopt(self) -> dict[str, Any]:
        for number, identity in enumerate(self._identities):
            if identity is None:
                self._adopt_root(number, self._plane.identity_new(), True)
        return self._identify()

    def _serve(self, generation: str = "") -> None:
        if any(identity is None for identity in self._identities):
            raise PlaneNotReady(verb="serve", mode=say("plane.no_identity"))
        if self._settings.watch:
            for directory in self._directories:
                keep_interrupted(self._plane, directory.number)
        if self._primary.mode == "idle":
            self._numbers.record_serving()
        self._primary.serve()
        self._covered = False
        if generation:
            self._record_hidden(generation, self._primary.checkpoint)

    def _go_alone(self, generation: str = "") -> None:
        self._primary.go_alone()
        if generation:
            self._record_hidden(generation, self._primary.checkpoint)

    def _follow(self, session: str, aside: str = "", **_: object) -> None:
        self._in_step = False
        self._secondary.follow(bytes.fromhex(session), aside)

    def _lead(
        self,
        session: str,
        peer_addresses: list[str],
        port: int,
        generation: str,
        full: bool = False,  # noqa: FBT001, FBT002
        aside: str = "",
        trusts_before_s: int = 0,
        commanded: bool = False,  # noqa: FBT001, FBT002
        **_: object,
    ) -> None:
        self._primary.lead(
            bytes.fromhex(session),
            peer_addresses,
            port,
            full=full,
            aside=aside,
            generation=bytes.fromhex(generation),
            trusts_before_s=trusts_before_s if full else 0,
            commanded=commanded,
        )

    def _settle(self) -> None:
        self._secondary.settle(len(self._directories))
        self._in_step = False

    def _confirm_sync(self, session: str) -> None:
        self._secondary.confirm(session)

    def _record_hidden(self, generation: str, checkpoint: int) -> None:
        self._numbers.record(generation, checkpoint)

    def _freeze(self) -> None:
        self._primary.freeze()

    def _part(self, reason: str) -> None:
        self._primary.part(reason)

    def _thaw(self) -> None:
        self._primary.thaw()

    def _gate(self, to: str) -> None:
        if to != "closed":
            raise PlaneNotReady(verb="gate", mode=say("plane.only_close"))
        self._primary.close_gate()

    def _verify(self, repair: bool = False) -> None:  # noqa: FBT001, FBT002 - as asked
        self._primary.verify(repair=repair)

    def _verification(self) -> dict[str, Any]:
        return self._primary.verifier.fields(DIFFERENCES_LISTED_MAX)

    def _verify_end(self) -> None:
        self._primary.verifier.ask_end()

    def _drain(self) -> dict[str, Any]:
        return self._primary.drain()

    def _hand_over(self) -> None:
        self._primary.hand_over()

    def _unserve(self) -> None:
        self._loop.call_soon_threadsafe(self._forget_events)
        self._primary.unserve()

    def _forget_events(self) -> None:
        if self._event_fd >= 0:
            self._loop.remove_reader(self._event_fd)
            self._event_fd = -1

    def _stop(self) -> None:
        self._stamps.end()
        self._unserve()
        self._secondary.end("the module stops")
        self._listener.close()
        self._scan.end()
        try:
            self._plane.index_absorb()  # the time recorded now speaks for what was under way, too
            self._numbers.record_stop()
        except OSError as error:  # the older time stays: more is found than must be
            log.warning("stop not recorded", error=str(error))
        for directory in self._directories:
            directory.release()

    # Versions kept aside, and what was changed: for people, beside everything else.

    def _kept_list(self) -> dict[str, Any]:
        for directory, identity in zip(self._directories, self._identities, strict=True):
            if identity:
                list_strays(self._plane, directory.number, "SECOND")
        return {"serves": self._primary.mode != "idle", **self._kept.list()}

    def _kept_read(self, node: str, version: str, offset: int, size: int) -> dict[str, Any]:
        return self._kept.read(node, version, offset, size)

    def _kept_remove(self, node: str, version: str) -> dict[str, Any]:
        return {"freed_bytes": self._kept.remove(node, version)}

    def _kept_hold(self, root: int, path: bytes) -> None:
        self._kept.hold(root, path)

    def _estimate(self) -> dict[str, Any]:
        return estimate(self._plane, self._directories)

    def _changed(self) -> dict[str, Any]:
        numbered = [(each.number, each.path) for each in self._directories]
        return {"node": self._settings.node, **changed(self._plane, numbered)}

    _BESIDE: dict[str, Callable[..., Any]] = {  # noqa: RUF012 - a table, never changed
        "kept_list": _kept_list,
        "kept_read": _kept_read,
        "kept_remove": _kept_remove,
        "kept_hold": _kept_hold,
        "changed": _changed,
        "estimate": _estimate,
    }
    _NOW: dict[str, Callable[..., Any]] = {  # noqa: RUF012 - a table, never changed
        "hello": _hello,
        "status": _status,
        "link": _link,
        "freeze": _freeze,
        "part": _part,
        "gate": _gate,
        "confirm_sync": _confirm_sync,
        "verification": _verification,
        "verify_end": _verify_end,
    }
    _IN_TURN: dict[str, Callable[..., Any]] = {  # noqa: RUF012 - a table, never changed
        "cover": _cover,
        "uncover": _uncover,
        "identify": _identify,
        "adopt": _adopt,
        "serve": _serve,
        "go_alone": _go_alone,
        "follow": _follow,
        "lead": _lead,
        "settle": _settle,
        "record_hidden": _record_hidden,
        "thaw": _thaw,
        "verify": _verify,
        "drain": _drain,
        "hand_over": _hand_over,
        "unserve": _unserve,
        "stop": _stop,
    }


def _clear_socket(path: str) -> None:
    """Make its folder, for root alone, and take away what a dead process left."""
    Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    Path(path).unlink(missing_ok=True)
