"""The one-time token with which a node joins: where to ask, whom to believe, what to say. Pure.

One word that survives being read aloud badly but pasted well: `mirror1.` and base64url of

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

PREFIX = "mirror1."
FINGERPRINT_BYTES = 32
SECRET_BYTES = 16
FIXED_BYTES = 1 + 2 + FINGERPRINT_BYTES + SECRET_BYTES


@dataclass(frozen=True, slots=True)
class JoinToken:
    """What a token says. The secret is never shown by repr."""

    address: str
    port: int
    fingerprint: bytes
    secret: bytes = field(repr=False)

    def encode(self) -> str:
        """Write the token."""
        address = self.address.encode("ascii")
        assert 0 < len(address) < 256
        assert len(self.fingerprint) == FINGERPRINT_BYTES
        assert len(self.secret) == SECRET_BYTES
        raw = bytes([len(address)]) + address + self.port.to_bytes(2, "big")
        raw += self.fingerprint + self.secret
        return PREFIX + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def new_secret() -> bytes:
    """Random bytes for one token."""
    return secrets.token_bytes(SECRET_BYTES)


def decode_token(text: str) -> JoinToken:
    """Read a token. Raises: TokenRefused (MIR-115); the sentence never repeats the token."""
    body = text.strip()
    if not body.startswith(PREFIX):
        raise TokenRefused(observed=f"it does not begin with {PREFIX}")
    body = body.removeprefix(PREFIX)
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise TokenRefused(observed="a letter that no token has") from error
    if not raw or len(raw) != FIXED_BYTES + raw[0] or raw[0] == 0:
        raise TokenRefused(observed="it is cut short, or too long")
    end = 1 + raw[0]
    address = raw[1:end]
    if not all(33 <= letter < 127 for letter in address):
        raise TokenRefused(observed="no address in it")
    port = int.from_bytes(raw[end : end + 2], "big")
    rest = raw[end + 2 :]
    return JoinToken(
        address.decode("ascii"), port, rest[:FINGERPRINT_BYTES], rest[FINGERPRINT_BYTES:]
    )
