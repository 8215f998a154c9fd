"""The pieces of the demo, on a real PostgreSQL without the engine: scripts, ledger, comparison."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from mirror.adapters.lab import comparison, module_setup, plan
from mirror.adapters.lab.client import Lab
from mirror.adapters.lab.ledger_book import Outcome, read_book
from mirror.errors import LabCommandFailed
from tests.lab.namespace_host import MODULE, REPOSITORY, NamespaceHost

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root"),
    pytest.mark.skipif(
        shutil.which("pg_createcluster") is None, reason="PostgreSQL is not installed"
    ),
]

START = ("start_prim", "WAIT", "ALONE", "start")
TAKEOVER = ("start_prim", "SECOND", "ALONE", "start")


@pytest.fixture
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NamespaceHost]:
    home = tmp_path_factory.mktemp("host")
    for directory in (home, home.parent, home.parent.parent):
        directory.chmod(0o755)  # the user postgres goes through
    with NamespaceHost(home, home / "disk") as booted:
        prepare(booted, "n1")
        yield booted


def prepare(host: NamespaceHost, name: str) -> None:
    module = host.safe / "modules" / "postgresql"
    host.run("env", f"MIRROR_LAB_MODULE={module}", module / "lab" / "prepare", name)


def data_of(host: NamespaceHost) -> Path:
    """The data directory, as the host names it and as the edited userconfig.xml says."""
    (path,) = host.data_root.glob("*/main")
    data = Path("/var/lib/postgresql") / path.relative_to(host.data_root)
    userconfig = host.safe / "modules" / "postgresql" / "conf" / "userconfig.xml"
    assert f'name="PGDATA" value="{data}"' in userconfig.read_text()
    return data


def processes(host: NamespaceHost) -> str:
    return host.run("ps", "-ww", "-C", "postgres", "-o", "stat=,args=", check=False).stdout


def running(host: NamespaceHost) -> bool:
    return any(not line.startswith("Z") for line in processes(host).splitlines())


def sql(host: NamespaceHost, statement: str) -> str:
    psql = ["psql", "-XAtq", "-h", "127.0.0.1", "-U", "postgres", "-v", "ON_ERROR_STOP=1"]
    return host.run(*psql, "-c", statement).stdout.strip()


def trust_loopback(host: NamespaceHost) -> None:
    """As the lab's own line does for its networks, which this host does not have."""
    (hba,) = (host.data_root.parent / "etc").glob("*/main/pg_hba.conf")
    hba.write_text("local all all peer\nhost all all 127.0.0.1/32 trust\n")


def test_starts_and_stops(host: NamespaceHost) -> None:
    data = data_of(host)
    host.script("prestart", "STOP", "WAIT", "start", data=data)
    host.script(*START, data=data)
    assert running(host)
    assert "accepts connections on port 5432" in host.journal
    host.script("stop_prim", "ALONE", "WAIT", "stop", data=data)
    assert not running(host)
    assert "stop -i" not in host.journal


def test_second_start_is_refused_as_safekit_scripts_do(host: NamespaceHost) -> None:
    data = data_of(host)
    host.script(*START, data=data)
    refused = host.script(*START, data=data, check=False)
    assert refused.returncode == 1
    assert "printe start_prim failed: a PostgreSQL that the module did not start" in host.journal
    assert host.journal.endswith("stop -i start_prim\n")
    assert running(host), "the one that runs is left alone"


