#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: artifact_pull
short_description: Pull packages and libraries through Artifactory and prove it
version_added: 0.2.0
description:
  - Pulls packages through a repository of Artifactory, without a package manager. As a client would, it reads the index
    first and then fetches the files that the index names. Nothing is kept.
  - Each file is compared with the checksum that the index promises, and with O(upstream_url) also with what upstream
    serves directly. A web page in place of a file, such as a redirect that Artifactory kept, is found and named.
  - A file that comes from the cache proves little, as Artifactory goes on serving it after the upstream login died.
    With O(from_upstream) the module shows that something came from upstream during this run.
  - When a pull fails, it says what the likely cause is and how to mend it. Artifactory answers the same 404 for most
    causes, so the repository's configuration and upstream are asked as well.
  - For images, Helm charts and other things in registries, use M(cgr.pull_through.registry_pull).
author: cgr.pull_through contributors (@cgr)
extends_documentation_fragment:
  - cgr.pull_through._artifactory
  - cgr.pull_through._http
  - cgr.pull_through._attributes
  - cgr.pull_through._attributes.artifactory
attributes:
  check_mode:
    support: full
    details: Checks the options and sends nothing. All artifacts are reported as V(skipped), with RV(artifacts[].ok) not set.
  diff_mode:
    support: N/A
    details: Nothing that lasts is changed.
  idempotent:
    support: full
    details: Nothing that lasts is changed, so C(changed) is always V(false). That a cache fills does not count.
