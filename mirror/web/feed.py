"""The notices as an Atom feed (RFC 4287). Pure: notices in, XML out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from mirror.adapters.console.notifications import KeptNotice

CONTENT_TYPE = "application/atom+xml; charset=utf-8"
US_PER_S = 1_000_000


def feed(notices: Sequence[KeptNotice], *, mark: str, node: str, now_us: int) -> str:
    """Write the feed. mark: a word of this console, so that its entries are its own for ever."""
    updated = notices[0].time_us if notices else now_us
    entries = "".join(_entry(one, mark) for one in notices)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<feed xmlns="http://www.w3.org/2005/Atom">\n'
        f"  <title>mirror: {escape(_plain(node))}</title>\n"
        f"  <id>urn:mirror:{mark}</id>\n"
        f"  <updated>{_time(updated)}</updated>\n"
        "  <author><name>mirror</name></author>\n"
        f"{entries}</feed>\n"
    )


def _entry(one: KeptNotice, mark: str) -> str:
    word = "up" if one.up else "DOWN"
    title = f"{one.service or 'node'} on {one.node}: {word}"
    return (
        "  <entry>\n"
        f"    <title>{escape(_plain(title))}</title>\n"
        f"    <id>urn:mirror:{mark}:{one.id}</id>\n"
        f"    <updated>{_time(one.time_us)}</updated>\n"
        f'    <category term="{one.kind}"/>\n'
        f'    <content type="text">{escape(_plain(one.reason))}</content>\n'
        "  </entry>\n"
    )


def _plain(text: str) -> str:
    """Letters that XML cannot hold become a mark: a reason may repeat what a program said."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in text)


def _time(time_us: int) -> str:
    return datetime.fromtimestamp(time_us // US_PER_S, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
