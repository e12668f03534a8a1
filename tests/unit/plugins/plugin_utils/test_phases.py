# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each phase of the role adds to the sources, and what it asks of the modules."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from role_sources import NEW, OLD, OPEN_URL, ORGANIZATION, issued_result, resolved, token_result

from ansible_collections.cgr.pull_through.plugins.plugin_utils._module_arguments import (
    NOT_ISSUED,
    caches_to_expire,
    direct_pulls,
    public_image_pulls,
    repositories_to_remove,
    repository_specs,
    superseded_tokens,
    tokens_to_remove,
    unused_tokens,
)
from ansible_collections.cgr.pull_through.plugins.plugin_utils._phases import (
    NO_RESULT,
    NOT_SET_UP,
    NOT_USED,
    TOKEN_NOT_ISSUED,
    add_cache_results,
    add_current_state,
    add_direct_results,
    add_images,
    add_plan,
    add_remediated_library,
    add_revocations,
    add_token_results,
    add_write_results,
    module_failures,
    reach_hint,
)
from ansible_collections.cgr.pull_through.plugins.plugin_utils._token_ownership import notices_of_replaced_tokens

SKIPPED: dict[str, t.Any] = {"skipped": True, "changed": False}
CURRENT = {"key": "CGR_private", "username": OLD, "a": True}


def listing(*tokens, **organization):
    return {"organization": {**ORGANIZATION, **organization}, "tokens": list(tokens)}


def listed_token(**fields):
    return {"uid": OLD, "valid": True, "ecosystems": ["oci"], "summary": "20 days are left", **fields}


def current(name, *organizations, repository=None):
    (source,) = resolved(name)
    return add_current_state(source, [repository] if repository else [], list(organizations))


def with_token(name="private", **fields):
    """Return a source whose pull token was issued in this run, and the result that has its password."""
    source = current(name, repository={**CURRENT, "key": resolved(name)[0].key})
    token = issued_result(source, **fields)
    return add_token_results(source, {"tokens": [token]}, revoke_unmanaged=False), [token]


# --- read -------------------------------------------------------------------------------------------------------------
def test_the_repository_as_it_is():
    source = current("private", repository=CURRENT)
    assert (source.current, source.is_missing, source.exists) == (CURRENT, False, True)
    assert source.token_spec["active_identities"] == [OLD]
    assert (current("private").is_missing, current("private").exists) == (True, False)
    assert current("private").token_spec["active_identities"] == [""]


def test_what_cannot_be_read_of_a_repository_is_no_failure():
    (source,) = resolved("private")
    repository = {"key": source.key, "url": source.url}
    source = add_current_state(source, [repository], [listing(listed_token())], partial=[source.key])
    assert (source.is_partial, source.token_status, source.failure) == (True, {}, "")


@pytest.mark.parametrize("given", ["example.com", "0123"])
def test_urls_hold_the_organization_by_its_name_or_uid(given):
    sources = [dataclasses.replace(source, organization=given) for source in resolved("apk", "open")]
    other = {"organization": {"name": "other.example.org", "uid": "9"}, "tokens": []}
    apk, public = (add_current_state(source, [], [other, listing()]) for source in sources)
    assert apk.url == apk.direct_url == "https://apk.cgr.dev/example.com"
    assert public.url == "https://virtualapk.cgr.dev/0123/chainguard"


@pytest.mark.parametrize("organization", ["example.com", ""])
@pytest.mark.parametrize(
    ("existing", "url"),
    [
        ("", None),
        ("https://apk.cgr.dev/chainguard", "https://apk.cgr.dev/chainguard"),
        ("https://virtualapk.cgr.dev/0123/chainguard/", "https://virtualapk.cgr.dev/0123/chainguard"),
        ("https://packages.example.com/chainguard", None),
    ],
)
def test_a_repository_keeps_the_url_with_or_without_an_organization(organization, existing, url):
    (source,) = resolved("either", organization=organization)
    assert source.needs_organization is bool(organization)
    default = "https://virtualapk.cgr.dev/0123/chainguard" if organization else "https://apk.cgr.dev/chainguard"
    repositories = [{"key": source.key, "url": existing}] if existing else []
    source = add_current_state(source, repositories, [listing()])
    assert (source.url.rstrip("/"), source.direct_url) == (url or default, url or default)


