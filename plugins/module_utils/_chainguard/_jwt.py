# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON Web Tokens: signs the passwords of pull tokens. Private to the collection."""

from __future__ import annotations

import base64
import json
import typing as t

try:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    CRYPTOGRAPHY_MISSING: str | None = None
except ImportError as exc:
    CRYPTOGRAPHY_MISSING = str(exc)

# As chainctl generates them.
_KEY_BITS = 4096


class SigningKey:
    """An RSA key in memory that signs one token. modulus: in the encoding of a JWK."""

    def __init__(self) -> None:
        self._private = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
        numbers = self._private.public_key().public_numbers()
        self.modulus = _base64_int(numbers.n)
        self._exponent = _base64_int(numbers.e)

    def jwks(self) -> str:
        """Return the public key as a JSON Web Key Set, encoded as JSON."""
        key = {"kty": "RSA", "alg": "RS256", "use": "sig", "n": self.modulus, "e": self._exponent}
        return json.dumps({"keys": [key]})

    def sign(self, payload: dict[str, t.Any]) -> str:
        """Return a signed token with this payload."""
        content = f"{_base64_json({'alg': 'RS256'})}.{_base64_json(payload)}"
        signature = self._private.sign(content.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{content}.{_base64(signature)}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _base64_int(number: int) -> str:
    return _base64(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _base64_json(value: t.Any) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())
