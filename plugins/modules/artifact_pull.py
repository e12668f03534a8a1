#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: artifact_pull
short_description: Pull and verify packages and libraries through Artifactory
version_added: 0.3.0
description:
  - Pulls packages through a repository of Artifactory, without a package manager. As a client of the ecosystem would, it
    reads the index, fetches the files that the index names, verifies them, and discards the content.
  - Verifies the checksums in the index, and with O(upstream_url) compares the files with those that the upstream serves
    directly. It detects HTML pages that Artifactory cached instead of files, such as redirects.
  - A successful pull alone does not show that a repository works, because Artifactory serves cached files even after its
    upstream credentials have expired. With O(from_upstream), the module verifies that content came from upstream during this
    run.
  - When a pull fails, the module reports the likely cause and how to fix it. Artifactory returns the same 404 for most
    causes, so the module also reads the configuration of the repository and queries the upstream.
  - For images, Helm charts and other OCI artifacts, use M(cgr.pull_through.registry_pull).
author: cgr.pull_through contributors (@cgr)
extends_documentation_fragment:
  - cgr.pull_through._artifactory
  - cgr.pull_through._http
  - cgr.pull_through._attributes
  - cgr.pull_through._attributes.artifactory
attributes:
  check_mode:
    support: full
    details:
      - Validates the options and sends no requests. The status of all artifacts is V(skipped), and RV(artifacts[].ok) is not
        set.
  diff_mode:
    support: N/A
    details: Does not modify persistent state.
  idempotent:
    support: full
    details: Does not modify persistent state, so C(changed) is always V(false). Filling a cache is not reported as a change.
