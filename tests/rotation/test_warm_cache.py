# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Point 6: a warm cache does not hide a dead token, and the misses that it left behind do not hide that it was mended."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from support.rotation_harness import KEY, RotationHarness

from rotation.conftest import HarnessPool, Report

IMAGE, CACHED, UNCACHED = "example.com/nginx", "latest", "1.27"


def revoke(harness: RotationHarness) -> None:
    harness.lab.revoke(harness.username)


def expire(harness: RotationHarness) -> None:
    harness.lab.advance(days=31)


def unbind(harness: RotationHarness) -> None:
    """Take its role away."""
    (binding,) = [one for one in harness.lab.bindings() if one["identityUid"] == harness.username]
    harness.lab.chainguard("DELETE", f"/iam/v2/roleBindings/{binding['uid']}")


def replace_key(harness: RotationHarness) -> None:
    """Give the identity another key than the one that signed the password."""
    (token,) = harness.lab.pull_tokens()
    (key,) = json.loads(token["staticKeys"]["issuerKeys"])["keys"]
    other = {**key, "n": key["n"][:-8] + "AAAAAAAQ"}
    keys = {**token["staticKeys"], "issuerKeys": json.dumps({"keys": [other]})}
    harness.lab.chainguard("PATCH", f"/iam/v2/identities/{token['uid']}?updateMask=staticKeys", {"staticKeys": keys})


@dataclasses.dataclass(frozen=True)
class Death:
    """How a token dies, and what has to be said of it."""

    kill: t.Callable[[RotationHarness], None]
    words: str


DEATHS = (
    Death(revoke, "it is gone"),
    Death(expire, "it expired on"),
    Death(unbind, "it is not bound to the role"),
    Death(replace_key, "its key is gone"),
)


def die(harness: RotationHarness, death: Death) -> list[str]:
    """Let the token die below a warm cache, and return what is not noticed or mended."""
    name, lab = death.kill.__name__, harness.lab
    client = harness.reset()
    warm = lab.pull(KEY, IMAGE, CACHED)
    death.kill(harness)
    # Until then, what Artifactory got from the registry's token service works on.
    lab.advance(days=0.01)
    cached, missed = lab.pull(KEY, IMAGE, CACHED), lab.pull(KEY, IMAGE, UNCACHED)
    check = harness.run("verify")
    overrides = {"containers": {"images": [f"nginx:{UNCACHED}"]}}
    setup = harness.run("setup", source_overrides=overrides)
    client.pull(f"{name}, mended")
    checks = {
        f"{name}: the cache does not serve what it has ({warm}, {cached})": (warm, cached) != (200, 200),
        f"{name}: what is not cached comes all the same": missed != 404,
        f"{name}: check ended with {check.code}": check.code != 2,
        f"{name}: check does not say {death.words!r}: {check.output[-800:]}": death.words not in check.output,
        f"{name}: setup ended with {setup.code}: {setup.output[-800:]}": setup.code != 0,
    }
    return [problem for problem, found in checks.items() if found] + harness.assert_single_token(name) + client.failures


def test_a_warm_cache_hides_no_dead_token(harnesses: HarnessPool, report: Report) -> None:
    outcomes = harnesses.map(die, DEATHS)
    deaths = ", ".join(death.kill.__name__ for death in DEATHS)
    report(
        6,
        "A warm cache hides no dead token",
        f"{len(DEATHS)} deaths ({deaths})",
        [one for all in outcomes for one in all],
    )
