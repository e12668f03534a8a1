# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pull tokens that a run of the role pull_through leaves alone, since their marker does not name its site and a source of it. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._text import count, join_names
from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import (
    Facts,
    Source,
    base_url_of,
    base_urls_of,
)


def notices_of_replaced_tokens(sources: t.Sequence[Source], planned: bool) -> t.Iterator[str]:
    """Yield what happens to each pull token that a new one replaces, unless it is revoked as usual. planned: as in check mode."""
    for source in sources:
        replaced = source.token.get("previous")
        if replaced and source.has_new_token and not source.has_unused_token:
            yield from _replacement_notice(source, replaced, planned)


def _replacement_notice(source: Source, replaced: Facts, planned: bool) -> t.Iterator[str]:
    token, is_replaced = f"The pull token {replaced['uid']}", f"{'would be' if planned else 'is'} replaced"
    remains = f"{'would remain' if planned else 'remains'} valid until {replaced['expires']}"
    if not replaced["managed"]:
        token = f"{token}, which this collection did not issue,"
        if source.token["unmanaged"]:
            # After a failure it remains, which the failure says.
            yield from () if source.failure else (f"{token} {is_replaced} and then revoked.",)
        else:
            yield f"{token} {is_replaced} and {remains}. Set pull_through_revoke_unmanaged to true to revoke such tokens."
    elif replaced["site"] != source.token_spec["site"]:
        yield f"{token} of {_site(replaced)} {is_replaced} and {remains}. Only that site revokes it."
    elif _has_other_consumer(source, replaced):
        yield f"{token} {is_replaced} and {remains}, since its marker names {replaced['consumer']}. {_advice(replaced)}"


def notices_of_kept_tokens(sources: t.Sequence[Source]) -> t.Iterator[str]:
    """Yield a sentence for each pull token that a repository continues to use, and that this run would not revoke."""
    for source in sources:
        token = _kept_token(source)
        if not token or source.failure:
            continue
        use = f"{source.key} keeps the pull token {token['uid']}"
        expires = token["expires"][:10]
        if not token["managed"]:
            yield f"{use}, which this collection did not issue. It is valid until {expires}, and is replaced when it is due."
        elif token["site"] not in ("", source.token_spec["site"]):
            yield (
                f"{use} of {_site(token)}. It is valid until {expires}, and only that site rotates it. "
                "Set pull_through_force_rotation to true to replace it with a token of this site."
            )
        elif _has_other_consumer(source, token):
            yield (
                f"{use}, whose marker names {token['consumer']}. It is valid until {expires}, and is not revoked when it is "
                f"replaced. {_advice(token)}"
            )


def other_site_errors(sources: t.Sequence[Source], tokens: t.Sequence[Facts], site: str) -> list[str]:
    """Return a sentence for each repository that must not be removed, since it uses the pull token of another site.

    tokens: those of the organizations.
    """
    sites = {token["uid"]: token["site"] for token in tokens}
    owners = {source.key: sites.get(source.current.get("username") or "", "") for source in sources}
    return [
        f"{key} uses a pull token of the site {owner}, so it is not removed. Leave its source out, or remove it with "
        f"pull_through_site={owner}."
        for key, owner in owners.items()
        if owner not in ("", site)
    ]


def _kept_token(source: Source) -> Facts:
    """Return the pull token in use that this run did not replace; empty if there is none."""
    if source.has_new_token:
        return {}
    return source.token.get("kept") or (source.token_status if source.token_status.get("uid") else {})


def _has_other_consumer(source: Source, token: Facts) -> bool:
    spec = source.token_spec
    return bool(token["managed"]) and token["consumer"] not in (spec["consumer"], *spec["previous_consumers"])


def _site(token: Facts) -> str:
    return f"the site {token['site']}" if token["site"] else "no site"


def _advice(token: Facts) -> str:
    return f"If {base_url_of(token['consumer'])} was the URL of this Artifactory before, list it in pull_through_artifactory_previous_urls."


def notices_of_unlisted_tokens(
    tokens: t.Sequence[Facts],
    site: str,
    artifactory_urls: t.Sequence[str],
    catalog: dict[str, Facts],
    names: t.Sequence[str],
) -> list[str]:
    """Return a sentence for each repository that this site set up and that no source names any longer, and one about other sites.

    tokens: those of the organizations, as the modules return them. artifactory_urls: now and before. catalog: the sources with
    the overrides. names: those of pull_through_sources.
    """
    base_urls = base_urls_of(artifactory_urls)
    listed = {catalog[name]["key"] for name in names if name in catalog}
    expires: dict[str, str] = {}
    sites_of_others: dict[str, str] = {}
    for token in tokens:
        base_url, _slash, key = token["consumer"].rpartition("/")
        if not token["managed"] or base_url not in base_urls or key in listed:
            continue
        if token["site"] == site:
            expires[key] = max(token["expires"], expires.get(key, ""))
        else:
            sites_of_others[token["uid"]] = token["site"]
    return [*(_unlisted_notice(key, expires[key], catalog) for key in sorted(expires)), *_other_sites(sites_of_others)]


def _other_sites(sites: t.Mapping[str, str]) -> t.Iterator[str]:
    """Yield a sentence about the pull tokens of other sites, which need no advice. sites: by the UID of the token."""
    if not sites:
        return
    names = sorted({site for site in sites.values() if site})
    owners = [f"{'the site' if len(names) == 1 else 'the sites'} {join_names(names)}"] if names else []
    owners += ["no site"] if "" in sites.values() else []
    verb = "is" if len(sites) == 1 else "are"
    yield f"{count(len(sites), 'pull token')} of {' and of '.join(owners)} {verb} not managed here."


def _unlisted_notice(key: str, expires: str, catalog: dict[str, Facts]) -> str:
    names = [name for name, entry in catalog.items() if entry.get("key") == key]
    source = f"the source {names[0]}" if names else "a source with this key"
    return (
        f"{key} was set up by this role and is no longer listed: list {source} in pull_through_sources, or remove it with the "
        f"playbook cgr.pull_through.remove. The role no longer rotates its pull token, which expires on {expires[:10]}. "
        "If another team or controller rotates it, give each its own pull_through_site."
    )