options:
  pulls:
    description:
      - List of pulls in one task. Each item has the options of the single form.
      - An item without a repository is pulled directly from its O(pulls[].upstream_url), with its own credentials.
      - Cannot be combined with options of the single form. O(propagation_timeout), O(threads) and the options for Artifactory
        apply to all items.
      - All items share O(threads). RV(pulls) has one result per item. A failed item does not stop the others; the module
        fails at the end.
    type: list
    elements: dict
    suboptions:
      name:
        description: A label for the item. It is returned as RV(pulls[].name), and identifies items without a repository.
        type: str
      repository:
        description: See O(repository).
        type: str
      package_type:
        description: See O(package_type).
        type: str
        choices: [alpine, go, maven, npm, nuget, pypi]
        required: true
      artifacts:
        description: See O(artifacts).
        type: list
        elements: str
        required: true
      architectures:
        description: See O(architectures).
        type: list
        elements: str
        default: [x86_64]
      from_upstream:
        description: See O(from_upstream).
        type: str
        choices: [ignored, preferred, required]
        default: ignored
      upstream_url:
        description: See O(upstream_url).
        type: str
      upstream_username:
        description: See O(upstream_username).
        type: str
      upstream_password:
        description: Password of O(pulls[].upstream_username).
        type: str
  repository:
    description:
      - Key of the repository in Artifactory, which can be a remote or a virtual repository.
      - Omit it to pull directly from O(upstream_url), for example to verify a pull token before it is stored in a repository.
    type: str
  package_type:
    description: Package type of the repository, as Artifactory names it. Required with O(artifacts).
    type: str
    choices: [alpine, go, maven, npm, nuget, pypi]
  artifacts:
    description:
      - Artifacts to pull, in the notation of the ecosystem. Without a version, the newest version in the index is pulled.
        If the upstream withholds it, because of a policy, an older version is pulled, see RV(artifacts[].withheld).
      - For V(maven), V(GROUP:ARTIFACT) or V(GROUP:ARTIFACT:VERSION). Pulls the POM and the file that it describes.
      - For V(pypi), V(NAME) or V(NAME==VERSION). Pulls one file, preferably a wheel for all platforms, then the source, then
        a wheel for one platform.
      - For V(npm), V(NAME), V(NAME@VERSION), V(@SCOPE/NAME) or V(@SCOPE/NAME@VERSION). Without a version, pulls C(latest).
      - For V(alpine), V(NAME) or V(NAME=VERSION), for each of O(architectures). V(*) selects the package with the smallest
        file in the index, in its newest version. Use it to verify a repository with unknown content. An index without
        packages fails.
      - For V(go), V(MODULE) or V(MODULE@VERSION), such as V(golang.org/x/text@v0.21.0). A Go module proxy provides no
        checksums, so the content can be verified with O(upstream_url) only.
      - For V(nuget), V(ID) or V(ID@VERSION), with version 3 of the protocol. Many feeds provide no checksums.
      - A failed artifact does not stop the others; the module fails at the end. But after three failures in a row with one
        cause that is not specific to an artifact, such as no connection or rejected credentials, the rest is skipped.
      - One of O(artifacts) and O(pulls) is required.
    type: list
    elements: str
  architectures:
    description: For V(alpine), the architectures to pull each artifact for, as C(apk) names them.
    type: list
    elements: str
    default: [x86_64]
  from_upstream:
    description:
      - Whether to verify that at least one file of each artifact came from upstream during this run.
      - V(ignored) does not verify it.
      - V(preferred) checks the cache before and after the pull, and returns the result as RV(artifacts[].from_upstream).
      - V(required) also fails an artifact without a file that verifiably came from upstream.
      - If all files were cached already, the module pulls another small file that is not cached, such as one of another
        version. If there is none, it expires the index in the cache and pulls it again, which requires the Delete or the
        Manage permission on the repository. If either fails, only the cache works, and the artifact fails with
        V(preferred) too.
      - Nothing that was cached before is deleted. Artifactory before 7.49.3 cannot expire an index. There, a file of another version is
        deleted again after it was pulled, if the user may do that.
      - Requires O(repository) to be a remote repository, and Artifactory credentials that can read its cache.
    type: str
    choices: [ignored, preferred, required]
    default: ignored
  upstream_url:
    description:
      - URL of the upstream to compare with or to pull directly from, as clients of the ecosystem are configured with it. The
        host that runs the module must be able to reach it.
      - For Chainguard, set it to V(https://apk.cgr.dev/ORGANIZATION) for V(alpine), V(https://libraries.cgr.dev/go/) for
        V(go), V(https://libraries.cgr.dev/java/) for V(maven), V(https://libraries.cgr.dev/javascript/) for V(npm),
        V(https://libraries.cgr.dev/dotnet/v3/index.json) for V(nuget), and
        V(https://libraries.cgr.dev/python/simple/) for V(pypi).
      - If the upstream has a newer version, RV(artifacts[].outdated) is set. If the checksum of a file differs, the artifact
        fails. Either the cached copy is older than the build that the upstream serves now, or the cache is wrong.
    type: str
  upstream_username:
    description:
      - User name for O(upstream_url). For Chainguard, the user name of a pull token.
      - Without it, requests to the upstream are anonymous.
    type: str
  upstream_password:
    description: Password of O(upstream_username).
    type: str
  propagation_timeout:
    description:
      - How many seconds to repeat a direct pull that O(upstream_url) denies. A direct pull has credentials and no
        O(repository). Only denied artifacts are pulled again.
      - A new pull token or role binding takes some seconds to propagate at Chainguard.
      - V(0) does not repeat denied pulls.
    type: int
    default: 0
  threads:
    description: Number of artifacts that are pulled at the same time, from 1 to 32.
    type: int
    default: 4
notes:
  - Memory does not grow with the size of files. Indexes are read into memory, with at most 32 MiB each; an index of APK
    packages with at most 64 MiB packed and 512 MiB unpacked.
  - The Artifactory credentials are optional if the repository allows anonymous access.
seealso:
  - module: cgr.pull_through.registry_pull
  - module: cgr.pull_through.artifactory_repository_cache
"""

EXAMPLES = r"""
- name: Pull a library, and compare it with the upstream
  cgr.pull_through.artifact_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    repository: cgr-java
    package_type: maven
    artifacts:
      - org.slf4j:slf4j-api:2.0.17
    upstream_url: https://libraries.cgr.dev/java/
    upstream_username: "{{ java_token.username }}"
    upstream_password: "{{ java_token.password }}"

- name: Verify that Artifactory can pull from Chainguard
  cgr.pull_through.artifact_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    repository: cgr-java
    package_type: maven
    artifacts:
      - org.slf4j:slf4j-api
    from_upstream: required

- name: Verify new pull tokens before they are stored in Artifactory
  cgr.pull_through.artifact_pull:
    propagation_timeout: 30
    pulls:
      - name: cgr-java
        package_type: maven
        artifacts: [org.slf4j:slf4j-api]
        upstream_url: https://libraries.cgr.dev/java/
        upstream_username: "{{ java_token.username }}"
        upstream_password: "{{ java_token.password }}"
      - name: cgr-python
        package_type: pypi
        artifacts: [requests]
        upstream_url: https://libraries.cgr.dev/python/simple/
        upstream_username: "{{ python_token.username }}"
        upstream_password: "{{ python_token.password }}"

- name: Pull through two repositories in one task
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

- name: Pull Alpine packages for two architectures
  cgr.pull_through.artifact_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    repository: cgr-apk
    package_type: alpine
    artifacts: [wolfi-baselayout, nginx=1.29.1-r0]
    architectures: [x86_64, aarch64]

- name: Verify an Alpine repository with unknown content
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
    - One result per item of O(pulls), in the same order. Also returned when the module fails because of an item.
  returned: with O(pulls)
  type: list
  elements: dict
  contains:
    name:
      description: See O(pulls[].name). Not set if the item has none.
      type: str
      sample: cgr-java
    repository:
      description: See O(pulls[].repository). Not set if the item has none.
      type: str
      sample: cgr-java
    artifacts:
      description: See RV(artifacts).
      type: list
      elements: dict
    summary:
      description: See RV(summary).
      type: list
      elements: str
    totals:
      description: See RV(totals).
      type: dict
    failed:
      description: Whether an artifact of the item failed.
      type: bool
      sample: false
    msg:
      description: The failed artifacts, each with its cause and fix.
      returned: if the item failed
      type: str
artifacts:
  description:
    - One result per artifact, in the order of O(artifacts). Also returned when the module fails because of an artifact.
    - For V(alpine), each artifact has one result per architecture.
  returned: with O(artifacts)
  type: list
  elements: dict
  contains:
    artifact:
      description: The artifact, as in O(artifacts). For V(*), the name of the selected package.
      type: str
      sample: org.slf4j:slf4j-api
    reference:
      description: The artifact with the repository, or with the host of a direct pull.
      type: str
      sample: "cgr-java: org.slf4j:slf4j-api"
    architecture:
      description: The architecture. Empty for packages without an architecture.
      type: str
      sample: ""
    version:
      description: The version that was pulled. Not set if it is unknown.
      type: str
      sample: 2.0.17
    status:
      description: V(pulled), V(failed), or V(skipped) if the artifact was not tried.
      type: str
      sample: pulled
    ok:
      description: Whether the pull and all requested verifications succeeded. Not set in check mode.
      type: bool
      sample: true
    files:
      description: The files that were pulled and verified.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the file.
          type: str
          sample: slf4j-api-2.0.17.jar
        url:
          description: URL that the file was requested from.
          type: str
          sample: https://myproject.jfrog.io/artifactory/cgr-java/org/slf4j/slf4j-api/2.0.17/slf4j-api-2.0.17.jar
        size:
          description: Size in bytes.
          type: int
          sample: 69908
        sha256:
          description: SHA-256 checksum.
          type: str
          sample: 7b751d952061954d5abfed7181c1f645d336091b679891591d63329c622eb832
        verified_checksums:
          description:
            - Algorithms of the checksums in the index that match the file. Empty if the index has no checksums.
            - V(apk) is the checksum of an APK package, which covers its control segment, and through that its data.
          type: list
          elements: str
          sample: [sha1]
        matches_upstream:
          description:
            - Whether the file is the same as the one from O(upstream_url). Not set if they were not compared, as for the
              version information of a Go module, which each proxy writes in its own format.
          type: bool
          sample: true
    upstream_version:
      description: The version at O(upstream_url). Not set if the upstream was not queried, or returned an error.
      type: str
      sample: 2.0.17
    outdated:
      description: Whether the upstream has a newer version than the repository. Not set if they were not compared.
      type: bool
      sample: false
    withheld:
      description:
        - Newer versions that were passed over, because the upstream withholds them, although the index of the repository
          still lists them. Only for an artifact without a version. Empty if there are none.
      type: list
      elements: dict
      contains:
        version:
          description: The version that was passed over.
          type: str
          sample: 2.0.18
        reason:
          description:
            - The policy that the upstream names, such as V(POLICY_ORG_BLOCKLIST), V(POLICY_COOLDOWN) or V(MALWARE_DETECTED).
            - V(BLOCKED) if it blocks the version without a policy, and V(NOT_LISTED) if its own index does not list it.
              Without O(upstream_url), and with O(from_upstream), the index is expired and fetched again to find that out.
          type: str
          sample: POLICY_COOLDOWN
    invalid_paths:
      description:
        - Possible paths of the failed file in the cache, if Artifactory has cached an HTML page instead of it. To delete it, pass
          them to M(cgr.pull_through.artifactory_repository_cache). Otherwise empty.
      type: list
      elements: str
      sample: []
    from_upstream:
      description: Whether a file of the artifact came from upstream during this run. Not set if this is unknown.
      type: bool
      sample: true
    from_upstream_evidence:
      description: The evidence for RV(artifacts[].from_upstream), or the reason why it is unknown.
      type: str
      sample: slf4j-api-2.0.17.pom was not in cgr-java-cache before, and is now.
    bytes:
      description: Size of all files in bytes.
      type: int
      sample: 72413
    seconds:
      description: Seconds from the first request for this artifact to the last one. Artifacts are processed concurrently.
      type: float
      sample: 0.8
    error:
      description:
        - Details of the failure, with the keys C(message) and C(hint). If a request failed, also C(method), C(url), C(status)
          and C(response_message). Not set if the artifact did not fail.
      type: dict
      sample:
    diagnosis:
      description:
        - The cause of the failure and how to fix it, as text, with a machine-readable RV(artifacts[].diagnosis.code).
        - Also set for an artifact that was pulled but is RV(artifacts[].outdated). Otherwise not set.
      type: dict
      contains:
        code:
          description: Identifier of the cause.
          type: str
          sample: redirect_cached
        cause:
          description: What is wrong.
          type: str
          sample: cgr-java has cached an HTML page instead of org/slf4j/slf4j-api/2.0.17/slf4j-api-2.0.17.jar.
        fix:
          description: What to do.
          type: str
          sample: In cgr-java, set bypassHeadRequests to true.
        certainty:
          description: V(known) if the evidence shows the cause. V(likely) or V(possible) if other causes have the same evidence.
          type: str
          sample: known
summary:
  description: A line of text for each artifact that did not fail.
  returned: with O(artifacts)
  type: list
  elements: str
  sample:
    - "cgr-java: org.slf4j:slf4j-api: pulled 2.0.17; 2 files, 0.1 MB; 2 match the index, 2 match upstream; from upstream."
totals:
  description:
    - Totals of all artifacts. C(failed) counts the artifacts whose RV(artifacts[].ok) is V(false), and C(skipped) those that
      were not tried.
    - C(bytes) and C(requests) count the actual transfers from and to Artifactory and the upstream.
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

import functools
import time
import typing as t
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import Spec
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Transport
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    PullThroughModule,
    make_transport,
    require_libraries,
    run,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._ecosystems import PACKAGE_TYPES
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._options import build_job
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._puller import ArtifactPuller
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._report import (
    ArtifactResultBuilder,
    skipped_result,
    summary,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._repository_client import RepositoryClient
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._result import ArtifactPullJob
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_artifactory import ArtifactoryReader
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_module import (
    VERIFICATION_SPEC,
    CircuitBreakers,
    Params,
    build_jobs,
    exit_with_results,
    job_result,
    pull_arguments,
    validate_propagation_timeout,
    validate_threads,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_result import Result

SPEC: Spec = {
    "package_type": {"type": "str", "choices": list(PACKAGE_TYPES), "required": True},
    "artifacts": {"type": "list", "elements": "str"},
    "architectures": {"type": "list", "elements": "str", "default": ["x86_64"]},
    **VERIFICATION_SPEC,
}
RUN_SPEC: Spec = {"threads": {"type": "int", "default": 4}}
ARGUMENTS = pull_arguments(SPEC, "artifacts", common=RUN_SPEC)


def check_mode_result(job: ArtifactPullJob) -> Result:
    """Return the result of one job in check mode."""
    results = [skipped_result(artifact, job) for artifact in job.artifacts]
    return job_result("artifacts", job, [], results, [summary(result) for result in results])


def pull(module: AnsibleModule, jobs: list[tuple[Params, ArtifactPullJob]], transport: Transport) -> list[Result]:
    """Pull the artifacts and return the result of each job."""
    artifactory = ArtifactoryReader(module, transport)
    puller = ArtifactPuller(module.params["threads"], propagation_timeout=module.params["propagation_timeout"])
    pulled = puller.pull(artifactory.add_cache_probes(jobs))
    job_results = []
    for (params, job), pull_results in zip(jobs, pulled):
        builder = ArtifactResultBuilder(
            job, functools.partial(artifactory.config, params), functools.partial(artifactory.trace, params)
        )
        results = [builder.build(result) for result in pull_results]
        lines = [summary(result) for result in results if result["ok"]]
        job_results.append(job_result("artifacts", job, pull_results, results, lines))
    return job_results


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Validate the options, pull, and return the results."""
    started, transport = time.monotonic(), make_transport(module)
    validate_threads(module.params["threads"])
    validate_propagation_timeout(module.params["propagation_timeout"])
    breakers = CircuitBreakers()

    def connect(base_url: str, credentials: Credentials, *, repository_url: str = "") -> RepositoryClient:
        breaker = breakers.get(urlsplit(base_url).netloc, credentials)
        return RepositoryClient(
            base_url, credentials, transport=transport, repository_url=repository_url, breaker=breaker
        )

    jobs = build_jobs(module, lambda params: build_job(module, params, connect))
    if module.check_mode:
        job_results = [check_mode_result(job) for _params, job in jobs]
    else:
        job_results = pull(module, jobs, transport)
    return exit_with_results(module, job_results, time.monotonic() - started)


def main() -> None:
    module = PullThroughModule(**ARGUMENTS)
    require_libraries(module)
    run(module, execute, needs_visible_results=False)


if __name__ == "__main__":
    main()
