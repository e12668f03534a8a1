# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON Web Tokens, RS256 only."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign(key: RSAPrivateKey, claims: dict[str, Any]) -> str:
    message = ".".join(encode(json.dumps(part).encode()) for part in ({"alg": "RS256"}, claims))
    return f"{message}.{encode(key.sign(message.encode(), PKCS1v15(), SHA256()))}"


def verify(token: str, keys: list[RSAPublicKey]) -> dict[str, Any]:
    """The claims of a token. Raises ValueError if none of the keys signed it. Checks no claim."""
    message, _ignored, signature = token.rpartition(".")
    try:
        header, claims = (json.loads(decode(part)) for part in message.split("."))
        raw_signature = decode(signature)
    except (ValueError, binascii.Error) as error:
        raise ValueError("malformed token") from error
    if not isinstance(header, dict) or header.get("alg") != "RS256" or not isinstance(claims, dict):
        raise ValueError("unsupported token")
    for key in keys:
        try:
            key.verify(raw_signature, message.encode(), PKCS1v15(), SHA256())
            return claims
        except InvalidSignature:
            continue
    raise ValueError("failed to verify signature")


def parse_jwks(jwks: str) -> list[RSAPublicKey]:
    """The keys of a JSON Web Key Set. Raises ValueError unless it has RSA public keys only, and at least one."""
    try:
        keys = json.loads(jwks)["keys"]
        numbers = [
            RSAPublicNumbers(*(int.from_bytes(decode(key[name]), "big") for name in ("e", "n")))
            for key in keys
            if key["kty"] == "RSA"
        ]
        if not numbers or len(numbers) < len(keys):
            raise ValueError("no RSA key")
        return [number.public_key() for number in numbers]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a JSON Web Key Set: {error}") from error
