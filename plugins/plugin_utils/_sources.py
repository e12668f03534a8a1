# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A source of the role pull_through: one thing that Chainguard serves, and its remote repository. No I/O.

Each phase of the role adds what it learned: see _phases.py and _verification.py. A source with a failure is left out of
all later phases.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._authentication import parse_base_url
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._organization_urls import has_placeholder
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import parse_duration
from ansible_collections.cgr.pull_through.plugins.module_utils._wait import MAX_SECONDS
from ansible_collections.cgr.pull_through.plugins.plugin_utils._catalog import SOURCE_SPEC

Facts = dict[str, t.Any]

# Where the catalog gets its content from.
CHAINGUARD_HOSTS = ("cgr.dev", "libraries.cgr.dev", "apk.cgr.dev", "virtualapk.cgr.dev")

_URL_FIELDS = ("url", "upstream_url", "url_without_organization", "upstream_url_without_organization")
REGISTRY_TYPES = ("docker", "helmoci", "oci")


@dataclasses.dataclass(frozen=True)
class Source:
    """A source, as the phases that have run know it.

    name: its name in the catalog. key, package_type, settings: those of its remote repository. url: the upstream, with
    {organization_name} and {organization_uid} until the organization is known. pull_token: the ecosystem of its pull
    token; empty if upstream needs none. organization: the name or UID that the user gave. images, artifacts: what a
    verification pulls, as registry_pull and artifact_pull take it. upstream_url: where the same is found directly.
    alternative_url, alternative_upstream_url: where the same is served with an organization, or without one. A repository
    that has this URL keeps it.
    """

    name: str
    key: str
    package_type: str
    url: str
    title: str = ""
    settings: Facts = dataclasses.field(default_factory=dict)
    pull_token: str = ""
    organization: str = ""
    images: list[str] = dataclasses.field(default_factory=list)
    artifacts: list[str] = dataclasses.field(default_factory=list)
    upstream_url: str = ""
    alternative_url: str = ""
    alternative_upstream_url: str = ""
    has_default_artifacts: bool = True
    needs_organization: bool = False

    # Read: the repository as it is (empty if there is none), and the pull token that it uses (empty if not listed).
    current: Facts = dataclasses.field(default_factory=dict)
    is_missing: bool = False
    is_partial: bool = False
    token_status: Facts = dataclasses.field(default_factory=dict)

    # Plan and issue: what is asked of the pull token, and the result without its password: whether it is `due`, and `is_new` (issued
    # in this run, or planned), its `username`, `expires`, `days_left`, `seconds_left`, and the `reason`; `kept`, the token that stays;
    # `previous`, the token that it replaces, with its UID in `replaced`; the UIDs to revoke in `superseded` (managed) and `unmanaged`;
    # and `revoked`. changes: the settings to change. previous: what these settings were, not the previous token.
    # needs_write: whether Artifactory is written to. has_work: that, or that tokens remain to be revoked, so that it is
    # verified first.
    token_spec: Facts = dataclasses.field(default_factory=dict)
    token: Facts = dataclasses.field(default_factory=dict)
    changes: Facts = dataclasses.field(default_factory=dict)
    previous: Facts = dataclasses.field(default_factory=dict)
    needs_write: bool = False
    has_work: bool = False

    # Upstream: the images that a verification pulls, pinned to the digest that Chainguard serves now where it is known.
    # other_images: pulled instead if Artifactory may use an earlier login for the first one.
    verify_images: list[str] = dataclasses.field(default_factory=list)
    other_images: list[str] = dataclasses.field(default_factory=list)

    # Write, verify: whether Artifactory has it, what was shown, what was pulled, why the rest was not, and what the cache has
    # instead of a file.
    is_written: bool = False
    verification: Facts = dataclasses.field(default_factory=dict)
    pulled: list[Facts] = dataclasses.field(default_factory=list)
    diagnoses: list[Facts] = dataclasses.field(default_factory=list)
    user_verification: Facts = dataclasses.field(default_factory=dict)
    invalid_paths: list[str] = dataclasses.field(default_factory=list)
    tag_age: list[Facts] = dataclasses.field(default_factory=list)
    # The message of the first failure, and its code: docs/diagnosis-codes.md has those of pulls, _run_result.py the others.
    failure: str = ""
    failure_code: str = ""

    @property
    def is_registry(self) -> bool:
        """Whether it serves images or charts, and not files."""
        return self.package_type in REGISTRY_TYPES

    @property
    def is_private_image_source(self) -> bool:
        """Whether its images are those of an organization, which the Chainguard API lists."""
        return self.pull_token == "oci" and self.package_type == "docker"

    @property
    def uses_latest_chart(self) -> bool:
        """Whether a verification pulls the chart of the organization that changed last."""
        return self.pull_token == "oci" and self.package_type == "helmoci" and not self.images

    @property
    def uses_remediated_library(self) -> bool:
        """Whether a verification pulls a remediated Python library that the user did not choose."""
        is_remediated = str(self.settings.get("pyPIRepositorySuffix") or "").startswith("python-remediated/")
        return self.has_default_artifacts and is_remediated and bool(self.direct_url)

    @property
    def needs_public_digest(self) -> bool:
        """Whether its images are public, so that their digests can be read upstream without a pull token."""
        return self.is_registry and not self.pull_token and bool(self.direct_url and self.images)

    @property
    def direct_url(self) -> str:
        """Where the same is found at Chainguard, without Artifactory; empty if unknown, or out of the controller's reach."""
        return self.upstream_url if re.match("https?://.", self.upstream_url) else ""

    @property
    def may_differ(self) -> bool:
        """Whether its repository is missing, or does not read back exactly as it should be."""
        return not reads_back_as(self.current, "remote", self.package_type, {"url": self.url, **self.settings})

    @property
    def needs_token(self) -> bool:
        """Whether its pull token is due, and nothing failed yet."""
        return bool(self.token.get("due")) and not self.failure

    @property
    def has_new_token(self) -> bool:
        """Whether a pull token was issued for it in this run, or will be."""
        return bool(self.token.get("is_new"))

    @property
    def has_unused_token(self) -> bool:
        """Whether a pull token was issued for it that it did not get, since it failed."""
        return self.has_new_token and bool(self.failure) and not self.is_written

    @property
    def has_superseded_tokens(self) -> bool:
        """Whether pull tokens that it used before can be revoked in this run, once it is verified."""
        return bool(self.token.get("superseded") or self.token.get("unmanaged")) and not self.failure

    @property
    def is_verified(self) -> bool:
        """Whether something was pulled through its repository in this run that shows that the upstream and the login work."""
        return bool(self.pulled) and not self.failure and not self.verification.get("is_unverified")

    @property
    def exists(self) -> bool:
        """Whether Artifactory has its repository, or has it once this run is over."""
        return bool(self.current) or self.is_written

    def to_facts(self) -> Facts:
        """Return it as Ansible keeps it: fields and properties by name."""
        fields = [field.name for field in dataclasses.fields(self)]
        return {name: getattr(self, name) for name in (*fields, *_PROPERTIES)}

    @classmethod
    def from_facts(cls, facts: t.Mapping[str, t.Any]) -> Source:
        """Return the source that to_facts() was called on."""
        return cls(**{field.name: facts[field.name] for field in dataclasses.fields(cls) if field.name in facts})


