"""Resets connections to an address by nftables, where the kernel cannot destroy sockets.

For a moment every TCP packet for the address is answered by a reset; whoever says nothing in that
moment is not reset. Synchronous and short: the guardian uses it.
"""

import contextlib
import subprocess
import time

ANSWERED_S = 0.2  # a client that waits for an answer has sent again by then, mostly
NFT_S = 2.0

_TABLE = "mirror_reset"


def reset_for_a_moment(address: str) -> bool:
    """Answer with resets for ANSWERED_S. Returns: whether nftables could do it."""
    family = "ip6" if ":" in address else "ip"
    name = f"{_TABLE}_{address.replace('.', '_').replace(':', '_')}"
    rules = (
        f"table inet {name} {{\n"
        "chain input {\ntype filter hook input priority -300; policy accept;\n"
        f"{family} daddr {address} meta l4proto tcp reject with tcp reset\n}}\n}}\n"
    )
    try:
        if not _nft(rules):
            return False
        time.sleep(ANSWERED_S)
        return True
    finally:
        _nft(f"delete table inet {name}\n")


def _nft(rules: str) -> bool:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            ["nft", "-f", "-"],
            input=rules,
            text=True,
            check=False,
            timeout=NFT_S,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return done.returncode == 0
    return False