def test_a_url_that_the_user_sets_is_the_only_one():
    own = "https://proxy.example.com/{organization_uid}/chainguard"
    (source,) = resolved("either", organization="", either={"url": own})
    repository = {"key": source.key, "url": "https://apk.cgr.dev/chainguard"}
    assert add_current_state(source, [repository], []).url == own
    assert source.needs_organization


REMEDIATED: dict[str, t.Any] = {
    "package_type": "pypi",
    "settings": {"pyPIRepositorySuffix": "python-remediated/simple"},
}


@pytest.mark.parametrize(
    ("libraries", "artifacts"),
    [
        ({"remediated": [{"ecosystem": "pypi", "name": name} for name in ("a", "werkzeug")]}, ["werkzeug"]),
        ({"remediated": [{"ecosystem": "pypi", "name": name} for name in ("a", "b")]}, ["a"]),
        ({"remediated": [{"ecosystem": "maven", "name": "a"}]}, ["werkzeug"]),
        ({"remediated": []}, ["werkzeug"]),
        ({"failed": True, "msg": "no response"}, ["werkzeug"]),
        (SKIPPED, ["werkzeug"]),
    ],
)
def test_the_feed_chooses_a_remediated_library_if_the_default_is_gone(libraries, artifacts):
    (source,) = resolved("open")
    source = dataclasses.replace(
        source, **REMEDIATED, artifacts=["werkzeug"], upstream_url="https://libraries.cgr.dev/"
    )
    assert add_remediated_library(source, libraries).artifacts == artifacts
    chosen = dataclasses.replace(source, has_default_artifacts=False)
    assert add_remediated_library(chosen, libraries).artifacts == ["werkzeug"]


def test_a_valid_token_is_no_failure():
    source = current("private", listing(listed_token()), repository=CURRENT)
    assert (source.failure, source.token_status["summary"]) == ("", "20 days are left")
    assert current("private", repository=CURRENT).token_status == {}, "nothing was listed"


@pytest.mark.parametrize(
    ("tokens", "repository", "text"),
    [
        ([listed_token(valid=False, summary="its key was deleted")], CURRENT, "its key was deleted"),
        ([listed_token(ecosystems=["java"])], CURRENT, "does not work for oci: 20 days are left"),
        ([], CURRENT, "it was revoked, or belongs to another organization"),
        ([], {**CURRENT, "username": ""}, "the repository has no user name"),
    ],
)
def test_a_token_that_does_not_work_fails_its_source_whatever_is_cached(tokens, repository, text):
    source = current("private", listing(*tokens), repository=repository)
    assert "The pull token that Artifactory uses for CGR_private does not work" in source.failure
    assert text in source.failure


# --- plan and issue -----------------------------------------------------------------------------------------------------
def test_results_are_joined_by_consumer_and_bring_no_password():
    private, apk, public, other = resolved("private", "apk", "public", "open")
    result = {"tokens": [issued_result(apk), token_result(private)]}
    private, apk, public, other = (add_token_results(source, result, False) for source in (private, apk, public, other))
    assert other.url == "https://virtualapk.cgr.dev/0123/chainguard", "the other tokens bring the organization"
    assert (private.token["username"], private.needs_write, private.has_work) == (OLD, False, False)
    assert (apk.token["username"], apk.needs_write, apk.has_work) == (NEW, True, True)
    assert apk.url == "https://apk.cgr.dev/example.com"
    assert public.token == {}
    assert "secret" not in str([private, apk])


def test_what_an_earlier_run_left_is_a_change_without_a_write():
    (source,) = resolved("private")
    source = add_token_results(source, {"tokens": [token_result(source, superseded=[NEW])]}, False)
    assert (source.needs_write, source.has_work) == (False, True)


@pytest.mark.parametrize(
    ("result", "failure"),
    [
        (lambda source: {"tokens": [token_result(source, failed=True, msg="No role.")]}, "No role."),
        (lambda source: {"msg": "The token is not valid."}, "The token is not valid."),
        (lambda source: {}, NO_RESULT),
    ],
)
def test_a_token_that_could_not_be_issued_fails_its_source(result, failure):
    (source,) = resolved("private")
    source = add_token_results(source, result(source), False)
    message = f"{failure} {TOKEN_NOT_ISSUED}"
    assert (source.failure, source.has_work) == (message, False)
    assert add_token_results(source, {"tokens": []}, False).failure == message, "the first failure counts"


