# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A failed pull through a virtual repository is explained by the configurations of its members."""

from __future__ import annotations

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_config import RepositoryConfig
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_rules import (
    Failure,
    UpstreamResponse,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._virtual import diagnose_with_members
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._rules import ImageEvidence, diagnose

GOOD = {
    "rclass": "remote",
    "packageType": "docker",
    "url": "https://cgr.dev/",
    "enableTokenAuthentication": True,
    "username": "org/identity",
    "missedRetrievalCachePeriodSecs": 600,
}
NOT_KNOWN = Failure("error_response", host="artifactory.example.com", status=404, response_message="not known")


def diagnose_image(failure=NOT_KNOWN, upstream=UpstreamResponse(), **members):
    """Diagnose a failed pull from all. members: what differs from a good configuration, or no repository."""
    configs = {
        key: RepositoryConfig("missing") if settings is None else RepositoryConfig("read", {**GOOD, **settings})
        for key, settings in members.items()
    }
    settings = {"rclass": "virtual", "packageType": "docker", "repositories": list(members)}
    evidence = ImageEvidence(
        stage="manifest",
        image="example.com/nginx",
        manifest_paths=["example.com/nginx/1/manifest.json"],
        requested_reference="example.com/nginx:1",
        host="artifactory.example.com",
        repository="all",
        failure=failure,
        config=RepositoryConfig("read", settings, configs),
        upstream=upstream,
    )
    return diagnose_with_members(evidence, diagnose)


PUBLIC = {"includesPattern": "chainguard/**", "username": ""}
DENIED = UpstreamResponse("error_response", "cgr.dev", anonymous=True, status=401, message="no")


@pytest.mark.parametrize(
    ("code", "certainty", "member", "members"),
    [
        pytest.param("offline", "known", "private", {"private": {"offline": True}}, id="the-only-member"),
        pytest.param("repository_missing", "known", "private", {"private": None}, id="a-member-is-gone"),
        pytest.param("offline", "likely", "b", {"a": {}, "b": {"offline": True}}, id="one-of-two"),
        pytest.param("offline", "known", "b", {"public": PUBLIC, "b": {"offline": True}}, id="the-one-that-accepts-it"),
        pytest.param("upstream_fetch_failed", "possible", "b", {"public": PUBLIC, "b": {}}, id="nothing-is-wrong"),
        pytest.param("excluded_by_pattern", "known", "public", {"public": PUBLIC}, id="none-accepts-it"),
    ],
)
def test_the_member_that_explains_it_is_named(code, certainty, member, members):
    diagnosis = diagnose_image(**members)
    assert (diagnosis.code, diagnosis.certainty) == (code, certainty)
    assert f"all is virtual, and its member {member} fails: " in diagnosis.cause


def test_a_member_without_credentials_is_not_blamed_beside_one_with_them():
    diagnosis = diagnose_image(upstream=DENIED, public={"username": ""}, private={})
    assert "its member private fails" in diagnosis.cause
    assert diagnose_image(upstream=DENIED, public={"username": ""}).code == "repository_credentials_missing"


def test_members_without_a_difference_are_listed():
    diagnosis = diagnose_image(a={}, b={})
    assert diagnosis.code == "upstream_fetch_failed" and diagnosis.fix.endswith("which one fails: a, b.")


def test_what_is_not_about_a_member_is_left_alone():
    rejected = Failure("error_response", host="artifactory.example.com", status=401, response_message="no")
    diagnosis = diagnose_image(rejected, a={"offline": True}, b={})
    assert diagnosis.code == "credentials_rejected" and "virtual" not in diagnosis.cause
