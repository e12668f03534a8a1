# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role works out of its catalog, and what it tells people."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.cgr.pull_through.plugins.filter.findings import findings
from ansible_collections.cgr.pull_through.plugins.filter.sources import sources
from ansible_collections.cgr.pull_through.plugins.filter.virtuals import virtuals

URL = "https://artifactory.example.com/artifactory/"
OLD, NEW = "org/0000000000000001", "org/0000000000000002"
ORGANIZATION = {"name": "example.com", "uid": "0123"}
KNOWN = {
    "public": {"key": "cgr-public", "package_type": "docker", "url": "https://cgr.dev/", "settings": {"a": True},
               "images": ["chainguard/go"], "upstream_url": "https://cgr.dev"},
    "private": {"key": "CGR_private", "package_type": "docker", "url": "https://cgr.dev/", "settings": {"a": True},
                "pull_token": "oci", "images": []},
    "charts": {"key": "cgr-charts", "package_type": "helmoci", "url": "https://cgr.dev", "settings": {}, "pull_token": "oci"},
    "apk": {"key": "cgr-apk", "package_type": "alpine", "url": "https://apk.cgr.dev/{organization_name}", "settings": {},
            "pull_token": "apk", "artifacts": ["busybox"], "upstream_url": "https://apk.cgr.dev/{organization_name}"},
    "open": {"key": "cgr-open", "package_type": "alpine", "url": "https://virtualapk.cgr.dev/{organization_uid}/chainguard",
             "settings": {}, "artifacts": [], "upstream_url": "/{organization_uid}"},
}  # fmt: skip
KEPT = {"name": "pull", "changed": False, "failed": False, "due": False, "username": OLD, "reason": "20 days are left",
        "superseded": [], "replaces": {}}  # fmt: skip
MADE = {"name": "pull", "changed": True, "failed": False, "due": True, "username": NEW, "password": "secret",
        "reason": "14 days are left", "superseded": [OLD], "replaces": {"uid": OLD, "managed": True}}  # fmt: skip


def known_of(*names, **more):
    return sources(list(names), KNOWN, URL, organization="example.com", registry_url="https://cgr.dev", **more)


def one(name, **more):
    return known_of(name, **more)[0]


def test_urls_hold_the_organization_that_was_found():
    apk, public = known_of("apk", "open", organizations=[ORGANIZATION])
    assert apk["url"] == apk["direct_url"] == "https://apk.cgr.dev/example.com"
    assert public["url"] == "https://virtualapk.cgr.dev/0123/chainguard"
    assert public["direct_url"] == "", "its host is empty, so it cannot be reached"


@pytest.mark.parametrize("name", ["private", "apk", "open"])
def test_what_needs_an_organization_says_so(name):
    assert one(name)["needs_organization"] is True
    assert one("public")["needs_organization"] is False


def test_a_pull_token_is_asked_for_by_the_place_where_it_is_used():
    before = {"key": "CGR_private", "username": OLD}
    assert one("private", repositories=[before])["token"] == {
        "organization": "example.com",
        "name": "pull cgr_private",
        "ecosystem": "oci",
        "consumer": "https://artifactory.example.com/CGR_private",
        "active_identities": [OLD],
    }
    assert one("private")["token"]["active_identities"] == [""]
    assert "token" not in one("public")


def test_results_find_their_source_and_no_password_comes_along():
    private, public, apk = known_of(
        "private", "public", "apk", tokens=[KEPT, MADE], plans=[{}, {"diff": {"after": {"a": 1}}}, {}]
    )
    assert (private["made"]["due"], private["written"], private["work"]) == (False, False, False)
    assert (public["changes"], public["written"], public["work"]) == ({"a": 1}, True, True)
    assert (apk["made"]["username"], apk["token_index"], apk["work"]) == (NEW, 1, True)
    assert apk["made"]["says"] == "A new pull token: 14 days are left."
    assert "secret" not in str([private, public, apk])


def test_what_an_earlier_run_left_is_work():
    assert one("private", tokens=[{**KEPT, "superseded": [NEW]}])["work"] is True


def test_a_token_that_could_not_be_made_is_no_work_and_is_told():
    source = one(
        "private", tokens=[{"failed": True, "changed": False, "msg": "no role"}], plans=[{"diff": {"after": {"a": 1}}}]
    )
    assert (source["work"], source["made"]["says"]) == (False, "no role")


