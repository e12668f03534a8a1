# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role pulls to verify its sources, what that shows, and how the summary says it."""

from __future__ import annotations

import dataclasses

import pytest
from role_sources import NEW, OLD, ORGANIZATION, issued_result, managed_token, resolved, token_result

from ansible_collections.cgr.pull_through.plugins.plugin_utils._module_arguments import user_pulls, verification_pulls
from ansible_collections.cgr.pull_through.plugins.plugin_utils._phases import NO_RESULT, NOT_REVOKED, add_token_results
from ansible_collections.cgr.pull_through.plugins.plugin_utils._summary import summarize
from ansible_collections.cgr.pull_through.plugins.plugin_utils._verification import (
    PINNED,
    add_deletions,
    add_deletions_of_members,
    add_reason_not_verified,
    add_tag_age,
    add_verification,
    add_virtual_verification,
    files_to_delete,
    images_to_compare,
    tags_to_resolve,
)

SKIPPED = {"skipped": True, "changed": False}
PINNED_IMAGE = "example.com/jdk:latest@sha256:2"
VIRTUAL = {"key": "all", "package_type": "docker", "repositories": ["CGR_private", "cgr-public"], "failure": ""}


def verified_source(name, *images, changed=False, **fields):
    """Return a source whose verification pulls these images. changed: whether this run gave it a new pull token."""
    (source,) = resolved(name)
    tokens = []
    if source.token_spec:
        tokens = [issued_result(source) if changed else token_result(source)]
        source = add_token_results(source, {"tokens": tokens}, revoke_unmanaged=False)
    return dataclasses.replace(source, verify_images=list(images), **fields), tokens


def pulls_of(source, tokens=(), virtuals=(), planned=False):
    pulls = verification_pulls([source], list(virtuals), list(tokens), planned)
    return [*pulls["images"], *pulls["artifacts"]]


# --- what is pulled -----------------------------------------------------------------------------------------------------
def test_an_unchanged_source_shows_something_from_upstream_if_possible():
    source, tokens = verified_source("private", PINNED_IMAGE)
    assert pulls_of(source, tokens) == [
        {"repository": "CGR_private", "from_upstream": "preferred", "images": [PINNED_IMAGE]}
    ]


def test_a_changed_source_must_show_it_and_is_compared_with_its_new_token():
    source, tokens = verified_source("apk", changed=True)
    (pull,) = pulls_of(source, tokens)
    assert pull == {
        "repository": "cgr-apk",
        "from_upstream": "required",
        "package_type": "alpine",
        "artifacts": ["busybox"],
        "upstream_url": "https://apk.cgr.dev/example.com",
        "upstream_username": NEW,
        "upstream_password": "secret",
    }
    (planned,) = pulls_of(source, tokens, planned=True)
    assert not {"upstream_url", "upstream_password"} & planned.keys(), "in check mode there is no new token"


def test_where_upstream_needs_no_credentials_an_unchanged_source_is_compared():
    public, _tokens = verified_source("public", "chainguard/go")
    pinned, _tokens = verified_source("public", "chainguard/go@sha256:1")
    apk, tokens = verified_source("apk")
    assert pulls_of(public)[0]["upstream_url"] == "https://cgr.dev"
    assert "upstream_url" not in pulls_of(pinned)[0], "its digest is that of upstream"
    assert "upstream_url" not in pulls_of(apk, tokens)[0]


def test_nothing_is_pulled_for_a_source_that_failed_or_has_no_content():
    failed, _tokens = verified_source("private", PINNED_IMAGE, failure="no")
    empty, _tokens = verified_source("private")
    assert pulls_of(failed) == pulls_of(empty) == []


def test_a_virtual_repository_pulls_what_verifies_its_members_each_thing_once():
    private, _tokens = verified_source("private", PINNED_IMAGE)
    public, _tokens = verified_source("public", "chainguard/go", PINNED_IMAGE)
    other = {**VIRTUAL, "key": "apk-all", "package_type": "alpine", "repositories": ["cgr-apk"]}
    failed = {**VIRTUAL, "key": "failed", "failure": "no"}
    apk, _tokens = verified_source("apk")
    pulls = verification_pulls([private, public, apk], [VIRTUAL, other, failed], [], planned=False)
    assert pulls["images"][-1] == {"repository": "all", "images": [PINNED_IMAGE, "chainguard/go"]}
    assert pulls["artifacts"][-1] == {"repository": "apk-all", "package_type": "alpine", "artifacts": ["busybox"]}


