"""Writes lines to a replicated file for ever, and notes on a local disk each one acknowledged.

    python -m tests.soak.ledger_writer FILE LEDGER

A line of FILE is `TENURE NUMBER`; one of LEDGER is the same, then the moments before and after the
write, in ns of the monotonic clock, which all hosts of a lab share. A tenure is one run of this.
"""

import os
import secrets
import sys
import time

PAUSE_S = 0.004


def main() -> None:
    """Write until a write fails."""
    file, ledger = (os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT) for path in sys.argv[1:])
    tenure = secrets.token_hex(4)
    number = 0
    while True:
        line = f"{tenure} {number}"
        before = time.monotonic_ns()
        try:
            os.write(file, f"{line}\n".encode())
        except OSError:
            return
        after = time.monotonic_ns()
        os.write(ledger, f"{line} {before} {after}\n".encode())
        number += 1
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
