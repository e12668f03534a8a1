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

import email.utils
import time
import traceback
import typing as t
from pathlib import PurePath

from ansible_collections.cgr.pull_through.plugins.module_utils._text import MAX_TEXT, clean_text, redact

# A longer delay that a service asks for is an error.
MAX_RETRY_AFTER = 60.0
_MAX_RESPONSE_MESSAGE = 300
_MAX_URL = 500

# The hint of two errors: a failed TLS handshake, and the page that some servers send instead.
SET_CLIENT_CERT = "Set client_cert, and client_key if the key is in another file. They are used for Artifactory only."

# The step of a pull that failed, as the pull engines name their steps.
# diagnosis: nothing was pulled.
Stage = t.Literal[
    "manifest", "blob", "referrer", "index", "file", "upstream", "outdated", "pinned", "from_upstream", "diagnosis"
]

# html_cached: the cache of Artifactory holds the page. outside_repository: an index leads out of the repository.
ContentProblem = t.Literal["digest", "size", "html", "html_cached", "schema1", "content", "outside_repository"]


class PullThroughError(Exception):
    """An error for the user. message: what failed. hint: how to fix it; can be empty."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = redact(clean_text(message))
        self.hint = redact(clean_text(hint))
        super().__init__(" ".join(filter(None, (self.message, self.hint))))

    def details(self) -> dict[str, t.Any]:
        """Return the value of a module's C(error) result."""
        return {"message": self.message, "hint": self.hint}


class InternalError(PullThroughError):
    """An exception that the code does not expect. Its own message can contain a secret and is not shown."""

    def __init__(self, exc: BaseException) -> None:
        frames = traceback.extract_tb(exc.__traceback__)
        position = f" in {PurePath(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
        super().__init__(
            f"This is a bug in cgr.pull_through: {type(exc).__name__}{position}.",
            hint="Report it with this message and the task.",
        )


class InputError(PullThroughError):
    """Invalid input. Raised before any request that depends on it."""


class RequestError(PullThroughError):
    """A failed request. url: without credentials and query."""

    # Whether the service may have done what the request asks for.
    has_unknown_effect = False

    def __init__(self, message: str, *, method: str, url: str, hint: str = "") -> None:
        self.method = method
        self.url = redact(clean_text(url[:_MAX_URL]))
        super().__init__(f"{method} {self.url}: {message}", hint=hint)

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
        text = redact(clean_text(response_message[:MAX_TEXT]))
        self.response_message = " ".join(text.split())[:_MAX_RESPONSE_MESSAGE]
        self.headers = headers or {}
        self.unprocessed = unprocessed
        self.has_unknown_effect = status >= 500
        message = f"status {status}" + (f": {self.response_message}" if self.response_message else " without a message")
        if self.asks_for_long_delay:
            hint = f"{hint} The service asks to wait for {self.retry_after:.0f} seconds.".lstrip()
        super().__init__(message if message[-1] in ".!?" else f"{message}.", method=method, url=url, hint=hint)

    @property
    def retry_after(self) -> float | None:
        """The seconds in Retry-After, which can also have a date; None without a valid one."""
        value = self.headers.get("Retry-After", "").strip()
        if value.isascii() and value.isdigit():
            return float(value[:9])
        try:
            return max(0.0, email.utils.parsedate_to_datetime(value[:100]).timestamp() - time.time())
        except (TypeError, ValueError, OverflowError):
            return None

    @property
    def asks_for_long_delay(self) -> bool:
        """Whether Retry-After is longer than a run waits."""
        return (self.retry_after or 0.0) > MAX_RETRY_AFTER

    def details(self) -> dict[str, t.Any]:
        return {**super().details(), "status": self.status, "response_message": self.response_message}


class InvalidContentError(RequestError):
    """A successful response with other content than expected. reason: a code for the diagnosis, such as digest, size or html."""

    has_unknown_effect = True

    def __init__(self, reason: ContentProblem, message: str, *, url: str, method: str = "GET", hint: str = "") -> None:
        super().__init__(message, method=method, url=url, hint=hint)
        self.reason = reason


def capture_failure(function: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
    """Return the result of function, or the failure as a result, so that the other items of a list are still processed."""
    try:
        return {"failed": False, **function()}
    except PullThroughError as exc:
        error = exc
    except Exception as exc:  # pylint: disable=broad-exception-caught
        error = InternalError(exc)
    return {"failed": True, "changed": False, "msg": str(error), "error": error.details()}