_PROPERTIES = tuple(name for name, value in vars(Source).items() if isinstance(value, property))


def reads_back_as(current: Facts, rclass: str, package_type: str, settings: Facts) -> bool:
    """Return whether a repository has exactly these settings. If not, only the module can tell whether they mean the same."""
    expected = {"rclass": rclass, "packageType": package_type, **settings}
    return {name: current.get(name) for name in expected} == expected


def grace_period_to_wait(text: str) -> int:
    """Return the seconds of a grace period that a run waits out; 0 if it revokes at once, or leaves that to a later run."""
    seconds = parse_duration(text, "pull_through_grace_period")
    return seconds if seconds <= MAX_SECONDS else 0


def is_left_to_later_run(text: str) -> bool:
    """Return whether a grace period is too long to wait for it in a run."""
    return parse_duration(text, "pull_through_grace_period") > MAX_SECONDS


def needs_organization(entry: Facts, organization: str) -> bool:
    """Return whether an entry of the catalog is served with an organization. organization: that of the role."""
    return bool(entry.get("pull_token")) or has_placeholder(_urls_of(entry, organization)["url"])


def _urls_of(entry: Facts, organization: str) -> Facts:
    """Return the fields of a source for its URLs: those to set, and those that a repository keeps."""
    urls = [entry["url"], entry.get("upstream_url") or ""]
    others = [entry.get("url_without_organization") or "", entry.get("upstream_url_without_organization") or ""]
    if others[0] and not owner_of(entry, organization):
        urls, others = others, urls
    return dict(zip(("url", "upstream_url", "alternative_url", "alternative_upstream_url"), [*urls, *others]))


