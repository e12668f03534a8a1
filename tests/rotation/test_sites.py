# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scenarios 15 and 16: several sites on one Artifactory, and an Artifactory with another host name."""

from __future__ import annotations

import re
import typing as t

from rotation.conftest import HarnessPool
from rotation.scenarios import Report
from support.rotation_harness import KEY, RotationHarness

APK_KEY = "cgr-apk"
IMAGE = "example.com/nginx"


def tokens_by_description(harness: RotationHarness) -> dict[str, str]:
    """Return the UIDs of all pull tokens by the last part of their description: the site, and the key of the repository."""
    parts = {
        token["description"].removeprefix("Managed by cgr.pull_through "): token["uid"]
        for token in harness.lab.pull_tokens()
    }
    return {re.sub("for .*/", "", part): uid for part, uid in parts.items()}


def run_ok(harness: RotationHarness, playbook: str, *arguments: str, **variables: t.Any) -> str:
    """Run a playbook, and return its output."""
    result = harness.run(playbook, *arguments, **variables)
    assert result.code == 0, result.output
    return result.output


# --- 15: sites --------------------------------------------------------------------------------------------------------
def test_two_sites_do_not_undo_each_other(harnesses: HarnessPool, report: Report) -> None:
    def run(harness: RotationHarness) -> None:
        # The first one has no name, as before there was a second one.
        own: dict[str, t.Any] = {"users": ["ci"], "sources": ["containers"]}
        other: dict[str, t.Any] = {"users": ["reader"], "sources": ["containers", "packages"], "site": "b"}
        harness.reset(**own)
        first = harness.username
        run_ok(harness, "setup", **other)
        assert harness.username == first, "a token that is valid for long enough is kept"
        tokens = tokens_by_description(harness)
        assert tokens == {KEY: first, f"(site b) {APK_KEY}": harness.lab.repositories()[APK_KEY]["username"]}
        permissions = harness.lab.permissions()
        assert sorted(permissions["cgr-pull"]["artifact"]["targets"]) == [KEY]
        assert sorted(permissions["cgr-pull-b"]["artifact"]["targets"]) == [APK_KEY, KEY]
        assert list(permissions["cgr-pull"]["artifact"]["actions"]["users"]) == ["ci"]

        output = run_ok(harness, "setup", **own)
        assert f"{APK_KEY} was set up by this role" not in output, "it is no business of this site"
        others = "1 pull token of the site b is not managed here."
        assert others in output and others in run_ok(harness, "verify", **own)
        forced = run_ok(harness, "rotate", **other, force_rotation=True)
        assert f"{first} of no site is replaced and remains valid until" in forced
        assert first in tokens_by_description(harness).values()
        of_other = harness.username
        harness.lab.advance(days=20)
        kept = run_ok(harness, "rotate", **own)
        assert harness.username == of_other and others in kept
        assert f"{KEY} keeps the pull token {of_other} of the site b" in kept
        removal = harness.run("remove", **own, remove_confirmed=True)
        assert removal.code == 2 and f"{KEY} uses a pull token of the site b, so it is not removed" in removal.output
        assert KEY in harness.lab.repositories()

    harnesses.run(run)
    report(15, "a site without a name, and another one with a name", [])


def test_what_is_no_longer_listed_is_reported_until_it_is_removed(harnesses: HarnessPool, report: Report) -> None:
    def run(harness: RotationHarness) -> None:
        both = {"sources": ["containers", "packages"], "site": "a"}
        harness.reset(**both)
        notice = f"{APK_KEY} was set up by this role and is no longer listed: list the source packages"
        for playbook in ("setup", "rotate", "verify"):
            assert notice in run_ok(harness, playbook, site="a"), playbook
        assert notice not in run_ok(harness, "rotate", **both, only=["containers"])
        assert notice in run_ok(
            harness, "rotate", site="a", sources=["containers_public"]
        ), "no source has a pull token"
        run_ok(harness, "remove", **both, only="packages", remove_confirmed=True)
        assert list(harness.lab.repositories()) == [KEY]
        assert list(tokens_by_description(harness).values()) == [harness.username]
        assert notice not in run_ok(harness, "rotate", site="a")

    harnesses.run(run)
    report(15, "a source that is no longer listed, and its removal", [])


# --- 16: another host name --------------------------------------------------------------------------------------------
def test_a_copy_of_artifactory_leaves_the_tokens_of_the_original_alone(harnesses: HarnessPool, report: Report) -> None:
    def run(harness: RotationHarness) -> None:
        harness.reset()
        original = harness.lab.repositories()[KEY]
        # To the role, the same Artifactory at another host is a copy, which has the same user name stored.
        copy = harness.lab.artifactory_url.replace("127.0.0.1", "localhost")
        assert copy != harness.lab.artifactory_url
        assert "whose marker names http://127.0.0.1" in run_ok(harness, "setup", artifactory_url=copy)
        output = run_ok(harness, "rotate", artifactory_url=copy, force_rotation=True)
        assert harness.username != original["username"]
        assert f"{original['username']} is replaced and remains valid until" in output
        assert "list it in pull_through_artifactory_previous_urls" in output
        credentials = (original["username"], original["password"])
        assert harness.lab.upstream_digest(IMAGE, credentials=credentials)

        # After a change of the host name, the token is revoked on request, also by a later run.
        harness.lab.advance(days=1)
        run_ok(harness, "rotate", artifactory_url=copy, artifactory_previous_urls=harness.lab.artifactory_url)
        assert [token["uid"] for token in harness.lab.pull_tokens()] == [harness.username]

    harnesses.run(run)
    report(16, "a copy with another host name, and then a previous URL", [])
