# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scenario 6: a warm cache does not hide a broken token, and the negative cache does not hide that it was fixed."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from rotation.conftest import HarnessPool
from rotation.scenarios import Report
from support.rotation_harness import KEY, RotationHarness

IMAGE, CACHED, UNCACHED = "example.com/nginx", "latest", "1.27"


def revoke(harness: RotationHarness) -> None:
    harness.lab.revoke(harness.username)


def expire(harness: RotationHarness) -> None:
    harness.lab.advance(days=31)


def unbind(harness: RotationHarness) -> None:
    """Delete the role binding of the token."""
    (binding,) = [binding for binding in harness.lab.bindings() if binding["identityUid"] == harness.username]
    harness.lab.chainguard("DELETE", f"/iam/v2/roleBindings/{binding['uid']}")


def replace_key(harness: RotationHarness) -> None:
    """Replace the key of the identity with one that did not sign the password."""
    (token,) = harness.lab.pull_tokens()
    (key,) = json.loads(token["staticKeys"]["issuerKeys"])["keys"]
    other = {**key, "n": key["n"][:-8] + "AAAAAAAQ"}
    keys = {**token["staticKeys"], "issuerKeys": json.dumps({"keys": [other]})}
    harness.lab.chainguard("PATCH", f"/iam/v2/identities/{token['uid']}?updateMask=staticKeys", {"staticKeys": keys})


@dataclasses.dataclass(frozen=True)
class Breakage:
    """How a token stops working, and the message that has to name the cause."""

    action: t.Callable[[RotationHarness], None]
    message: str

    def __str__(self) -> str:
        return self.action.__name__


BREAKAGES = (
    Breakage(revoke, "it was revoked"),
    Breakage(expire, "it expired on"),
    Breakage(unbind, "it is not bound to the role"),
    Breakage(replace_key, "its key was deleted or replaced"),
)


def break_and_fix(harness: RotationHarness, breakage: Breakage) -> list[str]:
    """Break the token behind a warm cache, run verify and setup, and return the failures."""
    lab = harness.lab
    client = harness.reset()
    warm = lab.pull(KEY, IMAGE, CACHED)
    breakage.action(harness)
    # Artifactory can use the registry token that it has for this long.
    lab.advance(days=0.01)
    cached, missed = lab.pull(KEY, IMAGE, CACHED), lab.pull(KEY, IMAGE, UNCACHED)
    verify = harness.run("verify")
    overrides = {"containers": {"images": [f"nginx:{UNCACHED}"]}}
    setup = harness.run("setup", source_overrides=overrides)
    client.pull(f"{breakage}, fixed")
    checks = {
        f"{breakage}: the cache does not serve its content ({warm}, {cached})": (warm, cached) != (200, 200),
        f"{breakage}: an image that is not cached is served": missed != 404,
        f"{breakage}: verify ended with {verify.code}": verify.code != 2,
        f"{breakage}: verify does not report {breakage.message!r}: {verify.output[-800:]}": (
            breakage.message not in verify.output
        ),
        f"{breakage}: setup ended with {setup.code}: {setup.output[-800:]}": setup.code != 0,
    }
    failures = [problem for problem, failed in checks.items() if failed]
    return failures + harness.token_errors(str(breakage)) + client.failures


def test_a_warm_cache_does_not_hide_a_broken_token(harnesses: HarnessPool, report: Report) -> None:
    failures = harnesses.collect_failures(break_and_fix, BREAKAGES)
    report(6, ", ".join(map(str, BREAKAGES)), failures)
