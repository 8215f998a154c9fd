"""One request to the keeper of a lab, and its answer or its error."""

import json
import socket
from pathlib import Path
from typing import Any

from mirror import errors

# A boot may replay a long journal, and the keeper answers one request at a time.
_REQUEST_S = 120.0


def ask(registry: Path, verb: str, facts: dict[str, object]) -> dict[str, Any]:
    """Ask for a verb of keeper.Keeper. Raises LabNotUp (MIR-701), or what the keeper met."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_REQUEST_S)
        try:
            connection.connect(str(registry / "keeper.sock"))
            connection.sendall(json.dumps({"do": verb, **facts}).encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline()
        except (FileNotFoundError, ConnectionError) as error:
            raise errors.LabNotUp(name=registry.name, observed="not found") from error
    if not line:
        raise errors.LabNotUp(name=registry.name, observed="its keeper died")
    reply: dict[str, Any] = json.loads(line)
    if not reply["ok"]:
        raise same_error(reply)
    return reply


def same_error(reply: dict[str, Any]) -> errors.MirrorError:
    """The error that the keeper met."""
    error_class: type[errors.MirrorError] = getattr(errors, reply["kind"])
    return error_class(**reply["facts"])
