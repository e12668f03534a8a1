# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that developers run to pull through the repositories of the role pull_through. No I/O.

They contain USER and TOKEN instead of credentials.
"""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import Facts, Source

_TITLE = "Client setup"
_CREDENTIALS = "Replace USER and TOKEN with credentials of Artifactory. In a URL, percent-encode USER: @ becomes %40."


@dataclasses.dataclass(frozen=True)
class _Server:
    """Artifactory as clients address it. base: the URL that ends in /artifactory. registry: host and port of the registry."""

    base: str
    registry: str

    @property
    def login_base(self) -> str:
        """The URL with the placeholders of the credentials."""
        return self.base.replace("://", "://USER:TOKEN@")


@dataclasses.dataclass(frozen=True)
class _Section:
    """What one program needs. language: that of the lines, for Markdown."""

    title: str
    lines: list[str]
    notes: list[str] = dataclasses.field(default_factory=list)
    language: str = "shell"


@dataclasses.dataclass(frozen=True)
class _Repository:
    """A repository that clients address. sources: those that it serves. signing_key: of a virtual APK repository."""

    key: str
    sources: list[Source]
    signing_key: str = ""


def client_setup(
    sources: t.Sequence[Source],
    virtual_repositories: t.Sequence[Facts],
    artifactory_url: str,
    registry_url: str,
) -> dict[str, t.Any]:
    """Return the commands as lines with headings, and as markdown.

    A source in a virtual repository is addressed through that. What failed is left out. artifactory_url: with or without
    /artifactory.
    """
    base = artifactory_url.rstrip("/").removesuffix("/artifactory").rstrip("/") + "/artifactory"
    server = _Server(base, urlsplit(registry_url).netloc)
    sections: list[_Section] = []
    for package_type, make_sections in _SECTIONS.items():
        repositories = _repositories(package_type, sources, virtual_repositories)
        if repositories:
            sections += make_sections(server, repositories)
    return {"lines": _to_lines(sections), "markdown": _to_markdown(sections)}


def _repositories(
    package_type: str, sources: t.Sequence[Source], virtual_repositories: t.Sequence[Facts]
) -> list[_Repository]:
    """Return the repositories that serve the sources of a type, each once, in the order of the sources."""
    by_key: dict[str, _Repository] = {}
    for source in sources:
        if source.package_type == package_type and not source.failure:
            virtual = next((each for each in virtual_repositories if _serves(each, source.key)), {})
            key = virtual.get("key", source.key)
            signing_key = virtual.get("settings", {}).get("primaryKeyPairRef", "")
            by_key.setdefault(key, _Repository(key, [], signing_key)).sources.append(source)
    return list(by_key.values())


def _serves(virtual: Facts, key: str) -> bool:
    """Whether clients address a member through a virtual repository. apk accepts only one with a signed index."""
    is_signed = virtual["package_type"] != "alpine" or bool(virtual["settings"].get("primaryKeyPairRef"))
    return key in virtual["repositories"] and not virtual["failure"] and is_signed


# --- the programs of each package type ----------------------------------------------------------------------------------
def _docker(server: _Server, repositories: list[_Repository]) -> list[_Section]:
    lines = [f"docker login {server.registry}"]
    for repository in repositories:
        images = [image.partition("@")[0] for source in repository.sources for image in source.verify_images]
        lines += [f"docker pull {server.registry}/{repository.key}/{image}" for image in images]
    return [_Section("docker", lines)]


def _helm(server: _Server, repositories: list[_Repository]) -> list[_Section]:
    lines = [f"helm registry login {server.registry}"]
    for repository in repositories:
        charts = [image.partition("@")[0] for source in repository.sources for image in source.verify_images]
        references = [chart.replace(":", " --version ") for chart in charts]
        lines += [f"helm pull oci://{server.registry}/{repository.key}/{reference}" for reference in references]
    return [_Section("helm", lines)]


def _apk(server: _Server, repositories: list[_Repository]) -> list[_Section]:
    lines = [f"echo {server.login_base}/{repository.key} >> /etc/apk/repositories" for repository in repositories]
    notes = [
        f"apk needs the public key of Artifactory's key pair {repository.signing_key} in /etc/apk/keys."
        for repository in repositories
        if repository.signing_key
    ]
    if len(notes) < len(repositories):
        notes.append(
            "apk needs Chainguard's public key in /etc/apk/keys, which images of Chainguard have. It rejects a virtual "
            "repository without primaryKeyPairRef in its settings, since Artifactory does not sign its index."
        )
    return [_Section("apk", lines, notes)]


def _maven(server: _Server, repositories: list[_Repository]) -> list[_Section]:
    servers = [
        f"<server><id>{each.key}</id><username>USER</username><password>TOKEN</password></server>"
        for each in repositories
    ]
    first, *others = [f"<id>{each.key}</id><url>{server.base}/{each.key}</url>" for each in repositories]
    profile = "".join(f"<repository>{other}</repository>" for other in others)
    settings = (
        f"<settings><servers>{''.join(servers)}</servers>"
        f"<mirrors><mirror>{first}<mirrorOf>central</mirrorOf></mirror></mirrors>"
    )
    if profile:
        settings += (
            f"<profiles><profile><id>chainguard</id><repositories>{profile}</repositories></profile></profiles>"
            "<activeProfiles><activeProfile>chainguard</activeProfile></activeProfiles>"
        )
    return [_Section("mvn", [f"{settings}</settings>"], ["The content of ~/.m2/settings.xml."], "xml")]


def _python(server: _Server, repositories: list[_Repository]) -> list[_Section]:
    first, *others = [f"{server.login_base}/api/pypi/{each.key}/simple" for each in repositories]
    pip, uv = f"pip config set global.index-url {first}", f"export UV_DEFAULT_INDEX={first}"
    if others:
        pip += f" && pip config set global.extra-index-url '{' '.join(others)}'"
        # By default, uv installs only from the first index that has a package.
        uv += f" UV_INDEX='{' '.join(others)}' UV_INDEX_STRATEGY=unsafe-best-match"
    return [_Section("pip", [pip]), _Section("uv", [uv], ["uv does not read the configuration of pip."])]


def _javascript(server: _Server, repositories: list[_Repository]) -> list[_Section]:
    first, *others = repositories
    url = f"{server.base}/api/npm/{first.key}/"
    scope = f"//{url.partition('://')[2]}"
    names = ", ".join(each.key for each in others)
    notes = [f"npm uses one registry. A virtual repository can combine it with {names}."] if others else []
    npm = f"npm config set registry={url} {scope}:_authToken=TOKEN"
    # npm itself no longer has this option, so `npm config set` rejects it.
    always_auth = f"echo {scope}:always-auth=true >> ~/.npmrc"
    yarn_note = "Yarn 1 reads the configuration of npm. Without always-auth it sends no credentials for packages without a scope."
    return [_Section("npm", [npm], notes), _Section("yarn 1", [npm, always_auth], [yarn_note])]


def _dotnet(server: _Server, repositories: list[_Repository]) -> list[_Section]:
    lines = [
        f"dotnet nuget add source {server.base}/api/nuget/v3/{each.key}/index.json --name {each.key}"
        " --username USER --password TOKEN --store-password-in-clear-text"
        for each in repositories
    ]
    return [_Section("dotnet", lines)]


def _go(server: _Server, repositories: list[_Repository]) -> list[_Section]:
    proxies = ",".join(f"{server.login_base}/api/go/{each.key}" for each in repositories)
    note = "Chainguard builds the modules itself, so the public checksum database does not have their checksums."
    return [_Section("go", [f"go env -w GOPROXY={proxies} 'GONOSUMDB=*'"], [note])]


_SECTIONS: dict[str, t.Callable[[_Server, list[_Repository]], list[_Section]]] = {
    "docker": _docker,
    "helmoci": _helm,
    "alpine": _apk,
    "maven": _maven,
    "pypi": _python,
    "npm": _javascript,
    "nuget": _dotnet,
    "go": _go,
}


# --- formats ------------------------------------------------------------------------------------------------------------
def _to_lines(sections: t.Sequence[_Section]) -> list[str]:
    """Return the lines of a shell script: headings and notes are comments."""
    lines = [f"# {_CREDENTIALS}"] if sections else []
    for section in sections:
        lines += [f"# {section.title}", *(f"# {note}" for note in section.notes), *section.lines]
    return lines


def _to_markdown(sections: t.Sequence[_Section]) -> str:
    parts = [f"# {_TITLE}", _CREDENTIALS]
    for section in sections:
        block = "\n".join([f"```{section.language}", *section.lines, "```"])
        parts += [f"## {section.title}", *section.notes, block]
    return "\n\n".join(parts) + "\n"