def owner_of(entry: Facts, organization: str) -> str:
    return str(entry.get("organization") or organization)


def resolve_sources(
    names: list[str],
    catalog: dict[str, Facts],
    overrides: dict[str, Facts],
    organization: str,
    artifactory_url: str,
    registry_url: str,
    only_pull_tokens: bool,
    site: str = "",
    previous_urls: t.Sequence[str] = (),
) -> list[Source]:
    """Return the sources with these names, each once. registry_url: Chainguard's registry; empty if out of reach.

    only_pull_tokens: leave out sources without a pull token. site: who issues the pull tokens. previous_urls: where Artifactory
    was before.
    """
    urls = base_urls_of([artifactory_url, *previous_urls])
    return [
        _resolve(name, catalog[name], overrides.get(name) or {}, organization, registry_url, site, urls)
        for name in dict.fromkeys(names)
        if catalog[name].get("pull_token") or not only_pull_tokens
    ]


def base_urls_of(artifactory_urls: t.Sequence[str]) -> list[str]:
    """Return the base URLs that consumers of pull tokens begin with."""
    return list(dict.fromkeys(parse_base_url(url) for url in artifactory_urls))


def base_url_of(consumer: str) -> str:
    """Return the base URL of Artifactory that a consumer begins with."""
    return consumer.rpartition("/")[0]


def _resolve(
    name: str,
    entry: Facts,
    override: Facts,
    organization: str,
    registry_url: str,
    site: str,
    artifactory_urls: list[str],
) -> Source:
    fields = {field: entry[field] for field in SOURCE_SPEC if entry.get(field) and field not in _URL_FIELDS}
    source = Source(name, **fields, **_urls_of(entry, organization))
    source = dataclasses.replace(
        source,
        organization=owner_of(entry, organization),
        needs_organization=needs_organization(entry, organization),
        has_default_artifacts="artifacts" not in override,
        upstream_url=registry_url if source.is_registry and source.pull_token else source.upstream_url,
    )
    if not source.pull_token:
        return source
    return dataclasses.replace(source, token_spec=_token_spec(source, site, artifactory_urls))


def _token_spec(source: Source, site: str, artifactory_urls: list[str]) -> Facts:
    """Return what is asked of a pull token. Its consumer, the repository, is unique among the tokens of a run."""
    token_name = re.sub(r"[^a-z0-9 ._-]", "-", f"pull {source.key}".lower())[:63]
    consumer, *previous_consumers = (f"{base_url}/{source.key}" for base_url in artifactory_urls)
    return {
        "organization": source.organization,
        "name": token_name,
        "ecosystem": source.pull_token,
        "consumer": consumer,
        "previous_consumers": previous_consumers,
        "site": site,
    }
