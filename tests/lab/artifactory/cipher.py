# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encryption of repository passwords: `AM.<key id>.AES128.<base58>` (facts/artifactory.md#passwords)."""

from __future__ import annotations

import os
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_NONCE_SIZE = 12


class Cipher:
    """The key of one installation. Cipher text of another installation counts as clear text."""

    def __init__(self) -> None:
        self._key = AESGCM(AESGCM.generate_key(bit_length=128))
        self._prefix = f"AM.{secrets.token_hex(3)}.AES128."

    def encrypt(self, clear: str) -> str:
        if not clear:
            return ""
        nonce = os.urandom(_NONCE_SIZE)
        return self._prefix + _base58(nonce + self._key.encrypt(nonce, clear.encode(), None))

    def decrypt(self, text: str) -> str | None:
        """The clear text, or None if `text` is not cipher text of this key."""
        if not text.startswith(self._prefix):
            return None
        try:
            data = _from_base58(text.removeprefix(self._prefix))
            return self._key.decrypt(data[:_NONCE_SIZE], data[_NONCE_SIZE:], None).decode()
        except (ValueError, InvalidTag):
            return None


def _base58(data: bytes) -> str:
    number = int.from_bytes(b"\x01" + data, "big")  # the leading one keeps leading zeros
    digits = ""
    while number:
        number, digit = divmod(number, 58)
        digits = _BASE58[digit] + digits
    return digits


def _from_base58(text: str) -> bytes:
    number = 0
    for character in text:
        number = number * 58 + _BASE58.index(character)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")[1:]
