# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare desired settings with those that Artifactory stored in another form. No I/O. Private to the collection."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._plan import (
    SECRET_SENT,
    Config,
    parse_bool,
    values_equal,
)

_PACKAGE_TYPE_ALIASES = {"yum": "rpm"}
# Settings of NuGet repositories and their defaults, which an empty value restores. Some versions return them empty, or not at all.
_NUGET_DEFAULTS = {
    "v3FeedUrl": "https://api.nuget.org/v3/index.json",
    "symbolServerUrl": "https://symbols.nuget.org/download/symbols",
}
# Artifactory sets bypassHeadRequests to true for these package types, because their upstreams do not support HEAD.
_ALWAYS_BYPASS_HEAD = ("terraform", "aieditorextensions")
# Settings with a text value that can look like a boolean or a number.
_TEXTS = ("description", "notes", "dockerProjectId", "queryParams", "username", "projectKey")
_NUMBER_SUFFIXES = ("Secs", "Millis", "Hours", "Days", "Ttl")
_NUMBER_PREFIX = "maxUnique"
_MIN_CACHE_PERIOD = 30  # seconds


def differing_settings(stored: Config, desired: Config) -> Config:
    """Return the desired settings that differ from the stored ones. Objects may have more keys than the desired ones."""
    config = {**stored, "projectKey": desired.get("projectKey") or stored.get("projectKey")}
    return {name: value for name, value in desired.items() if not _is_stored(name, value, stored, config)}


def same_package_type(left: t.Any, right: t.Any) -> bool:
    """Return whether two package types are the same, in any spelling of Artifactory."""
    return _package_type(left) == _package_type(right)


def without_header_secrets(config: Config) -> Config:
    """Return the configuration without the values of sensitive HTTP headers."""
    headers = config.get("customHttpHeaders")
    if not isinstance(headers, list):
        return config
    redacted = [{**header, "value": SECRET_SENT} if _is_sensitive(header) else header for header in headers]
    return {**config, "customHttpHeaders": redacted}


def nuget_warning(current: Config | None, desired: Config) -> str:
    """Return a warning if a NuGet repository gets its packages from elsewhere than its URL, else an empty text."""
    config = {**(current or {"v3FeedUrl": ""}), **desired}
    # A repository that exists and has no such setting has one that cannot be read.
    if config["packageType"] != "nuget" or "v3FeedUrl" not in config or not config.get("url"):
        return ""
    feed = config["v3FeedUrl"] or _NUGET_DEFAULTS["v3FeedUrl"]
    if _site(feed) == _site(config["url"]):
        return ""
    return (
        f"{config['key']} gets NuGet packages from {feed}, not from its url {config['url']}, because v3FeedUrl "
        + ("leads there. " if config["v3FeedUrl"] else "is not set and this is its default. ")
        + "Set v3FeedUrl in settings to the feed of the upstream."
    )


def cache_period_warning(desired: Config) -> str:
    """Return a warning if the period of the metadata cache is below the minimum of Artifactory in the cloud, else an empty text."""
    try:
        period = int(desired.get("retrievalCachePeriodSecs") or 0)
    except (TypeError, ValueError):
        return ""
    if not 0 < period < _MIN_CACHE_PERIOD:
        return ""
    return (
        f"{desired['key']} has {period} as retrievalCachePeriodSecs. The minimum of Artifactory in the cloud is "
        f"{_MIN_CACHE_PERIOD} seconds. Set it to {_MIN_CACHE_PERIOD} or more."
    )


def _site(url: str) -> str:
    """Return the domain of a URL without subdomains, or host and port if the host is no domain name."""
    parts = urlsplit(url)
    labels = (parts.hostname or "").split(".")
    return parts.netloc if labels[-1].isdecimal() or len(labels) < 2 else ".".join(labels[-2:])


def typed_settings(settings: Config) -> Config:
    """Return the settings with booleans and numbers instead of texts: templates make texts in earlier versions of Ansible."""
    return {name: _typed(name, value) for name, value in settings.items()}


def _typed(name: str, value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return typed_settings(value)
    if not isinstance(value, str) or name in _TEXTS:
        return value
    if name.endswith(_NUMBER_SUFFIXES) or name.startswith(_NUMBER_PREFIX):
        return int(value) if value.strip().isdecimal() else value
    boolean = parse_bool(value)
    return value if boolean is None else boolean


def _package_type(value: t.Any) -> str:
    name = str(value).lower()
    return _PACKAGE_TYPE_ALIASES.get(name, name)


def _is_stored(name: str, value: t.Any, stored_config: Config, config: Config) -> bool:
    stored = stored_config.get(name)
    if name == "packageType":
        return same_package_type(value, stored)
    if name in _NUGET_DEFAULTS and not (stored and value):
        return not stored or stored == _NUGET_DEFAULTS[name]
    if name == "environments" and not stored:
        # Artifactory ignores the environments of a repository that belongs to no project.
        return not config.get("projectKey") or not value
    if name == "bypassHeadRequests" and stored is True:
        return values_equal(stored, value) or _package_type(config.get("packageType")) in _ALWAYS_BYPASS_HEAD
    if name == "contentSynchronisation" and isinstance(value, dict):
        # Its own enabled is always false in responses.
        value = {key: nested for key, nested in value.items() if key != "enabled"}
    return _contains(stored, value)


def _is_sensitive(header: t.Any) -> bool:
    return isinstance(header, dict) and bool(parse_bool(str(header.get("sensitive"))))


def _contains(stored: t.Any, desired: t.Any) -> bool:
    """Return whether the stored value has all that the desired one has. Artifactory adds keys to objects."""
    if isinstance(desired, list) and isinstance(stored, list):
        return len(stored) == len(desired) and all(map(_contains, stored, desired))
    if isinstance(desired, dict) and isinstance(stored, dict):
        # The value of a sensitive HTTP header is returned encrypted.
        hidden = "value" if _is_sensitive(desired) or _is_sensitive(stored) else None
        return all(name == hidden or _contains(stored.get(name), value) for name, value in desired.items())
    return values_equal(stored, desired)
