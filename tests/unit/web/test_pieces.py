"""Small parts by themselves: the ring, the stream, the front end's files, figures, sockets."""

import asyncio
import os
import socket
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.adapters import clock
from mirror.adapters.console.credentials import Credentials, Purpose
from mirror.adapters.console.database import DATABASE, Database
from mirror.adapters.console.roles import Role
from mirror.adapters.console.settings import Settings
from mirror.adapters.console.users import Users, check_password
from mirror.errors import ConsoleDatabaseFailed, ConsoleNotStarted, InputRefused, PasswordRefused
from mirror.web import sockets
from mirror.web.disks import Sample, full_at_us
from mirror.web.ring import Event, Ring
from mirror.web.sse import Parser, written
from mirror.web.static_files import StaticFiles


async def collect(ring: Ring, after: int | None, count: int) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    followed = ring.follow(after, lambda: [Event(0, "snapshot", {})])
    async for event, position in followed:
        found.append((event.name, position))
        if len(found) == count:
            break
    await followed.aclose()
    return found


def test_a_reader_continues_or_begins_again() -> None:
    async def story() -> None:
        ring = Ring(events_max=3)
        for number in range(1, 6):
            ring.publish("state", number=number)
        assert await collect(ring, 3, 2) == [("state", 4), ("state", 5)]
        assert await collect(ring, 2, 3) == [("state", 3), ("state", 4), ("state", 5)]
        assert await collect(ring, 1, 1) == [("snapshot", 5)], "2 is not kept any more"
        assert await collect(ring, None, 1) == [("snapshot", 5)]
        assert await collect(ring, 99, 1) == [("snapshot", 5)], "never given out"

    asyncio.run(story())


def test_a_reader_that_sleeps_too_long_begins_again() -> None:
    async def story() -> list[str]:
        ring = Ring(events_max=3)
        ring.publish("state")
        followed = ring.follow(0, lambda: [Event(0, "snapshot", {})])
        seen = [(await anext(followed))[0].name]
        for _ in range(5):
            ring.publish("state")
        seen += [(await anext(followed))[0].name]
        await followed.aclose()
        return seen

    assert asyncio.run(story()) == ["state", "snapshot"]


@pytest.mark.parametrize("event_id", [None, "", "x", "deadbeef-1", "{epoch}-x", "{epoch}-99"])
def test_a_number_that_is_none_of_ours(event_id: str | None) -> None:
    async def story() -> None:
        ring = Ring()
        ring.publish("state")
        given = event_id and event_id.format(epoch=ring.epoch)
        assert ring.number_of(given) is None
        assert ring.number_of(ring.id_of(1)) == 1

    asyncio.run(story())


@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3), max_size=5),
    st.integers(1, 50),
)
def test_events_survive_any_cut(values: list[dict[str, str]], size: int) -> None:
    stream = b"".join(written("state", value, f"e-{n}") for n, value in enumerate(values))
    parser, found = Parser(), []
    for position in range(0, len(stream), size):
        found += parser.feed(stream[position : position + size])
    assert [(event_id, name) for event_id, name, _ in found] == [
        (f"e-{n}", "state") for n in range(len(values))
    ]
    assert parser.feed(b"retry: 5\n\n: nothing\n\n") == []


