"""The one-time token with which a node joins: where to ask, whom to believe, what to say. Pure.

Either node makes it: a node of the cluster, for the new one to ask it (`mirror1.`), or the new
node, for one of the cluster to take it in (`mirror1new.`). One word that survives being read aloud
badly but pasted well: that prefix, and base64url of

    1 byte   length of the address
    n bytes  address, ASCII
    2 bytes  TCP port, big-endian
    32 bytes SHA-256 of the certificate of the node that made the token
    16 bytes secret
"""

import base64
import binascii
import secrets
from dataclasses import dataclass, field

from mirror.errors import TokenRefused
from mirror.vocabulary.said import say

PREFIX = "mirror1."
PREFIX_NEW = "mirror1new."
PREFIXES = (PREFIX, PREFIX_NEW)
FINGERPRINT_BYTES = 32
SECRET_BYTES = 16
FIXED_BYTES = 1 + 2 + FINGERPRINT_BYTES + SECRET_BYTES


@dataclass(frozen=True, slots=True)
class JoinToken:
    """What a token says. The secret is never shown by repr.

    of_new_node: who made it is in no cluster yet, and waits to be taken in.
    """

    address: str
    port: int
    fingerprint: bytes
    secret: bytes = field(repr=False)
    of_new_node: bool = False

    def encode(self) -> str:
        """Write the token."""
        address = self.address.encode("ascii")
        assert 0 < len(address) < 256
        assert len(self.fingerprint) == FINGERPRINT_BYTES
        assert len(self.secret) == SECRET_BYTES
        raw = bytes([len(address)]) + address + self.port.to_bytes(2, "big")
        raw += self.fingerprint + self.secret
        prefix = PREFIX_NEW if self.of_new_node else PREFIX
        return prefix + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def new_secret() -> bytes:
    """Random bytes for one token."""
    return secrets.token_bytes(SECRET_BYTES)


def decode_token(text: str) -> JoinToken:
    """Read a token. Raises: TokenRefused (MIR-115); the sentence never repeats the token."""
    prefix, dot, body = text.strip().partition(".")
    if prefix + dot not in PREFIXES:
        raise TokenRefused(observed=say("token.begins", known=list(PREFIXES)))
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise TokenRefused(observed=say("token.letter")) from error
    if not raw or len(raw) != FIXED_BYTES + raw[0] or raw[0] == 0:
        raise TokenRefused(observed=say("token.cut"))
    end = 1 + raw[0]
    address = raw[1:end]
    if not all(33 <= letter < 127 for letter in address):
        raise TokenRefused(observed=say("token.no_address"))
    port = int.from_bytes(raw[end : end + 2], "big")
    rest = raw[end + 2 :]
    return JoinToken(
        address.decode("ascii"),
        port,
        rest[:FINGERPRINT_BYTES],
        rest[FINGERPRINT_BYTES:],
        of_new_node=prefix + dot == PREFIX_NEW,
    )
