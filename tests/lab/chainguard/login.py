# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins of those who pull: Basic, with the UID of an identity and a token of its own (chainguard.md §3)."""

from __future__ import annotations

import base64
import binascii

from starlette.requests import Request

from . import sts
from .messages import UNAUTHENTICATED, ApiError
from .state import Chainguard


def basic(request: Request) -> tuple[str, str] | None:
    """Username and password, None without a login; ValueError for one that is not Basic."""
    scheme, _ignored, encoded = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        return None
    try:
        username, _ignored, password = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("not a Basic login") from error
    return username, password


def identity(state: Chainguard, request: Request) -> str:
    """The UID that a pull token proves; ApiError without one, or when it is not good (any more)."""
    try:
        login = basic(request)
    except ValueError as error:
        raise ApiError(UNAUTHENTICATED, str(error)) from error
    if login is None:
        raise ApiError(UNAUTHENTICATED, "authentication required")
    sts.authenticate(state, *login)
    return login[0]