def test_another_user_pulls_the_same():
    source, _tokens = verified_source("private", PINNED_IMAGE, changed=True)
    assert user_pulls([source])["images"] == [
        {"repository": "CGR_private", "from_upstream": "preferred", "images": [PINNED_IMAGE]}
    ]


# --- what it shows ------------------------------------------------------------------------------------------------------
def image_pull(key, *, failed=False, from_upstream=True, **fields):
    image = {"image": PINNED_IMAGE, "digest": "sha256:2", "ok": not failed, "from_upstream": from_upstream}
    image["from_upstream_evidence"] = "it was seen"
    return {"pulls": [{"repository": key, "failed": failed, "summary": ["pulled"], "images": [image], **fields}]}


def artifact_pull(key, code=None, **fields):
    artifact = {"artifact": "busybox", "version": "1.37", "ok": code is None, "from_upstream": True}
    artifact["diagnosis"] = {"code": code} if code else None
    artifact["invalid_paths"] = ["lib.jar"] if code == "html_cached" else []
    failed = {"failed": bool(code), "msg": "no busybox." if code else ""}
    return {"pulls": [{"repository": key, "summary": ["pulled"], "artifacts": [artifact], **failed, **fields}]}


def verify(source, *results, user="", requested=True):
    return add_verification(source, list(results), [source.key] if requested else [], user)


@pytest.mark.parametrize(
    ("from_upstream", "summary"),
    [
        (True, "verified: example.com/jdk:latest, from upstream"),
        (False, "not verified: everything came from the cache (example.com/jdk:latest)"),
        (None, "not verified: it is unknown whether this came from upstream (example.com/jdk:latest)"),
    ],
)
def test_what_was_verified_in_a_line(from_upstream, summary):
    source, _tokens = verified_source("private", PINNED_IMAGE)
    source = verify(source, image_pull("CGR_private", from_upstream=from_upstream), SKIPPED)
    is_unverified = from_upstream is not True
    assert source.verification == {
        "summary": summary,
        "is_unverified": is_unverified,
        "details": ["pulled", "it was seen", PINNED],
    }
    assert ("Not verified: 1 of 1 repository (CGR_private)." in summary_of(source)["notes"]) is is_unverified


def test_a_login_that_artifactory_may_not_have_used_is_not_verified():
    source, _tokens = verified_source("private", PINNED_IMAGE)
    result = image_pull("CGR_private")
    result["pulls"][0]["images"][0]["login_unverified_until"] = "2031-01-01T12:34:56Z"
    source = verify(source, result, SKIPPED)
    assert source.verification["summary"] == (
        "verified: example.com/jdk:latest, from upstream; login not verified: Artifactory may still use the earlier login "
        "until 12:34 UTC"
    )
    assert source.verification["is_unverified"]


def test_a_repository_without_a_pull_token_needs_no_login():
    """A user who is no administrator does not see whether it has one."""
    source, _tokens = verified_source("public", PINNED_IMAGE)
    result = image_pull(source.key)
    result["pulls"][0]["images"][0]["login_unverified_until"] = "2031-01-01T12:34:56Z"
    for is_partial in (True, False):
        verification = verify(dataclasses.replace(source, is_partial=is_partial), result, SKIPPED).verification
        assert verification["is_unverified"] is not is_partial


def test_what_the_login_of_artifactory_does_not_read_is_in_the_summary():
    source, _tokens = verified_source("private", PINNED_IMAGE)
    summary = summary_of(dataclasses.replace(source, is_partial=True))
    assert "unknown pull token" in summary["lines"][0]
    assert any("settings of CGR_private were not compared" in note for note in summary["notes"])


def test_a_second_verification_that_shows_less_does_not_undo_the_first():
    source, _tokens = verified_source("private", PINNED_IMAGE)
    first = verify(source, image_pull("CGR_private"), SKIPPED)
    result = image_pull("CGR_private")
    result["pulls"][0]["images"][0]["login_unverified_until"] = "2031-01-01T12:34:56Z"
    assert verify(first, result, SKIPPED).verification == first.verification


