"""Why something outside failed, as a sentence with a code: network, TLS, files.

Libraries wrap what the system said in errors of their own, and some keep only its text, so the
whole chain is looked through. Words of another program are a citation, and told as one.
"""

import re
import socket
import ssl
from collections.abc import Iterator

from mirror.errors import MirrorError
from mirror.vocabulary.said import Misread, Said, said_of, say
from mirror.vocabulary.said_system import CODES

_NUMBER = re.compile(r"\[Errno (\d+)\]")
_TLS = re.compile(r"\[SSL[^\]]*\] ([^(]*)")
_BY_TEXT = (
    ("invalid server address", "why.no_name"),
    ("timed out", "seen.late"),
)


def failure_of(error: BaseException) -> Said:
    """Say it; what nothing is known of is cited."""
    for one in _chain(error):
        if found := _known(one):
            return found
    for one in _chain(error):
        if found := _by_text(str(one)):
            return found
    return cited(str(error) or type(error).__name__)


def cited(words: str) -> Said:
    """Words of another program, or of a library."""
    return say("why.cited", words=" ".join(words.split()))


def _known(error: BaseException) -> Said | None:
    found: Said | None = None
    match error:
        case MirrorError() | Misread():
            found = said_of(error)
        # Of ldap3 too come errors that are these by their class, without what these hold.
        case ssl.SSLCertVerificationError(verify_message=str() as why):
            found = say("why.certificate", observed=why)
        case ssl.SSLError(reason=str() as why):
            found = say("why.tls", observed=why.replace("_", " ").lower())
        case socket.gaierror():
            found = say("why.no_name")
        case TimeoutError():
            found = say("seen.late")
        case OSError() if code := CODES.get(error.errno or 0):
            found = say(code)
    return found


def _by_text(text: str) -> Said | None:
    """What a library left of an error of the system is its text."""
    if (number := _NUMBER.search(text)) and (code := CODES.get(int(number[1]))):
        return say(code)
    if tls := _TLS.search(text):
        _, refused, why = tls[1].partition("certificate verify failed: ")
        return say("why.certificate" if refused else "why.tls", observed=(why or tls[1]).strip())
    return next((say(code) for part, code in _BY_TEXT if part in text), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """It, what it came from, and each of several errors at once; the first first."""
    pending, seen = [error], set()
    while pending:
        one = pending.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        more = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        pending += [each for each in (*more, one.__cause__, one.__context__) if each is not None]