def test_a_token_that_was_planned_and_not_issued_is_not_revoked():
    (source,) = resolved("private")
    planned = add_token_results(source, {"tokens": [token_result(source, changed=True)]}, False)
    source = add_token_results(planned, {"tokens": [token_result(source, failed=True, msg="status 503")]}, False)
    assert planned.has_new_token and not source.has_new_token and not source.has_unused_token


@pytest.mark.parametrize(
    ("revoke", "text"), [(True, "is replaced and then revoked"), (False, "remains valid until soon")]
)
def test_a_token_that_is_not_managed_is_revoked_only_when_asked(revoke, text):
    (source,) = resolved("private")
    token = issued_result(source, replaces={"uid": OLD, "managed": False, "expires": "soon"})
    source = add_token_results(source, {"tokens": [token]}, revoke_unmanaged=revoke)
    assert source.token["unmanaged"] == ([OLD] if revoke else [])
    (notice,) = notices_of_replaced_tokens([source], planned=False)
    assert OLD in notice and text in notice
    failed = dataclasses.replace(source, is_written=True, failure="The previous one was not revoked.")
    assert bool(list(notices_of_replaced_tokens([failed], planned=False))) is not revoke


def test_a_plan_is_joined_by_key():
    public, private = resolved("public", "private")
    plans = {
        "repositories": [
            {"key": "CGR_private", "failed": False, "diff": {}},
            {"key": "cgr-public", "failed": False, "diff": {"after": {"a": 1}}},
        ]
    }
    public, private = add_plan(public, plans), add_plan(private, plans)
    assert (public.changes, public.needs_write) == ({"a": 1}, True)
    assert (private.changes, private.needs_write) == ({}, False)


def test_a_repository_that_reads_back_exactly_needs_no_plan():
    (source,) = resolved("public")
    current = {"rclass": "remote", "packageType": source.package_type, "url": source.url, **source.settings}
    planned = add_plan(dataclasses.replace(source, current=current), {"skipped": True})
    assert (planned.failure, planned.changes, planned.needs_write) == ("", {}, False)


@pytest.mark.parametrize(
    ("plans", "failure"),
    [
        ({"repositories": [{"key": "cgr-public", "failed": True, "msg": "rclass local"}]}, "rclass local"),
        ({"msg": "status 401"}, "status 401"),
    ],
)
def test_a_repository_that_cannot_be_planned_fails_its_source(plans, failure):
    (source,) = resolved("public")
    assert add_plan(source, plans).failure == failure


# --- upstream ---------------------------------------------------------------------------------------------------------
def images_result(*references, **more):
    return {"organization": ORGANIZATION, "images": [{"reference": reference} for reference in references], **more}


def test_a_verification_asks_for_the_digests_that_upstream_serves():
    public, private = resolved("public", "private")
    pull = {"name": "public", "failed": False, "images": [{"image": "chainguard/go", "digest": "sha256:1"}]}
    images = [images_result("example.com/jdk:latest@sha256:2", "example.com/x@sha256:3")]
    assert add_images(public, images, [], {"pulls": [pull]}).verify_images == ["chainguard/go@sha256:1"]
    assert add_images(private, images, [], SKIPPED).verify_images == ["example.com/jdk:latest@sha256:2"]
    others = [f"example.com/{number}@sha256:3" for number in range(9)]
    many = [images_result("example.com/jdk:latest@sha256:2", *others)]
    assert add_images(private, many, [], SKIPPED).other_images == others[:5]


UNREACHED: dict[str, t.Any] = {"ok": False, "diagnosis": {"code": "unreachable"}}


def test_a_public_image_that_was_not_resolved_is_pulled_as_it_is():
    (source,) = resolved("public")
    assert add_images(source, [], [], SKIPPED).verify_images == ["chainguard/go"]


