# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalog of faults: how each one is injected into a healthy estate, and what a diagnosis must find."""

from __future__ import annotations

import dataclasses
import typing as t

from faults.estate import Estate
from support.lab_client import Json
from support.sources import SOURCES

Inject = t.Callable[[Estate], None]
EMAIL = "dev@example.com"
UPSTREAM = {"user_agent": "^Artifactory"}
PAGE = {
    "status": 200,
    "body": "<!DOCTYPE html><html><body>Log in</body></html>",
    "headers": {"Content-Type": "text/html"},
}


@dataclasses.dataclass(frozen=True)
class Fault:
    """code, fix: of the first finding when pulls are allowed; fix is a part of its text.

    without_pulls: whether the same finding is there without pulls. again: the code of another diagnosis with pulls, after
    which Artifactory has cached the failure of the first one. also: other codes that are true. arguments: of
    Estate.diagnose. source: the one that is broken.
    """

    name: str
    code: str
    fix: str
    inject: Inject
    source: str = "containers"
    without_pulls: bool = True
    again: str = ""
    also: tuple[str, ...] = ()
    has_route: bool = False
    arguments: Json = dataclasses.field(default_factory=dict)


def config(name: str, **settings: t.Any) -> Inject:
    """Change settings of the repository of a source past the API."""
    return lambda estate: estate.lab.set_config(SOURCES[name].key, **settings)


def respond(action: Json, **match: t.Any) -> Inject:
    """Disturb the requests that match."""
    return lambda estate: estate.lab.inject_fault(action, **match)


def upstream(action: Json, **match: t.Any) -> Inject:
    """Disturb the requests that Artifactory sends to its upstream."""
    return respond(action, **UPSTREAM, **match)


def nothing(_estate: Estate) -> None:
    """Break nothing: the fault is in the arguments."""


def after(*steps: Inject) -> Inject:
    """Take several steps."""

    def inject(estate: Estate) -> None:
        for step in steps:
            step(estate)

    return inject


def days_later(days: float) -> Inject:
    return lambda estate: estate.lab.advance(days=days)


def revoke(name: str) -> Inject:
    return lambda estate: estate.lab.revoke(estate.tokens[name]["username"])


def unbind(name: str) -> Inject:
    """Delete the role bindings of a pull token."""

    def inject(estate: Estate) -> None:
        for binding in estate.lab.bindings():
            if binding["identityUid"] == estate.tokens[name]["username"]:
                estate.lab.chainguard("DELETE", f"/iam/v2/roleBindings/{binding['uid']}")

    return inject


def token_of(name: str, other: str) -> Inject:
    """Store the pull token of another source."""

    def inject(estate: Estate) -> None:
        token = estate.tokens[other]
        estate.lab.set_config(SOURCES[name].key, username=token["username"], password=token["password"])

    return inject


def delete_repository(name: str) -> Inject:
    return lambda estate: _ignore(estate.lab.artifactory("DELETE", f"/repositories/{SOURCES[name].key}"))


def recreate(name: str, **settings: t.Any) -> Inject:
    def inject(estate: Estate) -> None:
        delete_repository(name)(estate)
        estate.lab.create_repository(SOURCES[name].key, **settings)

    return inject


def pull_once(name: str, path: str) -> Inject:
    """Let a user download a path, whose failure Artifactory then caches."""
    return lambda estate: _ignore(estate.lab.download(f"{SOURCES[name].key}/{path}"))


def configure(**settings: t.Any) -> Inject:
    """Change settings of the lab."""
    return lambda estate: estate.lab.configure(**settings)


def pull_manifests(estate: Estate) -> None:
    """Pull the manifests of an image without its layers, of which Artifactory then has markers."""
    estate.lab.pull_manifests("cgr-private", "example.com/nginx")


def new_build(estate: Estate) -> None:
    estate.lab.control("POST", "/chainguard/images", {"name": "example.com/nginx", "tag": "latest"})


def pull_image(estate: Estate) -> None:
    estate.lab.pull("cgr-private", "example.com/nginx")