def test_several_results_are_counted():
    source, _tokens = verified_source("apk")
    result = artifact_pull("cgr-apk")
    result["pulls"][0]["artifacts"] *= 3
    assert verify(source, SKIPPED, result).verification["summary"] == "verified: busybox 1.37 and 2 more, from upstream"


def test_a_withheld_version_is_named():
    source, _tokens = verified_source("apk")
    result = artifact_pull("cgr-apk")
    result["pulls"][0]["artifacts"][0]["withheld"] = [{"version": "1.38", "reason": "POLICY_COOLDOWN"}]
    summary = verify(source, SKIPPED, result).verification["summary"]
    assert summary == "verified: busybox 1.37 (the upstream withholds 1.38), from upstream"


def test_what_was_not_requested_is_not_verified():
    source, _tokens = verified_source("private", PINNED_IMAGE)
    assert verify(source, {"msg": "crash"}, SKIPPED, requested=False) == source


@pytest.mark.parametrize(("result", "failure"), [({"msg": "no library"}, "no library"), ({}, NO_RESULT)])
def test_a_module_that_ended_early_verified_nothing(result, failure):
    source, _tokens = verified_source("private", PINNED_IMAGE)
    assert verify(source, result, SKIPPED).failure == failure


def test_a_failure_with_a_new_token_says_what_happens_to_the_previous_one():
    source, _tokens = verified_source("private", PINNED_IMAGE, changed=True)
    result = image_pull("CGR_private", failed=True, msg="denied.")
    assert verify(source, result, SKIPPED).failure == f"denied. {NOT_REVOKED}"
    assert verify(source, result, SKIPPED, user="reader").failure == "denied."


def test_a_failure_names_the_settings_that_differ():
    current = {"a": False, "url": "https://cgr.dev/"}
    source, _tokens = verified_source("private", PINNED_IMAGE, current=current)
    failure = verify(source, image_pull("CGR_private", failed=True, msg="denied."), SKIPPED).failure
    assert "CGR_private is not set as this role sets it: a should be true." in failure


@pytest.mark.parametrize(
    ("override", "code", "has_hint"),
    [
        ({}, "version_missing", True),
        ({}, "credentials_rejected", False),
        ({"artifacts": ["busybox"]}, "version_missing", False),
    ],
)
def test_a_default_that_an_organization_does_not_have_is_named(override, code, has_hint):
    (source,) = resolved("apk", apk=override) if override else resolved("apk")
    failure = verify(source, SKIPPED, artifact_pull("cgr-apk", code)).failure
    assert ("busybox is the default of the source apk" in failure) is has_hint


def test_an_invalid_file_is_deleted_and_verified_again():
    source, _tokens = verified_source("apk")
    source = verify(source, SKIPPED, artifact_pull("cgr-apk", "html_cached"))
    other, _tokens = verified_source("private", PINNED_IMAGE, failure="denied")
    assert files_to_delete([source, other]) == [{"key": "cgr-apk", "state": "absent", "paths": ["lib.jar"]}]
    deleted = {"repositories": [{"key": "cgr-apk", "failed": False}]}
    assert (add_deletions(source, deleted).failure, add_deletions(other, deleted).failure) == ("", "denied")
    denied = {"repositories": [{"key": "cgr-apk", "failed": True, "msg": "no Delete"}]}
    assert add_deletions(source, denied).failure == f"{source.failure} no Delete"
    assert add_deletions(source, {"msg": "crash"}).failure.endswith(" crash")
    again, _tokens = verified_source("apk")
    assert verify(again, SKIPPED, artifact_pull("cgr-apk", "not_found")).invalid_paths == []
    assert verify(again, SKIPPED, artifact_pull("cgr-apk", "html_cached"), user="reader").invalid_paths == []


def test_a_virtual_repository_is_verified_again_without_the_invalid_file_of_a_member():
    repository = {**VIRTUAL, "verification": {}, "failure": "html"}
    assert add_deletions_of_members(repository, ["cgr-public"])["failure"] == ""
    assert add_deletions_of_members(repository, ["cgr-apk"]) == repository


