"""The networks of a lab: one bridge each, in a network namespace of their own, and the cables.

The namespace has no name; a process that does nothing holds it, and dies with the keeper.
A cable is a veth pair: one end is the host's interface, the other a port of the bridge.
"""

import os
import signal
import subprocess
import sys
from typing import Literal

from mirror.adapters.lab import linux, plan
from mirror.adapters.lab.image import run_tool

Direction = Literal["both", "in", "out"]

_TABLE = "bridge lab"
_CHAIN = f"{_TABLE} cuts"


class Switch:
    """Owned by the keeper; used by its one thread only."""

    def __init__(self) -> None:
        self._process = _start_holder()
        commands = []
        for lan in plan.LANS:
            # No spanning tree: a port forwards at once. No snooping: multicast goes everywhere.
            commands.append(f"link add {lan} type bridge stp_state 0 mcast_snooping 0")
            commands.append(f"link set {lan} up")
        self._ip(commands)
        self._nft(
            f"table {_TABLE} {{\nchain cuts {{\ntype filter hook forward priority 0;\n}}\n}}"
        )
        self._cuts: dict[tuple[str, str], set[Direction]] = {}

    def close(self) -> None:
        """End the namespace, and with it bridges and cables."""
        self._process.kill()
        self._process.wait()

    def plug(self, host: plan.HostPlan, pid: int) -> None:
        """Give the network namespace of `pid` its interfaces, as the cuts in force allow."""
        self.unplug(host)
        outside = []
        inside = ["link set lo up"]
        for port in host.ports:
            outside.append(
                f"link add {port.switch_side} type veth"
                f" peer name {port.interface} address {port.mac} netns {pid}"
            )
            outside.append(f"link set {port.switch_side} master {port.lan}")
            state = "down" if "both" in self._cuts.get((host.name, port.lan), ()) else "up"
            outside.append(f"link set {port.switch_side} {state}")
            inside.append(f"addr add {port.address}/24 dev {port.interface}")
            inside.append(f"link set {port.interface} up")
        self._ip(outside)
        run_tool(
            ["nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-batch", "-"],
            stdin="\n".join(inside) + "\n",
        )

    def carrier_off(self, host: plan.HostPlan) -> None:
        """Nothing of the host reaches anybody from now on, as when its power is gone."""
        present = self._ports()
        self._ip(
            [
                f"link set {port.switch_side} down"
                for port in host.ports
                if port.switch_side in present
            ]
        )

    def unplug(self, host: plan.HostPlan) -> None:
        """Take the host's cables away, those that the kernel has not removed with the host."""
        commands = "".join(f"link del {port.switch_side}\n" for port in host.ports)
        subprocess.run(  # the kernel removes them at its own time, so each may be gone by now
            ["nsenter", *self._namespace(), "ip", "-force", "-batch", "-"],
            input=commands.encode(),
            capture_output=True,
            check=False,
        )

    def cut(self, host: plan.HostPlan, lans: tuple[str, ...], direction: Direction) -> None:
        """`both` takes the carrier away, as a pulled cable does; one way is dropped silently."""
        for lan in lans:
            self._cuts.setdefault((host.name, lan), set()).add(direction)
        self._apply(host)

    def heal(self, host: plan.HostPlan) -> None:
        """Undo every cut of the host."""
        for key in [key for key in self._cuts if key[0] == host.name]:
            del self._cuts[key]
        self._apply(host)

    def cuts_of(self, host: str) -> dict[str, list[str]]:
        """Cut directions by network, for the status."""
        return {
            lan: sorted(directions)
            for (name, lan), directions in sorted(self._cuts.items())
            if name == host
        }

    def shape(self, host: plan.HostPlan, lan: str, rate_mbit: int) -> None:
        """Limit what arrives at the host on a network; 0 lifts the limit."""
        port = next(port for port in host.ports if port.lan == lan)
        target = ["nsenter", *self._namespace(), "tc", "qdisc"]
        subprocess.run(  # there is none yet at the first call
            [*target, "del", "dev", port.switch_side, "root"], check=False, capture_output=True
        )
        if rate_mbit:
            burst = str(max(rate_mbit * 1_000_000 // 8 // 100, 32_768))  # 10 ms of it
            limits = ["tbf", "rate", f"{rate_mbit}mbit", "burst", burst, "latency", "50ms"]
            run_tool([*target, "add", "dev", port.switch_side, "root", *limits])

    def _apply(self, host: plan.HostPlan) -> None:
        present = self._ports()
        for port in host.ports:
            if port.switch_side in present:
                pulled = "both" in self._cuts.get((host.name, port.lan), ())
                self._ip([f"link set {port.switch_side} {'down' if pulled else 'up'}"])
        rules = [f"flush chain {_CHAIN}"]
        for (name, lan), directions in sorted(self._cuts.items()):
            if "in" in directions:
                rules.append(f'add rule {_CHAIN} oifname "{name}.{lan}" drop')
            if "out" in directions:
                rules.append(f'add rule {_CHAIN} iifname "{name}.{lan}" drop')
        self._nft("\n".join(rules))

    def _ports(self) -> set[str]:
        listing = run_tool(["nsenter", *self._namespace(), "ip", "-brief", "link"])
        return {line.split("@")[0].split()[0] for line in listing.splitlines()}

    def _namespace(self) -> list[str]:
        return [f"--net=/proc/{self._process.pid}/ns/net"]

    def _ip(self, commands: list[str]) -> None:
        if commands:
            text = "\n".join(commands) + "\n"
            run_tool(["nsenter", *self._namespace(), "ip", "-batch", "-"], stdin=text)

    def _nft(self, rules: str) -> None:
        run_tool(["nsenter", *self._namespace(), "nft", "-f", "-"], stdin=rules + "\n")


def _start_holder() -> subprocess.Popen[bytes]:
    """A process in a new network namespace, known to be there when this returns."""
    command = [sys.executable, "-m", "mirror.adapters.lab.switch", str(os.getpid())]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    with process.stdout as ready:
        assert ready.read(1) == b"r", "the network namespace was not made"
    return process


def _hold() -> None:
    linux.die_with_parent()
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
    linux.set_name("lab-switch")
    linux.unshare(linux.CLONE_NEWNET)
    os.write(1, b"r")
    os.close(1)
    while True:
        signal.pause()


if __name__ == "__main__":
    _hold()
