# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Error responses to downloads. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import HTTPStatusError
from ansible_collections.cgr.pull_through.plugins.module_utils._html import describe_html, is_html
from ansible_collections.cgr.pull_through.plugins.module_utils._http import MAX_ERROR_SIZE, StreamedResponse, redact_url
from ansible_collections.cgr.pull_through.plugins.module_utils._json_document import parse_json
from ansible_collections.cgr.pull_through.plugins.module_utils._text import clean_text, redact

_MAX_CODE = 100
# The policies of Chainguard Libraries, such as POLICY_COOLDOWN.
_BLOCK_CODES = ("POLICY_", "MALWARE_")


class DownloadError(HTTPStatusError):
    """A response with another status than expected.

    code: the registry's error code, such as MANIFEST_UNKNOWN, or the policy that blocks a version. Empty if there is none.
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
        self.code = redact(clean_text(code[:_MAX_CODE]))
        self.html = html
        self.by_token_service = by_token_service

    @property
    def is_blocked(self) -> bool:
        """Whether the upstream names a policy that blocks the content. It is for npm only that the status is 403."""
        return self.status in (403, 409) and self.code.startswith(_BLOCK_CODES)

    def details(self) -> dict[str, t.Any]:
        return {**super().details(), "code": self.code}


def parse_error_response(response: StreamedResponse, url: str, *, by_token_service: bool = False) -> DownloadError:
    """Return the error for a response without success. Its message is read from a JSON form, or is the text."""
    text = ""
    if 300 <= response.status < 400:
        response.close()  # the body of a redirect is not read
    else:
        text = response.read_start(MAX_ERROR_SIZE).decode("utf-8", "replace")
    html, code = is_html(response.headers, text), ""
    if html:
        response_message = describe_html(text)
    elif errors := _json_errors(text):
        response_message = "; ".join(str(error.get("message") or error.get("code") or error) for error in errors)
        code = next((str(error["code"]) for error in errors if error.get("code")), "")
    elif block := _json_block(text):
        code, response_message = block
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
        errors = parse_json(text)["errors"]
    except (ValueError, KeyError, TypeError):
        return []
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _json_block(text: str) -> tuple[str, str] | None:
    """Return the policy and the message of a blocked version; None for another response."""
    try:
        body = parse_json(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or not isinstance(body.get("reason"), str) or not body["reason"]:
        return None
    return body["reason"], str(body.get("message") or body.get("error") or body["reason"])
