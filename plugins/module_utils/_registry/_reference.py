# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image references and digests, as defined by the OCI distribution specification. No I/O. Private to the collection."""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_MAX_NAME_LENGTH = 255
_HEX_DIGITS = {"sha256": 64, "sha512": 128}


class Hash(t.Protocol):
    """The methods of a hashlib object that are used here."""

    def update(self, data: bytes, /) -> None:
        """Add the next part of the content."""

    def hexdigest(self) -> str:
        """Return the digest of the content so far."""


class Reference(t.NamedTuple):
    """An image as the user wrote it, without a registry. It has a tag, a digest, or both."""

    text: str
    name: str
    tag: str | None
    digest: str | None

    @property
    def selector(self) -> str:
        """The tag or digest to pull. With both, the tag, because only a tag can be outdated."""
        return self.tag or t.cast(str, self.digest)


def parse_reference(text: str, *, hosts: t.Collection[str] = ()) -> Reference:
    """Return the reference. Without a tag and a digest, the tag is latest. Raises InputError.

    hosts: registries that the text must not begin with. A host cannot be recognized by its form, because organizations
    have names like domains.
    """
    rest, at, digest = text.partition("@")
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    name = head + slash + last
    host = next((host for host in hosts if text.startswith(f"{host}/")), None)
    if host is not None:
        raise InputError(
            f"The image {text!r} begins with the host {host}.",
            hint="Write it without the host: organization/image:tag.",
        )
    validate_name(name, f"The image {text!r}")
    if colon and not _TAG.fullmatch(tag):
        raise InputError(
            f"The image {text!r} has no valid tag.",
            hint="A tag has at most 128 letters, digits, dots, dashes and underscores.",
        )
    if at and not is_digest(digest):
        raise InputError(
            f"The image {text!r} has no valid digest.",
            hint="Write it as sha256: or sha512: and the hexadecimal digits.",
        )
    return Reference(text, name, tag or (None if at else "latest"), digest or None)


def validate_name(name: str, what: str) -> str:
    """Return the name of a repository. what: the subject of the message. Raises InputError."""
    if len(name) > _MAX_NAME_LENGTH or not _NAME.fullmatch(name):
        raise InputError(
            f"{what} has no valid name.",
            hint="A name has lower-case letters and digits, which dots, dashes, underscores or slashes can separate. "
            f"It has at most {_MAX_NAME_LENGTH} characters, and no host.",
        )
    return name


def is_digest(text: str) -> bool:
    """Return whether the text is a digest with a supported algorithm."""
    algorithm, _colon, value = text.partition(":")
    return re.fullmatch(rf"[0-9a-f]{{{_HEX_DIGITS.get(algorithm, 0)}}}", value) is not None and algorithm in _HEX_DIGITS


def hash_for(digest: str) -> Hash:
    """Return a new hash with the algorithm of a digest."""
    return hashlib.new(digest.partition(":")[0])


def digest_of(body: bytes, *, like: str = "sha256:") -> str:
    """Return the digest of a body. like: a digest with the algorithm to use."""
    hashed = hash_for(like)
    hashed.update(body)
    return f"{like.partition(':')[0]}:{hashed.hexdigest()}"