options:
  pulls:
    description:
      - Several repositories in one task, in the place of O(repository), O(artifacts) and the other options that its items
        have. All other options hold for all of them.
      - All of it is pulled over the same O(threads), and what one repository costs to look up is shared by all. Each is
        reported on its own in RV(pulls), also when the module fails because of one of them.
    version_added: 0.2.0
    type: list
    elements: dict
    suboptions:
      repository:
        description: As O(repository).
        type: str
      package_type:
        description: As O(package_type), of this repository.
        type: str
        choices: [alpine, go, maven, npm, nuget, pypi]
        required: true
      artifacts:
        description: As O(artifacts), of this repository.
        type: list
        elements: str
        required: true
      architectures:
        description: As O(architectures), of this repository.
        type: list
        elements: str
        default: [x86_64]
      from_upstream:
        description: As O(from_upstream), for this repository.
        type: str
        choices: [ignored, preferred, required]
        default: ignored
      evict:
        description: As O(evict), for this repository.
        type: bool
        default: false
      upstream_url:
        description: As O(upstream_url), for this repository.
        type: str
      upstream_username:
        description: User name for O(pulls[].upstream_url).
        type: str
      upstream_password:
        description: Password of O(pulls[].upstream_username).
        type: str
      name:
        description: A label of your choice, returned as RV(pulls[].name), to find the result of this item by.
        type: str
  repository:
    description:
      - Key of the repository in Artifactory, a remote or a virtual one.
      - Leave it out to pull from O(upstream_url) alone, without Artifactory. This tells whether a pull token works before a
        repository gets it.
    type: str
  package_type:
    description: The repository's package type, in Artifactory's words. Required with O(artifacts).
    type: str
    choices: [alpine, go, maven, npm, nuget, pypi]
  artifacts:
    description:
      - What to pull, as the ecosystem writes it. Without a version, the newest in the index is pulled.
      - V(GROUP:ARTIFACT) or V(GROUP:ARTIFACT:VERSION) for V(maven). The POM is fetched, and the file that it describes.
      - V(NAME) or V(NAME==VERSION) for V(pypi). One file is fetched. A wheel for each machine comes before the source,
        and that before a wheel for one machine.
      - V(NAME), V(NAME@VERSION), V(@SCOPE/NAME) or V(@SCOPE/NAME@VERSION) for V(npm). Without a version, C(latest) is
        pulled.
      - V(NAME) or V(NAME=VERSION) for V(alpine), for each of O(architectures). V(*) is the package that has the smallest file in
        the index, in its newest version, for a proof that works with any repository. An index without packages fails.
      - V(MODULE) or V(MODULE@VERSION) for V(go), such as V(golang.org/x/text@v0.21.0). A module proxy promises no
        checksums, so only O(upstream_url) tells whether it is the right source.
      - V(ID) or V(ID@VERSION) for V(nuget), over the protocol of version 3. Feeds often promise no checksums.
      - All artifacts are tried. What fails does not stop the others. After three failures in a row with one cause that
        is no matter of the single artifact (no connection, or a login that is refused) the rest is skipped.
    type: list
    elements: str
  architectures:
    description: For V(alpine), the architectures to pull each artifact for, in apk's words.
    type: list
    elements: str
    default: [x86_64]
  from_upstream:
    description:
      - Whether something of each artifact has to come from upstream during this run.
      - V(ignored) does not look.
      - V(preferred) looks into the cache before and after, and reports it as RV(artifacts[].from_upstream).
      - V(required) fails for an artifact of which nothing can be shown to have come from upstream.
      - If all that is pulled was in the cache, a small file nearby that is not is looked for and pulled, such as one of
        another version. If that does not come, only the cache still works, and the artifact fails, with V(preferred)
        too.
      - This needs O(repository) as the key of a remote repository, and a login for Artifactory that may read its cache.
    type: str
    choices: [ignored, preferred, required]
    default: ignored
  evict:
    description:
      - With O(from_upstream=required), and if everything of an artifact is in the cache, delete its smallest file from the cache
        and pull it again.
      - This needs permission to delete from the repository. If upstream cannot be reached, the file is gone from the
        cache until it can be.
    type: bool
    default: false
  upstream_url:
    description:
      - Where the same artifacts are without Artifactory, as a client of the ecosystem would be configured. It must be
        reachable from where the module runs.
      - For Chainguard, this is V(https://apk.cgr.dev/ORGANIZATION) for V(alpine), V(https://libraries.cgr.dev/go/) for
        V(go), V(https://libraries.cgr.dev/java/) for V(maven), V(https://libraries.cgr.dev/javascript/) for V(npm),
        V(https://libraries.cgr.dev/dotnet/v3/index.json) for V(nuget), and
        V(https://libraries.cgr.dev/python/simple/) for V(pypi).
      - If its newest version is another one, that is reported as RV(artifacts[].outdated). If a file has another checksum
        there, the artifact fails.
    type: str
  upstream_username:
    description: User name for O(upstream_url). For Chainguard, that of a pull token. Without it, nobody logs in.
    type: str
  upstream_password:
    description: Password of O(upstream_username).
    type: str
  propagation_timeout:
    description:
      - For how many seconds to retry a pull that O(upstream_url) denies, if it is pulled directly, with credentials and
        without a O(repository). Other pulls are not retried.
      - A new pull token or role binding needs some seconds until all of Chainguard knows it.
    type: int
    default: 0
  threads:
    description: How many artifacts are pulled at the same time, from 1 to 32.
    type: int
    default: 4
notes:
  - Memory does not grow with the size of files. Indexes are held whole, up to 64 MiB each.
  - The login for Artifactory may be left out where it serves anyone.
"""

EXAMPLES = r"""
- name: Can this library be had, and is it what Chainguard serves?
  cgr.pull_through.artifact_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    repository: cgr-java
    package_type: maven
    artifacts:
      - org.slf4j:slf4j-api:2.0.17
    upstream_url: https://libraries.cgr.dev/java/
    upstream_username: "{{ pull_token.username }}"
    upstream_password: "{{ pull_token.password }}"

- name: Prove that the way to Chainguard is open
  cgr.pull_through.artifact_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    repository: cgr-java
    package_type: maven
    artifacts:
      - org.slf4j:slf4j-api
    from_upstream: required
    evict: true
  register: proof

- name: Can this pull token be used, before Artifactory gets it?
  cgr.pull_through.artifact_pull:
    package_type: maven
    artifacts:
      - org.slf4j:slf4j-api
    upstream_url: https://libraries.cgr.dev/java/
    upstream_username: "{{ pull_token.username }}"
    upstream_password: "{{ pull_token.password }}"

- name: Prove two repositories in one task
  cgr.pull_through.artifact_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    pulls:
      - repository: cgr-java
        package_type: maven
        artifacts: [org.slf4j:slf4j-api]
      - repository: cgr-python
        package_type: pypi
        artifacts: [requests]

- name: Can these packages be had for both architectures?
  cgr.pull_through.artifact_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    repository: cgr-apk
    package_type: alpine
    artifacts: [wolfi-baselayout, nginx=1.29.1-r0]
    architectures: [x86_64, aarch64]

- name: Does the repository work, whatever it has?
  cgr.pull_through.artifact_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    repository: cgr-apk-extra
    package_type: alpine
    artifacts: ["*"]
"""

RETURN = r"""
pulls:
  description:
    - What came of each repository, in the order of O(pulls). Also returned when the module fails because of them.
  returned: with O(pulls)
  type: list
  elements: dict
  contains:
    name:
      description: As in O(pulls). Not set if the item has none.
      type: str
      sample: java token
    repository:
      description: As in O(pulls). Not set if the item has none.
      type: str
      sample: cgr-private
    artifacts:
      description: As RV(artifacts), of this repository.
      type: list
      elements: dict
    summary:
      description: As RV(summary), of this repository.
      type: list
      elements: str
    totals:
      description: As RV(totals), of this repository.
      type: dict
    failed:
      description: Whether one of them is not as asked for.
      type: bool
      sample: false
    msg:
      description: What failed, with cause and fix.
      returned: when it failed
      type: str
artifacts:
  description:
    - What came of each artifact, in the order of O(artifacts). Also returned when the module fails because of them.
  returned: without O(pulls)
  type: list
  elements: dict
  contains:
    artifact:
      description: The artifact as given. For V(*), the name of the package that was found.
      type: str
      sample: org.slf4j:slf4j-api
    reference:
      description: The artifact with the repository that it was pulled through.
      type: str
      sample: "cgr-java: org.slf4j:slf4j-api"
    architecture:
      description: The architecture that it was pulled for. Empty where packages have none.
      type: str
      sample: ""
    version:
      description: The version that was pulled. Not set if it was left out and is not known.
      type: str
      sample: 2.0.17
    status:
      description: V(pulled), V(failed), or V(skipped) for an artifact that was not tried.
      type: str
      sample: pulled
    ok:
      description: Whether everything that was asked for could be shown. Not set in check mode.
      type: bool
      sample: true
    files:
      description: The files that were fetched and verified.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the file.
          type: str
          sample: slf4j-api-2.0.17.jar
        url:
          description: Where it was fetched from.
          type: str
          sample: https://myproject.jfrog.io/artifactory/cgr-java/org/slf4j/slf4j-api/2.0.17/slf4j-api-2.0.17.jar
        size:
          description: Its size in bytes.
          type: int
          sample: 69908
        sha256:
          description: Its checksum.
          type: str
          sample: 7b751d952061954d5abfed7181c1f645d336091b679891591d63329c622eb832
        verified_checksums:
          description:
            - Names of the checksums that the index promises and the file has. Empty if the index promises none.
            - V(apk) stands for that of an APK package, which covers its control segment, and through that its data.
          type: list
          elements: str
          sample: [sha1]
        matches_upstream:
          description:
            - Whether the same file came directly from O(upstream_url). Not set if they were not compared, as for what a
              Go proxy tells about a version, which may be worded in another way.
          type: bool
          sample: true
    upstream_version:
      description: The version that O(upstream_url) has. Not set if it was not asked, or did not tell.
      type: str
      sample: 2.0.17
    outdated:
      description: Whether upstream has a newer version than the repository. Not set if they could not be compared.
      type: bool
      sample: false
    from_upstream:
      description: Whether something of the artifact came from upstream during this run. Not set if that is not known.
      type: bool
      sample: true
    from_upstream_evidence:
      description: Why it is known, or not.
      type: str
      sample: slf4j-api-2.0.17.pom was not in cgr-java-cache before, and is now.
    bytes:
      description: Bytes of all files.
      type: int
      sample: 72413
    seconds:
      description: Time from the first request for this artifact to the last. Artifacts overlap.
      type: float
      sample: 0.8
    error:
      description:
        - What went wrong. Its keys are C(message), C(hint), and for a request C(method), C(url), C(status) and C(response_message),
          which are the words of the answer. Not set if nothing went wrong.
      type: dict
      sample:
    diagnosis:
      description:
        - The cause of what went wrong and how to mend it, in words, with a RV(artifacts[].diagnosis.code) for programs.
        - Also set for an artifact that was pulled but is RV(artifacts[].outdated). Otherwise not set.
      type: dict
      contains:
        code:
          description: Name of the cause.
          type: str
          sample: redirect_cached
        cause:
          description: What is wrong.
          type: str
          sample: cgr-java holds a web page in place of org/slf4j/slf4j-api/2.0.17/slf4j-api-2.0.17.jar.
        fix:
          description: What to do.
          type: str
          sample: In cgr-java, set bypassHeadRequests to true.
summary:
  description: What each artifact's result proves, in a line for people, for those that could be pulled as asked.
  returned: without O(pulls)
  type: list
  elements: str
  sample:
    - "cgr-java: org.slf4j:slf4j-api: pulled 2.0.17; 2 files, 2 with the checksum promised, 2 as upstream's, 0.1 MB; from upstream."
totals:
  description:
    - The sum of it, over all repositories. C(failed) counts the artifacts that are not RV(artifacts[].ok), C(skipped) those that were not tried.
    - C(bytes) and C(requests) are what really went over the wire from and to Artifactory and upstream.
  returned: always
  type: dict
  sample:
    artifacts: 1
    failed: 0
    skipped: 0
    bytes: 146012
    requests: 10
    seconds: 0.9
"""

import dataclasses
import functools
import itertools
import time
import typing as t
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import ARTIFACTORY_SPEC, HTTP_SPEC
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import MAX_KEY_LENGTH, validate_key
from ansible_collections.cgr.pull_through.plugins.module_utils._circuit_breaker import CircuitBreaker
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis import Result
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Transport, validate_base_url
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    artifactory_base_url,
    make_transport,
    require_libraries,
    run,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._alpine import Alpine
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._golang import GoProxy
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._maven import Maven
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._model import ArtifactSpec
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._npm import Npm
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._nuget import NuGet
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._puller import (
    Ecosystem,
    Puller,
    PullJob,
    PullResult,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._pypi import PyPi
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._report import (
    ResultBuilder,
    skipped_result,
    summary,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._repository_client import RepositoryClient
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_module import (
    PROOF_SPEC,
    REQUIRED_BY,
    REQUIRED_TOGETHER,
    RUN_SPEC,
    Params,
    RepositoryConfigCache,
    build_jobs,
    create_cache_probe,
    exit_with_results,
    pulls_option,
    repository_result,
    validate_from_upstream,
    validate_propagation_timeout,
    validate_threads,
)

ECOSYSTEMS: dict[str, Ecosystem] = {
    "alpine": Alpine(),
    "go": GoProxy(),
    "maven": Maven(),
    "npm": Npm(),
    "nuget": NuGet(),
    "pypi": PyPi(),
}

EACH_SPEC: dict[str, dict[str, t.Any]] = {
    "package_type": {"type": "str", "choices": list(ECOSYSTEMS)},
    "artifacts": {"type": "list", "elements": "str"},
    "architectures": {"type": "list", "elements": "str", "default": ["x86_64"]},
    **PROOF_SPEC,
}

SPEC: dict[str, dict[str, t.Any]] = {
    **EACH_SPEC,
    **RUN_SPEC,
    "pulls": pulls_option(EACH_SPEC, required=["package_type", "artifacts"]),
    "threads": {"type": "int", "default": 4},
}

# The circuit breaker of a server, by its host and login.
Breaker = t.Callable[[str, Credentials], CircuitBreaker]


def parse_artifacts(params: Params) -> list[ArtifactSpec]:
    """Return the artifacts without repetitions, or raise InputError."""
    ecosystem = ECOSYSTEMS[params["package_type"]]
    if not params["artifacts"]:
        raise InputError("artifacts is empty.", hint="Name at least one artifact: pulling nothing proves nothing.")
    architectures = params["architectures"] if params["package_type"] == "alpine" else [""]
    if not architectures:
        raise InputError("architectures is empty.", hint="Name at least one, such as x86_64.")
    pairs = itertools.product(dict.fromkeys(params["artifacts"]), dict.fromkeys(architectures))
    return [ecosystem.parse(text, architecture) for text, architecture in pairs]


def artifactory_login(params: Params) -> Credentials:
    """Return the login for Artifactory. Without a token or a password, nobody logs in."""
    if params["artifactory_access_token"]:
        return Credentials(bearer=params["artifactory_access_token"])
    return Credentials(params["artifactory_username"] or "", params["artifactory_password"] or "")


def open_sites(
    module: AnsibleModule, params: Params, transport: Transport, breaker: Breaker
) -> tuple[RepositoryClient, RepositoryClient | None]:
    """Return the place to pull from, and the one to compare it with, if there is one. Raises InputError."""
    upstream = open_upstream(params, transport, breaker)
    if params["repository"]:
        return open_repository(module, params, transport, breaker), upstream
    if upstream is None:
        raise InputError(
            "There is nothing to pull from.", hint="Set repository, or upstream_url to pull without Artifactory."
        )
    return upstream, None


def open_repository(module: AnsibleModule, params: Params, transport: Transport, breaker: Breaker) -> RepositoryClient:
    """Return the repository, as clients see it. Raises InputError."""
    ecosystem, login = ECOSYSTEMS[params["package_type"]], artifactory_login(params)
    repository_url = ecosystem.repository_url(
        artifactory_base_url(module), validate_key(params["repository"], max_length=MAX_KEY_LENGTH)
    )
    shared = breaker(urlsplit(repository_url).netloc, login)
    return RepositoryClient(
        ecosystem.base_url(repository_url), login, transport=transport, repository_url=repository_url, breaker=shared
    )


def open_upstream(params: Params, transport: Transport, breaker: Breaker) -> RepositoryClient | None:
    """Return upstream, if its URL is given. Raises InputError."""
    if not params["upstream_url"]:
        return None
    root = validate_base_url(params["upstream_url"], "upstream_url")
    login = Credentials(params["upstream_username"] or "", params["upstream_password"] or "")
    return RepositoryClient(root, login, transport=transport, breaker=breaker(urlsplit(root).netloc, login))


def build_job(module: AnsibleModule, params: Params, transport: Transport, breaker: Breaker) -> tuple[Params, PullJob]:
    """Return the options of one repository, and its artifacts with what it takes to pull them. Raises InputError."""
    validate_from_upstream(params)
    artifacts = parse_artifacts(params)
    site, upstream = open_sites(module, params, transport, breaker)
    batch = PullJob(
        params["package_type"],
        ECOSYSTEMS[params["package_type"]],
        site,
        artifacts,
        repository=params["repository"] or "",
        from_upstream=params["from_upstream"],
        evict=params["evict"],
        upstream=upstream,
    )
    return params, batch


def check_mode_result(batch: PullJob) -> Result:
    """Return the part of the result for one repository in check mode."""
    results = [skipped_result(artifact, batch.repository or batch.site.host) for artifact in batch.artifacts]
    return repository_result(
        "artifacts", results, [f"{one['reference']}: not pulled in check mode." for one in results], [], 0
    )


def pulled(batch: PullJob, outcomes: list[PullResult], reporter: ResultBuilder) -> Result:
    """Return the part of the result for one repository."""
    results = [reporter.result(outcome) for outcome in outcomes]
    counters = [one.stats for one in (batch.site, batch.upstream) if one is not None]
    seconds = max(outcome.finished for outcome in outcomes) - min(outcome.started for outcome in outcomes)
    return repository_result(
        "artifacts", results, [summary(result) for result in results if result["ok"]], counters, seconds
    )


def pull(module: AnsibleModule, opened: list[tuple[Params, PullJob]], transport: Transport) -> list[Result]:
    """Pull the artifacts and return the part of the result for each repository."""
    configurations = RepositoryConfigCache(module, transport)
    batches = [
        dataclasses.replace(batch, cache_probe=create_cache_probe(module, transport, params, configurations))
        for params, batch in opened
    ]
    puller = Puller(module.params["threads"], propagation_timeout=module.params["propagation_timeout"])
    found = zip(opened, batches, puller.pull(batches))
    return [
        pulled(batch, outcomes, ResultBuilder(batch, functools.partial(configurations.of, params)))
        for (params, _unseen), batch, outcomes in found
    ]


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Check the options, pull, word what came of it."""
    started, transport = time.monotonic(), make_transport(module)
    validate_threads(module.params["threads"])
    validate_propagation_timeout(module.params["propagation_timeout"])
    breaker = functools.lru_cache(maxsize=None)(lambda _host, login: CircuitBreaker(login))
    opened = build_jobs(module, lambda params: build_job(module, params, transport, breaker))
    if module.check_mode:
        parts = [check_mode_result(batch) for _params, batch in opened]
    else:
        parts = pull(module, opened, transport)
    return exit_with_results(module, parts, time.monotonic() - started)


def main() -> None:
    module = AnsibleModule(
        argument_spec={**SPEC, **ARTIFACTORY_SPEC, **HTTP_SPEC},
        mutually_exclusive=[("pulls", name) for name in EACH_SPEC],
        required_one_of=[("artifacts", "pulls")],
        required_together=REQUIRED_TOGETHER,
        required_by={**REQUIRED_BY, "artifacts": ["package_type"]},
        supports_check_mode=True,
    )
    require_libraries(module)
    run(module, execute)


if __name__ == "__main__":
    main()