@pytest.mark.parametrize(
    ("public", "failure"),
    [
        ({"pulls": [{"name": "public", "failed": True, "msg": "not found"}]}, "not found"),
        (
            {"pulls": [{"name": "public", "failed": True, "msg": "no route.", "images": [UNREACHED]}]},
            "no route. If the controller cannot reach it, set pull_through_chainguard_registry_url to an empty text.",
        ),
        ({"msg": "no route"}, "no route"),
    ],
)
def test_a_public_image_that_cannot_be_resolved_fails_its_source(public, failure):
    (source,) = resolved("public")
    assert add_images(source, [], [], public).failure == failure


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (resolved("private")[0], "registry"),
        (resolved("charts")[0], "registry"),
        (resolved("apk")[0], "apk"),
        (resolved("open", open={"upstream_url": OPEN_URL})[0], "virtualapk"),
        (dataclasses.replace(resolved("apk")[0], package_type="pypi"), "libraries"),
    ],
)
def test_a_server_out_of_reach_is_named_by_its_variable(source, kind):
    text = f"set pull_through_chainguard_{kind}_url to an empty text"
    assert text in reach_hint(source, {"images": [UNREACHED]})
    assert reach_hint(source, {"images": []}) == ""


def test_images_by_name_are_pinned_or_missing():
    source, missing = (resolved("private", private={"images": [name]})[0] for name in ("nginx", "nonsense"))
    listed = [images_result(references_by_name={"nginx": "example.com/nginx@sha256:3"}, not_found=["nonsense"])]
    assert add_images(source, listed, [], SKIPPED).verify_images == ["example.com/nginx@sha256:3"]
    failed = add_images(missing, listed, [], SKIPPED)
    assert failed.failure == "example.com has no nonsense at Chainguard. Check the names of the images."


def test_without_a_name_it_is_the_chart_that_changed_last():
    (charts,) = resolved("charts")
    (named,) = resolved("charts", charts={"images": ["example.com/charts/redis:1.0.0"]})
    other = {
        "organization": {"name": "other.example.org", "uid": "9"},
        "images": [{"reference": "other/chart@sha256:5"}],
    }
    newest = "example.com/iamguarded-charts/redis:22.0.7@sha256:4"
    listed = [other, images_result(newest)]
    assert add_images(charts, [], listed, SKIPPED).verify_images == [newest]
    assert add_images(charts, [], [other], SKIPPED).verify_images == []
    assert add_images(named, [], listed, SKIPPED).verify_images == ["example.com/charts/redis:1.0.0"]


def test_public_digests_are_read_at_the_registry_of_the_source():
    pulls = public_image_pulls(resolved("public", "private", "apk"))
    assert pulls == [{"name": "public", "registry_url": "https://cgr.dev", "images": ["chainguard/go"]}]


# --- try --------------------------------------------------------------------------------------------------------------
def tried():
    private, tokens = with_token()
    apk, more = with_token("apk")
    private = dataclasses.replace(private, verify_images=["example.com/jdk@sha256:2"])
    return private, apk, tokens + more


def test_each_new_token_pulls_directly_with_its_own_credentials():
    private, apk, tokens = tried()
    pulls = direct_pulls([private, apk, *resolved("public")], tokens)
    assert pulls["images"] == [
        {
            "name": "private",
            "images": ["example.com/jdk@sha256:2"],
            "registry_url": "https://cgr.dev",
            "username": NEW,
            "password": "secret",
        }
    ]
    assert pulls["artifacts"] == [
        {
            "name": "apk",
            "package_type": "alpine",
            "artifacts": ["busybox"],
            "upstream_url": "https://apk.cgr.dev/example.com",
            "upstream_username": NEW,
            "upstream_password": "secret",
        }
    ]
    planned = direct_pulls([apk], [{**token, "password": None} for token in tokens])
    assert planned["artifacts"][0]["upstream_password"] == NOT_ISSUED


def test_a_token_that_cannot_pull_fails_its_source_alone():
    private, apk, _tokens = tried()
    results = [
        {"pulls": [{"name": "private", "failed": True, "msg": "denied"}]},
        {"pulls": [{"name": "apk", "failed": False}]},
    ]
    assert add_direct_results(private, results).failure == f"{NOT_USED} denied"
    assert add_direct_results(apk, results).failure == ""


@pytest.mark.parametrize(
    "code", ["unreachable", "storage_unreachable", "server_error", "rate_limited", "not_a_registry", "unknown_error"]
)
def test_a_registry_out_of_reach_says_nothing_about_a_token(code):
    private, apk, _tokens = tried()
    image = {**UNREACHED, "diagnosis": {**UNREACHED["diagnosis"], "code": code}}
    results = [{"pulls": [{"name": "private", "failed": True, "msg": "no route", "images": [image]}]}]
    tried_source = add_direct_results(private, results)
    assert (tried_source.failure, tried_source.has_unused_token) == ("", False)