@pytest.mark.parametrize(("asked", "fate"), [(True, "is revoked in the end"), (False, "lives on until soon")])
def test_one_made_by_hand_is_revoked_only_when_asked(asked, fate):
    by_hand = {**MADE, "replaces": {"uid": OLD, "managed": False, "expires": "soon"}}
    made = one("private", tokens=[by_hand], revoke_adopted=asked)["made"]
    assert made["adopted"] == ([OLD] if asked else [])
    assert f"{OLD}, was made by hand and {fate}" in made["says"]


def test_the_proof_asks_for_the_digests_that_upstream_has():
    public = [
        {"images": [{"image": "chainguard/go", "digest": "sha256:1"}], "__pull_through_source": {"key": "cgr-public"}}
    ]
    private = [{"images": [{"reference": "example.com/jdk:latest@sha256:2"}, {"reference": "x"}], "references_by_name": {},
                "__pull_through_organization": "example.com"}]  # fmt: skip
    found = known_of("public", "private", public_images=public, organization_images=private)
    assert [source["proof"]["images"] for source in found] == [
        ["chainguard/go@sha256:1"],
        ["example.com/jdk:latest@sha256:2"],
    ]


def test_a_public_image_that_was_not_looked_up_is_compared_by_the_proof():
    (found,) = known_of("public")
    assert found["proof"]["images"] == found["images"]
    assert found["proof"]["upstream_url"] == found["direct_url"]


def test_images_that_are_named_are_asked_for_by_these_names():
    images = [
        {
            "images": [],
            "references_by_name": {"nginx": "example.com/nginx@sha256:3"},
            "__pull_through_organization": "example.com",
        }
    ]
    known = {**KNOWN, "private": {**KNOWN["private"], "images": ["nginx"]}}
    (source,) = sources(["private"], known, URL, organization="example.com", organization_images=images)
    assert (source["images"], source["pinned"]) == (["nginx"], ["example.com/nginx@sha256:3"])


CHART = "example.com/iamguarded-charts/redis:22.0.7@sha256:4"
CHARTS = [
    {"images": [{"reference": "other/chart@sha256:5"}], "__pull_through_organization": "other.example.org"},
    {"images": [{"reference": CHART}], "__pull_through_organization": "example.com"},
]


def test_without_a_name_it_is_the_chart_that_changed_last():
    private, charts = known_of("private", "charts", organization_charts=CHARTS)
    assert (private["any_chart"], private["pinned"]) == (False, [])
    assert (charts["any_chart"], charts["proof"]["images"]) == (True, [CHART])


def test_a_chart_that_is_named_is_pulled_as_it_is():
    known = {"charts": {**KNOWN["charts"], "images": ["example.com/charts/redis:1.0.0"]}}
    (source,) = sources(["charts"], known, URL, organization="example.com", organization_charts=CHARTS)
    assert (source["any_chart"], source["proof"]["images"]) == (False, ["example.com/charts/redis:1.0.0"])


def test_files_are_compared_with_upstream_where_that_needs_no_login():
    known = {
        **KNOWN,
        "open": {**KNOWN["open"], "artifacts": ["busybox"], "upstream_url": "https://virtualapk.cgr.dev/x"},
    }
    (source,) = sources(["open"], known, URL, organization="example.com")
    assert source["proof"]["upstream_url"] == "https://virtualapk.cgr.dev/x"
    assert "upstream_url" not in one("apk")["proof"] and one("apk")["compared"] is True
    assert one("open")["proof"] == {}


def test_an_unknown_source_is_an_error():
    with pytest.raises(AnsibleFilterError, match="There is no source conatiners"):
        known_of("conatiners")


# --- findings ---------------------------------------------------------------------------------------------------------
def listed(**token):
    tokens = [{"uid": OLD, "valid": True, "ecosystems": ["oci"], "summary": "20 days are left", **token}]
    return [{"tokens": tokens, "__pull_through_organization": "example.com"}]


def proof(key, **more):
    return {"pulls": [{"repository": key, "failed": False, "summary": ["pulled"], **more}]}


IN_USE = [{"key": "CGR_private", "username": OLD, "a": False}]
IMAGES = [{"images": [{"reference": "example.com/jdk@sha256:2"}], "__pull_through_organization": "example.com"}]


def test_it_is_told_what_each_proof_showed():
    source = one("private", repositories=IN_USE, listed=listed(), tokens=[KEPT], organization_images=IMAGES)
    found = findings([source], [proof("CGR_private"), {"skipped": True, "msg": "not this time"}])
    assert found == {
        "proved": {
            "CGR_private": [
                "pulled",
                "The digest asked for is the one that Chainguard serves now.",
                "The pull token stays: 20 days are left.",
                "The pull token works: 20 days are left.",
            ]
        },
        "failures": [],
    }


