# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes texts of servers safe to show: no control characters, no secrets of this run. Private to the collection."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
import typing as t
from urllib.parse import quote, quote_plus

# Longer texts are cut before they are searched.
MAX_TEXT = 4096
# Of a message to users.
MAX_MESSAGE = 1000
_MAX_NAMES = 5
_MIN_LINE = 90
_MAX_REST = 60
_MIN_SECRET = 8
_MAX_SECRETS = 10_000

# Control, format and bidirectional characters, line separators and surrogates. Line feeds and tabs stay.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
# A run is matched once and split then, so the time is linear.
_WORDS = re.compile(r"[\w.-]+")

_secrets: dict[str, None] = {}


def clean_text(text: str) -> str:
    """Return the text with a replacement for each character that could change how a terminal shows it."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)


def _is_safe(text: str) -> bool:
    """Return whether there is nothing to replace, which is so for almost all of the many texts in large results."""
    return text.isascii() and text.isprintable() and "eyJ" not in text and not any(map(text.__contains__, _secrets))


def shorten(text: str, length: int = MAX_MESSAGE) -> str:
    """Return the text with at most this many characters."""
    return text if len(text) <= length else f"{text[: max(length, 1) - 1]}…"


def count(number: int, noun: str) -> str:
    """Return the number with the noun in the singular or plural."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def join_names(names: t.Sequence[str]) -> str:
    """Return the first names, and the number of the others."""
    more = len(names) - _MAX_NAMES
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:_MAX_NAMES])} and {more} more"


def join_messages(messages: t.Sequence[str], rest: str = "more failures are not shown") -> str:
    """Return the messages, a line each, as one of at most 1,000 characters.

    Of the first five, each has a line, which may be shortened. rest: what follows the number of messages that are left out.
    """
    text = "\n".join(messages)
    if len(text) <= MAX_MESSAGE:
        return text
    lines: list[str] = []
    budget = MAX_MESSAGE - _MAX_REST
    for position, message in enumerate(messages):
        reserved = sum(min(len(other) + 1, _MIN_LINE) for other in messages[position + 1 : _MAX_NAMES])
        length = budget - reserved
        if len(message) > length and length < _MIN_LINE - 1:
            break
        lines.append(shorten(message, length))
        budget -= len(lines[-1]) + 1
    left_out = len(messages) - len(lines)
    return "\n".join([*lines, *([f"{left_out} {rest}."] if left_out else [])])


def forget_secrets() -> None:
    """Forget the secrets of an earlier run in the same process."""
    _secrets.clear()


def remember_secret(secret: str) -> None:
    """Remove a secret, and its Base64 and URL encodings, from all texts of this run."""
    if secret and f"{secret}" not in _secrets and len(_secrets) < _MAX_SECRETS:
        encoded = base64.b64encode(secret.encode())
        forms = (secret, encoded.decode(), encoded.decode().rstrip("="), quote(secret, safe=""), quote_plus(secret))
        urlsafe = base64.urlsafe_b64encode(secret.encode()).decode()
        escaped = (json.dumps(secret)[1:-1], html.escape(secret))
        for form in (*forms, urlsafe, urlsafe.rstrip("="), *escaped):
            _secrets[form] = None


def clean_result(value: t.Any, secret_names: t.Collection[str] = ()) -> t.Any:
    """Return a result of a module with safe texts. secret_names: keys whose values are secrets to return."""
    if isinstance(value, str):
        return value if _is_safe(value) else redact(clean_text(value))
    if isinstance(value, dict):
        return {
            clean_result(name): item if name in secret_names else clean_result(item, secret_names)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [clean_result(item, secret_names) for item in value]
    return value


def remember_authorization(header: str) -> None:
    """Remember the secrets of an Authorization header."""
    scheme, _space, value = header.partition(" ")
    remember_secret(value)
    if scheme == "Basic":
        try:
            decoded = base64.b64decode(value).decode()
        except (binascii.Error, UnicodeDecodeError):
            return
        remember_secret(decoded.partition(":")[2])


def redact(text: str) -> str:
    """Return the text without JSON web tokens and without secrets that this run sent."""
    for secret in sorted((secret for secret in list(_secrets) if secret in text), key=len, reverse=True):
        text = text.replace(secret, "(secret removed)") if len(secret) >= _MIN_SECRET else _redact_short(text, secret)
    return _WORDS.sub(_redact_token, text)


def _redact_short(text: str, secret: str) -> str:
    """Remove a short secret where credentials are. Elsewhere, it can be a part of any word."""
    before = r"((?:\b(?:basic|bearer)\s{1,9}|://[^\s/@:]{0,99}:|(?:password|token|secret)[\"']?[:=]\s{0,9}[\"']?))"
    return re.sub(rf"{before}{re.escape(secret)}(?!\w)", r"\1(secret removed)", text, flags=re.IGNORECASE)


def _redact_token(match: t.Match[str]) -> str:
    """Replace the part of a run of words that looks like a JSON web token."""
    run = match[0]
    start = run.find("eyJ")
    parts = run[start:].split(".") if start >= 0 else []
    is_token = any("eyJ" in part and len(following) >= 8 for part, following in zip(parts, parts[1:]))
    return f"{run[:start]}(token removed)" if is_token else run
