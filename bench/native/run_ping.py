"""Round trips over the link and over bare TCP, between two network namespaces (root).

python bench/native/run_ping.py [CFLAG...]      for instance -DMN_STREAM_SPIN_US=30
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from mirror.adapters.pki import create_cluster, issue_node

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "native"
ROUNDS = ((4096, "tcp"), (4096, "link"), (65536, "tcp"), (65536, "link"), (1 << 20, "link"))
COUNT = {4096: 20_000, 65536: 5_000, 1 << 20: 500}
SOURCES = ("link/connection.c", "link/stream.c", "link/tls.c", "wire/frame.c", "hash/hash.c")
ADDRESSES = ("10.213.7.1", "10.213.7.2")


def run(*command: str | Path) -> None:
    """Run a command that must succeed."""
    subprocess.run(command, check=True)


def build(directory: Path, flags: list[str]) -> Path:
    """Compile ping.c with the link it measures."""
    program = directory / "ping"
    sources = [NATIVE / source for source in (*SOURCES, "wire/wire_messages.c")]
    fixed = ("gcc", "-std=c11", "-D_GNU_SOURCE", "-O2", "-pthread", f"-I{NATIVE}")
    run(*fixed, *flags, "-o", program, HERE / "ping.c", *sources, "-lssl", "-lcrypto")
    return program


def keys(directory: Path) -> None:
    """Files as ping.c wants them: one authority, two nodes."""
    cluster = create_cluster(directory / "cluster")
    for node in ("n1", "n2"):
        files = issue_node(directory / "cluster", node, (), directory / node)
        files.node_certificate.rename(directory / f"{node}.crt")
        files.node_key.rename(directory / f"{node}.key")
    cluster.ca_certificate.rename(directory / "ca.crt")


def measure(directory: Path, program: Path, spaces: tuple[str, str]) -> None:
    """Run every round: a server in the second namespace, its client in the first."""
    for size, way in ROUNDS:
        inside = [("ip", "netns", "exec", space, program) for space in spaces]
        with subprocess.Popen([*inside[1], "serve", directory, ADDRESSES[1], "7000"]) as server:
            try:
                # The server listens within milliseconds; whoever asks earlier asks again.
                ask = ("ask", directory, ADDRESSES[1], "7000", str(COUNT[size]), str(size), way)
                for last in (False,) * 50 + (True,):
                    quiet = None if last else subprocess.DEVNULL
                    done = subprocess.run([*inside[0], *ask], stderr=quiet, check=last)
                    if done.returncode == 0:
                        break
            finally:
                server.terminate()


def main() -> None:
    """Make keys, program and network; measure; remove them."""
    spaces = (f"mnping{os.getpid()}a", f"mnping{os.getpid()}b")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        program = build(directory, sys.argv[1:])
        keys(directory)
        try:
            for space in spaces:
                run("ip", "netns", "add", space)
            pair = ("ip", "link", "add", "veth0", "netns", spaces[0], "type", "veth")
            run(*pair, "peer", "name", "veth0", "netns", spaces[1])
            for space, address in zip(spaces, ADDRESSES, strict=True):
                run("ip", "-n", space, "address", "add", f"{address}/24", "dev", "veth0")
                run("ip", "-n", space, "link", "set", "veth0", "up")
            measure(directory, program, spaces)
        finally:
            for space in spaces:
                subprocess.run(["ip", "netns", "del", space], check=False)


if __name__ == "__main__":
    main()
