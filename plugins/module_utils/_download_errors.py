# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Error responses to downloads. Private to the collection."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import HTTPStatusError
from ansible_collections.cgr.pull_through.plugins.module_utils._html import describe_html, is_html
from ansible_collections.cgr.pull_through.plugins.module_utils._http import StreamedResponse, redact_url

MAX_ERROR_SIZE = 64 << 10


class DownloadError(HTTPStatusError):
    """A response with another status than expected.

    code: the registry's error code, such as MANIFEST_UNKNOWN. Empty if there is none.
    html: whether the response is an HTML page, so not from the expected service.
    by_token_service: whether the response is from the registry's token service and not from the registry.
    """

    def __init__(
        self,
        status: int,
        response_message: str,
        *,
        url: str,
        headers: t.Mapping[str, str],
        hint: str = "",
        code: str = "",
        html: bool = False,
        by_token_service: bool = False,
    ) -> None:
        super().__init__(status, response_message, method="GET", url=redact_url(url), hint=hint, headers=headers)
        self.code = code
        self.html = html
        self.by_token_service = by_token_service

    def details(self) -> dict[str, t.Any]:
        return {**super().details(), "code": self.code}


def parse_error_response(response: StreamedResponse, url: str, *, by_token_service: bool = False) -> DownloadError:
    """Return the error for a response without success. Its message is read from either JSON form, or is the text."""
    text = response.read(MAX_ERROR_SIZE).decode("utf-8", "replace")
    html, code = is_html(response.headers, text), ""
    if html:
        response_message = describe_html(text)
    elif errors := _json_errors(text):
        response_message = "; ".join(str(error.get("message") or error.get("code") or error) for error in errors)
        code = next((str(error["code"]) for error in errors if error.get("code")), "")
    else:
        response_message = text
    return DownloadError(
        response.status,
        response_message,
        url=url,
        headers=response.headers,
        code=code,
        html=html,
        by_token_service=by_token_service,
    )


def _json_errors(text: str) -> list[dict[str, t.Any]]:
    try:
        errors = json.loads(text)["errors"]
    except (ValueError, KeyError, TypeError):
        return []
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
