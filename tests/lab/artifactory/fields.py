# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of a configuration: names, order, REST defaults and types (facts/artifactory.md#fields-and-defaults)."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from .responses import ApiError

# fmt: off
# Fields of every class and package type; a v1 response has all of them.
_DESCRIPTION: dict[str, Any] = {"description": "", "notes": "", "includesPattern": "**/*", "excludesPattern": ""}
_COMMON: dict[str, Any] = {
    "signedUrlTtl": 90, "enableComposerSupport": False, "enableNuGetSupport": False, "enableGemsSupport": False,
    "enableNpmSupport": False, "enableBowerSupport": False, "enableChefSupport": False,
    "enableCocoaPodsSupport": False, "enableConanSupport": False, "enableDebianSupport": False,
    "debianTrivialLayout": False, "ddebSupported": False, "enablePypiSupport": False, "enablePuppetSupport": False,
    "enableDockerSupport": False, "dockerApiVersion": "V2", "blockPushingSchema1": True,
    "forceNugetAuthentication": False, "enableNormalizedVersion": False, "forceP2Authentication": False,
    "forceConanAuthentication": False, "enableVagrantSupport": False, "enableGitLfsSupport": False,
    "enableDistRepoSupport": False, "dockerProjectId": "", "priorityResolution": False, "environments": [],
    "forceNonDuplicateChart": False, "forceMetadataNameVersion": False, "mlRepoLayout": False,
}
_REMOTE: dict[str, Any] = {
    **_DESCRIPTION, "repoLayoutRef": "maven-2-default", **_COMMON,
    "url": "", "username": "", "password": "", "disableProxy": False, "handleReleases": True, "handleSnapshots": True,
    "suppressPomConsistencyChecks": False, "remoteRepoChecksumPolicyType": "generate-if-absent", "hardFail": False,
    "offline": False, "blackedOut": False, "storeArtifactsLocally": True, "socketTimeoutMillis": 15000,
    "localAddress": "", "retrievalCachePeriodSecs": 7200, "assumedOfflinePeriodSecs": 300,
    "missedRetrievalCachePeriodSecs": 1800, "metadataRetrievalTimeoutSecs": 60,
    "unusedArtifactsCleanupPeriodHours": 0, "fetchJarsEagerly": False, "fetchSourcesEagerly": False,
    "shareConfiguration": False, "synchronizeProperties": False, "maxUniqueSnapshots": 0, "maxUniqueTags": 0,
    "propertySets": [], "archiveBrowsingEnabled": False, "listRemoteFolderItems": False, "rejectInvalidJars": False,
    "allowAnyHostAuth": False, "enableCookieManagement": False, "enableTokenAuthentication": False,
    "propagateQueryParams": False, "blockMismatchingMimeTypes": False, "bypassHeadRequests": False,
    "disableUrlNormalization": False,
    "contentSynchronisation": {
        "enabled": False, "statistics": {"enabled": False}, "properties": {"enabled": False},
        "source": {"originAbsenceDetection": False},
    },
    "externalDependenciesEnabled": False, "sendContext": False, "passThrough": False, "curated": False,
    "retrieveSha256FromServer": False, "customHttpHeaders": [], "cargoInternalIndex": True, "downloadRedirect": False,
    "cdnRedirect": False, "xrayIndex": False, "hexPublicKey": "", "bowerRegistryUrl": "https://registry.bower.io",
    "authUrl": "", "vcsType": "GIT", "gitRegistryUrl": "https://github.com/rust-lang/crates.io-index",
    "cargoAnonymousAccess": False, "terraformRegistryUrl": "https://registry.terraform.io",
    "terraformProvidersUrl": "https://releases.hashicorp.com", "composerRegistryUrl": "https://packagist.org",
    "gitLabResolveSubgroups": False, "pyPIRegistryUrl": "https://pypi.org", "xrayDataTtl": 90,
    "podsCdnUrl": "https://cdn.cocoapods.org", "podsSpecsRepoUrl": "https://github.com/CocoaPods/Specs",
    "podsForceModifyIndex": False, "pyPIRepositorySuffix": "simple", "vcsGitProvider": "GITHUB",
}
_VIRTUAL: dict[str, Any] = {
    **_DESCRIPTION, **_COMMON,
    "repositories": [], "hideUnauthorizedResources": False, "artifactoryRequestsCanRetrieveRemoteArtifacts": False,
    "resolveDockerTagsByTimestamp": False, "keyPair": "",
    "pomRepositoryReferencesCleanupPolicy": "discard_active_reference", "cachingLocalForeignLayersEnabled": False,
    "externalDependenciesEnabled": False, "virtualRetrievalCachePeriodSecs": 600, "forceMavenAuthentication": False,
    "useNamespaces": False, "cargoInternalIndex": True, "cargoAnonymousAccess": False,
}
# A local repository can only be a member and occupy a key, so it has just the fields that clients require.
_LOCAL: dict[str, Any] = {
    **_DESCRIPTION, "repoLayoutRef": "maven-2-default", **_COMMON,
    "checksumPolicyType": "client-checksums", "handleReleases": True, "handleSnapshots": True,
    "maxUniqueSnapshots": 0, "maxUniqueTags": 0, "snapshotVersionBehavior": "unique",
    "suppressPomConsistencyChecks": False, "blackedOut": False, "propertySets": [], "archiveBrowsingEnabled": False,
    "xrayIndex": False, "downloadRedirect": False, "cdnRedirect": False,
}
# fmt: on

