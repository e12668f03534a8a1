# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rotation that is overdue, and pull tokens that live longer than they should."""

from __future__ import annotations

import dataclasses

import pytest
from role_sources import resolved

from ansible_collections.cgr.pull_through.plugins.plugin_utils._token_lifetime import (
    add_rotation_status,
    lifetime_errors,
    lifetime_notes,
    overdue_notes,
)

DAY = 86400


def in_use(days_left, **fields):
    (source,) = resolved("private")
    status = {"seconds_left": round(days_left * DAY), "expires": "2031-01-21T00:00:00Z", "valid": True}
    return dataclasses.replace(source, token_status=status, **fields)


@pytest.mark.parametrize(
    ("days_left", "run_interval", "is_overdue"),
    [(20, "", False), (12.1, "", False), (11.9, "", True), (8.1, "7d", False), (7.9, "7d", True)],
)
def test_a_rotation_is_overdue_by_more_than_a_run_interval(days_left, run_interval, is_overdue):
    source = add_rotation_status(in_use(days_left), "720h", "", run_interval)
    assert bool(source.failure) is is_overdue
    if is_overdue:
        assert "is overdue since 2031-01-06, and the token expires on 2031-01-21" in source.failure
        assert "Does the playbook cgr.pull_through.rotate run?" in source.failure


@pytest.mark.parametrize(
    ("days_left", "managed", "fields", "planned", "verb"),
    [
        pytest.param(11.9, True, {}, False, "was", id="rotated"),
        pytest.param(11.9, True, {}, True, "is", id="check-mode"),
        pytest.param(11.9, True, {"failure": "no new token"}, False, "is", id="failed"),
        pytest.param(12.1, True, {}, False, "", id="in-time"),
        pytest.param(1, False, {}, False, "", id="unmanaged"),
    ],
)
def test_a_run_that_rotates_names_a_rotation_that_was_overdue(days_left, managed, fields, planned, verb):
    (source,) = resolved("private")
    previous = {"seconds_left": round(days_left * DAY), "expires": "2031-01-21T00:00:00Z", "managed": managed}
    source = dataclasses.replace(source, token={"previous": previous}, **fields)
    notes = list(overdue_notes([source], "720h", "", "", planned))
    text = f"The rotation of the pull token of CGR_private {verb} overdue since 2031-01-06. Does the playbook"
    assert [note.startswith(text) for note in notes] == ([True] if verb else [])


def test_without_a_listed_token_nothing_is_overdue():
    (source,) = resolved("private")
    assert add_rotation_status(source, "720h", "", "").failure == ""
    assert add_rotation_status(in_use(1, failure="revoked"), "720h", "", "").failure == "revoked"


@pytest.mark.parametrize("field", ["token_status", "token"])
def test_a_token_that_lives_longer_than_a_new_one_is_named(field):
    """In `verify` it is that of the listing, and in `setup` and `rotate` the one that is kept."""
    status = in_use(90).token_status
    source = dataclasses.replace(in_use(90), **{"token_status": {}, field: status})
    (note,) = lifetime_notes([source, in_use(20)], "720h")
    assert "The pull token of CGR_private is valid for 90 more days, longer than pull_through_token_ttl (720h)" in note


@pytest.mark.parametrize(
    ("ttl", "renew_before", "run_interval", "text"),
    [
        ("9000h", "", "", "at most 8760h"),
        ("720h", "30d", "", "less than pull_through_token_ttl"),
        ("720h", "", "weekly", "pull_through_run_interval is not a duration"),
    ],
)
def test_lifetimes_that_are_rejected(ttl, renew_before, run_interval, text):
    (error,) = lifetime_errors(ttl, renew_before, run_interval)
    assert text in error
    assert lifetime_errors("720h", "15d", "7d") == []