@pytest.mark.parametrize("result", [{"msg": "no library"}, {"module_stdout": "Killed", "rc": 137}])
def test_a_module_that_ended_early_says_nothing_about_a_token(result):
    """The verification through Artifactory fails then. Another token in each scheduled run would not help."""
    _private, apk, _tokens = tried()
    tried_source = add_direct_results(apk, [SKIPPED, result])
    assert (tried_source.failure, tried_source.has_unused_token) == ("", False)


# --- write ------------------------------------------------------------------------------------------------------------
def test_a_user_name_is_written_only_together_with_its_password():
    source, tokens = with_token()
    (spec,) = repository_specs([source], tokens, credentials_only=False)
    assert spec == {
        "key": "CGR_private",
        "package_type": "docker",
        "url": "https://cgr.dev/",
        "settings": {"a": True},
        "username": NEW,
        "password": "secret",
    }
    (alone,) = repository_specs([source], tokens, credentials_only=True)
    assert alone.keys() == {"key", "package_type", "username", "password"}
    (planned,) = repository_specs([source], None, credentials_only=False)
    assert not {"username", "password"} & planned.keys(), "the plan of the pull token tells of them"
    (kept,) = repository_specs(resolved("private"), tokens, credentials_only=False)
    assert not {"username", "password"} & kept.keys()


def test_what_was_written_is_the_current_state():
    source, _tokens = with_token()
    written = add_write_results(source, {"repositories": [{"key": "CGR_private", "failed": False}]})
    assert written.is_written and written.current["username"] == NEW and written.current["url"] == "https://cgr.dev/"


@pytest.mark.parametrize(
    ("result", "failure"),
    [
        ({"repositories": [{"key": "CGR_private", "failed": True, "msg": "disk full"}]}, "disk full"),
        ({"msg": "status 401"}, "status 401"),
        ({}, NO_RESULT),
    ],
)
def test_a_write_that_failed_fails_its_source(result, failure):
    source, _tokens = with_token()
    failed = add_write_results(source, result)
    assert (failed.failure, failed.is_written) == (failure, False)


def test_caches_of_what_was_changed_are_expired():
    changed, _tokens = with_token()
    created = dataclasses.replace(changed, is_missing=True)
    failed = dataclasses.replace(changed, failure="no")
    sources = [changed, created, failed, *resolved("public")]
    assert caches_to_expire(sources) == [{"key": "CGR_private", "state": "expired"}]


@pytest.mark.parametrize(
    ("result", "failure"),
    [
        ({"repositories": [{"key": "CGR_private", "failed": False}]}, ""),
        ({"repositories": [{"key": "CGR_private", "failed": True, "msg": "no Manage"}]}, "no Manage"),
        (SKIPPED, ""),
        ({"msg": "status 500"}, "status 500"),
    ],
)
def test_a_cache_that_could_not_be_expired_fails_its_source(result, failure):
    source, _tokens = with_token()
    assert add_cache_results(source, [SKIPPED, result]).failure == failure


# --- revoke -----------------------------------------------------------------------------------------------------------
def test_unused_tokens_are_those_of_failed_sources_that_artifactory_does_not_have():
    source, _tokens = with_token()
    failed = dataclasses.replace(source, failure="no")
    written = dataclasses.replace(failed, is_written=True)
    assert unused_tokens([source, written], []) == []
    assert unused_tokens([failed], [{"username": NEW}]) == [], "a write without a response may have been done"
    (token,) = unused_tokens([failed], [{"username": OLD}, {}])
    assert (token["identities"], token["state"]) == ([NEW], "absent")
    assert token["consumer"] == "https://artifactory.example.com/CGR_private"


def test_superseded_tokens_are_revoked_and_those_in_use_are_kept():
    source, _tokens = with_token()
    (token,) = superseded_tokens([source], [{"username": NEW}, {}], planned=False)
    assert (token["identities"], token["keep"], token["unmanaged"]) == ([OLD, NEW], [NEW, ""], False)
    (planned,) = superseded_tokens([source], [{"username": OLD}], planned=True)
    assert planned["keep"] == [NEW], "in check mode Artifactory still has the previous one"


