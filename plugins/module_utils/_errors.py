# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one tree of errors. Private to the collection."""

from __future__ import annotations

import re
import typing as t

_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}(\.[\w-]*)?")
_SAID_LIMIT = 300


def redact_tokens(text: str) -> str:
    """Return the text with anything that looks like a JSON web token blanked out."""
    return _TOKEN.sub("(token removed)", text)


class PullThroughError(Exception):
    """Something that the user has to know: what went wrong, and what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = redact_tokens(message)
        self.hint = hint
        super().__init__(" ".join(filter(None, (self.message, hint))))

    def details(self) -> dict[str, t.Any]:
        """Return the parts of the error, for a module's C(error) result."""
        return {"message": self.message, "hint": self.hint}


class InputError(PullThroughError):
    """Wrong input, found before anything was sent."""


class RequestError(PullThroughError):
    """A request that did not do what it was sent for."""

    def __init__(self, message: str, *, method: str, url: str, hint: str = "") -> None:
        super().__init__(f"{method} {url}: {message}", hint=hint)
        self.method = method
        self.url = url

    def details(self) -> dict[str, t.Any]:
        return {**super().details(), "method": self.method, "url": self.url, "status": None}


class TransportError(RequestError):
    """A request without an answer. Whether it did its work is not known.

    passing: whether it may go through when it is tried again, as it is.
    """

    def __init__(self, message: str, *, method: str, url: str, hint: str = "", transient: bool = True) -> None:
        super().__init__(message, method=method, url=url, hint=hint)
        self.transient = transient


class HTTPStatusError(RequestError):
    """A request that the service answered with something else than success."""

    def __init__(self, status: int, response_message: str, *, method: str, url: str, hint: str = "") -> None:
        self.status = status
        self.response_message = redact_tokens(" ".join(response_message.split()))[:_SAID_LIMIT]
        words = f"status {status}" + (
            f", the service said: {self.response_message}" if self.response_message else " and no text"
        )
        if words[-1] not in ".!?":
            words += "."
        super().__init__(words, method=method, url=url, hint=hint)

    def details(self) -> dict[str, t.Any]:
        return {**super().details(), "status": self.status, "response_message": self.response_message}


class InvalidContentError(RequestError):
    """A successful answer whose body is not what was asked for.

    reason: digest, size, html, schema1 or content.
    """

    def __init__(self, reason: str, message: str, *, url: str, hint: str = "") -> None:
        super().__init__(message, method="GET", url=url, hint=hint)
        self.reason = reason


def capture_failure(function: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
    """Return the result of one thing of several, or what went wrong with it, which does not stop the others."""
    try:
        return {"failed": False, **function()}
    except PullThroughError as exc:
        return {"failed": True, "changed": False, "msg": str(exc), "error": exc.details()}
