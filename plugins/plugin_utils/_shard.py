# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A part of the images to warm, so that several hosts share the work. No I/O."""

from __future__ import annotations

import dataclasses
import hashlib
import re

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

_MAX_SHARDS = 1000


@dataclasses.dataclass(frozen=True)
class Shard:
    """The part with this number, from 1, of count parts."""

    number: int = 1
    count: int = 1

    @classmethod
    def from_text(cls, text: str, variable: str = "shard") -> Shard:
        """Return the shard of a text such as 2/4, and the only one for an empty text. Raises InputError, which names the variable."""
        if not text:
            return cls()
        match = re.fullmatch(r"(\d{1,4}) */ *(\d{1,4})", text, re.ASCII)
        number, count = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 1 <= number <= count <= _MAX_SHARDS:
            raise InputError(
                f"{variable} is {text[:20]!r}, but must be the number of a shard and their count, up to {_MAX_SHARDS}.",
                hint="Write it like 2/4, for the second of four shards.",
            )
        return cls(number, count)

    def has(self, image: str) -> bool:
        """Return whether an image belongs to this shard. All tags of an image do, because they share layers.

        Only the name decides, so that other images of the catalog can come and go.
        """
        name = re.sub("[:@].*", "", image)
        digest = hashlib.sha256(name.encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1