def clear_faults(estate: Estate) -> None:
    estate.lab.clear_faults()


def _ignore(_result: t.Any) -> None:
    pass


def overrides(name: str = "containers", **fields: t.Any) -> Json:
    return {"overrides": {name: fields}}


def login(**options: t.Any) -> Json:
    return options


FAULTS: tuple[Fault, ...] = (
    # The repository.
    *(
        Fault(f"offline {name}", "offline", "offline to false", config(name, offline=True), name)
        for name in ("containers", "packages", "java")
    ),
    *(
        Fault(f"blacked out {name}", "blacked_out", "blackedOut to false", config(name, blackedOut=True), name)
        for name in ("containers", "packages", "python")
    ),
    *(
        Fault(f"deleted {name}", "repository_missing", "setup", delete_repository(name), name)
        for name in ("containers", "java")
    ),
    Fault(
        "repository of another type",
        "repository_type",
        "key",
        recreate("containers", packageType="generic", enableTokenAuthentication=None, url="https://example.com/"),
        also=(
            "upstream_url_mismatch",
            "repository_credentials_missing",
            "mime_blocking_off",
            "token_authentication_off",
        ),
    ),
    Fault(
        "local repository",
        "repository_class",
        "key",
        recreate("containers", rclass="local", url=None, enableTokenAuthentication=None),
        also=("repository_credentials_missing",),
    ),
    # The upstream.
    Fault(
        "url with a path", "url_has_path", "https://cgr.dev/", config("containers", url="https://cgr.dev/example.com")
    ),
    *(
        Fault(
            f"url of another host {name}",
            "upstream_url_mismatch",
            "Change the url",
            config(name, url="https://libraries.cgr.dev/other/"),
            name,
        )
        for name in ("packages", "java", "javascript")
    ),
    Fault(
        "index of another ecosystem",
        "index_url_mismatch",
        "python/simple",
        config("python", pyPIRepositorySuffix="simple"),
        "python",
    ),
    Fault(
        "index of another host",
        "index_url_mismatch",
        "pyPIRegistryUrl",
        config("python", pyPIRegistryUrl="https://pypi.org/"),
        "python",
    ),
    Fault(
        "another feed",
        "index_url_mismatch",
        "v3FeedUrl",
        config("dotnet", v3FeedUrl="https://libraries.cgr.dev/dotnet/index.json"),
        "dotnet",
    ),
    # The settings.
    Fault(
        "token authentication off",
        "token_authentication_off",
        "enableTokenAuthentication to true",
        config("containers", enableTokenAuthentication=False),
    ),
    Fault(
        "token authentication on",
        "token_authentication_on",
        "enableTokenAuthentication to false",
        config("packages", enableTokenAuthentication=True),
        "packages",
    ),
    Fault(
        "prefix of another organization",
        "project_prefix_other",
        "Clear dockerProjectId",
        config("containers", dockerProjectId="other.example.org"),
    ),
    Fault(
        "pattern hides the image",
        "excluded_by_pattern",
        "includesPattern to **/*",
        config("containers", includesPattern="other.com/**"),
        also=("settings_differ",),
    ),
    Fault(
        "pattern hides the tag",
        "excluded_by_pattern",
        "excludesPattern to an empty string",
        config("containers", excludesPattern="**/latest/**"),
    ),
    Fault(
        "pattern hides the index",
        "excluded_by_pattern",
        "includesPattern to **/*",
        config("packages", includesPattern="aarch64/**"),
        "packages",
    ),
    Fault(
        "prefix doubled",
        "project_prefix_doubled",
        "Clear dockerProjectId",
        config("containers", dockerProjectId="example.com"),
    ),
    Fault(
        "mime blocking off",
        "mime_blocking_off",
        "blockMismatchingMimeTypes to true",
        config("containers", blockMismatchingMimeTypes=False),
    ),
    *(
        Fault(
            f"credentials forwarded {name}",
            "credentials_forwarded",
            "allowAnyHostAuth to false",
            config(name, allowAnyHostAuth=True),
            name,
        )
        for name in ("java", "javascript")
    ),
    *(
        Fault(
            f"{setting} of {name}",
            "redirect_settings",
            f"{setting} to",
            config(name, **{setting: value}),
            name,
            also=("mime_blocked", "html_cached", "redirect_cached"),
        )
        for name, setting, value in (
            ("java", "bypassHeadRequests", False),
            ("javascript", "disableUrlNormalization", False),
            ("packages", "disableUrlNormalization", False),
        )
    ),
    # A pull shows what blocked it. Without one, the settings only differ from the guides.
    Fault(
        "blockMismatchingMimeTypes of python",
        "mime_blocked",
        "blockMismatchingMimeTypes to",
        config("python", blockMismatchingMimeTypes=True),
        "python",
        also=("redirect_settings",),
        without_pulls=False,
        again="redirect_settings",
    ),
    Fault("snapshots", "settings_differ", "handleSnapshots to false", config("java", handleSnapshots=True), "java"),
    # The credentials.
    *(
        Fault(
            f"no credentials {name}",
            "repository_credentials_missing",
            "setup",
            config(name, username="", password=""),
            name,
            also=("upstream_credentials",),
        )
        for name in ("containers", "packages", "java")
    ),
    Fault("email address", "username_email", "rotate", config("containers", username=EMAIL)),
    Fault(
        "encoded user name",
        "username_encoded",
        "%2F",
        lambda estate: estate.lab.set_config(
            "cgr-private", username=estate.tokens["containers"]["username"].replace("/", "%2F")
        ),
    ),
    Fault(
        "other user name",
        "username_not_identity",
        "rotate",
        config("packages", username="_token"),
        "packages",
        also=("upstream_credentials",),
    ),
    Fault(
        "pull token of another organization",
        "username_other_organization",
        "rotate",
        config("python", username=f"{'0' * 40}/{'1' * 16}"),
        "python",
        also=("token_revoked", "upstream_credentials"),
    ),
    *(
        Fault(f"wrong password {name}", "upstream_credentials", "rotate", config(name, password="wrong"), name)
        for name in ("packages", "java", "python", "javascript", "dotnet")
    ),
    Fault(
        "password with a line break",
        "upstream_credentials",
        "rotate",
        lambda estate: estate.lab.set_config("cgr-java", password=f"{estate.tokens['java']['password']}\n"),
        "java",
    ),
    Fault(
        "wrong password of a registry that is traced",
        "upstream_credentials",
        "rotate",
        after(config("containers", password="wrong"), configure(artifactory_traces_images=True)),
        without_pulls=False,
    ),
    # It looks like a failure that is cached, which the finding says.
    Fault(
        "wrong password of a registry",
        "negative_cache",
        "rotate the pull token",
        config("containers", password="wrong"),
        without_pulls=False,
    ),
    *(
        Fault(f"revoked {name}", "token_revoked", "rotate", revoke(name), name, also=("upstream_credentials",))
        for name in ("containers", "packages", "java", "python")
    ),
    *(
        Fault(
            f"expired {name}",
            "token_expired",
            "rotate",
            days_later(31),
            name,
            also=("upstream_credentials", "token_expires_soon"),
        )
        for name in ("containers", "packages", "java")
    ),
    *(
        Fault(f"unbound {name}", "token_unbound", "rotate", unbind(name), name, also=("upstream_credentials",))
        for name in ("containers", "java")
    ),
    *(
        Fault(
            f"pull token of {other} for {name}",
            "token_role",
            "rotate",
            token_of(name, other),
            name,
            also=("upstream_credentials",),
        )
        for name, other in (("containers", "java"), ("java", "python"), ("packages", "containers"))
    ),
    Fault("expires soon", "token_expires_soon", "schedule", days_later(26)),
    Fault(
        "identity that is no pull token",
        "token_type",
        "rotate",
        lambda estate: estate.lab.set_config("cgr-javascript", username=estate.lab.workload["identity"]),
        "javascript",
        also=("username_other_organization", "upstream_credentials"),
    ),
    # What is asked for.
    Fault(
        "organization misspelt",
        "organization_unknown",
        "pull_through_organization",
        nothing,
        arguments=overrides(organization="exmaple.com"),
        also=("upstream_fetch_failed", "not_found"),
    ),
    Fault(
        "image does not exist",
        "image_missing",
        "images of the source",
        nothing,
        arguments=overrides(images=["ngnix"]),
    ),
    Fault(
        "public image does not exist",
        "repository_credentials_missing",
        "Check the image name",
        nothing,
        "containers_public",
        without_pulls=False,
        arguments=overrides("containers_public", images=["chainguard/wolfi-baes:latest"]),
    ),
    Fault(
        "image that the organization is not entitled to",
        "image_not_entitled",
        "Ask Chainguard to add it",
        nothing,
        has_route=True,
        arguments=overrides(images=["go"]),
    ),
    Fault(
        "image that may not be entitled, without a route to the public images",
        "image_missing",
        "ask Chainguard to add it",
        nothing,
        arguments=overrides(images=["go"]),
    ),
    Fault("tag does not exist", "tag_missing", "Correct the tag", nothing, arguments=overrides(images=["nginx:0.1"])),
    Fault(
        "tag of a public image that needs a pull token",
        "tag_requires_pull_token",
        "only the tags latest and latest-dev",
        nothing,
        "containers_public",
        without_pulls=False,
        arguments=overrides("containers_public", images=["chainguard/go:1.25"]),
    ),
    Fault(
        "image of another organization",
        "image_other_organization",
        "a pull token of that organization",
        nothing,
        arguments=overrides(images=["other.example.org/nginx"]),
    ),
    Fault(
        "organization missing from the name",
        "image_other_organization",
        "example.com/NAME",
        nothing,
        arguments=overrides(images=["team/nginx"]),
    ),
    # What Artifactory says of a blocked library and of one that does not exist is the same, while it caches the failure.
    Fault(
        "library is blocked",
        "upstream_fetch_failed",
        "names",
        nothing,
        "java",
        without_pulls=False,
        arguments=overrides("java", artifacts=["com.example:lab-greeting:0.9.0"]),
    ),
    Fault(
        "library does not exist",
        "upstream_fetch_failed",
        "names",
        nothing,
        "java",
        without_pulls=False,
        arguments=overrides("java", artifacts=["com.example:lab-greetings:1.0.0"]),
    ),
    Fault(
        "library is blocked, without a negative cache",
        "blocked",
        "cooldown",
        config("java", missedRetrievalCachePeriodSecs=0),
        "java",
        without_pulls=False,
        arguments=overrides("java", artifacts=["com.example:lab-greeting:0.9.0"]),
    ),
    Fault(
        "package is blocked, without a negative cache",
        "blocked",
        "cooldown",
        config("java", missedRetrievalCachePeriodSecs=0),
        "java",
        without_pulls=False,
        arguments=overrides("java", artifacts=["com.example:lab-malware"]),
    ),
    Fault(
        "library does not exist, without a negative cache",
        "upstream_not_found",
        "name and version",
        config("java", missedRetrievalCachePeriodSecs=0),
        "java",
        without_pulls=False,
        arguments=overrides("java", artifacts=["com.example:lab-greetings:1.0.0"]),
    ),
    *(
        Fault(
            f"library of {name} is blocked",
            "version_missing",
            "policy",
            nothing,
            name,
            without_pulls=False,
            arguments=overrides(name, artifacts=[artifact]),
        )
        for name, artifact in (("python", "lab-greeting==0.9.0"), ("javascript", "lab-greeting@0.9.0"))
    ),
    # Artifactory's connection to its upstream.
    *(
        Fault(
            f"upstream unreachable {name}",
            "upstream_unreachable_for_artifactory",
            "firewall",
            upstream({"cut": "before"}, service="libraries"),
            name,
            again="assumed_offline",
            also=("assumed_offline",),
        )
        for name in ("java", "javascript")
    ),
    Fault(
        "assumed offline",
        "assumed_offline",
        "7.104.12",
        after(
            upstream({"cut": "before"}, service="libraries"),
            pull_once("java", "a/1"),
            pull_once("java", "a/2"),
            clear_faults,
        ),
        "java",
    ),
    Fault(
        "assumed offline in a version with a fault",
        "assumed_offline",
        "upgrade Artifactory",
        after(
            configure(artifactory_version="7.98.9"),
            upstream({"cut": "before"}, service="libraries"),
            pull_once("java", "a/1"),
            pull_once("java", "a/2"),
            clear_faults,
        ),
        "java",
    ),
    Fault(
        "upstream limits the rate",
        "upstream_error",
        "later",
        upstream({"status": 429}, service="libraries"),
        "java",
    ),
    Fault("upstream fails", "upstream_error", "later", upstream({"status": 500}, service="libraries"), "java"),
    Fault(
        "negative cache",
        "negative_cache",
        "expire the cache",
        after(upstream({"status": 404}, kind="registry.manifest"), pull_image, clear_faults),
        without_pulls=False,
        also=("upstream_fetch_failed", "not_found"),
    ),
    # Artifactory itself.
    Fault(
        "wrong token",
        "credentials_rejected",
        "artifactory_access_token",
        nothing,
        arguments=login(artifactory_access_token="wrong"),
    ),
    Fault(
        "wrong token with anonymous access",
        "credentials_rejected",
        "artifactory_access_token",
        configure(artifactory_anonymous=True),
        arguments=login(artifactory_access_token="wrong"),
        also=("anonymous_access",),
    ),
    Fault(
        "API key that is no longer accepted",
        "credentials_rejected",
        "API key",
        nothing,
        arguments=login(artifactory_access_token="", artifactory_password="AKCp8-an-api-key"),
    ),
    Fault(
        "login removed by a proxy",
        "login_not_received",
        "Authorization header",
        configure(artifactory_anonymous=True, artifactory_drops_authorization=True),
    ),
    Fault(
        "subscription",
        "instance_rejects_all",
        "subscription",
        respond(
            {"status": 403, "body": {"errors": [{"status": 403, "message": "Your trial has ended"}]}},
            service="artifactory",
        ),
    ),
    Fault(
        "storage full",
        "storage_full",
        "storage",
        respond(
            {"status": 413, "body": {"errors": [{"status": 413, "message": "Storage limit exceeded"}]}},
            service="artifactory",
        ),
    ),
    Fault(
        "login page",
        "not_artifactory",
        "login page",
        respond(PAGE, service="artifactory"),
    ),
    Fault(
        "edition",
        "edition",
        "Pro edition",
        respond(
            {"status": 400, "body": {"errors": [{"message": "This REST API is available only in Artifactory Pro"}]}},
            service="artifactory",
        ),
    ),
    Fault("unreachable", "unreachable", "", nothing, arguments=login(artifactory_url="http://127.0.0.1:9")),
    Fault(
        "realm with an inner host",
        "realm_host",
        "Custom Base URL",
        respond(
            {
                "status": 401,
                "headers": {"WWW-Authenticate": 'Bearer realm="http://inner:8081/v2/token",service="inner:8081"'},
            },
            service="artifactory",
            path="^/v2/$",
        ),
        also=("name_resolution",),
    ),
    Fault(
        "inner realm in the form with the key",
        "realm_host",
        "Custom Base URL",
        respond(
            {
                "status": 401,
                "headers": {
                    "WWW-Authenticate": 'Bearer realm="http://inner:8081/artifactory/api/docker/cgr-private/v2/token"'
                },
            },
            service="artifactory",
            path="^/artifactory/api/docker/cgr-private/v2/$",
        ),
    ),
    Fault(
        "realm without a port",
        "realm_host",
        "Custom Base URL",
        respond(
            {"status": 401, "headers": {"WWW-Authenticate": 'Bearer realm="http://127.0.0.1/v2/token"'}},
            service="artifactory",
            path="^/v2/$",
        ),
        also=("unreachable",),
    ),
    Fault(
        "Artifactory limits the rate",
        "rate_limited",
        "later",
        respond({"status": 429}, service="artifactory", path="^/v2/cgr-private/"),
        without_pulls=False,
    ),
    Fault(
        "Artifactory fails",
        "server_error",
        "log",
        respond({"status": 503}, service="artifactory", path="^/v2/cgr-private/"),
        without_pulls=False,
    ),
    Fault(
        "registry fails",
        "registry_fails",
        "log",
        respond({"status": 503}, service="artifactory", path="^/v2/"),
        also=("server_error",),
    ),
    Fault(
        "storage full for images",
        "storage_full",
        "storage",
        respond(
            {"status": 413, "body": {"errors": [{"status": 413, "message": "Storage limit exceeded"}]}},
            service="artifactory",
            path="^/v2/cgr-private/",
        ),
        without_pulls=False,
    ),
    Fault(
        "no registry",
        "not_a_registry",
        "pull_through_registry_url",
        respond(PAGE, service="artifactory", path="^/v2/"),
    ),
    Fault(
        "only subdomains",
        "reverse_proxy",
        "path method",
        respond(
            {"status": 400, "body": {"errors": [{"message": "Unsupported docker v2 repository request for 'null'"}]}},
            service="artifactory",
            path="^/v2/",
        ),
    ),
    *(
        Fault(
            name,
            "policy",
            "exception",
            respond(
                {"status": 403, "body": {"errors": [{"message": message}]}},
                service="artifactory",
                path="^/v2/cgr-private/.*/manifests/",
            ),
            without_pulls=False,
        )
        for name, message in (
            ("Xray", "was not downloaded due to the download blocking policy configured in Xray"),
            ("Curation", "was blocked by Curation: package is immature"),
        )
    ),
    Fault(
        "user without Deploy/Cache",
        "deploy_cache_denied",
        "Deploy/Cache",
        nothing,
        without_pulls=False,
        arguments=login(user="reader"),
        also=("forbidden",),
    ),
    # What the cache has.
    Fault(
        "only markers of layers",
        "layers_not_cached",
        "warm",
        after(pull_manifests, config("containers", offline=True)),
        also=("offline", "tag_overdue"),
    ),
    Fault(
        "tag longer than the cache may keep it",
        "tag_overdue",
        "pull token",
        after(pull_image, new_build, upstream({"status": 503}, service="registry"), days_later(1), pull_image),
    ),
    Fault(
        "user name with a line break",
        "username_white_space",
        "rotate",
        lambda estate: estate.lab.set_config("cgr-private", username=f"{estate.tokens['containers']['username']}\n"),
    ),
    *(
        Fault(
            f"page of a proxy instead of {name}",
            "html_cached",
            "delete",
            after(upstream(PAGE, service="libraries"), pull_once(name, path), clear_faults),
            name,
            without_pulls=False,
        )
        for name, path in (
            ("java", "com/example/lab-greeting/1.1.0/lab-greeting-1.1.0.pom"),
            ("javascript", "@example/greeting/-/greeting-1.1.0.tgz"),
        )
    ),
    Fault(
        "other content in the cache",
        "content_mismatch",
        "delete",
        after(
            upstream({"status": 200, "body": "other"}, service="libraries"),
            pull_once("javascript", "@example/greeting/-/greeting-1.1.0.tgz"),
            clear_faults,
        ),
        "javascript",
        without_pulls=False,
    ),
    Fault(
        "length of HEAD",
        "redirect_settings",
        "bypassHeadRequests to true",
        after(configure(artifactory_redirected_head="length"), config("python", bypassHeadRequests=False)),
        "python",
        also=("head_length",),
    ),
    # Where layers are.
    Fault(
        "layers unreachable",
        "upstream_storage_unreachable",
        "r2.cloudflarestorage.com",
        upstream({"cut": "before"}, service="blobs"),
        without_pulls=False,
        also=("not_found", "assumed_offline"),
    ),
)
