"""Hosts, disks, power, cables and processes of the lab itself, with a command that does nothing.

The lab stands in for the failures of the failure table (design 14): if its power loss kept what a
real one loses, or its cut let something pass, every test built on it would prove nothing.
"""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from mirror.adapters.lab import plan
from mirror.adapters.lab.client import Lab
from mirror.errors import LabAlreadyUp, LabCommandFailed, LabNotUp, LabVerbRefused

pytestmark = pytest.mark.lab

IDLE = ("sleep", "infinity")
END_S = 60.0
# Sends datagrams to each address given until so many have answered, to the others for a second
# more; prints who answered.
ASK = """
import select, socket, sys
wanted, addresses = int(sys.argv[1]), sys.argv[2:]
asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
answered, more = set(), 10
for _ in range(600):
    for address in addresses:
        try:
            asked.sendto(b"?", (address, 7))
        except OSError:
            pass
    while select.select([asked], [], [], 0.1)[0]:
        answered.add(asked.recvfrom(9)[1][0])
    more -= len(answered) >= wanted
    if not more or len(answered) == len(addresses):
        break
print(*sorted(answered))
"""
ECHO = """
import socket
echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
echo.bind(("", 7))
print("ready", flush=True)
while True:
    data, sender = echo.recvfrom(9)
    try:
        echo.sendto(data, sender)
    except OSError:
        pass
"""


@pytest.fixture
def lab(run_name: str) -> Iterator[Lab]:
    """A lab of this run, whose nodes do nothing."""
    with Lab.up(f"{run_name}-hosts", node_command=IDLE, bound=True) as running:
        yield running


