"""A node of the heartbeat tests as a process: prints each event as a line, stops on end of input.

Arguments: node, peer, local address, peer address, port, pulse_ms, timeout_ms.
"""

import asyncio
import secrets
import sys

from mirror.adapters.heartbeats import (
    HeartbeatListener,
    Heartbeats,
    HeartbeatSettings,
    HeartbeatThread,
    Lan,
)

CLUSTER_KEY = b"k" * 32
LIFE = secrets.token_hex(8)


def say(*words: object) -> None:
    print(*words, flush=True)


async def main() -> None:
    node, peer, local, remote, port, pulse_ms, timeout_ms = sys.argv[1:]
    lan = Lan("lan", local, remote, int(pulse_ms), int(timeout_ms))
    settings = HeartbeatSettings("demo", node, peer, (lan,), int(port), CLUSTER_KEY)

    def stalled(ms: int) -> None:
        # As a control loop does that handles its events one after the other, a little later.
        asyncio.get_running_loop().call_later(0.05, heartbeats.set_body, {"n": 2, "life": LIFE})
        say("stall", ms)

    def heard(lan: str) -> None:
        found = heartbeats.heard()
        body = found.body if found is not None else {}
        say("heard", lan, body.get("n"), body.get("life"))

    listener = HeartbeatListener(
        on_heard=heard,
        on_silent=lambda lan: say("silent", lan, heartbeats.statistics()[lan].last_heard_ms),
        on_stall=stalled,
        on_note=lambda text, fields: say("note", text, fields),
    )
    heartbeats = Heartbeats(HeartbeatThread(), settings, listener)
    heartbeats.set_body({"n": 1, "life": LIFE})
    heartbeats.start()
    try:
        await asyncio.to_thread(sys.stdin.read)
    finally:
        heartbeats.stop()


asyncio.run(main())
