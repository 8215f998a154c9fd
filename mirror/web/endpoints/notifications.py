"""Notifications: where they go, a test, what was told, the feed."""

import asyncio
from dataclasses import asdict
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from mirror.adapters import clock
from mirror.adapters.notify.settings import (
    CommandSettings,
    MailSettings,
    NotifySettings,
    WebhookSettings,
)
from mirror.errors import InputRefused
from mirror.vocabulary.said import say
from mirror.web.console import Here
from mirror.web.feed import CONTENT_TYPE, feed
from mirror.web.models.notifications import (
    ChannelView,
    CommandTarget,
    MailTarget,
    NoticeList,
    NoticeView,
    Targets,
    TargetsView,
    TestResult,
    TestResults,
    WebhookTarget,
)
from mirror.web.models.said import read, told

FEED_ENTRIES = 100


async def read_targets(console: Here) -> TargetsView:
    """Where notifications of this node go, and how the channels fare."""
    settings = await asyncio.to_thread(console.notifications.settings)
    mail = settings.mail
    return TargetsView(
        targets=Targets(
            mail=MailTarget(
                server=mail.server,
                port=mail.port,
                security=mail.security,  # type: ignore[arg-type]  # one of the words: checked when saved
                user=mail.user,
                sender=mail.sender,
                recipients=list(mail.recipients),
            ),
            webhook=WebhookTarget(url=settings.webhook.url),
            command=CommandTarget(path=settings.command.path),
            kinds=list(settings.kinds),  # type: ignore[arg-type]  # checked when saved
        ),
        mail_password_set=bool(mail.password),
        webhook_secret_set=bool(settings.webhook.secret),
        channels=[
            ChannelView(
                channel=name,
                sent_us=one.sent_us,
                failed=one.failed,
                failed_said=told(one.failed),
                failed_us=one.failed_us,
            )
            for name, one in sorted(console.notifier.channels.items())
        ],
    )


async def save_targets(console: Here, body: Targets) -> TargetsView:
    """Change where notifications of this node go. A secret that is null stays as it is."""
    mail = body.mail
    for field, given in (("mail.sender", mail.sender), ("mail.recipients", mail.recipients)):
        if mail.server and not given:
            raise InputRefused(what=field, observed=say("seen.it_is_empty"), remedy=say("do.mail"))
    before = await asyncio.to_thread(console.notifications.settings)
    settings = NotifySettings(
        mail=MailSettings(
            server=mail.server,
            port=mail.port,
            security=mail.security,
            user=mail.user,
            password=before.mail.password if mail.password is None else mail.password,
            sender=mail.sender,
            recipients=tuple(mail.recipients),
        ),
        webhook=WebhookSettings(
            url=body.webhook.url,
            secret=before.webhook.secret if body.webhook.secret is None else body.webhook.secret,
        ),
        command=CommandSettings(body.command.path),
        kinds=tuple(body.kinds),
    )
    await asyncio.to_thread(console.notifications.save, settings)
    return await read_targets(console)


async def test_targets(console: Here) -> TestResults:
    """Send a test on each channel that is set, and say what came of it."""
    found = await console.notifier.test()
    return TestResults(
        results=[
            TestResult(channel=name, failed=failed, failed_said=told(failed))
            for name, failed in found.items()
        ]
    )


async def list_notices(
    console: Here, count: Annotated[int, Query(ge=1, le=500)] = 100
) -> NoticeList:
    """What was told, newest first."""
    found = await asyncio.to_thread(console.notifications.last, count)
    notices = [NoticeView(**asdict(one) | {"said": read(one.said)}) for one in found]
    return NoticeList(notices=notices)


async def read_feed(console: Here) -> Response:
    """What was told, as an Atom feed. Readers that know only passwords give a token as one."""
    found = await asyncio.to_thread(console.notifications.last, FEED_ENTRIES)
    text = feed(
        found,
        mark=console.cookie_mark,
        node=console.membership.shown_node,
        now_us=clock.wall_us(),
    )
    return Response(text, media_type=CONTENT_TYPE)