def start_echo(lab: Lab, host: str) -> None:
    """Start the echo service on a host; return when it answers. It ends with the host."""
    process = lab.popen(host, [sys.executable, "-c", ECHO], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as output:
        assert output.readline() == b"ready\n"
    _echoes.append(process)


_echoes: list[subprocess.Popen[bytes]] = []


@pytest.fixture(autouse=True)
def no_echo_left() -> Iterator[None]:
    """Collect the echo services; the lab is down by then, and they with it."""
    yield
    while _echoes:
        process = _echoes.pop()
        process.kill()
        process.wait()


def await_answers(lab: Lab, asker: str, wanted: list[str], silent: list[str]) -> None:
    """Wait until those wanted have answered the asker; the others do not."""
    ask = [sys.executable, "-c", ASK, str(len(wanted)), *wanted, *silent]
    assert lab.exec(asker, ask, timeout_s=2 * END_S).stdout.split() == wanted


def test_each_host_is_a_machine_of_its_own(lab: Lab) -> None:
    for host in ("n1", "n2", "client"):
        assert lab.exec(host, ["hostname"]).stdout == f"{host}\n"
        lab.exec(host, ["touch", f"/var/lib/only-{host}", "/tmp/here", "/opt/mirror/here"])
    listing = lab.exec("n1", ["sh", "-c", "ls /var/lib; pwd"]).stdout.split()
    assert "only-n1" in listing
    assert "only-n2" not in listing
    assert listing[-1] == "/"
    assert lab.exec("n1", ["sh", "-c", "echo $SAFE $SAFEVAR $0"]).stdout.split()[:2] == [
        plan.SAFE,
        plan.SAFEVAR,
    ]
    assert not Path("/var/lib/only-n1").exists()
    assert lab.exec("n1", ["touch", "/usr/bin/intruder"], check=False).returncode == 1
    assert lab.exec("n1", ["cat", "/proc/1/comm"]).stdout == "init\n"
    assert lab.exec("n1", ["sh", "-c", "$SAFE/safekit --version"]).stdout.startswith("mirror")


def test_exit_codes_and_streams_pass(lab: Lab) -> None:
    done = lab.exec("n1", ["sh", "-c", "cat; echo no >&2; exit 7"], check=False, stdin="given")
    assert (done.returncode, done.stdout, done.stderr) == (7, "given", "no\n")
    with pytest.raises(LabCommandFailed, match="exit code 7"):
        lab.exec("n1", ["sh", "-c", "exit 7"])
    with pytest.raises(subprocess.TimeoutExpired):
        lab.exec("n1", ["sleep", "60"], timeout_s=0.2)
    with pytest.raises(LabVerbRefused, match="no such host"):
        lab.exec("n3", ["true"])


@pytest.mark.parametrize("fs", ["ext4", "xfs"])
def test_loss_of_power_keeps_what_was_synced_and_nothing_else(
    run_name: str, fs: Literal["ext4", "xfs"]
) -> None:
    write = """
import os
for name, sync in (("synced", True), ("lost", False)):
    with open(f"/srv/mirror/{name}", "wb") as file:
        file.write(b"x" * 100_000)
        file.flush()
        if sync:
            os.fsync(file.fileno())
"""
    with Lab.up(f"{run_name}-{fs}", node_command=IDLE, bound=True, fs=fs) as lab:
        lab.exec("n1", [sys.executable, "-c", write])
        lab.power_off("n1")
        assert not lab.facts()["hosts"]["n1"]["up"]
        with pytest.raises(LabVerbRefused, match="it is off"):
            lab.exec("n1", ["true"])
        with pytest.raises(LabVerbRefused, match="it is off"):
            lab.power_off("n1")
        lab.boot("n1")
        # A name may survive without its content, as zeros; the content must not.
        count = "cd /srv/mirror; wc -c <synced; { tr -d '\\0' <lost; } 2>/dev/null | wc -c"
        sizes = lab.exec("n1", ["sh", "-c", count], check=False).stdout.split()
        assert sizes == ["100000", "0"]
        with pytest.raises(LabVerbRefused, match="it is up"):
            lab.boot("n1")


def test_nothing_leaves_a_host_whose_power_was_cut(lab: Lab) -> None:
    """A dying kernel closes connections politely; one without power does not."""
    serve = (
        "import socket; s = socket.create_server(('', 9999)); print('ready', flush=True);"
        "c, _ = s.accept(); print('met', flush=True); c.recv(1)"
    )
    listen = (
        "import socket, sys\n"
        "c = socket.create_connection(('n1', 9999), timeout=60)\n"
        "print('connected', flush=True)\n"
        "sys.stdin.read()\n"
        "c.settimeout(1)\n"
        "try:\n    print('heard', c.recv(1))\n"
        "except TimeoutError:\n    print('silence')\n"
    )
    with lab.popen("n1", [sys.executable, "-c", serve], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        command, pipe = [sys.executable, "-c", listen], subprocess.PIPE
        with lab.popen("client", command, stdin=pipe, stdout=pipe) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            assert client.stdout.readline() == b"connected\n"
            assert server.stdout.readline() == b"met\n"
            lab.power_off("n1")
            client.stdin.close()  # the power is off: now something was said, or never will be
            assert client.stdout.readline() == b"silence\n"


def test_cuts_and_their_healing(lab: Lab) -> None:
    start_echo(lab, "n1")
    start_echo(lab, "n2")
    both = ["10.77.1.2", "10.77.2.2"]
    await_answers(lab, "n1", both, [])
    await_answers(lab, "client", ["10.77.1.1"], ["10.77.2.1"])

    lab.cut("n2", "default")
    await_answers(lab, "n1", both[1:], both[:1])
    assert lab.exec("n2", ["cat", "/sys/class/net/eth0/carrier"]).stdout == "0\n"
    lab.cut("n1")
    await_answers(lab, "n1", [], both)
    lab.heal()
    await_answers(lab, "n1", both, [])
    assert lab.facts()["hosts"]["n2"]["cuts"] == {}
    with pytest.raises(LabVerbRefused, match="no cable there"):
        lab.cut("client", "lan2")


@pytest.mark.parametrize("direction", ["in", "out"])
def test_one_way_cut_stops_one_way_only(lab: Lab, direction: str) -> None:
    """The hosts know each other already, so a datagram needs no answer to be delivered."""
    hear = (
        "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
        "s.bind(('', 8)); print('ready', flush=True); sys.stdin.read();"
        "s.settimeout(float(sys.argv[1]))\n"
        "try:\n    print('heard', s.recv(9))\nexcept TimeoutError:\n    print('silence')\n"
    )
    say = (
        "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
        "s.sendto(b'hello', (sys.argv[1], 8))"
    )
    start_echo(lab, "n2")
    await_answers(lab, "n1", ["10.77.1.2"], [])
    lab.cut("n1", "lan1", "in" if direction == "in" else "out")
    heard, passes = {}, {"n1": direction == "in", "n2": direction == "out"}
    for sender, receiver in (("n1", "n2"), ("n2", "n1")):
        patience_s = END_S if passes[sender] else 1
        command, pipe = [sys.executable, "-c", hear, str(patience_s)], subprocess.PIPE
        with lab.popen(receiver, command, stdin=pipe, stdout=pipe) as ear:
            assert ear.stdin is not None
            assert ear.stdout is not None
            assert ear.stdout.readline() == b"ready\n"
            address = lab.lab_plan.host(receiver).address("lan1")
            lab.exec(sender, [sys.executable, "-c", say, address])
            ear.stdin.close()  # it was sent: now it is there, or never
            heard[sender] = ear.stdout.readline().startswith(b"heard")
    assert heard == passes


def test_a_narrow_network_takes_its_time(lab: Lab) -> None:
    receive = (
        "import socket, time; s = socket.create_server(('', 9999)); print('ready', flush=True);"
        "c, _ = s.accept(); begun = time.monotonic()\n"
        "while c.recv(65536): pass\n"
        "print(time.monotonic() - begun, flush=True)"
    )
    send = "import socket; c = socket.create_connection(('n1', 9999)); c.sendall(bytes(1_000_000))"

    def took_s() -> float:
        with lab.popen("n1", [sys.executable, "-c", receive], stdout=subprocess.PIPE) as receiver:
            assert receiver.stdout is not None
            assert receiver.stdout.readline() == b"ready\n"
            lab.exec("n2", [sys.executable, "-c", send])
            return float(receiver.stdout.readline())

    lab.shape("n1", "lan1", 8)
    assert took_s() > 0.8
    lab.shape("n1", "lan1", 0)
    deadline = time.monotonic() + END_S
    while took_s() > 0.5:  # the machine has other work, but not all the time
        assert time.monotonic() < deadline


def test_an_orderly_shut_down_loses_nothing(lab: Lab) -> None:
    lab.exec("n1", ["sh", "-c", "echo kept >/srv/unsynced"])
    lab.shut_down("n1")
    lab.boot("n1")
    assert lab.exec("n1", ["cat", "/srv/unsynced"]).stdout == "kept\n"


def test_cut_outlives_a_reboot(lab: Lab) -> None:
    lab.cut("n1", "lan2")
    lab.power_off("n1")
    lab.boot("n1")
    assert lab.exec("n1", ["cat", "/sys/class/net/eth1/carrier"]).stdout == "0\n"
    assert lab.exec("n1", ["cat", "/sys/class/net/eth0/carrier"]).stdout == "1\n"


def test_a_paused_host_does_nothing_until_resumed(lab: Lab) -> None:
    count = "import time\nwhile True: print(flush=True); time.sleep(0.001)"
    with lab.popen("n1", [sys.executable, "-c", count], stdout=subprocess.PIPE) as counter:
        assert counter.stdout is not None
        counter.stdout.readline()
        deadline = time.monotonic() + END_S
        while not lab.pause("n1"):  # on a machine at work not everything stops at once
            assert time.monotonic() < deadline
        assert lab.facts()["hosts"]["n1"]["paused"]
        os.set_blocking(counter.stdout.fileno(), False)
        counter.stdout.read()  # what was said before
        time.sleep(0.2)  # the silence is what is tested
        assert counter.stdout.read() is None
        lab.resume("n1")
        os.set_blocking(counter.stdout.fileno(), True)
        assert counter.stdout.readline() == b"\n"
        lab.pause("n1")
        lab.power_off("n1")  # a frozen host loses its power too
        counter.wait(END_S)


def test_full_disk_refuses_root_too(lab: Lab) -> None:
    write = ["sh", "-c", "head -c 5000 /dev/zero >/var/tmp/more && sync /var/tmp/more"]
    lab.fill_disk("n1")
    refused = lab.exec("n1", write, check=False)
    assert refused.returncode != 0
    assert "No space left" in refused.stderr
    lab.exec("n2", write)
    lab.free_disk("n1")
    lab.exec("n1", write)


def test_kill_finds_only_the_part_asked_for(lab: Lab) -> None:
    wait = "import time; print(flush=True); time.sleep(60)"
    pretend = [sys.executable, "-c", wait, "mirror.daemon.data_plane"]
    other = [sys.executable, "-c", wait]
    with (
        lab.popen("n1", pretend, stdout=subprocess.PIPE) as data_plane,
        lab.popen("n1", other, stdout=subprocess.PIPE) as bystander,
    ):
        assert data_plane.stdout is not None
        assert bystander.stdout is not None
        assert data_plane.stdout.readline() == bystander.stdout.readline() == b"\n"
        with pytest.raises(LabVerbRefused, match="no such process"):
            lab.kill("n1", "control")
        assert lab.kill("n1", "data") == 1
        assert data_plane.wait(END_S) != 0
        assert bystander.poll() is None
        bystander.kill()
    assert lab.facts()["hosts"]["n1"]["up"]


def test_the_node_is_restarted_with_the_console_socket(run_name: str) -> None:
    node = (
        "import os, socket; assert os.environ['LISTEN_PID'] == str(os.getpid());"
        "assert os.environ['LISTEN_FDNAMES'] == 'console'; s = socket.socket(fileno=3);"
        "c, _ = s.accept(); c.sendall(socket.gethostname().encode())"
    )
    command = (sys.executable, "-c", node)
    with Lab.up(f"{run_name}-console", node_command=command, bound=True) as lab:
        consoles = lab.facts()["consoles"]
        assert ask_console(consoles["n2"]) == b"n2"
        assert ask_console(consoles["n1"]) == b"n1"
        assert ask_console(consoles["n1"]) == b"n1"  # each node serves one and ends
        lab.power_off("n1")
        lab.boot("n1")
        assert lab.facts()["consoles"] == consoles
        assert ask_console(consoles["n1"]) == b"n1"


def ask_console(url: str) -> bytes:
    """What the process behind a console's address says."""
    port = int(url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=END_S) as connection:
        return connection.recv(100)


def test_witness_answers_on_both_networks(run_name: str) -> None:
    with Lab.up(f"{run_name}-witness", node_command=IDLE, witness=True, bound=True) as lab:
        check = ["etcdctl", "--endpoints", plan.witness_endpoint("lan2"), "endpoint", "health"]
        deadline = time.monotonic() + END_S
        while lab.exec("n1", check, check=False).returncode != 0:
            assert time.monotonic() < deadline
        lab.power_off("witness")
        lab.boot("witness")
        lab.cut("witness")


def leftovers(lab_id: str) -> list[str]:
    """What the machine still shows of a lab."""
    found = [
        str(path)
        for path in [*Path("/var/tmp").glob(f"*{lab_id}*"), *Path("/run/mirror-lab").glob("*")]
        if path.name != ".lock" and (lab_id in path.name or lab_id in _text(path / "lab.json"))
    ]
    found += [str(path) for path in Path("/sys/fs/cgroup").rglob(f"mirror-lab-{lab_id}")]
    for files in ("/sys/block/loop*/loop/backing_file", "/proc/[0-9]*/cmdline"):
        found += [str(path) for path in Path("/").glob(files[1:]) if lab_id in _text(path)]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found += [line for line in mounts if lab_id in line]
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def test_down_leaves_nothing(run_name: str) -> None:
    lab = Lab.up(f"{run_name}-down", node_command=IDLE)
    lab_id = lab.lab_plan.lab_id
    assert leftovers(lab_id)
    with pytest.raises(LabAlreadyUp):
        Lab.up(f"{run_name}-down", node_command=IDLE)
    lab.down()
    assert leftovers(lab_id) == []
    with pytest.raises(LabNotUp):
        lab.down()


def test_killed_lab_leaves_nothing(run_name: str) -> None:
    lab = Lab.up(f"{run_name}-killed", node_command=IDLE)
    facts = lab.facts()
    lab_id = lab.lab_plan.lab_id
    lab.pause("n2")  # a frozen host dies with the keeper too
    pids = [host["pid"] for host in facts["hosts"].values()]
    os.kill(facts["keeper_pid"], signal.SIGKILL)
    lab.down()  # waits for the sweeper
    assert leftovers(lab_id) == []
    # The real machine's init collects them when it gets to it; dead is what they must be.
    assert not any(set(_text(Path(f"/proc/{pid}/stat")).split()[2:3]) - {"Z", "X"} for pid in pids)


def test_bound_lab_ends_with_its_owner(run_name: str) -> None:
    name = f"{run_name}-bound"
    script = (
        "import sys, time; from mirror.adapters.lab.client import Lab;"
        f"lab = Lab.up({name!r}, node_command=('sleep', 'infinity'), bound=True);"
        "print(lab.lab_plan.lab_id, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        lab_id = owner.stdout.readline().decode().strip()
        assert leftovers(lab_id)
        lab = Lab(name)
        gone = os.open(lab.registry, os.O_RDONLY)
        owner.kill()
    fcntl.flock(gone, fcntl.LOCK_EX)  # the sweeper has finished
    os.close(gone)
    assert leftovers(lab_id) == []


def test_kept_disks_are_found_again(run_name: str, tmp_path: Path) -> None:
    for boot in ("first", "second"):
        with Lab.up(f"{run_name}-kept", node_command=IDLE, keep=tmp_path, bound=True) as lab:
            lab.exec("n1", ["sh", "-c", f"echo {boot} >>/srv/boots"])
            boots = lab.exec("n1", ["cat", "/srv/boots"]).stdout.split()
    assert boots == ["first", "second"]
    assert (tmp_path / "n1/disk.img").exists()
