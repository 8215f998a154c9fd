"""Carries operations to a performer that listens elsewhere, and outcomes back, line by line.

`python -m tests.workload.caller ADDRESS PORT`: ends as soon as either side does. It runs where the
performer can be reached, so that whoever gives the operations need not be there.
"""

import socket
import sys

_CONNECT_S = 2.0


def main() -> int:
    """Exit code 1 when there was no connection."""
    try:
        connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), _CONNECT_S)
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("r") as outcomes:
        sys.stdout.write("connected\n")
        sys.stdout.flush()
        for line in sys.stdin:
            try:
                connection.sendall(line.encode())
                answer = outcomes.readline()
            except OSError:
                return 0
            if not answer.endswith("\n"):
                return 0
            sys.stdout.write(answer)
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