def test_takeover_ignores_the_pid_of_the_dead_server(host: NamespaceHost) -> None:
    """Without removal PostgreSQL refuses: a process of its user has that number here."""
    data = data_of(host)
    as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    bystander = subprocess.Popen(
        host.enter([*as_postgres, "sh", "-c", "echo $$; exec cat"]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert bystander.stdout is not None
        pid = bystander.stdout.readline().strip()
        planted = f"{pid}\n{data}\n1700000000\n5432\n/run/postgresql\n*\n  1 1\nready\n"
        (host.data_root / data.relative_to("/var/lib/postgresql") / "postmaster.pid").write_text(
            planted
        )
        host.script(*TAKEOVER, data=data)
        assert running(host)
        assert "recovery_init_sync_method=syncfs" in processes(host)
    finally:
        bystander.communicate()  # its standard input ends, and so does it


def test_starts_after_the_host_died(host: NamespaceHost) -> None:
    data = data_of(host)
    host.script(*START, data=data)
    host.power_off()
    with host:
        assert (host.data_root / data.relative_to("/var/lib/postgresql/")).exists()
        host.script(*START, data=data)
        assert running(host)
        assert "syncfs" not in processes(host), "after a local crash every file is synced"


def test_force_ends_a_server_that_does_not_listen(host: NamespaceHost) -> None:
    data = data_of(host)
    host.script(*START, data=data)
    host.run("sh", "-c", "kill -STOP $(pidof postgres)")
    host.script("stop_prim", "force", "ALONE", "WAIT", "stop", data=data)
    assert not running(host)
    assert "stopped by force" in host.journal


def test_stop_without_a_server_is_quiet(host: NamespaceHost) -> None:
    data = data_of(host)
    for arguments in (("stop_prim",), ("stop_prim", "force"), ("poststop",), ("prestart",)):
        host.script(*arguments, data=data)
    assert host.journal == ""


def test_prestart_stops_a_server_that_the_module_did_not_start(host: NamespaceHost) -> None:
    data = data_of(host)
    host.run("pg_ctlcluster", "--skip-systemctl-redirect", data.parts[-2], "main", "start")
    assert running(host)
    host.script("prestart", "STOP", "WAIT", "start", data=data)
    assert not running(host)


def test_start_fails_when_the_server_cannot_start(host: NamespaceHost) -> None:
    data = data_of(host)
    (host.data_root / data.relative_to("/var/lib/postgresql") / "global/pg_control").unlink()
    failed = host.script(*START, data=data, check=False)
    assert failed.returncode == 1
    assert "printe last words of PostgreSQL: " in host.journal
    assert "pg_control" in host.journal
    assert host.journal.endswith("stop -i start_prim\n")


def test_only_the_engine_starts_it_at_boot(host: NamespaceHost) -> None:
    data = data_of(host)
    (start_conf,) = (host.data_root.parent / "etc").glob("*/main/start.conf")
    before = start_conf.read_text()
    assert before.splitlines()[-1] == "auto"
    for _ in range(2):  # `config` may be repeated
        host.script("postconfig", data=data)
        assert start_conf.read_text().splitlines()[-1] == "manual"
    host.script("deconfig", data=data)
    assert start_conf.read_text() == before


def test_a_choice_of_the_administrator_stays(host: NamespaceHost) -> None:
    data = data_of(host)
    (start_conf,) = (host.data_root.parent / "etc").glob("*/main/start.conf")
    start_conf.write_text("disabled\n")
    host.script("postconfig", data=data)
    host.script("deconfig", data=data)
    assert start_conf.read_text() == "disabled\n"


def test_second_host_begins_with_an_empty_directory(host: NamespaceHost) -> None:
    other_home = host.home.parent / (host.home.name + "-n2")
    other_home.mkdir()
    other_home.chmod(0o755)
    with NamespaceHost(other_home, other_home / "disk") as other:
        prepare(other, "n2")
        data = data_of(other)
        (lower,) = other.data_root.glob("*/main")
        assert list(lower.iterdir()) == []
        assert lower.owner() == "postgres"
        assert lower.stat().st_mode & 0o777 == 0o700
        other.script("postconfig", data=data)


# --- the ledger --------------------------------------------------------------------------------


class LedgerProcess:
    """`ledger run` inside a host; its events as they come."""

    def __init__(self, host: NamespaceHost, book: Path) -> None:
        self.process = subprocess.Popen(
            host.enter(ledger("run", book)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def event(self, wanted: str, *, at_least: int = 0) -> dict[str, Any]:
        """The next event of that name with that many acknowledged transactions."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event: dict[str, Any] = json.loads(line)
            if event["event"] == wanted and event.get("acknowledged", 0) >= at_least:
                return event
        raise AssertionError(f"the ledger ended without {wanted}")

    def finish(self) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.close()
        summary = self.event("summary")
        assert self.process.wait(timeout=30) == 0
        return summary


def ledger(mode: str, book: Path) -> list[str | Path]:
    program = [sys.executable, "-m", "mirror.adapters.lab.ledger", mode]
    return [*program, "--host", "127.0.0.1", "--book", book]


def verify(host: NamespaceHost, book: Path) -> dict[str, Any]:
    ran = subprocess.run(
        host.enter(ledger("verify", book)),
        cwd=REPOSITORY,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    verdict: dict[str, Any] = json.loads(ran.stdout)
    assert ran.returncode == (0 if verdict["good"] else 1), ran.stderr
    return verdict


def test_ledger_survives_kills_and_finds_what_is_wrong(
    host: NamespaceHost, tmp_path: Path
) -> None:
    data = data_of(host)
    trust_loopback(host)
    host.script(*START, data=data)
    book = tmp_path / "book"
    began = time.monotonic()
    with LedgerProcess(host, book) as client:
        acknowledged = client.event("progress", at_least=200)["acknowledged"]

        host.run("sh", "-c", "kill -KILL $(pidof postgres) || true")
        down_at = time.monotonic()
        host.script("stop_prim", "force", data=data)
        host.script(*START, data=data)
        down_ms = (time.monotonic() - down_at) * 1000
        client.event("progress", at_least=acknowledged + 200)

        host.script("stop_prim", data=data)
        host.script(*START, data=data)
        client.event("progress", at_least=acknowledged + 800)
        summary = client.finish()
        whole_ms = (time.monotonic() - began) * 1000

    # The gap lies around the time without a server.
    assert down_ms * 0.5 < summary["longest_gap_ms"] < whole_ms
    assert summary["ambiguous"] >= 1, "SIGKILL under load leaves somebody without an answer"
    verdict = verify(host, book)
    assert verdict["good"]
    assert verdict["acknowledged"] == summary["acknowledged"]
    assert verdict["present"] == summary["acknowledged"] + verdict["ambiguous_present"]

    entries = [entry for entry in read_book(book) if entry.outcome is Outcome.ACKNOWLEDGED]
    first, second = entries[0], entries[1]
    sql(host, f"DELETE FROM ledger WHERE worker={first.worker} AND seq={first.seq}")
    lost = verify(host, book)
    assert (lost["lost"], lost["different"], lost["unexpected"]) == (1, 0, 0)
    sql(host, f"UPDATE ledger SET payload='x' WHERE (worker,seq)=({second.worker},{second.seq})")
    sql(host, "INSERT INTO ledger VALUES (0, 999999999, 'never sent')")
    wrong = verify(host, book)
    assert (wrong["lost"], wrong["different"], wrong["unexpected"]) == (1, 1, 1)
    assert f"lost worker={first.worker} seq={first.seq}" in wrong["examples"]


def test_ledger_keeps_refusals_apart(host: NamespaceHost, tmp_path: Path) -> None:
    data = data_of(host)
    trust_loopback(host)
    host.script(*START, data=data)
    book = tmp_path / "book"
    with LedgerProcess(host, book) as client:
        client.event("progress", at_least=20)
        sql(host, "ALTER TABLE ledger ADD CONSTRAINT nothing_more CHECK (false) NOT VALID")
        client.event("refused")
        sql(host, "ALTER TABLE ledger DROP CONSTRAINT nothing_more")
        client.event("progress", at_least=60)
        summary = client.finish()
    assert summary["refused"] >= 1
    assert verify(host, book)["good"]


# --- in a lab, without a node -------------------------------------------------------------------


@pytest.fixture
def lab() -> Iterator[Lab]:
    name = f"pieces{os.getpid()}"
    idle = ["sleep", "infinity"]
    with Lab.up(name, bare=True, bound=True, node_command=idle) as running_lab:
        for node in plan.NODES:
            module_setup.install(running_lab, node, MODULE)
        yield running_lab


def root_of(lab: Lab, node: str) -> Path:
    return Path(f"/proc/{lab.pid(node)}/root")


def test_comparison_of_two_hosts_finds_one_planted_bit(lab: Lab) -> None:
    """The data of n1 is copied to n2 by other means, and both modules count as configured."""
    for node in plan.NODES:
        safe = root_of(lab, node) / plan.SAFE[1:]
        applied = safe / "private/modules/postgresql"
        shutil.copytree(safe / "modules/postgresql", applied, dirs_exist_ok=True)
    directories = [comparison.lower_directories(lab, node, "postgresql") for node in plan.NODES]
    assert directories[0] == directories[1]
    data = directories[0][0][1:]
    source, target = (root_of(lab, node) / data for node in plan.NODES)
    assert comparison.compare_hosts(lab, "postgresql") != []
    subprocess.run(["cp", "-a", "--sparse=never", f"{source}/.", target], check=True)
    assert comparison.compare_hosts(lab, "postgresql") == []
    victim = comparison.plant_difference(lab, "n2", "postgresql")
    (difference,) = comparison.compare_hosts(lab, "postgresql")
    assert (difference.path, difference.what) == (victim, "bytes")


def test_a_comparison_that_cannot_be_made_is_an_error(lab: Lab) -> None:
    for node in plan.NODES:
        safe = root_of(lab, node) / plan.SAFE[1:]
        applied = safe / "private/modules/postgresql"
        shutil.copytree(safe / "modules/postgresql", applied, dirs_exist_ok=True)
    (data,) = comparison.lower_directories(lab, "n2", "postgresql")
    (root_of(lab, "n2") / data[1:]).rmdir()
    with pytest.raises(LabCommandFailed, match="No such file or directory"):
        comparison.compare_hosts(lab, "postgresql")
