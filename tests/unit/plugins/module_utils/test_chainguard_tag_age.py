# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from scripted_chainguard import (
    NOW,
)

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._tag_age import describe_age
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import format_timestamp


@pytest.mark.parametrize(
    ("history", "cache_period", "expected", "summary"),
    [
        ([(NOW - 9000, "sha256:a"), (NOW - 7200, "sha256:new")], 7200, (1, 2.0, False), "1 build and 2.0 hours"),
        ([(NOW - 9000, "sha256:a"), (NOW - 7600, "sha256:new")], 7200, (1, 2.1, True), "serves an old copy"),
        ([(NOW - 9000, "sha256:a"), (NOW - 7600, "sha256:new")], None, (1, 2.1, None), "hours behind Chainguard."),
        ([(NOW - 60, "sha256:new")], 7200, (None, None, None), "is not in the history of the tag."),
        ([], 0, (None, None, None), "is not in the history of the tag."),
    ],
)
def test_describe_age(history, cache_period, expected, summary):
    image = {"name": "nginx", "tag": "latest", "digest": "sha256:new", "updated": format_timestamp(NOW - 7600)}
    age = describe_age("sha256:a", image, history, NOW, cache_period)
    assert (age["builds_behind"], age["hours_behind"], age["overdue"]) == expected
    assert summary in age["summary"]
