"""A state in words and as an exit code; without the library that draws tables.

Scripts call the command line while an application waits for its takeover, so what they use imports
little (see main.py).
"""

from collections.abc import Mapping
from typing import Any

Values = Mapping[str, Any]
# Exit codes of `state -lq`, SafeKit's; scripts in the field compare with them.
STATE_EXIT_CODES = {"STOP": 0, "WAIT": 1, "ALONE": 2, "UP": 2, "PRIM": 3, "SECOND": 4}
# Not a state: an answer that a script cannot take for one of the above.
STATE_UNKNOWN_EXIT_CODE = 255


def state_word(values: Values) -> str:
    """Write `PRIM (Ready)`, `SECOND (Transient)`, or `unknown`."""
    state, ready = values.get("state") or "unknown", values.get("ready")
    if isinstance(ready, bool):
        ready = "Ready" if ready else "NotReady"
    return f"{state} ({ready})" if ready else str(state)
