# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials for downloads and for the API of Artifactory, and their HTTP form. Private to the collection."""

from __future__ import annotations

import base64
import dataclasses


def basic_authorization(username: str, password: str) -> str:
    """Return the value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


@dataclasses.dataclass(frozen=True)
class Credentials:
    """A username and password, or a bearer token, which is sent without a token exchange. Anonymous if all are empty."""

    username: str = ""
    password: str = dataclasses.field(default="", repr=False)
    bearer: str = dataclasses.field(default="", repr=False)

    @property
    def is_anonymous(self) -> bool:
        return not self.username and not self.bearer

    @property
    def basic(self) -> str:
        """The value of an Authorization header for Basic authentication. Empty without a username."""
        return basic_authorization(self.username, self.password) if self.username else ""

    @property
    def authorization(self) -> str:
        """The Authorization header for a server that accepts credentials without a challenge. Empty if anonymous."""
        return f"Bearer {self.bearer}" if self.bearer else self.basic
