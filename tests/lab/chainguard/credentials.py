# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials of a pull: Basic, with the UID of an identity and its token (facts/chainguard.md#pull-tokens)."""

from __future__ import annotations

import base64
import binascii

from starlette.requests import Request

from . import sts
from .messages import UNAUTHENTICATED, ApiError
from .state import Chainguard


def parse_basic(request: Request) -> tuple[str, str] | None:
    """Username and password, None without credentials. Raises ValueError if they are not Basic."""
    scheme, _ignored, encoded = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        return None
    try:
        username, _ignored, password = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("not Basic credentials") from error
    return username, password


def authenticate_pull_token(state: Chainguard, request: Request) -> str:
    """The UID of a pull token's identity. Raises ApiError without a pull token, or if it is not valid."""
    try:
        credentials = parse_basic(request)
    except ValueError as error:
        raise ApiError(UNAUTHENTICATED, str(error)) from error
    if credentials is None:
        raise ApiError(UNAUTHENTICATED, "authentication required")
    sts.authenticate(state, *credentials)
    return credentials[0]
