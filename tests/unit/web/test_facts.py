"""Facts for pages: what both nodes hold, availability, rates."""

import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.adapters.console.roles import Role
from mirror.adapters.data_facts import look
from mirror.adapters.records import write_record
from mirror.config.module_store import ModuleStore
from mirror.vocabulary.record import Record, record_to_map
from mirror.web.availability import availability, moved
from mirror.web.figures import FigureBook, promise_of
from mirror.web.models.availability import NodePeriods
from mirror.web.models.control import Period

from .conftest import Pair
from .world import PRIM, START_S, Node

S = 1_000_000
FACTS = "/api/v1/modules/web/start-facts"


def periods(node: str, *steps: tuple[str, int], end: int | None = None) -> NodePeriods:
    """States of a node, each from a second on."""
    untils = [second for _, second in steps[1:]] + [end]
    found = [
        Period(
            state=word,
            ready="NotReady" if word == "STOP" else "Ready",
            from_us=begin * S,
            until_us=None if until is None else until * S,
        )
        for (word, begin), until in zip(steps, untils, strict=True)
    ]
    return NodePeriods(
        node=node,
        reachable=True,
        observed="",
        clock_difference_ms=0,
        from_us=0,
        periods=found,
    )


def test_an_outage_is_a_gap_between_the_nodes() -> None:
    n1 = periods("n1", ("STOP", 0), ("PRIM", 10), ("UNKNOWN", 100), ("SECOND", 200))
    n2 = periods("n2", ("SECOND", 0), ("ALONE", 102), ("PRIM", 201))
    found = availability("web", [n1, n2], 0, 1000 * S)
    assert (found.from_us, found.served_us) == (10 * S, (90 + 898) * S)
    (outage,) = found.outages
    assert (outage.ms, outage.node_before, outage.node_after) == (2000, "n1", "n2")
    assert (outage.planned, found.last_outage_ms) == (False, 2000)
    assert found.availability == pytest.approx(988 / 990)
    assert found.nines == pytest.approx(2.69)
    assert found.minutes_a_year == pytest.approx(1062.55)


def test_what_the_other_node_heard_tells_when_a_node_died() -> None:
    """Its own log broke off 15 s before; or it does not answer at all."""
    n1 = periods("n1", ("PRIM", 10), ("UNKNOWN", 85), ("SECOND", 200))
    n2 = periods("n2", ("SECOND", 0), ("ALONE", 102), ("PRIM", 201))
    n1.heard = periods("n1", ("PRIM", 11), ("UNKNOWN", 100)).periods
    found = availability("web", [n1, n2], 0, 1000 * S)
    assert [(one.ms, one.node_before) for one in found.outages] == [(2000, "n1")]
    n1.periods, n1.reachable = [], False
    found = availability("web", [n1, n2], 0, 1000 * S)
    assert [(one.ms, one.node_after) for one in found.outages] == [(2000, "n2")]


def test_what_was_stopped_on_purpose_counts_neither_way() -> None:
    n1 = periods("n1", ("PRIM", 0), ("STOP", 50), ("ALONE", 80))
    n2 = periods("n2", ("SECOND", 0), ("STOP", 40), ("SECOND", 81))
    found = availability("web", [n1, n2], 0, 100 * S)
    assert [(one.ms, one.planned) for one in found.outages] == [(30_000, True)]
    assert (found.availability, found.nines, found.last_outage_ms) == (1.0, None, None)


def test_an_outage_that_lasts_and_a_module_that_never_served() -> None:
    died = periods("n1", ("ALONE", 0), ("UNKNOWN", 60))
    found = availability("web", [died], 0, 90 * S)
    assert [(one.ms, one.node_after) for one in found.outages] == [(30_000, "")]
    never = availability("web", [periods("n1", ("STOP", 0))], 0, 90 * S)
    assert (never.availability, never.outages) == (None, [])


def test_the_clock_of_the_other_node_is_taken_off() -> None:
    ahead = periods("n2", ("ALONE", 102)).periods
    assert moved(ahead, 2 * S)[0].from_us == 100 * S


def test_rates_follow_from_counters_that_rise() -> None:
    book = FigureBook()
    told = {"changes": 0, "replicated_bytes": 0, "waits": 0, "waits_ns": 0, "age_ms": 0}
    told |= {"checkpoint": 1, "parked": 0, "index": 0, "recent": 0}
    book.note("web", told, "promise", 1000, S)
    told |= {"changes": 500, "replicated_bytes": 4096 * 500, "waits": 500, "waits_ns": 25_000_000}
    shown = book.note("web", told | {"parked": 2}, "promise", 2000, 2 * S)
    assert shown is not None
    assert (shown.writes_s, shown.bytes_s, shown.latency_us) == (500.0, 2_048_000.0, 50.0)
    assert (shown.waiting, shown.unsynced_ms, shown.promise) == (2, 1000, "promise")
    reborn = book.note("web", {**told, "changes": 3}, "promise", 3000, 3 * S)
    assert reborn is not None
    assert reborn.writes_s == 0, "the counters of a new data plane begin again"
    history = book.history("web", "n1", 2 * S, 3 * S)
    assert ([one.writes_s for one in history.samples], history.step_ms) == ([500.0, 0.0], 1000)
    assert book.note("web", {}, "promise", 4000, 4 * S) is None


