# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The exceptions of this collection. Private to the collection.

PullThroughError            all errors that end a module with a message
├── InputError              an option is wrong; nothing was sent
└── RequestError            a request failed
    ├── TransportError      there was no response, so the effect of the request is unknown
    ├── HTTPStatusError     the response has an error status
    └── InvalidContentError the response has a success status, but other content than expected

Other files derive more errors from these, next to the code that raises them.
"""

from __future__ import annotations

import re
import typing as t

_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}(\.[\w-]*)?")
_MAX_RESPONSE_MESSAGE = 300

# html_cached: the cache of Artifactory holds the page. outside_repository: an index leads out of the repository.
ContentProblem = t.Literal["digest", "size", "html", "html_cached", "schema1", "content", "outside_repository"]


def redact_tokens(text: str) -> str:
    """Return the text without anything that looks like a JSON web token."""
    return _TOKEN.sub("(token removed)", text)


class PullThroughError(Exception):
    """An error for the user. message: what failed. hint: how to fix it; can be empty."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = redact_tokens(message)
        self.hint = hint
        super().__init__(" ".join(filter(None, (self.message, hint))))

    def details(self) -> dict[str, t.Any]:
        """Return the value of a module's C(error) result."""
        return {"message": self.message, "hint": self.hint}


class InputError(PullThroughError):
    """Invalid input. Raised before any request that depends on it."""


class RequestError(PullThroughError):
    """A failed request. url: without credentials and query."""

    # Whether the service may have done what the request asks for.
    has_unknown_effect = False

    def __init__(self, message: str, *, method: str, url: str, hint: str = "") -> None:
        super().__init__(f"{method} {url}: {message}", hint=hint)
        self.method = method
        self.url = url

    def details(self) -> dict[str, t.Any]:
        return {**super().details(), "method": self.method, "url": self.url, "status": None}


class TransportError(RequestError):
    """A request without a response. transient: whether the same request may succeed later."""

    has_unknown_effect = True

    def __init__(self, message: str, *, method: str, url: str, hint: str = "", transient: bool = True) -> None:
        super().__init__(message, method=method, url=url, hint=hint)
        self.transient = transient


class HTTPStatusError(RequestError):
    """A response with an error status.

    response_message: the message of the service, or a phrase that describes the response. At most 300 characters.
    unprocessed: whether the service did nothing, so that the request can be sent again even if it is not idempotent.
    """

    def __init__(
        self,
        status: int,
        response_message: str,
        *,
        method: str,
        url: str,
        hint: str = "",
        headers: t.Mapping[str, str] | None = None,
        unprocessed: bool = False,
    ) -> None:
        self.status = status
        self.response_message = redact_tokens(" ".join(response_message.split()))[:_MAX_RESPONSE_MESSAGE]
        self.headers = headers or {}
        self.unprocessed = unprocessed
        self.has_unknown_effect = status >= 500
        message = f"status {status}" + (f": {self.response_message}" if self.response_message else " without a message")
        super().__init__(message if message[-1] in ".!?" else f"{message}.", method=method, url=url, hint=hint)

    def details(self) -> dict[str, t.Any]:
        return {**super().details(), "status": self.status, "response_message": self.response_message}


class InvalidContentError(RequestError):
    """A successful response with other content than expected. reason: a code for the diagnosis, such as digest, size or html."""

    def __init__(self, reason: ContentProblem, message: str, *, url: str, hint: str = "") -> None:
        super().__init__(message, method="GET", url=url, hint=hint)
        self.reason = reason


def capture_failure(function: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
    """Return the result of function, or the failure as a result, so that the other items of a list are still processed."""
    try:
        return {"failed": False, **function()}
    except PullThroughError as exc:
        return {"failed": True, "changed": False, "msg": str(exc), "error": exc.details()}