@pytest.mark.parametrize(
    ("name", "text"),
    [("private", "no image with the tag latest"), ("charts", "no chart was found"), ("open", "in artifacts")],
)
def test_nothing_to_pull_says_what_to_set(name, text):
    (source,) = resolved(name)
    summary = add_reason_not_verified(source).verification["summary"]
    assert summary.startswith("not verified: ") and text in summary


def test_a_virtual_repository():
    repository = {**VIRTUAL, "verification": {}}
    verified = add_virtual_verification(repository, [image_pull("all"), SKIPPED], ["all"])
    assert verified["verification"]["summary"] == (
        "pulled: example.com/jdk:latest; its members show whether that comes from upstream"
    )
    failed = add_virtual_verification(repository, [image_pull("all", failed=True, msg="denied"), SKIPPED], ["all"])
    assert failed["failure"] == "denied"
    assert add_virtual_verification(repository, [{"msg": "crash"}, SKIPPED], ["all"])["failure"] == "crash"
    assert add_virtual_verification(repository, [{"msg": "crash"}, SKIPPED], []) == repository


# --- the age of tags ----------------------------------------------------------------------------------------------------
def test_tags_of_an_organization_are_compared_with_the_cache_period_of_their_repository():
    source, _tokens = verified_source("private", PINNED_IMAGE, current={"retrievalCachePeriodSecs": 3600})
    public, _tokens = verified_source("public", "chainguard/go")
    assert tags_to_resolve([source, public]) == [{"repository": "CGR_private", "images": ["example.com/jdk:latest"]}]
    result = image_pull("CGR_private")
    images = images_to_compare([source, public], result, "example.com")
    assert images == [{"image": PINNED_IMAGE, "digest": "sha256:2", "cache_period": 3600}]
    assert images_to_compare([source], result, "other.example.org") == []


@pytest.mark.parametrize("overdue", [False, True])
def test_a_tag_that_is_overdue_fails_its_source(overdue):
    source, _tokens = verified_source("private", PINNED_IMAGE)
    age = {"image": PINNED_IMAGE, "overdue": overdue, "summary": "jdk:latest is 1 build behind."}
    source = add_tag_age(source, image_pull("CGR_private"), [{"organization": ORGANIZATION, "tag_age": [age]}])
    assert source.tag_age == [age]
    assert source.failure == ("CGR_private: jdk:latest is 1 build behind." if overdue else "")


# --- the summary ----------------------------------------------------------------------------------------------------------
def summary_of(*sources, virtuals=(), failures=(), permission=None, planned=False, file=None, grace="5m"):
    return summarize(
        list(sources),
        list(virtuals),
        list(failures),
        permission or {},
        planned,
        client_setup_file=file,
        grace_period=grace,
        token_ttl="720h",
        token_renew_before="",
        run_interval="",
    )


@pytest.mark.parametrize(("planned", "verb"), [(False, "removed"), (True, "would be removed")])
def test_what_a_run_takes_away_is_named(planned, verb):
    virtual = {**VIRTUAL, "state": "changed", "verification": {}, "removed": ["cgr-python", "x"]}
    before = {"repositories": ["a", "b"], "users": {"ci": ["read"], "reader": ["read"]}}
    diff = {"before": before, "after": {"repositories": ["b", "c"], "users": {"reader": ["read", "write"]}}}
    permission = {"changed": True, "permission": {"name": "cgr-pull"}, "diff": diff}
    summary = summary_of(virtuals=[virtual], permission=permission, planned=planned)
    assert summary["notes"][:3] == [
        f"all: members {verb}: cgr-python, x.",
        f"The permission cgr-pull: repositories {verb}: a.",
        f"The permission cgr-pull: users {verb}: ci.",
    ]


