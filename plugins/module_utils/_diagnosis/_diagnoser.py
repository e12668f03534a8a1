# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collects the evidence about all sources and judges it. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._cache import CacheApi
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import RepositoriesApi
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_config import RepositoryConfig
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._server import VERSION
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Resource, is_organization_uid
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._organization_urls import (
    fill_organization,
    match_organization,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._pull_tokens import TOKEN_TYPES
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._collect_addresses import AddressProber
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._collect_caches import (
    read_markers,
    read_tags,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._collect_chainguard import ChainguardReader
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._collect_configs import read_configs
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._collect_servers import (
    allows_anonymous,
    describe_host,
    is_published,
    probe_blob_host,
    probe_host,
    probe_interception,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._evidence import (
    REGISTRY_TYPES,
    AddressEvidence,
    Identity,
    ImageListing,
    Member,
    SourceEvidence,
    split_image,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._findings import (
    Finding,
    Result,
    find_all,
    pull_findings,
    sort_findings,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_rules import Evidence, Failure
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._server_rules import (
    ADDRESS_RULES,
    ANONYMOUS_RULES,
    API_RULES,
    HOST_RULES,
    INTERCEPTION,
    LOGIN_NOT_RECEIVED,
    REALM_RULES,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._source_rules import (
    AFTER_PULL_RULES,
    CACHE_RULES,
    RULES,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Transport
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession
from ansible_collections.cgr.pull_through.plugins.module_utils._trace import Trace, is_unused, parse_trace, unused_path

if t.TYPE_CHECKING:
    from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._collect_pulls import Puller

Source = dict[str, t.Any]

# The codes of pulls that failed without a cause of their own.
_UNREACHABLE = ("upstream_unreachable_for_artifactory", "upstream_storage_unreachable", "assumed_offline")
_UNEXPLAINED = ("upstream_fetch_failed", "not_found")
# How many missing images of a source are looked for among the public ones.
_MAX_PUBLISHED = 5


@dataclasses.dataclass
class DiagnosisResult:
    """What a diagnosis found. unknown: what could not be read, with the reason, as sentences. can_pull, urls, tokens: by source."""

    findings: list[Finding] = dataclasses.field(default_factory=list)
    unknown: list[str] = dataclasses.field(default_factory=list)
    can_pull: dict[str, bool | None] = dataclasses.field(default_factory=dict)
    urls: dict[str, str] = dataclasses.field(default_factory=dict)
    tokens: dict[str, Result] = dataclasses.field(default_factory=dict)
    addresses: list[Result] = dataclasses.field(default_factory=list)
    hosts: list[Result] = dataclasses.field(default_factory=list)

    def to_result(self, sources: t.Sequence[Source]) -> Result:
        """Return the result of the module."""
        findings = sort_findings(self.findings)
        return {
            "changed": False,
            "findings": [dataclasses.asdict(finding) for finding in findings],
            "unknown": self.unknown,
            "addresses": self.addresses,
            "hosts": self.hosts,
            "sources": [
                {
                    "name": source["name"],
                    "key": source["key"],
                    "url": self.urls.get(source["name"], ""),
                    "token": self.tokens.get(source["name"], {}),
                    "can_pull": self._can_pull(source["name"], findings),
                    "findings": sum(finding.source == source["name"] for finding in findings),
                }
                for source in sources
            ],
        }

    def _can_pull(self, name: str, findings: t.Sequence[Finding]) -> bool | None:
        # A broken repository still serves what it has cached.
        is_broken = any(
            (finding.source, finding.severity, finding.certainty) == (name, "error", "known") for finding in findings
        )
        return False if is_broken else self.can_pull.get(name)


class Diagnoser:
    """Collects evidence and judges it.

    chainguard: reads Chainguard's API as far as the credentials allow. puller: None to fill no cache.
    addresses: probes those that container clients can use. public_trust: None unless users name a CA, which it does not
    trust.
    """

    def __init__(
        self,
        session: ApiSession,
        transport: Transport,
        chainguard: ChainguardReader,
        puller: Puller | None,
        addresses: AddressProber,
        public_trust: Transport | None = None,
    ) -> None:
        self._session = session
        self._transport = transport
        self._chainguard = chainguard
        self._puller = puller
        self._addresses = addresses
        self._public_trust = public_trust
        self._host = urlsplit(session.base_url).netloc
        self._diagnosis = DiagnosisResult()
        self._version = ""
        self._registry_url = ""  # of Chainguard; empty if the controller cannot reach it
        self._names: dict[str, str] = {}  # of sources, by the key of their repository
        self._pulls: dict[str, dict[str, list[str]]] = {}  # images and artifacts, by the same

    def diagnose(self, sources: t.Sequence[Source], hosts: t.Sequence[str]) -> DiagnosisResult:
        """Return the diagnosis. hosts: URLs of Chainguard's servers."""
        self._diagnose_hosts(hosts)
        if not self._diagnose_api():
            self._diagnosis.unknown.append("Artifactory could not be read, so nothing is known about its repositories.")
            return self._diagnosis
        keys = [key for source in sources for key in (source["key"], *(source["members"] or ()))]
        configs = read_configs(RepositoriesApi(self._session), keys)
        self._diagnose_addresses(sources, configs)
        for source in map(self._with_organization_name, sources):
            self._diagnose_source(self._with_pulls_of_members(source), configs)
        self._diagnose_interception(hosts)
        self._add_unknown(configs)
        return self._diagnosis

    def _diagnose_hosts(self, hosts: t.Sequence[str]) -> None:
        for url in hosts:
            evidence = probe_host(self._transport, url)
            self._diagnosis.hosts.append(describe_host(evidence, url))
            self._diagnosis.findings += find_all(HOST_RULES, "", evidence)
            if evidence.is_registry:
                self._registry_url = url
                blob_host = probe_blob_host(self._transport, url)
                self._diagnosis.findings += find_all(HOST_RULES, "", blob_host) if blob_host else []
            if evidence.failure.problem == "no_response":
                self._diagnosis.unknown.append(
                    f"Nothing was compared with {evidence.host}, which the controller cannot reach: "
                    f"{evidence.failure.message}"
                )

    def _diagnose_interception(self, hosts: t.Sequence[str]) -> None:
        """Add a finding if Artifactory does not reach an upstream that a proxy may intercept."""
        codes = {finding.code for finding in self._diagnosis.findings}
        if self._public_trust is None or codes.isdisjoint(_UNREACHABLE):
            return
        for evidence in (probe_interception(self._public_trust, url) for url in hosts if url.startswith("https:")):
            if evidence is not None:
                self._diagnosis.findings.append(INTERCEPTION.find("", evidence))
                return  # the others have the same CA

    def _diagnose_api(self) -> bool:
        """Return whether Artifactory accepts the credentials. If not, the reason is a finding."""
        try:
            response = self._session.call("GET", "/artifactory/api/system/version", shape={"version": VERSION})
            self._version = response["version"]
        except PullThroughError as exc:
            evidence = self._api_evidence(exc)
            rule = next(rule for rule in API_RULES if rule.applies(evidence))
            self._diagnosis.findings.append(rule.find("", evidence))
            if evidence.failure.status == 401 and self._allows_anonymous():
                self._diagnosis.findings += find_all(ANONYMOUS_RULES, "", evidence)
            return False
        return not self._allows_anonymous() or self._is_login_received()

    def _allows_anonymous(self) -> bool:
        return allows_anonymous(self._transport, self._session.base_url)

    def _is_login_received(self) -> bool:
        """Return whether Artifactory knows who this is. If not, that is a finding."""
        try:
            # A user who is logged in and no administrator gets 403.
            self._session.call("GET", "/artifactory/api/system/license")
        except PullThroughError as exc:
            evidence = self._api_evidence(exc)
            if LOGIN_NOT_RECEIVED.applies(evidence):
                self._diagnosis.findings.append(LOGIN_NOT_RECEIVED.find("", evidence))
                return False
        return True

    def _api_evidence(self, error: PullThroughError) -> Evidence:
        failure = Failure.from_error(error)
        return Evidence(stage="diagnosis", requested_reference="the API", host=self._host, failure=failure)

    def _diagnose_addresses(self, sources: t.Sequence[Source], configs: t.Mapping[str, RepositoryConfig]) -> None:
        """Judge the address of clients, and if that is right, Artifactory's own form of it, which needs no proxy."""
        registries = [source for source in sources if source["package_type"] in REGISTRY_TYPES]
        prober, findings = self._addresses, list[Finding]()
        if not prober.is_per_repository:
            for source in registries[:1]:
                findings = self._judge_address("", prober.probe_registry(source["key"]))
        else:
            for source in registries:
                findings += self._judge_address(source["name"], prober.probe_registry(source["key"]))
        readable_keys = [source["key"] for source in registries if configs[source["key"]].state == "read"]
        if not findings and readable_keys:
            api = prober.probe_api(readable_keys[0])
            self._record_address(api, is_working=not find_all(ADDRESS_RULES, "", api))
            findings = find_all(REALM_RULES, "", api)
        self._diagnosis.findings += findings

    def _judge_address(self, source: str, evidence: AddressEvidence) -> list[Finding]:
        """Return the findings about the address of clients. If there are any, they name other addresses that work."""
        findings = find_all(ADDRESS_RULES, source, evidence)
        self._record_address(evidence, is_working=not findings)
        if not findings:
            return []
        working = []
        for address, other in self._addresses.probe_others(evidence.repository).items():
            is_working = not find_all(ADDRESS_RULES, source, other)
            self._record_address(other, is_working=is_working)
            working += [address] if is_working else []
        return find_all(ADDRESS_RULES, source, dataclasses.replace(evidence, working_addresses=tuple(working)))

    def _record_address(self, evidence: AddressEvidence, *, is_working: bool) -> None:
        self._diagnosis.addresses.append(
            {"form": evidence.form, "url": evidence.url, "realm": evidence.realm, "works": is_working}
        )

    def _diagnose_source(self, source: Source, configs: t.Mapping[str, RepositoryConfig]) -> None:
        evidence = self._collect(source, configs)
        findings = find_all(RULES, source["name"], evidence)
        if self._puller is not None:
            pulled = self._pull(self._puller, source, evidence)
            evidence = dataclasses.replace(evidence, now=self._session.server_time())
            if evidence.is_virtual:
                pulled = self._findings_of_members(source, pulled)
            is_unexplained = any(finding.code in _UNEXPLAINED for finding in pulled) and not evidence.is_virtual
            if is_unexplained and all(finding.severity == "warning" for finding in findings):
                pulled += find_all(AFTER_PULL_RULES, source["name"], self._with_trace_of_images(evidence))
            findings += pulled
        findings += find_all(CACHE_RULES, source["name"], self._with_tags(source, evidence))
        self._diagnosis.findings += findings

    def _with_trace_of_images(self, evidence: SourceEvidence) -> SourceEvidence:
        """Return the evidence with the trace of a tag that does not exist, which shows whether the upstream accepts the login."""
        if not evidence.is_registry or not evidence.images:
            return evidence
        path = unused_path(evidence.package_type, split_image(evidence.images[0])[0])
        return dataclasses.replace(evidence, trace=self._trace(evidence, path))

    def _with_tags(self, source: Source, evidence: SourceEvidence) -> SourceEvidence:
        """Return the evidence with what the cache has of the images. A pull of the diagnosis was the last one."""
        if not evidence.is_registry or evidence.is_virtual or evidence.config.state != "read":
            return evidence
        tags = read_tags(CacheApi(self._session), evidence.repository, evidence.images)
        if self._diagnosis.can_pull.get(source["name"]):
            tags = [dataclasses.replace(tag, served=evidence.now) for tag in tags]
        period = evidence.seconds("retrievalCachePeriodSecs")
        tags = self._chainguard.overdue(source["organization"] or "", _kind(source), tags, period)
        return dataclasses.replace(evidence, tags=tuple(tags))

    def _with_organization_name(self, source: Source) -> Source:
        """Return the source with the name of an organization that users named by its UID, since image names have it."""
        name = source["organization"] or ""
        return {**source, "organization": str(self._chainguard.organization(name).resource.get("name") or name)}

    def _with_pulls_of_members(self, source: Source) -> Source:
        """Return the source. A virtual repository gets what is pulled through its members, as far as they were diagnosed before."""
        if not source["members"]:
            return source
        pulls = [self._pulls[key] for key in source["members"] if key in self._pulls]
        return {**source, **{name: [item for pull in pulls for item in pull[name]] for name in ("images", "artifacts")}}

    def _collect(self, source: Source, configs: t.Mapping[str, RepositoryConfig]) -> SourceEvidence:
        organization = self._chainguard.organization(source["organization"] or "")
        uid = str(organization.resource.get("uid") or "")
        images = self._images(source)
        self._names[source["key"]] = source["name"]
        self._pulls[source["key"]] = {"images": images, "artifacts": list(source["artifacts"] or ())}
        members = {key: configs[key] for key in source["members"] or ()}
        desired = _desired(source, organization.resource, str(configs[source["key"]].settings.get("url") or ""))
        self._diagnosis.urls[source["name"]] = desired.get("url", "")
        evidence = SourceEvidence(
            package_type=source["package_type"],
            requested_reference=", ".join(images or source["artifacts"] or ()),
            host=self._host,
            repository=source["key"],
            config=dataclasses.replace(configs[source["key"]], members=members),
            desired=desired,
            ecosystem=source["pull_token"] or "",
            role=TOKEN_TYPES[source["pull_token"]].role if source["pull_token"] else "",
            organization=source["organization"] or "",
            organization_uid=uid,
            unknown_organization=organization.is_unknown,
            images=tuple(images),
            members=tuple(_member(key, config) for key, config in members.items()),
            now=self._session.server_time(),
            server_version=self._version,
        )
        return dataclasses.replace(
            evidence,
            identity=self._identity(source, evidence),
            listing=self._listing(source, images),
            trace=self._trace_unused(evidence),
            marker_layers=self._marker_layers(evidence),
        )

    def _identity(self, source: Source, evidence: SourceEvidence) -> Identity:
        """Return the identity of the pull token of a source. When that expires is a part of the result."""
        identity = self._chainguard.identity(evidence.username) if evidence.ecosystem else Identity()
        if identity.state == "read":
            token = {"expires": identity.expires, "seconds_left": round(identity.seconds_left)}
            self._diagnosis.tokens[source["name"]] = token
        return identity

    def _marker_layers(self, evidence: SourceEvidence) -> tuple[str, ...]:
        # Of a repository that fetches, a layer without a copy is fetched when it is asked for.
        if not evidence.is_registry or evidence.settings.get("offline") is not True:
            return ()
        return tuple(read_markers(CacheApi(self._session), evidence.repository, evidence.images))

    def _images(self, source: Source) -> list[str]:
        """Return what a pull of a registry asks for, with the organization. By default the image that changed last."""
        if source["package_type"] not in REGISTRY_TYPES:
            return []
        organization = source["organization"] or ""
        images = [
            image if "/" in image or not source["pull_token"] else f"{organization}/{image}"
            for image in source["images"] or ()
        ]
        if images or not source["pull_token"]:
            return images
        newest = self._chainguard.newest_image(organization, _kind(source))
        return [newest] if newest else []

    def _listing(self, source: Source, images: list[str]) -> ImageListing:
        if source["pull_token"] != "oci":
            return ImageListing()
        if not source["images"]:
            return ImageListing(is_read=bool(images))  # the image that changed last is one that Chainguard lists
        organization = source["organization"] or ""
        listing = self._chainguard.listing(organization, _kind(source), images)
        published = tuple(
            image for image in listing.missing[:_MAX_PUBLISHED] if self._is_published(organization, image)
        )
        missing = tuple(image for image in listing.missing if image not in published)
        return dataclasses.replace(listing, missing=missing, published=published)

    def _is_published(self, organization: str, image: str) -> bool:
        if not self._registry_url:
            return False
        return is_published(self._transport, self._registry_url, split_image(image.removeprefix(f"{organization}/"))[0])

    def _trace_unused(self, evidence: SourceEvidence) -> Trace:
        """Return the trace of a path that is not cached. An upstream with images shows nothing at such a path."""
        return Trace() if evidence.is_registry else self._trace(evidence, unused_path(evidence.package_type))

    def _trace(self, evidence: SourceEvidence, path: str) -> Trace:
        """Return the trace of a path. Without a step if that is unknown."""
        if evidence.is_virtual or evidence.config.state == "missing":
            return Trace()
        try:
            return parse_trace(CacheApi(self._session).trace(evidence.repository, path))
        except PullThroughError:
            return Trace()

    def _pull(self, puller: Puller, source: Source, evidence: SourceEvidence) -> list[Finding]:
        """Return the findings of the pulls."""
        name = source["name"]
        try:
            if evidence.images:
                results = puller.pull_images(source, evidence.images, evidence.config)
            elif source["artifacts"] and not evidence.is_registry:
                results = puller.pull_artifacts(
                    source,
                    evidence.config,
                    lambda path: evidence.trace if is_unused(path) else self._trace(evidence, path),
                )
            else:
                self._diagnosis.unknown.append(f"{name} was not pulled, because it names nothing to pull.")
                return []
        except PullThroughError as exc:
            self._diagnosis.unknown.append(f"{name} was not pulled: {exc}")
            return []
        self._diagnosis.can_pull[name] = all(result["ok"] for result in results)
        return pull_findings(name, results)

    def _findings_of_members(self, source: Source, pulled: list[Finding]) -> list[Finding]:
        """Return the first finding of each member if pulls through a virtual repository failed, or their own if there is none."""
        keys = {name: key for key, name in self._names.items() if key in source["members"]}
        of_members = {
            finding.source: dataclasses.replace(
                finding,
                source=source["name"],
                cause=f"{source['key']} is virtual, and its member {keys[finding.source]} fails: {finding.cause}",
            )
            for finding in reversed(self._diagnosis.findings)
            if finding.source in keys and finding.severity == "error"
        }
        return [*of_members.values()] if pulled and of_members else pulled

    def _add_unknown(self, configs: t.Mapping[str, RepositoryConfig]) -> None:
        unreadable = [key for key, config in configs.items() if config.state == "unreadable"]
        partial = [
            key
            for key, config in configs.items()
            if config.state == "read" and "includesPattern" not in config.settings
        ]
        if unreadable:
            self._diagnosis.unknown.append(
                f"The settings of {', '.join(unreadable)} are not known, because this user may not read them."
            )
        if partial:
            self._diagnosis.unknown.append(
                f"Only the url of {', '.join(partial)} is known: the other settings require an administrator."
            )
        if "chainguard" in self._chainguard.unknown:
            self._diagnosis.unknown.append(
                f"Whether the pull tokens are valid is not known: {self._chainguard.unknown['chainguard']}"
            )
        if self._puller is None:
            self._diagnosis.unknown.append("Nothing was pulled. Set pull_through_diagnose_pull to true for that.")


def _kind(source: Source) -> t.Literal["image", "chart"]:
    return "chart" if source["package_type"] == "helmoci" else "image"


def _desired(source: Source, organization: Resource, current_url: str) -> dict[str, t.Any]:
    """Return the settings of a source. Its URL keeps a placeholder for what is not known of the organization.

    organization: empty if it could not be read. Users name it by its name or by its UID.
    """
    desired = dict(source["settings"] or {})
    is_alternative = match_organization(source["alternative_url"] or "", current_url) is not None
    if source["url"] and not is_alternative:
        given = source["organization"] or ""
        fields = {"name": "", "uid": given} if is_organization_uid(given) else {"name": given, "uid": ""}
        desired["url"] = fill_organization(source["url"], {**fields, **organization})
    return desired


def _member(key: str, config: RepositoryConfig) -> Member:
    settings = config.settings
    return Member(
        key,
        package_type=str(settings.get("packageType", "")).lower(),
        is_missing=config.state == "missing",
        is_disabled=settings.get("offline") is True or settings.get("blackedOut") is True,
        has_priority=settings.get("priorityResolution") is True,
    )