@pytest.mark.parametrize("age_ms", [0, 400, 999])
def test_a_graph_is_the_same_where_figures_were_not_read_because_none_had_moved(
    age_ms: int,
) -> None:
    idle = {"changes": 100, "replicated_bytes": 0, "waits": 0, "waits_ns": 0, "checkpoint": 1}
    burst = idle | {"changes": 600, "checkpoint": 2, "age_ms": age_ms}
    read, spared = FigureBook(), FigureBook()
    for book in (read, spared):
        book.note("web", idle | {"age_ms": age_ms}, "", 1000, S)
    for second in range(2, 60):
        read.note("web", idle | {"age_ms": age_ms}, "", second * 1000, second * S)
        spared.note_unchanged(second * 1000, second * S)
    for book in (read, spared):
        book.note("web", burst, "", 60_000, 60 * S)
    for since_us, now_us in ((0, 60 * S), (0, 3600 * S)):
        graph, other = (book.history("web", "n1", since_us, now_us) for book in (read, spared))
        assert graph == other
        assert len(graph.samples) == (60 if now_us == 60 * S else 3)
    assert read.history("web", "n1", 0, 60 * S).samples[-1].writes_s == 500


def test_a_day_is_kept_as_averages() -> None:
    book = FigureBook()
    for second in range(40):
        told = {"changes": second * 10, "waits": 0, "age_ms": 0, "checkpoint": second}
        book.note("web", told, "", second * 1000, second * S)
    history = book.history("web", "n1", 0, 3600 * S)
    assert (history.step_ms, len(history.samples)) == (15_000, 2)
    assert history.samples[-1].writes_s == 10.0


def test_each_promise_has_its_sentence() -> None:
    assert "fsync" in promise_of("fsync", "none", "mount")
    assert "asynchronous" in promise_of("write", "second", "watch")


def test_a_directory_is_counted_without_what_is_ours(data: Path) -> None:
    (data / ".mirror").mkdir()
    (data / ".mirror" / "numbers.json").write_text("{}")
    (data / "below").mkdir()
    for number in range(8):
        file = data / "below" / f"f{number}"
        file.write_bytes(b"x" * number)
        os.utime(file, (number, number))
    facts = look(str(data), int(1e12), 3)
    assert (facts.files, facts.bytes, facts.empty, facts.complete) == (8, 28, False, True)
    assert facts.newest[0] == ("below/f7", 7, 7 * S)
    assert (len(facts.newest), len(facts.listed), facts.listed_all) == (5, 3, False)
    assert look(str(data / "no"), int(1e12), 3).error == "No such file or directory"


@pytest.fixture
def installed(pair: Pair, tmp_path: Path) -> Iterator[dict[str, Path]]:
    """The module on both nodes, with a directory each; neither was ever primary."""
    directories = {}
    for node in (pair.n1, pair.n2):
        directory = directories[node.name] = tmp_path / f"data-{node.name}"
        directory.mkdir()
        source = node.write_module(tmp_path / f"source-{node.name}", directory)
        ModuleStore(node.layout).install("web", source, replace=True)
    for node, plane in ((pair.n1, pair.plane1), (pair.n2, pair.plane2)):
        plane.states["web"] |= {"state": "WAIT", "ready": "NotReady"}
        browser = node.browser(Role.ADMIN)
        until_seen(node, str(directories[node.name]))
        browser.close()
    yield directories
    for node, plane, word in ((pair.n1, pair.plane1, "PRIM"), (pair.n2, pair.plane2, "SECOND")):
        ModuleStore(node.layout).uninstall("web")
        node.layout.module("web").record.unlink(missing_ok=True)
        plane.states["web"] |= {"state": word, "ready": "Ready", "reason": PRIM["reason"]}


def until_seen(node: Node, directory: str) -> None:
    admin = node.browser(Role.ADMIN)
    end = time.monotonic() + START_S
    while directory not in (seen := admin.json("/api/v1/modules/web/state"))["directories"]:
        assert time.monotonic() < end, seen
    assert seen["state"] == "WAIT"