class Site:
    """The front end's files without a server."""

    def __init__(self, files: StaticFiles) -> None:
        self._transport = httpx.ASGITransport(app=files)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return asyncio.run(self._send("GET", path, headers))

    def post(self, path: str) -> httpx.Response:
        return asyncio.run(self._send("POST", path, {}))

    async def _send(self, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        client = httpx.AsyncClient(transport=self._transport, base_url="http://localhost")
        async with client:
            return await client.request(method, path, headers=named)


@pytest.fixture
def built(tmp_path: Path) -> Site:
    """A front end as a build leaves it."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>mirror</title>" + " " * 2000)
    (tmp_path / "assets/app-Ab12Cd34.js").write_text("console.log(1);" * 200)
    (tmp_path / "icon.png").write_bytes(b"\x89PNG")
    return Site(StaticFiles(tmp_path))


def test_the_front_end_is_compressed_and_kept(built: Site) -> None:
    script = built.get("/assets/app-Ab12Cd34.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert script.headers["content-encoding"] == "gzip"
    assert int(script.headers["content-length"]) < 200
    plain = built.get("/assets/app-Ab12Cd34.js", accept_encoding="identity")
    assert "content-encoding" not in plain.headers
    assert plain.text == script.text
    page = built.get("/modules/web")
    assert page.headers["cache-control"] == "no-cache"
    assert page.text.startswith("<!doctype html><title>mirror")
    again = built.get("/", if_none_match=page.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert "content-encoding" not in built.get("/icon.png").headers


@pytest.mark.parametrize(
    "path", ["/assets/gone-Ab12Cd34.js", "/api/v1/none", "/var/x", "/../secret.txt", "/%2e%2e/a.b"]
)
def test_what_is_no_page_is_an_error(built: Site, path: str) -> None:
    answer = built.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert built.post("/").status_code == 422


def test_before_the_front_end_is_built_a_page_says_how(tmp_path: Path) -> None:
    page = Site(StaticFiles(tmp_path / "none")).get("/")
    assert "make console" in page.text
    assert "<script" not in page.text
    assert "style=" not in page.text


GIB = 1024**3
MINUTE_US = 60_000_000


@pytest.mark.parametrize(
    ("samples", "full_after_minutes"),
    [
        ([(0, 50), (10, 60)], None),
        ([(0, 50), (5, 55), (10, 60)], 40),
        ([(0, 50), (5, 58), (10, 60)], 100),
        ([(0, 50), (5, 60), (10, 60)], None),
        ([(0, 50), (5, 50), (10, 60)], None),
        ([(0, 50), (4, 60)], None),
        ([(0, 50), (10, 50)], None),
        ([(0, 60), (10, 50)], None),
        ([(0, 50), (5, 75), (10, 100)], 0),
        ([(0, 50)], None),
    ],
)
def test_when_a_disk_will_be_full(
    samples: list[tuple[int, int]], full_after_minutes: int | None
) -> None:
    seen = [Sample(minute * MINUTE_US, used * GIB, 100 * GIB) for minute, used in samples]
    found = full_at_us(seen)
    if full_after_minutes is None:
        assert found is None
    else:
        assert found == seen[-1].time_us + full_after_minutes * MINUTE_US


@pytest.mark.parametrize(
    "password", ["sho1t", "admin12345678", "aaaaaaaaaaaa", "ababababab", "x" * 2000]
)
def test_easy_passwords(password: str) -> None:
    with pytest.raises(PasswordRefused) as refused:
        check_password("admin", password)
    assert password not in str(refused.value)


def test_users_of_two_nodes_come_together(tmp_path: Path) -> None:
    with Database(tmp_path / "a") as one, Database(tmp_path / "b") as two:
        here, there = Users(one), Users(two)
        here.put("admin", Role.ADMIN, "correct horse battery")
        here.put("old", Role.MONITOR, "correct horse battery")
        assert there.merge(here.export()) == 2
        there.put("admin", Role.ADMIN, "another good password")
        here.remove("old")
        assert here.merge(there.export()) == 1
        assert there.merge(here.export()) == 1
        assert [user.name for user in there.all()] == ["admin"]
        assert here.verify("admin", "another good password") is not None
        assert here.verify("admin", "correct horse battery") is None
        assert here.merge(there.export()) == 0, "nothing is newer"


def test_only_hashes_are_kept(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        credentials = Credentials(database)
        Users(database).put("admin", Role.ADMIN, "correct horse battery")
        secret, _ = credentials.open_session("admin", "here")
        token, _ = credentials.make_token("t", Role.ADMIN, 1, "admin")
        link = credentials.make_link(Purpose.PASSWORD, "admin", Role.ADMIN, 60)
    content = b"".join(path.read_bytes() for path in (tmp_path / "console").iterdir())
    for text in (secret, token, link, "correct horse battery"):
        assert text.encode() not in content


def test_when_a_console_was_last_alive(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        settings = Settings(database)
        assert settings.alive_before(2**62) == 0
        settings.begin_run()
        assert settings.alive_before(2**62) == 0, "there was no run before"
        begun_us = clock.wall_us()
        settings.note_alive()
        settings.begin_run()
        assert begun_us <= settings.alive_before(2**62) <= clock.wall_us()
        assert settings.alive_before(begun_us) == 0


def test_a_damaged_database_is_said(tmp_path: Path) -> None:
    file = tmp_path / DATABASE
    file.parent.mkdir()
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(ConsoleDatabaseFailed):
        Database(tmp_path)


def test_inherited_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setattr(sockets, "FIRST_INHERITED_FD", os.dup(listening.fileno()))
        environment = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "console"}
        (taken,) = sockets.inherited({**environment, "LISTEN_PID": str(os.getpid())})
        assert sockets.url_of(taken) == f"http://127.0.0.1:{listening.getsockname()[1]}"
        taken.close()
        assert sockets.inherited({**environment, "LISTEN_PID": "1"}) == []
        assert sockets.inherited({**environment, "LISTEN_FDNAMES": "other"}) == []
        assert sockets.inherited({}) == []
        with pytest.raises(ConsoleNotStarted, match="in use"):
            sockets.bind_all(("127.0.0.1",), listening.getsockname()[1])
    with pytest.raises(ConsoleNotStarted):
        sockets.from_descriptor(999)


@pytest.mark.parametrize("text", ["9010", "127.0.0.1:", ":9010", "a:b", "a:99999"])
def test_addresses_to_listen_on(text: str) -> None:
    with pytest.raises(InputRefused):
        sockets.parse_address(text)
    assert sockets.parse_address("[::1]:9010") == ("::1", 9010)