# Fields that are null when unset; a response leaves them out.
_KEYS: dict[str, type] = {"projectKey": str, "primaryKeyPairRef": str}
_REMOTE_NULLABLE: dict[str, type] = {
    **_KEYS,
    "proxy": str,
    "remoteRepoLayoutRef": str,
    "queryParams": str,
    "clientTlsCertificate": str,
    "mismatchingMimeTypesOverrideList": str,
    "externalDependenciesPatterns": list,
    "vcsGitDownloadUrl": str,
    "v3FeedUrl": str,
    "symbolServerUrl": str,
    "chartsBaseUrl": str,
    "feedContextPath": str,
    "downloadContextPath": str,
}
_VIRTUAL_NULLABLE: dict[str, type] = {
    **_KEYS,
    "repoLayoutRef": str,
    "defaultDeploymentRepo": str,
    "secondaryKeyPairRef": str,
    "externalDependenciesPatterns": list,
    "externalDependenciesRemoteRepo": str,
}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The fields of v2 and /configurations: those of every package type, then those of a single one.
_RELEVANT_COMMON = _names(
    "description notes includesPattern excludesPattern repoLayoutRef signedUrlTtl priorityResolution environments"
    " projectKey"
)
_RELEVANT_REMOTE = _RELEVANT_COMMON | _names(
    "url username password disableProxy proxy remoteRepoLayoutRef hardFail offline blackedOut storeArtifactsLocally"
    " socketTimeoutMillis localAddress queryParams clientTlsCertificate retrievalCachePeriodSecs"
    " assumedOfflinePeriodSecs missedRetrievalCachePeriodSecs metadataRetrievalTimeoutSecs"
    " unusedArtifactsCleanupPeriodHours shareConfiguration synchronizeProperties propertySets archiveBrowsingEnabled"
    " listRemoteFolderItems allowAnyHostAuth enableCookieManagement enableTokenAuthentication propagateQueryParams"
    " blockMismatchingMimeTypes mismatchingMimeTypesOverrideList bypassHeadRequests disableUrlNormalization contentSynchronisation sendContext"
    " customHttpHeaders downloadRedirect cdnRedirect xrayIndex"
)
_RELEVANT_VIRTUAL = _RELEVANT_COMMON | _names(
    "repositories hideUnauthorizedResources artifactoryRequestsCanRetrieveRemoteArtifacts defaultDeploymentRepo"
)
_RELEVANT_LOCAL = _RELEVANT_COMMON | _names(
    "blackedOut propertySets archiveBrowsingEnabled xrayIndex downloadRedirect cdnRedirect"
)
_RELEVANT_TO_TYPE = {
    "docker": _names(
        "dockerApiVersion blockPushingSchema1 dockerProjectId enableTokenAuthentication externalDependenciesEnabled"
        " externalDependenciesPatterns maxUniqueTags resolveDockerTagsByTimestamp passThrough curated"
    ),
    "helmoci": _names("enableTokenAuthentication passThrough curated"),
    "maven": _names(
        "handleReleases handleSnapshots suppressPomConsistencyChecks remoteRepoChecksumPolicyType fetchJarsEagerly"
        " fetchSourcesEagerly rejectInvalidJars maxUniqueSnapshots pomRepositoryReferencesCleanupPolicy"
        " forceMavenAuthentication keyPair passThrough curated"
    ),
    "pypi": _names("pyPIRegistryUrl pyPIRepositorySuffix passThrough curated"),
    "npm": _names(
        "externalDependenciesEnabled externalDependenciesPatterns externalDependenciesRemoteRepo passThrough curated"
    ),
    "nuget": _names(
        "v3FeedUrl symbolServerUrl feedContextPath downloadContextPath forceNugetAuthentication passThrough curated"
    ),
    "go": _names("externalDependenciesEnabled externalDependenciesPatterns vcsGitProvider passThrough curated"),
    "alpine": _names("virtualRetrievalCachePeriodSecs primaryKeyPairRef secondaryKeyPairRef"),
    "helm": _names("chartsBaseUrl virtualRetrievalCachePeriodSecs"),
}