def test_a_first_start_shows_what_each_choice_replaces(
    pair: Pair, installed: dict[str, Path]
) -> None:
    # The nodes of this test share a host, so their directories have different names.
    (installed["n1"] / "base.db").write_bytes(b"x" * 100)
    (installed["n2"] / "old.db").write_bytes(b"x" * 30)
    facts = pair.n1.browser(Role.CONTROL).json(FACTS)
    assert (facts["needed"], facts["verdict"]["row"]) == (True, "G01")
    assert facts["advice"].startswith("Start the node with the good data with `prim`")
    assert facts["advice_said"]["code"] == "first.blank"
    by_name = {one["node"]: one for one in facts["nodes"]}
    assert [by_name[name]["directories"][0]["bytes"] for name in ("n1", "n2")] == [100, 30]
    assert by_name["n1"]["record"]["blank"] is True
    (choice, other) = facts["choices"]
    assert (choice["source"], choice["target"], choice["complete"]) == ("n1", "n2", True)
    assert (choice["only_target_files"], choice["only_target_bytes"]) == (1, 30)
    assert (other["only_target_bytes"], other["only_source_bytes"]) == (100, 30)
    assert choice["examples"][0]["what"] == "only there"


def test_records_say_who_is_complete(pair: Pair, installed: dict[str, Path]) -> None:
    shared, fresh = "a" * 32, "b" * 32
    old = Record(current=shared, term=3, may_serve=frozenset({"n1", "n2"}), was_primary=True)
    went_on = Record(
        current=fresh, base=shared, history=(shared,), term=4, may_serve=frozenset({"n2"})
    )
    for node, record in ((pair.n1, old), (pair.n2, went_on)):
        node.layout.module("web").record.parent.mkdir(parents=True, exist_ok=True)
        write_record(node.layout.module("web").record, record_to_map(record))
    facts = pair.n1.browser(Role.CONTROL).json(FACTS)
    verdict = facts["verdict"]
    assert (verdict["source"], verdict["how"], verdict["row"]) == ("n2", "partial", "G19")
    assert facts["needed"] is False
    pair.n1.layout.module("web").record.write_text("torn")
    facts = pair.n1.browser(Role.CONTROL).json(FACTS)
    assert facts["verdict"] is None
    assert "MIR-207" in facts["nodes"][0]["record"]["error"]


def test_versions_kept_aside_are_listed_restored_removed(
    pair: Pair, installed: dict[str, Path]
) -> None:
    """By the command line; n1 does not run, so its directory is read as it is."""
    aside = installed["n1"] / ".mirror" / "aside" / "one"
    (aside / "files").mkdir(parents=True)
    (aside / "files" / "base.db").write_bytes(b"old")
    line = {"path": "base.db", "kept": "files/base.db", "side": "n1", "what": "replaced"}
    (aside / "list.jsonl").write_text(json.dumps(line) + "\n")
    ModuleStore(pair.n1.layout).apply("web", ModuleStore(pair.n1.layout).stage("web"))
    admin = pair.n1.browser(Role.ADMIN)
    base = "/api/v1/modules/web/kept-versions"
    (version,) = admin.json(base)["files"]
    assert (version["path"], version["size_bytes"], version["what"]) == ("base.db", 3, "replaced")
    refused = admin.post(f"{base}/restore", ids=[version["id"]])
    assert (refused.status_code, "does not serve" in refused.json()["detail"]) == (409, True)
    assert admin.post(f"{base}/restore").status_code == 422
    assert admin.post(f"{base}/remove", all=True).status_code == 428
    removed = admin.post(f"{base}/remove", ids=[version["id"]], confirm="web")
    assert removed.status_code == 200, removed.text
    assert (removed.json()["removed"], admin.json(base)["files"]) == (1, [])
    ModuleStore(pair.n1.layout).remove_applied("web")


def test_both_sides_of_a_split_brain_stand_side_by_side(
    pair: Pair, installed: dict[str, Path]
) -> None:
    shared = "c" * 32
    for node, plane, mark in ((pair.n1, pair.plane1, "d"), (pair.n2, pair.plane2, "e")):
        record = Record(
            current=mark * 32,
            base=shared,
            history=(shared,),
            term=5,
            lived_on=True,
            was_primary=node.name == "n1",
            may_serve=frozenset({node.name}),
        )
        node.layout.module("web").record.parent.mkdir(parents=True, exist_ok=True)
        write_record(node.layout.module("web").record, record_to_map(record))
        plane.states["web"]["reason"] = "split brain: both went on alone"
    admin = pair.n1.browser(Role.ADMIN)
    admin.json("/api/v1/state")
    found = admin.json("/api/v1/modules/web/split")
    assert (found["split"], found["verdict"]["row"], found["verdict"]["source"]) == (
        True,
        "G23",
        "n1",
    )
    assert found["sentence"].endswith("Choose which one goes on.")
    assert [(one["node"], one["reachable"]) for one in found["nodes"]] == [
        ("n1", True),
        ("n2", True),
    ]
    assert found["nodes"][0]["changed"] is None
    assert "(MIR-" in found["nodes"][0]["observed"], "no data plane runs in this test"
    for one in found["nodes"]:
        assert one["observed_said"]["code"].startswith("MIR-")