def test_a_proof_of_nothing_says_what_to_do():
    found = findings(known_of("private", "open", "charts"), [])
    assert "no chart was found in the organization" in found["proved"]["cgr-charts"][0]
    assert "Name one in the source" in found["proved"]["CGR_private"][0]
    assert "the artifacts of the source" in found["proved"]["cgr-open"][0]


def test_a_dead_token_is_the_cause_whatever_is_cached():
    dead = listed(valid=False, summary="its key is gone")
    source = one("private", repositories=IN_USE, listed=dead, organization_images=IMAGES)
    (failure,) = findings([source], [proof("CGR_private")])["failures"]
    assert source["works"] is False and "does not work for oci: its key is gone" in failure


@pytest.mark.parametrize(("before", "summary"), [(IN_USE, "it is gone"), ([], "there is none")])
def test_a_token_that_is_not_listed_is_gone(before, summary):
    source = one("private", repositories=before, listed=[])
    assert source["works"] is False and source["active_identities"]["summary"].startswith(summary)


def test_a_failure_names_what_is_not_set_as_the_role_does_it():
    source = one("private", repositories=IN_USE, organization_images=IMAGES)
    found = findings([source], [proof("CGR_private", failed=True, msg="no manifest.")])
    assert found["proved"] == {}
    assert found["failures"] == [
        "no manifest. CGR_private is not set as this role does it: a should be true. The playbook cgr.pull_through.setup mends that."
    ]


@pytest.mark.parametrize(
    ("overrides", "cause", "told"),
    [
        ({"apk": {"key": "cgr-apk"}}, {"code": "version_missing"}, True),
        ({"apk": {"artifacts": ["busybox"]}}, {"code": "version_missing"}, False),
        ({}, {"code": "credentials_rejected"}, False),
        ({}, None, False),
    ],
    ids=["default", "named", "another cause", "no cause"],
)
def test_a_default_that_is_not_there_is_told(overrides, cause, told):
    failed = proof("cgr-apk", failed=True, msg="It failed.", artifacts=[{"diagnosis": cause}])
    (failure,) = findings([one("apk", overrides=overrides)], [failed])["failures"]
    hint = (
        " busybox is the default of the source apk: pull_through_source_overrides names another one, as its artifacts."
    )
    assert failure == f"It failed.{hint if told else ''}"


def test_a_proof_that_could_not_begin_fails():
    source = one("private", organization_images=IMAGES)
    assert findings([source], [{"msg": "There is no login."}]) == {"proved": {}, "failures": ["There is no login."]}


# --- virtual repositories ---------------------------------------------------------------------------------------------
def test_a_virtual_repository_has_the_keys_of_the_members_that_are_set_up():
    known = {
        "images": {"key": "all", "package_type": "docker", "members": ["private", "public", "other"], "settings": {}},
        "java": {"key": "java", "package_type": "maven", "members": ["java"], "settings": {}},
    }
    (found,) = virtuals(["images", "java"], known, known_of("public", "private"))
    assert found["virtual"] == {
        "key": "all",
        "package_type": "docker",
        "settings": {},
        "repositories": ["CGR_private", "cgr-public"],
    }
    assert found["proof"] == {"repository": "all", "images": ["chainguard/go"]}


def test_a_virtual_repository_is_proved_by_what_proves_its_members():
    known = {"apk": {"key": "all", "package_type": "alpine", "members": ["apk", "open"], "settings": {}}}
    (found,) = virtuals(["apk"], known, known_of("open", "apk"))
    assert found["proof"] == {"repository": "all", "package_type": "alpine", "artifacts": ["busybox"]}
    assert findings([found], [proof("all")]) == {"proved": {"all": ["pulled"]}, "failures": []}


def test_a_virtual_repository_without_a_proof_says_nothing():
    known = {"apk": {"key": "all", "package_type": "alpine", "members": ["open"], "settings": {}}}
    assert findings(virtuals(["apk"], known, known_of("open")), []) == {"proved": {}, "failures": []}


def test_what_does_not_work_proves_no_virtual_repository():
    known = {"apk": {"key": "all", "package_type": "alpine", "members": ["apk"], "settings": {}}}
    (found,) = virtuals(["apk"], known, known_of("apk", listed=[]))
    assert found["proof"] == {}
