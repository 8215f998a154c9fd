"""An ID token checked: signature, issuer, audience, time, nonce. Pure: the time is given.

RS256 and ES256, which every provider has; `none` and shared secrets are never accepted.
Source: RFC 7519, RFC 7515, OpenID Connect Core 3.1.3.7.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from mirror.vocabulary.said import Misread, say

CLOCKS_S = 60
ES256_BYTES = 64


def claims_of(
    token: str,
    keys: Sequence[Mapping[str, Any]],
    *,
    issuer: str,
    audience: str,
    nonce: str,
    now_s: int,
) -> dict[str, Any]:
    """What the token says. keys: of the provider's JWKS. Raises: Misread with the reason."""
    parts = token.split(".")
    if len(parts) != 3:
        raise Misread(say("oidc.parts"))
    header, claims = _object(parts[0]), _object(parts[1])
    signed, signature = f"{parts[0]}.{parts[1]}".encode(), _bytes(parts[2])
    candidates = [one for one in keys if header.get("kid") in (None, one.get("kid"))]
    if not any(_is_signed(one, str(header.get("alg")), signed, signature) for one in candidates):
        raise Misread(say("oidc.signed"))
    audiences = claims.get("aud")
    known = audiences if isinstance(audiences, list) else [audiences]
    if claims.get("iss") != issuer:
        raise Misread(say("oidc.token_issuer"))
    if audience not in known or (len(known) > 1 and claims.get("azp") != audience):
        raise Misread(say("oidc.audience"))
    ends = claims.get("exp")
    if not isinstance(ends, int | float) or ends + CLOCKS_S < now_s:
        raise Misread(say("oidc.ended"))
    if claims.get("nonce") != nonce:
        raise Misread(say("oidc.nonce"))
    return claims


def _is_signed(key: Mapping[str, Any], algorithm: str, signed: bytes, signature: bytes) -> bool:
    try:
        match algorithm, key.get("kty"):
            case "RS256", "RSA":
                public = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
                public.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
            case "ES256", "EC" if len(signature) == ES256_BYTES:
                numbers = ec.EllipticCurvePublicNumbers(
                    _number(key["x"]), _number(key["y"]), ec.SECP256R1()
                )
                half = ES256_BYTES // 2
                r, s = (int.from_bytes(one) for one in (signature[:half], signature[half:]))
                numbers.public_key().verify(
                    encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256())
                )
            case _:
                return False
    except (InvalidSignature, KeyError, ValueError, TypeError):
        return False
    return True


def _object(part: str) -> dict[str, Any]:
    try:
        found = json.loads(_bytes(part))
    except Misread:
        raise
    except ValueError as error:
        raise Misread(say("oidc.not_understood")) from error
    if not isinstance(found, dict):
        raise Misread(say("oidc.not_understood"))
    return found


def _bytes(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise Misread(say("oidc.not_understood")) from error


def _number(text: object) -> int:
    return int.from_bytes(_bytes(str(text)))