PLANTED = ("planted-mail-password", "planted-search-password", "planted-client-secret", "hunter2")


def by_command(pair: Pair, file: Path, port: int) -> str:
    """What the command says that made the snapshot of both nodes."""
    command = [sys.executable, "-m", "mirror.cli", "snapshot", "-m", "web", "--both"]
    done = subprocess.run(
        [*command, "--port", str(port), str(file)],
        env=pair.n1.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_why_the_other_side_is_not_known_has_a_code(pair: Pair, installed: object) -> None:
    admin = pair.n1.browser(Role.ADMIN)
    pair.n2.kill()
    for page in ("start-facts", "split"):
        away = admin.json(f"/api/v1/modules/web/{page}")["nodes"][1]
        assert (away["reachable"], away["observed_said"]["code"]) == (False, "MIR-810")
    pair.n2.start()


def test_a_snapshot_says_why_the_other_node_is_missing(
    pair: Pair, installed: object, tmp_path: Path
) -> None:
    file = tmp_path / "both.zip"
    assert by_command(pair, file, port=1).startswith(f"{file}: n1 alone; ")
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["snapshot_n1_web.zip", "snapshot_n2_web.txt"]
        assert b"n2" in archive.read("snapshot_n2_web.txt")


def read_both(whole: bytes) -> tuple[list[str], bytes]:
    """Names and content of all files of both nodes' snapshots."""
    names, content = [], b""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.namelist() == ["snapshot_n1_web.zip", "snapshot_n2_web.zip"]
        for one in archive.namelist():
            with zipfile.ZipFile(io.BytesIO(archive.read(one))) as part:
                names += part.namelist()
                content += b"".join(part.read(name) for name in part.namelist())
    return names, content


def test_a_snapshot_of_both_nodes_has_no_secret(
    pair: Pair, installed: object, tmp_path: Path
) -> None:
    """Secrets are planted wherever they are kept; every byte of every file is looked through."""
    admin = pair.n1.browser(Role.ADMIN)
    mail = {"server": "127.0.0.1", "sender": "a@b", "recipients": ["c@d"], "password": PLANTED[0]}
    admin.put("/api/v1/notifications", mail=mail)
    ldap = {"url": "ldaps://x", "base_dn": "dc=x", "bind_password": PLANTED[1]}
    oidc = {"issuer": "https://x", "client_id": "x", "client_secret": PLANTED[2]}
    assert admin.put("/api/v1/sign-in", ldap=ldap, oidc=oidc).status_code == 200
    made = admin.post("/api/v1/tokens", label="planted", role="Monitor", days=1).json()
    keys = pair.n1.layout.node_key.read_bytes(), pair.n2.layout.node_key.read_bytes()
    answer = admin.get("/api/v1/modules/web/snapshot", nodes="all")
    assert answer.status_code == 200, answer.text
    typed = tmp_path / "both.zip"
    assert by_command(pair, typed, pair.n2.https_port) == f"{typed}: n1 and n2\n"
    assert typed.stat().st_mode & 0o777 == 0o600
    for both in (answer.content, typed.read_bytes()):
        names, content = read_both(both)
        assert "conf/userconfig.xml" in " ".join(names)
        for secret in (*PLANTED, made["secret"], admin.csrf):
            assert secret.encode() not in content, secret
        for key in keys:
            assert key.splitlines()[1] not in content
    admin.put("/api/v1/notifications")
    admin.put("/api/v1/sign-in")
    admin.delete(f"/api/v1/tokens/{made['token']['id']}")


def test_history_processes_and_availability_are_served(pair: Pair, installed: object) -> None:
    admin = pair.n1.browser(Role.ADMIN)
    pair.plane1.answers["command"] = {"processes": ["postgres class=prim action=restart up"]}
    assert admin.json("/api/v1/modules/web/processes")["processes"] == [
        "postgres class=prim action=restart up"
    ]
    del pair.plane1.answers["command"]
    assert admin.json("/api/v1/nodes/n2/modules/web/history")["node"] == "n2"
    found = admin.json("/api/v1/modules/web/availability")
    assert [(one["node"], one["reachable"]) for one in found["nodes"]] == [
        ("n1", True),
        ("n2", True),
    ]
    assert json.dumps(found["availability"]) == "null"