def test_a_line_for_each_repository():
    private, _tokens = verified_source("private", PINNED_IMAGE, changed=True, is_missing=True)
    public, _tokens = verified_source("public", "chainguard/go", changes={"a": 1, "url": "x"}, needs_write=True)
    apk, _tokens = verified_source("apk", failure="no busybox")
    private = verify(private, image_pull("CGR_private"), SKIPPED)
    virtual = {**VIRTUAL, "state": "created", "verification": {}}
    summary = summary_of(private, public, apk, virtuals=[virtual])
    assert summary["lines"] == [
        "CGR_private  created           new pull token until 2031-01-21 (20 days)  verified: example.com/jdk:latest, from upstream",
        "cgr-public   changed (a, url)  no pull token needed                       not verified in this run",
        "cgr-apk      FAILED            pull token until 2031-01-21 (20 days)      see below",
        "all          created           virtual: CGR_private, cgr-public           not verified in this run",
    ]
    assert summary["details"] == [
        "CGR_private: pulled",
        "CGR_private: it was seen",
        f"CGR_private: {PINNED}",
        "cgr-apk: The pull token is kept: 20 days are left.",
    ]
    assert summary["failures"] == ["cgr-apk: no busybox"]


def test_check_mode_says_would():
    source, _tokens = verified_source("private", PINNED_IMAGE, changed=True)
    (line,) = summary_of(source, planned=True)["lines"]
    assert "would be changed (pull token)" in line
    (source,) = resolved("private")
    new = token_result(source, changed=True, token={"expires": "", "uid": ""})
    (line,) = summary_of(add_token_results(source, {"tokens": [new]}, False), planned=True)["lines"]
    assert "would get a new pull token" in line


def test_a_source_without_a_repository_has_no_pull_token_to_speak_of():
    (source,) = resolved("private")
    source = dataclasses.replace(source, is_missing=True, failure="Artifactory has no repository CGR_private.")
    assert summary_of(source)["lines"] == ["CGR_private  FAILED  no repository  see below"]


def test_a_failure_that_hit_many_sources_is_told_once():
    sources = [verified_source(name, failure="no response")[0] for name in ("private", "apk")]
    assert summary_of(*sources, failures=["no permission"])["failures"] == [
        "no permission",
        "CGR_private, cgr-apk: no response",
    ]


def test_a_key_in_the_error_of_another_repository_decides_nothing():
    """Neither what is verified, as another user too, nor whose tags are compared, nor which failures are named."""
    error = "all: The upstream rejects the credentials of CGR_private. CGR_private-old and cgr-apk-all, too."
    private, tokens = verified_source("private", PINNED_IMAGE)
    public, _tokens = verified_source("public", "chainguard/go", failure=error)
    for source in (private, dataclasses.replace(private, key="private")):
        pulls = verification_pulls([public, source], [{**VIRTUAL, "failure": error}], tokens, planned=False)["images"]
        assert [pull["repository"] for pull in pulls] == [source.key]
        assert [pull["repository"] for pull in user_pulls([public, source])["images"]] == [source.key]
        assert [pull["repository"] for pull in tags_to_resolve([public, source])] == [source.key]
        results = {**image_pull(source.key), "failed": True, "msg": error}
        verified = verify(source, results, SKIPPED)
        assert verified.verification["summary"].startswith("verified") and not verified.failure
    apk, _tokens = verified_source("apk", failure=error)
    assert summary_of(public, verified, apk)["failures"] == [f"cgr-public, cgr-apk: {error}"]
    named, _tokens = verified_source("private", failure=error)
    assert summary_of(named)["failures"] == [error]


def test_the_previous_token_is_shown_where_no_new_one_was_issued():
    (source,) = resolved("private")
    failed = {"tokens": [token_result(source, failed=True, msg="status 503", replaces=managed_token(source))]}
    line = summary_of(add_token_results(source, failed, False))["lines"][0]
    assert "previous pull token until 2031-01-21 (20 days)" in line
    failed = {"tokens": [token_result(source, failed=True, msg="status 503", replaces={})]}
    assert "no new pull token" in summary_of(add_token_results(source, failed, False))["lines"][0]


@pytest.mark.parametrize(
    ("uids", "planned", "note"),
    [
        ([OLD], False, "CGR_private: the previous pull token was revoked."),
        ([OLD], True, "CGR_private: the previous pull token would be revoked."),
        ([OLD, NEW], False, "CGR_private: 2 previous pull tokens were revoked."),
    ],
)
def test_revoked_tokens_are_counted(uids, planned, note):
    source, _tokens = verified_source("private", PINNED_IMAGE, changed=True)
    source = dataclasses.replace(source, token={**source.token, "revoked": uids})
    assert note in summary_of(source, planned=planned)["notes"]


