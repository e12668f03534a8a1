# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils._plan import (
    Plan,
    plan_absent,
    plan_present,
    values_equal,
)

STORED = {"key": "r", "url": "https://u/", "username": "id-1", "offline": False, "proxy": None}


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (None, "", True),
        (None, [], True),
        ("", {}, True),
        (False, "", False),
        (0, None, False),
        (["a", "b"], ["b", "a"], False),
        ({"a": {"b": None}}, {"a": {}}, True),
        ({"a": 1}, {"a": 2}, False),
        ("30", 30, True),
        (30, " 30", True),
        (-1, "-1", True),
        ("True", True, True),
        (False, "false", True),
        (True, "false", False),
        (30, "31", False),
        (1, "true", False),
        (["1", "true"], [1, True], True),
        ([1], [1, 2], False),
        ({"a": {"b": "30"}}, {"a": {"b": 30}}, True),
    ],
)
def test_values_equal(left, right, expected):
    assert values_equal(left, right) is expected


@pytest.mark.parametrize(
    ("current", "desired", "force_secret", "action", "payload"),
    [
        pytest.param(None, {"key": "r"}, False, "create", {"key": "r", "password": "pw"}, id="missing"),
        pytest.param(STORED, {"username": "id-1"}, False, "none", {}, id="same-user-keeps-the-secret"),
        pytest.param(
            STORED, {"username": "id-2"}, False, "update", {"username": "id-2", "password": "pw"}, id="new-user"
        ),
        pytest.param(STORED, {"username": "id-1"}, True, "update", {"password": "pw"}, id="always"),
        pytest.param(STORED, {"offline": True}, False, "update", {"offline": True}, id="only-what-differs"),
        pytest.param(STORED, {"proxy": ""}, False, "none", {}, id="empty-is-absent"),
    ],
)
def test_plan_present(current, desired, force_secret, action, payload):
    plan = plan_present(
        current, desired, secret={"password": "pw"}, force_secret=force_secret, secret_indicator="username"
    )
    assert (plan.action, plan.payload) == (action, payload)
    assert "pw" not in repr(plan) + str(plan.diff())


def test_the_diff_shows_differences_and_that_a_secret_was_sent():
    plan = plan_present(
        STORED,
        {"url": "https://u/", "username": "id-2"},
        secret={"password": "pw"},
        force_secret=False,
        secret_indicator="username",
    )
    assert plan.diff() == {
        "before": {"username": "id-1"},
        "after": {"username": "id-2", "password": "(sent, never shown)"},
    }


def test_plan_absent():
    assert plan_absent(None, ("key",)) == Plan("none")
    plan = plan_absent(STORED, ("key", "url", "missing"))
    assert (plan.action, plan.changed, plan.before) == ("delete", True, {"key": "r", "url": "https://u/"})