def test_nothing_is_revoked_for_a_source_that_failed_or_left_the_rotation_to_another_run():
    source, _tokens = with_token()
    failed = dataclasses.replace(source, failure="not verified")
    other_run = dataclasses.replace(source, token={**source.token, "is_new": False, "superseded": []})
    assert superseded_tokens([failed, other_run, *resolved("public")], [], planned=False) == []


def test_a_token_that_is_not_managed_is_named_to_be_revoked():
    source, _tokens = with_token()
    source = dataclasses.replace(source, token={**source.token, "superseded": [], "unmanaged": [OLD]})
    (token,) = superseded_tokens([source], [{"username": NEW}], planned=False)
    assert (token["identities"], token["unmanaged"]) == ([NEW, OLD], True)


@pytest.mark.parametrize(
    ("result", "failure"),
    [
        (lambda consumer: {"tokens": [{"consumer": consumer, "failed": False}]}, ""),
        (lambda consumer: {"tokens": [{"consumer": consumer, "failed": True, "msg": "403"}]}, "403"),
        (lambda consumer: {"msg": "no response"}, "no response"),
        (lambda consumer: SKIPPED, ""),
        (lambda consumer: {"tokens": []}, ""),
    ],
)
def test_a_revocation_that_failed_fails_its_source(result, failure):
    source, _tokens = with_token()
    assert add_revocations(source, result(source.token_spec["consumer"])).failure == failure


def test_what_is_removed():
    sources = resolved("public", "private")
    assert repositories_to_remove(sources) == [
        {"key": "cgr-public", "state": "absent"},
        {"key": "CGR_private", "state": "absent"},
    ]
    (token,) = tokens_to_remove(sources)
    assert (token["consumer"], token["state"]) == ("https://artifactory.example.com/CGR_private", "absent")


def test_modules_that_failed_are_told_from_those_that_were_skipped():
    results = [SKIPPED, {"permission": {}}, {"msg": "status 403"}, {"failed": False}]
    assert module_failures(results, "permission") == ["status 403", NO_RESULT]


UNREAD = {"__pull_through_organization": "example.com", "msg": "These credentials have no access.", "failed": False}


@pytest.mark.parametrize(
    "add",
    [
        lambda source: add_current_state(source, [{"key": source.key}], [UNREAD]),
        lambda source: add_images(source, [UNREAD], [UNREAD], {}),
    ],
    ids=["read", "upstream"],
)
def test_an_organization_that_cannot_be_read_fails_its_sources_alone(add):
    public, private, charts = resolved("public", "private", "charts")
    assert add(public).failure == "", "its images are public"
    for source in (private, charts):
        assert (add(source).failure, add(source).failure_code) == (UNREAD["msg"], "organization_not_read")


@pytest.mark.parametrize(
    "organizations", [[{"organization": {"name": "example.com", "uid": "0" * 40}, "tokens": []}], [UNREAD]]
)
def test_repositories_that_do_not_exist_are_one_failure(organizations):
    sources = [
        add_current_state(source, [], organizations, must_exist=True) for source in resolved("private", "public")
    ]
    assert [source.failure_code for source in sources] == ["repository_missing", "repository_missing"]
    assert {source.failure for source in sources} == {NOT_SET_UP}
    assert NOT_SET_UP.startswith("Not found in Artifactory. The playbook cgr.pull_through.setup creates")


@pytest.mark.parametrize(
    ("url", "failed"),
    [
        ("https://cgr.dev", False),
        ("https://CGR.dev:443/", False),
        ("https://apk.cgr.dev/chainguard", False),
        ("https://evil.example.net/", True),
        ("http://cgr.dev/", True),
        ("https://cgr.dev.example.net/", True),
        ("", False),
    ],
)
def test_a_rotation_sends_no_pull_token_to_another_host(url, failed):
    (source,) = resolved("private")
    repository = {"key": source.key, "url": url}
    rotated = add_current_state(source, [repository], [], keeps_url=True)
    assert ("where a pull token must not be sent" in rotated.failure, rotated.needs_token) == (failed, False)
    # Setup also writes the URL.
    assert add_current_state(source, [repository], []).failure == ""
