"""Tells people who do not look: by mail, webhook, command, and always by the feed.

Each node tells of itself, and of the other one only that it does not answer, so two consoles do
not say the same twice. What comes within a moment goes out together; what was told is not told
again until it changes. Bounded, and never in the way of anything: a channel that hangs delays the
next notifications, not the watch, and nothing here is known to the control plane.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from mirror.adapters import clock
from mirror.adapters.console.notifications import Notifications
from mirror.adapters.notify.command import run_command
from mirror.adapters.notify.mail import send_mail
from mirror.adapters.notify.settings import NotifySettings
from mirror.adapters.notify.webhook import call_webhook
from mirror.errors import MirrorError
from mirror.vocabulary.said import Said, said_of, say
from mirror.web.notices import Notice

GROUP_S = 3.0
WAITING_MAX = 200
TRIES = 3
AGAIN_S = (2.0, 20.0)
SHOWN_IN_SUBJECT = 1
REMEMBERED = 500


NOT_SAID = Said()


@dataclass(slots=True)
class ChannelState:
    """How a channel fares. failed: "" or the sentence of its last failure."""

    sent_us: int = 0
    failed: Said = NOT_SAID
    failed_us: int = 0


@dataclass(slots=True)
class Notifier:
    """Used by one event loop."""

    store: Notifications
    environment: Mapping[str, str]
    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    channels: dict[str, ChannelState] = field(default_factory=dict)
    dropped: int = 0
    # What was last told, by key; what is still to be told.
    _told: dict[str, Notice] = field(default_factory=dict)
    _waiting: OrderedDict[str, tuple[int, Notice]] = field(default_factory=OrderedDict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, notices: Iterable[Notice]) -> None:
        """Take what is true now. Never blocks; what was told already is passed over.

        The first that is heard of something is told only when it is bad: all is well is no news.
        """
        for notice in notices:
            known = self._told.get(notice.key)
            if known is None and (notice.up or notice.kind == "state"):
                self._told[notice.key] = notice
                continue
            if known is not None and _same(known, notice):
                self._waiting.pop(notice.key, None)  # it changed, and changed back
                continue
            if notice.key not in self._waiting and len(self._waiting) >= WAITING_MAX:
                self.dropped += 1
                continue
            begun_us = self._waiting.get(notice.key, (clock.wall_us(), notice))[0]
            self._waiting[notice.key] = (begun_us, notice)
            self._news.set()

    async def run(self) -> None:
        """Send until cancelled. What an earlier console told is known."""
        for kept in reversed(await asyncio.to_thread(self.store.last, REMEMBERED)):
            notice = Notice(kept.kind, kept.service, kept.node, kept.up, Said(kept.reason))
            self._told.setdefault(notice.key, notice)
        while True:
            await self._news.wait()
            self._news.clear()
            await asyncio.sleep(GROUP_S)
            group = list(self._waiting.values())
            self._waiting.clear()
            for _, notice in group:
                self._told[notice.key] = notice
            if group:
                await self._deliver(group)

    async def test(self) -> dict[str, Said]:
        """Send one notification on each channel that is set: channel -> "" or the failure."""
        settings = await asyncio.to_thread(self.store.settings)
        notice = Notice("test", "", "this node", True, say("notice.test"))
        found = {}
        for channel in _channels(settings):
            found[channel] = await self._once(channel, settings, [(clock.wall_us(), notice)])
        return found

    async def _deliver(self, group: Sequence[tuple[int, Notice]]) -> None:
        await asyncio.to_thread(self.store.add, [(when, one) for when, one in group])
        settings = await asyncio.to_thread(self.store.settings)
        wanted = [(when, one) for when, one in group if _is_wanted(settings, one)]
        if not wanted:
            return
        channels = _channels(settings)
        await asyncio.gather(*(self._send(channel, settings, wanted) for channel in channels))

    async def _send(
        self, channel: str, settings: NotifySettings, group: Sequence[tuple[int, Notice]]
    ) -> None:
        for attempt in range(TRIES):
            failed = await self._once(channel, settings, group)
            if not failed:
                return
            if attempt < len(AGAIN_S):
                await asyncio.sleep(AGAIN_S[attempt])

    async def _once(
        self, channel: str, settings: NotifySettings, group: Sequence[tuple[int, Notice]]
    ) -> Said:
        state = self.channels.setdefault(channel, ChannelState())
        try:
            await self._through(channel, settings, group)
        except MirrorError as error:
            state.failed, state.failed_us = said_of(error), clock.wall_us()
            self.sent[channel, "failed"] += 1
            structlog.get_logger().warning("notification failed", why=str(error))
            return state.failed
        state.sent_us, state.failed = clock.wall_us(), Said()
        self.sent[channel, "sent"] += 1
        return state.failed

    async def _through(
        self, channel: str, settings: NotifySettings, group: Sequence[tuple[int, Notice]]
    ) -> None:
        match channel:
            case "mail":
                subject, text = mail_of(group)
                await asyncio.to_thread(send_mail, settings.mail, subject, text)
            case "webhook":
                await call_webhook(settings.webhook, body_of(group))
            case _:
                for _, one in group:
                    word = "up" if one.up else "down"
                    arguments = (one.service or "node", one.node, word, one.reason)
                    await run_command(settings.command, arguments, self.environment)


def mail_of(group: Sequence[tuple[int, Notice]]) -> tuple[str, str]:
    """Subject and text of the mail about some notices."""
    bad_first = sorted(group, key=lambda one: (one[1].up, one[0]))
    more = len(group) - SHOWN_IN_SUBJECT
    subject = "mirror: " + bad_first[0][1].sentence + (f" (and {more} more)" if more else "")
    lines = [f"{clock.wall_text(when)[:19]}  {one.sentence}" for when, one in group]
    return subject, "\n".join(lines) + "\n"


def body_of(group: Sequence[tuple[int, Notice]]) -> dict[str, Any]:
    """What a webhook is told. `text` is what chat services show."""
    return {
        "text": "\n".join(one.sentence for _, one in group),
        "notices": [
            {
                "time_us": when,
                "kind": one.kind,
                "service": one.service,
                "node": one.node,
                "state": "up" if one.up else "down",
                "reason": one.reason,
            }
            for when, one in group
        ],
    }


def _channels(settings: NotifySettings) -> list[str]:
    wanted = {
        "mail": bool(settings.mail.server and settings.mail.recipients),
        "webhook": bool(settings.webhook.url),
        "command": bool(settings.command.path),
    }
    return [name for name, is_set in wanted.items() if is_set]


def _is_wanted(settings: NotifySettings, notice: Notice) -> bool:
    return not settings.kinds or notice.kind in settings.kinds


def _same(known: Notice, notice: Notice) -> bool:
    """A condition is told by its beginning and end; a state also by its word."""
    if notice.kind != "state":
        return known.up == notice.up
    return known.up == notice.up and known.reason.split(":")[0] == notice.reason.split(":")[0]
