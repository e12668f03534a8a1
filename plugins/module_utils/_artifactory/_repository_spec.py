# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the key and the upstream of a repository that need no request. No I/O. Private to the collection."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

# A key has at most 64 characters, and the cache of a remote repository has the key "<key>-cache".
MAX_REMOTE_KEY_LENGTH = 58
MAX_KEY_LENGTH = 64

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SMART_REMOTE = "/artifactory/api/docker/"


def validate_key(key: str, *, max_length: int) -> str:
    """Return the repository key, or raise InputError."""
    if len(key) > max_length:
        raise InputError(f"The repository key {key!r} has {len(key)} characters; at most {max_length} are allowed.")
    if not _KEY.fullmatch(key):
        raise InputError(
            f"The repository key {key!r} is not valid.",
            hint="Use letters, digits, dots, dashes and underscores, and begin with a letter or digit.",
        )
    return key


def validate_upstream_url(url: str, package_type: str) -> str:
    """Return the URL of an upstream, or raise InputError for a URL that Artifactory accepts but cannot pull from."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"url is not a URL: {url!r}.", hint="Write it as https://host/.")
    if parts.username or parts.password:
        raise InputError("url must not contain credentials.", hint="Use the options username and password.")
    if package_type == "docker" and parts.path.strip("/") and _SMART_REMOTE not in parts.path + "/":
        root = f"{parts.scheme}://{parts.netloc}/"
        raise InputError(
            f"url has a path, {parts.path!r}, which Artifactory ignores for Docker: each pull would fail with 'manifest unknown'.",
            hint=f"Set url to {root} and add {parts.path.strip('/')!r} to the image names, or use dockerProjectId.",
        )
    return url