@pytest.mark.parametrize(
    ("file", "notes"),
    [
        (None, []),
        ("", ["For client setup commands, run with -v or set pull_through_client_setup_file."]),
        ("/x", ["Client setup commands are in /x."]),
    ],
)
def test_where_the_client_setup_commands_are(file, notes):
    assert summary_of(file=file)["notes"] == notes


def test_the_token_in_use_is_shown_where_nothing_was_planned():
    (source,) = resolved("private")
    status = managed_token(source)
    assert (
        "pull token until 2031-01-21 (20 days)"
        in summary_of(dataclasses.replace(source, token_status=status))["lines"][0]
    )
    assert "no valid pull token" in summary_of(source)["lines"][0]


@pytest.mark.parametrize(
    ("grace", "text"),
    [
        ("5m", None),
        ("0s", "pulls of the last four minutes through CGR_private may have used the previous pull token"),
        ("1d", "The previous pull tokens of CGR_private are revoked by a run after the grace period of 1d."),
    ],
)
def test_what_follows_from_the_grace_period(grace, text):
    rotated, _tokens = verified_source("private", PINNED_IMAGE, changed=True)
    kept, _tokens = verified_source("apk")
    notes = summary_of(rotated, kept, grace=grace)["notes"]
    assert len(notes) == (0 if text is None else 1) and (text or "") in "".join(notes)


@pytest.mark.parametrize(
    ("grace", "text"), [("0s", "could use the previous"), ("1d", "would be revoked by a run after")]
)
def test_check_mode_says_what_would_follow_from_the_grace_period(grace, text):
    rotated, _tokens = verified_source("private", PINNED_IMAGE, changed=True)
    summary = summary_of(rotated, grace=grace, planned=True, file="/x")
    assert text in summary["notes"][0]
    assert summary["notes"][-1] == "Client setup commands would be in /x."


def test_a_kept_token_that_is_not_managed_is_named_with_its_end():
    (source,) = resolved("private")
    token = managed_token(source, managed=False, consumer="")
    source = add_token_results(source, {"tokens": [token_result(source, token=token)]}, revoke_unmanaged=False)
    (note,) = summary_of(source)["notes"]
    assert OLD in note and "did not issue. It is valid until 2031-01-21" in note


def test_settings_that_are_overwritten_are_named_with_their_old_and_new_value():
    changes, previous = {"includesPattern": "**/*", "a": True}, {"includesPattern": "team/**", "a": None}
    (source,) = resolved("public")
    source = dataclasses.replace(source, changes=changes, previous=previous, needs_write=True)
    notes = summary_of(source)["notes"]
    assert notes[:2] == [
        'cgr-public: includesPattern changed from "team/**" to "**/*".',
        "cgr-public: a changed from null to true.",
    ]
    assert "pull_through_source_overrides.public" in notes[2]
    assert "would change" in summary_of(source, planned=True)["notes"][0]


@pytest.mark.parametrize(
    ("changes", "planned", "note"),
    [
        (
            {"a": True},
            False,
            'keeps its cached content and all other settings, such as excludesPattern "x", offline true.',
        ),
        (
            {"a": True},
            True,
            'would keep its cached content and all other settings, such as excludesPattern "x", offline true.',
        ),
        (
            {"bypassHeadRequests": True},
            False,
            'keeps its cached content and all other settings, such as excludesPattern "x", offline true.',
        ),
    ],
)
def test_what_an_existing_repository_keeps_is_named(changes, planned, note):
    (source,) = resolved("public")
    current = {"excludesPattern": "x", "offline": True, "proxy": None, "storeArtifactsLocally": True, "a": False}
    source = dataclasses.replace(source, changes=changes, current=current, needs_write=True)
    assert summary_of(source, planned=planned)["notes"][-1] == f"cgr-public {note}"
    assert summary_of(dataclasses.replace(source, changes={}))["notes"] == []
    assert summary_of(dataclasses.replace(source, is_missing=True))["notes"] == []
    assert summary_of(dataclasses.replace(source, is_missing=True))["notes"] == [], "nothing was there to overwrite"