# The v1 flag of a package type.
_SUPPORT_FLAG = {
    "bower": "enableBowerSupport",
    "chef": "enableChefSupport",
    "cocoapods": "enableCocoaPodsSupport",
    "composer": "enableComposerSupport",
    "conan": "enableConanSupport",
    "debian": "enableDebianSupport",
    "docker": "enableDockerSupport",
    "gems": "enableGemsSupport",
    "gitlfs": "enableGitLfsSupport",
    "npm": "enableNpmSupport",
    "nuget": "enableNuGetSupport",
    "puppet": "enablePuppetSupport",
    "pypi": "enablePypiSupport",
    "vagrant": "enableVagrantSupport",
}
PACKAGE_TYPES = frozenset(_SUPPORT_FLAG) | _names(
    "aieditorextensions alpine ansible cargo chocolatey conda cran generic go gradle helm helmoci huggingfaceml hex ivy"
    " luarocks maven nix oci opkg p2 pub rpm sbt swift terraform vcs"
)
# Names of package types that the server stores under another name.
PACKAGE_TYPE_ALIASES = {"yum": "rpm"}
LAYOUTS = _names(
    "simple-default maven-2-default maven-1-default ivy-default gradle-default npm-default nuget-default conan-default"
    " sbt-default go-default bower-default composer-default cargo-default puppet-default build-default vcs-default"
    " terraform-module-default terraform-provider-default swift-default"
)

# What the server stores instead of an empty value: the public gallery, which is not the repository's URL.
NUGET_DEFAULTS = {
    "v3FeedUrl": "https://api.nuget.org/v3/index.json",
    "symbolServerUrl": "https://symbols.nuget.org/download/symbols",
}
# Package types whose remotes always have bypassHeadRequests on, and those that have it on unless it is written.
ALWAYS_BYPASS_HEAD = frozenset({"aieditorextensions", "terraform"})
BYPASS_HEAD = frozenset({"ansible"})

# Accepted, but stored as false without Enterprise+ or Xray (facts/artifactory.md#writing-configurations).
UNLICENSED = frozenset({"downloadRedirect", "cdnRedirect", "xrayIndex"})


@dataclass(frozen=True)
class Schema:
    """The fields of one repository class."""

    defaults: dict[str, Any]
    nullable: dict[str, type]
    relevant: frozenset[str]

    def initial(self, package_type: str) -> dict[str, Any]:
        """The fields of a new repository before the request body is merged."""
        fields = {**copy.deepcopy(self.defaults), **dict.fromkeys(self.nullable)}
        if flag := _SUPPORT_FLAG.get(package_type):
            fields[flag] = True
        if package_type in BYPASS_HEAD and "bypassHeadRequests" in fields:
            fields["bypassHeadRequests"] = True
        return fields

    def type_of(self, name: str) -> type | None:
        """The JSON type of a field, or None if this class does not have it."""
        if name in self.nullable:
            return self.nullable[name]
        return type(self.defaults[name]) if name in self.defaults else None

    def empty_value(self, name: str) -> Any:
        """The value of a scalar field after null or ""."""
        if name in self.nullable:
            return None
        default = self.defaults[name]
        return "" if isinstance(default, str) else default

    def is_relevant(self, name: str, package_type: str) -> bool:
        return name in self.relevant or name in _RELEVANT_TO_TYPE.get(package_type, frozenset())


SCHEMAS = {
    "local": Schema(_LOCAL, _KEYS, _RELEVANT_LOCAL),
    "remote": Schema(_REMOTE, _REMOTE_NULLABLE, _RELEVANT_REMOTE),
    "virtual": Schema(_VIRTUAL, _VIRTUAL_NULLABLE, _RELEVANT_VIRTUAL),
}

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


def coerce(name: str, kind: type, value: Any) -> Any:
    """Convert a JSON value to the type of the field. Raises ApiError if that is not possible."""
    if kind is bool:
        return _boolean(value)
    if kind is int:
        return _integer(value)
    if kind is str and not isinstance(value, (dict, list)):
        return str(value)
    if name == "customHttpHeaders" and isinstance(value, list):
        return [_header(item) for item in value]
    if kind is list and isinstance(value, list):
        return [str(item) for item in value]
    if kind is dict and isinstance(value, dict):
        return _content_sync(value)
    raise ApiError(400, f"Can't convert value of '{name}' to type {kind.__name__}")


def _header(item: Any) -> dict[str, Any]:
    """A header with all of its keys."""
    if not isinstance(item, dict) or not item.get("name"):
        raise ApiError(400, "Can't convert value of 'customHttpHeaders' to type list of headers")
    sensitive = _boolean(item.get("sensitive", False))
    return {"name": str(item["name"]), "value": str(item.get("value", "")), "sensitive": sensitive}


def _boolean(value: Any) -> bool:
    word = str(value).lower()
    if word not in _TRUE | _FALSE:
        raise ApiError(400, f"Can't convert value '{value}' to type class java.lang.Boolean")
    return word in _TRUE


def _integer(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        message = f"Error converting from 'String' to 'Integer' For input string: \"{value}\""
        raise ApiError(500, message) from error


def _content_sync(value: dict[str, Any]) -> dict[str, Any]:
    """The complete object: a missing sub-key becomes false."""
    return {
        "enabled": _boolean(value.get("enabled", False)),
        "statistics": {"enabled": _boolean(value.get("statistics", {}).get("enabled", False))},
        "properties": {"enabled": _boolean(value.get("properties", {}).get("enabled", False))},
        "source": {"originAbsenceDetection": _boolean(value.get("source", {}).get("originAbsenceDetection", False))},
    }
