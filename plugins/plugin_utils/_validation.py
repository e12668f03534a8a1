# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All mistakes in the variables of the role pull_through that no request is needed for, in one list."""

from __future__ import annotations

import os
import re
import shutil
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._authentication import credentials_of
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_spec import (
    MAX_KEY_LENGTH,
    MAX_REMOTE_KEY_LENGTH,
    validate_key,
    validate_upstream_url,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._login import validate_login
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import parse_duration
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._token_options import validate_site
from ansible_collections.cgr.pull_through.plugins.module_utils._destinations import (
    chainguard_variables,
    destination_errors,
    validate_registry,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._origin import origin_of
from ansible_collections.cgr.pull_through.plugins.module_utils._text import join_messages
from ansible_collections.cgr.pull_through.plugins.module_utils._variable_names import variables_in
from ansible_collections.cgr.pull_through.plugins.plugin_utils._catalog import (
    SOURCE_SPEC,
    VIRTUAL_SPEC,
    complete_entries,
    nearest,
    override_errors,
)
from ansible_collections.cgr.pull_through.plugins.plugin_utils._input import parse_dict, quote, validate_path
from ansible_collections.cgr.pull_through.plugins.plugin_utils._shard import Shard
from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import (
    CHAINGUARD_HOSTS,
    needs_organization,
    owner_of,
)
from ansible_collections.cgr.pull_through.plugins.plugin_utils._token_lifetime import lifetime_errors
from ansible_collections.cgr.pull_through.plugins.plugin_utils._variables import (
    Facts,
    documented_variables,
    unknown_variable_errors,
    variable_errors,
)

# Files that can be named in the environment instead of in a variable.
_PATHS = ("ARTIFACTORY_CLIENT_CERT", "ARTIFACTORY_CLIENT_KEY", "CHAINGUARD_IDENTITY_TOKEN_FILE", "PULL_THROUGH_CA_PATH")
_CREDENTIALS = ("artifactory_access_token", "artifactory_password", "chainguard_api_token", "chainguard_identity_token")


def validate(values: Facts, **options: t.Any) -> str:
    """Return a message with all mistakes; empty if there are none. Parameters: see validation_errors()."""
    return join_messages(validation_errors(values, **options), "more mistakes are not shown")


def validation_errors(
    values: Facts, given: Facts, names: t.Iterable[str], catalogs: Facts, entry_point: str
) -> list[str]:
    """Return a sentence for each mistake.

    values: of read_variables(). given: the variables as they are. names: of all variables with the prefix. catalogs: the
    C(sources) and C(virtual_repositories) without overrides.
    """
    errors = [*unknown_variable_errors(names), *variable_errors(given, entry_point)]
    for name, catalog, default, spec in (
        ("source", "catalog", catalogs["sources"], SOURCE_SPEC),
        ("virtual", "virtual_catalog", catalogs["virtual_repositories"], VIRTUAL_SPEC),
    ):
        variable = f"pull_through_{name}_overrides"
        own = parse_dict(given.get(f"pull_through_{catalog}"))
        errors += override_errors(f"pull_through_{catalog}", own, {}, spec)
        errors += override_errors(variable, parse_dict(given.get(variable)), own or default, spec)
    has_virtuals = "pull_through_virtuals" in documented_variables([*given], entry_point)
    errors += selection_errors(values, values["virtuals"] if has_virtuals else [])
    if entry_point == "main" and values["only"] and values["prune"]:
        errors.append(
            "pull_through_prune removes what this run does not set up, and pull_through_only leaves sources out. Set only one of them."
        )
    errors += lifetime_errors(values["token_ttl"], values["token_renew_before"], values["run_interval"])
    errors += _connection_errors(values, given)
    errors += _path_errors(values)
    is_repaired = entry_point == "diagnose" and "token" in values["repair"]
    issues_tokens = entry_point in ("main", "rotate") or is_repaired
    errors += _pull_token_errors(values, given) if issues_tokens else []
    if issues_tokens or entry_point in ("verify", "remove"):
        errors += _login_errors(values, given, is_stopped=bool(errors))
    return errors


def _connection_errors(values: Facts, given: Facts) -> t.Iterator[str]:
    """Yield a sentence for each mistake in how to connect, above all for each URL that must not receive the credentials."""
    params = _connection(values, given)
    if not values["artifactory_url"]:
        yield (
            "pull_through_artifactory_url is missing. Set it to the base URL, such as https://myproject.jfrog.io, or set "
            "ARTIFACTORY_URL in the environment."
        )
    errors: list[InputError] = [
        *_raised(credentials_of, params),
        *destination_errors(params),
    ]
    if values["registry_url"]:
        errors += _raised(validate_registry, params, values["registry_url"])
    yield from (variables_in(str(error)) for error in errors)


def _login_errors(values: Facts, given: Facts, *, is_stopped: bool) -> t.Iterator[str]:
    """Yield a sentence if a source needs Chainguard, and its credentials are missing or not usable.

    is_stopped: whether other mistakes stop the run.
    """
    catalog = complete_entries(values["catalog"], SOURCE_SPEC)
    entries = [catalog[name] for name in values["only"] or values["sources"] if name in catalog]
    if any(needs_organization(entry, values["organization"]) for entry in entries):
        # It is needed where the modules run. So that it is missing here completes the list, but stops no run.
        has_chainctl = not is_stopped or bool(
            shutil.which(values["chainctl"] or os.environ.get("CHAINCTL", "chainctl"))
        )

        errors = _raised(validate_login, _connection(values, given), has_chainctl=has_chainctl)
        yield from (variables_in(str(error)) for error in errors)


def _path_errors(values: Facts) -> t.Iterator[str]:
    """Yield a sentence for each relative path in the environment, and for that of chainctl, which can also be a name."""
    paths = {f"{name} in the environment": os.environ.get(name, "").strip() for name in _PATHS}
    programs = {
        "CHAINCTL in the environment": os.environ.get("CHAINCTL", ""),
        "pull_through_chainctl": values["chainctl"],
    }
    paths |= {name: program.strip() for name, program in programs.items() if "/" in (program or "")}
    for name, path in paths.items():
        try:
            validate_path(path or "/")
        except ValueError as exc:
            yield f"{name} is {quote(path)}, but must be {exc}."


def _raised(check: t.Callable[..., object], *arguments: t.Any, **options: t.Any) -> t.Iterator[InputError]:
    """Yield the error that a check raises."""
    try:
        check(*arguments, **options)
    except InputError as exc:
        yield exc


def _connection(values: Facts, given: Facts) -> Facts:
    """Return the options of the connections, with secrets, as the modules take them."""
    secrets = {name: str(given.get(f"pull_through_{name}") or "") for name in _CREDENTIALS}
    params = {**values, **{name: text or os.environ.get(name.upper(), "") for name, text in secrets.items()}}
    for option in ("artifactory_username", "chainguard_identity", "chainguard_identity_token_file"):
        params[option] = values[option] or os.environ.get(option.upper(), "")
    params["client_cert"] = values["artifactory_client_cert"] or os.environ.get("ARTIFACTORY_CLIENT_CERT", "")
    return params


def _pull_token_errors(values: Facts, given: Facts) -> t.Iterator[str]:
    """Yield a sentence for each source whose pull token would go to a host that is not set where the credentials are."""
    if not chainguard_variables(_connection(values, given)):
        return
    allowed = {*CHAINGUARD_HOSTS, *os.environ.get("CHAINGUARD_HOSTS", "").replace(",", " ").split()}
    catalog = complete_entries(values["catalog"], SOURCE_SPEC)
    for name in values["only"] or values["sources"]:
        entry = catalog.get(name, {})
        if not entry.get("pull_token"):
            continue
        urls = [entry["url"], values["chainguard_registry_url"], entry.get("upstream_url") or ""]
        settings = [value for value in (entry.get("settings") or {}).values() if isinstance(value, str)]
        urls += [value for value in settings if value.startswith(("http://", "https://"))]
        for host in dict.fromkeys(urlsplit(url).netloc for url in urls if origin_of(url)):
            if host not in allowed:
                yield (
                    f"The source {name} would send its pull token to {host}, which is not a host of Chainguard, while the "
                    "credentials for Chainguard are from the environment. Remove it from the variables, add it to "
                    "CHAINGUARD_HOSTS in the environment, or set the credentials in the variables."
                )


def selection_errors(values: Facts, virtual_names: list[str]) -> list[str]:
    """Return a sentence for each mistake in what is selected, and in durations, the site and URLs. values: of read_variables()."""
    names, only, catalog = values["sources"], values["only"], values["catalog"]
    virtual_catalog = values["virtual_catalog"]
    errors = [
        *_errors_of(parse_duration, values["grace_period"], "pull_through_grace_period"),
        *_errors_of(validate_site, values["site"], "pull_through_site"),
        *_errors_of(Shard.from_text, values["warm_shard"], "pull_through_warm_shard"),
    ]
    errors += [
        f"pull_through_artifactory_previous_urls has {url!r}, which is not a URL such as https://artifactory.example.com."
        for url in values["artifactory_previous_urls"]
        if not re.match("https?://[^/]", str(url))
    ]
    outside = [name for name in only if name not in names]
    if outside:
        errors.append(f"pull_through_only names {', '.join(outside)}, but pull_through_sources are {', '.join(names)}.")
    errors += _unknown_names("pull_through_sources", names, catalog, "sources")
    errors += _unknown_names("pull_through_virtuals", virtual_names, virtual_catalog, "virtual repositories")
    # What is missing in the others, and which names are unknown, is in the list already.
    catalog, virtual_catalog = complete_entries(catalog, SOURCE_SPEC), complete_entries(virtual_catalog, VIRTUAL_SPEC)
    is_unknown = any(name not in catalog for name in names)
    names = [name for name in dict.fromkeys(names) if name in catalog]
    virtual_names = [name for name in dict.fromkeys(virtual_names) if name in virtual_catalog]
    return [
        *errors,
        *_shared_keys(names, catalog),
        *_entry_errors(names, catalog),
        *_without_organization(names, catalog, values["organization"]),
        *_virtual_errors(names, catalog, virtual_names, virtual_catalog, is_unknown),
    ]


def _entry_errors(names: list[str], catalog: dict[str, Facts]) -> t.Iterator[str]:
    """Yield an error for each source whose key or URL Artifactory rejects, or cannot pull from."""
    for name in names:
        entry = catalog[name]
        # Placeholders are filled with names that are valid in a URL.
        url = re.sub("[{]organization_(name|uid)[}]", "organization", entry["url"])
        for error in (
            *_raised(_validate_remote_key, entry["key"]),
            *_raised(validate_upstream_url, url, entry["package_type"]),
        ):
            yield f"pull_through_source_overrides of {name}: {error}"


def _validate_remote_key(key: str) -> None:
    """Raise InputError if a remote repository cannot have this key."""
    validate_key(key, max_length=MAX_REMOTE_KEY_LENGTH)


def _validate_virtual_key(key: str) -> None:
    """Raise InputError if a virtual repository cannot have this key."""
    validate_key(key, max_length=MAX_KEY_LENGTH)


def _errors_of(check: t.Callable[[str, str], object], value: str, variable: str) -> t.Iterator[str]:
    yield from map(str, _raised(check, value, variable))


def _unknown_names(variable: str, names: list[str], catalog: dict[str, Facts], what: str) -> t.Iterator[str]:
    unknown = [name for name in names if name not in catalog]
    if unknown:
        hints = "".join(dict.fromkeys(nearest(name, catalog) for name in unknown))
        yield f"{variable} names {', '.join(unknown)}, but the {what} are {', '.join(catalog)}.{hints}"


def _shared_keys(names: list[str], catalog: dict[str, Facts]) -> t.Iterator[str]:
    """Yield an error for each repository key that several sources have."""
    keys = [catalog[name]["key"] for name in names]
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        sharing = [name for name in names if catalog[name]["key"] == key]
        yield f"The sources {', '.join(sharing)} have the same key {key}. Set another one in pull_through_source_overrides."


def _virtual_errors(
    names: list[str],
    catalog: dict[str, Facts],
    virtual_names: list[str],
    virtual_catalog: dict[str, Facts],
    is_unknown: bool,
) -> t.Iterator[str]:
    """Yield an error for each virtual repository without a source, and for each key that is not valid or that something else has.

    is_unknown: whether names of sources are unknown, which can be those of members.
    """
    owners = {catalog[name]["key"]: f"the source {name}" for name in names}
    for name in virtual_names:
        members, key = virtual_catalog[name]["members"], virtual_catalog[name]["key"]
        for error in _raised(_validate_virtual_key, key):
            yield f"pull_through_virtual_overrides of {name}: {error}"
        if not set(members) & set(names) and not is_unknown:
            yield (
                f"The virtual repository {name} has no source. Add one of {', '.join(members) or '(no members)'} to "
                f"pull_through_sources, or remove {name} from pull_through_virtuals."
            )
        if key in owners:
            yield (
                f"The virtual repository {name} and {owners[key]} have the same key {key}. Set another one in "
                "pull_through_virtual_overrides."
            )
        owners[key] = f"the virtual repository {name}"


def _without_organization(names: list[str], catalog: dict[str, Facts], organization: str) -> t.Iterator[str]:
    lacking = [
        name
        for name in names
        if needs_organization(catalog[name], organization) and not owner_of(catalog[name], organization)
    ]
    if lacking:
        yield (
            f"The sources {', '.join(lacking)} need pull_through_organization, the name of the organization at Chainguard."
        )
