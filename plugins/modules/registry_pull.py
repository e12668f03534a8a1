#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_pull
short_description: Pull and verify container images through a registry
version_added: 0.3.0
description:
  - Pulls container images through a repository of Artifactory, or from any registry, without a container engine. It fetches
    the same manifests and layers as a container client, verifies digests and sizes, and discards the content.
  - Also pulls Helm charts and other OCI artifacts. For packages and libraries, use M(cgr.pull_through.artifact_pull).
  - A successful pull alone does not show that a repository works, because Artifactory serves cached images even after its
    upstream credentials have expired. With O(from_upstream), the module verifies that content came from upstream during this
    run. With O(upstream_url), it compares digests with the upstream.
  - When a pull fails, the module reports the likely cause and how to fix it. Artifactory returns the same 404 for most
    causes, so the module also reads the configuration of the repository and queries the upstream.
  - A pull fills the cache of the repository, so the module can also warm the cache.
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
      - Sends no requests through the registry, because they would fill its cache. With O(upstream_url), reads the manifests
        from upstream and returns in RV(plan) what would be pulled. The status of all images is V(skipped), and
        RV(images[].ok) is not set. An image that cannot be read from upstream fails.
  diff_mode:
    support: N/A
    details: Does not modify persistent state.
  idempotent:
    support: full
    details: Does not modify persistent state, so C(changed) is always V(false). Filling a cache is not reported as a change.
options:
  pulls:
    description:
      - List of pulls in one task. Each item has the options of the single form, and can have its own credentials.
      - Cannot be combined with O(images), O(repository), O(from_upstream), O(upstream_url), O(upstream_username) or
        O(upstream_password). All other options apply to all items.
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
      images:
        description: See O(images).
        type: list
        elements: str
        required: true
      other_images:
        description: See O(other_images).
        type: list
        elements: str
      registry_url:
        description: See O(registry_url). Defaults to the module option.
        type: str
      username:
        description:
          - See O(username). Defaults to the module option, unless the item has its own O(pulls[].registry_url).
          - To pull directly from Chainguard, set this to the user name of a pull token.
        type: str
      password:
        description: Password of O(pulls[].username).
        type: str
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
  registry_url:
    description:
      - URL of the registry, with scheme, host and optional port, without a path.
      - If Artifactory has a sub-domain for each repository, write C({key}) instead of the repository key, as in
        V(https://{key}.example.com). O(repository) then does not precede the names of the images.
      - Defaults to scheme, host and port of O(artifactory_url).
      - Falls back to the environment variable E(REGISTRY_URL).
    type: str
  repository:
    description:
      - Key of the repository in Artifactory. It precedes the name of each image, as in C(HOST/KEY/ORGANIZATION/IMAGE:TAG).
      - Omit it for a registry that is not Artifactory.
    type: str
  images:
    description:
      - Images to pull, without host and repository key. Write V(example.com/nginx:1.27), V(example.com/nginx@sha256:…), or
        both, as in V(example.com/nginx:1.27@sha256:…). Without a tag and a digest, V(latest) is pulled.
      - With a tag and a digest, the tag is pulled. If the tag has another digest, the given digest is pulled too.
      - A failed image does not stop the others; the module fails at the end. But after three failures in a row with one
        cause that is not specific to an image, such as no connection or rejected credentials, the rest is skipped.
      - One of O(images) and O(pulls) is required.
    type: list
    elements: str
  other_images:
    description:
      - With O(from_upstream), the images of which one is pulled instead of an image that shows nothing about the login, see
        RV(images[].login_unverified_until). The first one is pulled that was not requested from the upstream for four minutes.
        If there is none, nothing changes.
    type: list
    elements: str
  depth:
    description:
      - V(resolve) requests only the digest, with HEAD if possible. This verifies the name and the route, and shows with
        O(upstream_url) whether the tag is outdated. It does not fill the cache.
      - V(manifest) fetches the manifest or index of the tag. This also verifies the permissions.
      - V(image) also fetches the manifest, configuration and layers of each platform. This verifies that clients can pull
        the whole image, and caches all of it.
    type: str
    choices: [resolve, manifest, image]
    default: image
  platforms:
    description:
      - Platforms to pull, as V(os/architecture) or V(os/architecture/variant). An image without one of them fails.
      - Set it to V(all) alone to pull all platforms of each image.
      - Ignored for artifacts that have no platform, such as Helm charts.
    type: list
    elements: str
    default: [linux/amd64]
  from_upstream:
    description:
      - Whether to verify that at least one part of each image came from upstream during this run.
      - V(ignored) does not verify it.
      - V(preferred) checks the cache before and after the pull, and returns the result as RV(images[].from_upstream).
      - V(required) also fails an image without a part that verifiably came from upstream.
      - If all parts were cached already, the module pulls another small manifest of the image that is not cached, such as
        one of another platform or an attestation. If there is none, it expires the tag in the cache and pulls it again,
        which requires the Delete or the Manage permission on the repository. If either fails, only the cache works, and the
        image fails with V(preferred) too. Nothing is deleted from the cache.
      - Artifactory keeps a bearer token for each image for four minutes, also if other credentials are stored meanwhile. See
        RV(images[].login_unverified_until).
      - Requires O(repository) to be a remote repository, and Artifactory credentials that can read its cache.
    type: str
    choices: [ignored, preferred, required]
    default: ignored
  upstream_url:
    description:
      - URL of the registry to compare the digest of each tag with, such as V(https://cgr.dev). The host that runs the module
        must be able to reach it.
      - If the digests differ, the module pulls the upstream's digest through the repository too. If this succeeds,
        RV(images[].outdated) is set. If it fails, the image fails, because the cache masks errors of the upstream.
    type: str
  upstream_username:
    description:
      - User name for O(upstream_url). For Chainguard, the user name of a pull token.
      - Without it, requests to the upstream are anonymous.
    type: str
  upstream_password:
    description: Password of O(upstream_username).
    type: str
  username:
    description:
      - User name for the registry.
      - Defaults to the Artifactory credentials, if O(repository) is set or the registry has the same host as Artifactory.
        With O(artifactory_username), they are sent as C(docker login) sends them. An O(artifactory_access_token) alone is
        sent as a Bearer token.
    type: str
  password:
    description: Password of O(username).
    type: str
  token_service_hosts:
    description:
      - Other hosts that get the credentials if the registry names them as its token service, as V(host) or V(host:port).
        Docker Hub, for example, uses V(auth.docker.io).
      - By default, the credentials are sent only to the scheme, host and port that they were set for. A token service on
        another host gets an anonymous request.
    type: list
    elements: str
    default: []
  propagation_timeout:
    description:
      - How many seconds to repeat a direct pull that the registry or its token service denies. A direct pull has
        credentials and no O(repository). Only denied images are pulled again.
      - A new pull token or role binding takes some seconds to propagate at Chainguard.
      - V(0) does not repeat denied pulls. O(max_seconds) limits this time too.
    type: int
    default: 0
  threads:
    description: Number of concurrent requests, from 1 to 32.
    type: int
    default: 12
  referrers:
    description:
      - Whether to also pull the signatures, attestations and SBOMs of each image and its platforms.
      - They are found by the Referrers API, by its fallback tag, and by the older tags with the suffixes C(.sig), C(.att)
        and C(.sbom). It is not a failure if there are none. This takes four or five requests per digest.
      - Requires O(depth=image).
    type: bool
    default: false
  canary:
    description:
      - Whether to pull the first image of each repository before all others. If it fails, the others of that repository are not pulled,
        and their status is V(skipped).
    type: bool
    default: false
  requests_per_second:
    description: Maximum number of requests per second, over all threads, such as V(20) or V(0.5).
    type: float
  bytes_per_second:
    description: Maximum number of bytes to download per second, over all threads, such as V(50M).
    type: bytes
  max_bytes:
    description:
      - End the run before it downloads more than this number of bytes of layers and configurations, such as V(200G).
        Manifests and retries do not count.
      - The status of images that were not pulled because of this option or O(max_seconds) is V(skipped), and
        RV(images[].ok) is not set. The module warns, and does not fail because of them. RV(limit) names the option.
      - With one of the two options, images are pulled one after the other. Without them, the largest layers are pulled
        first.
    type: bytes
  max_seconds:
    description: End the run after this number of seconds. Unfinished downloads are canceled.
    type: int
  resume_file:
    description:
      - File with the layers of each image that were pulled, so that the next run continues after a run that was stopped.
        Manifests are always requested again. If a tag has another digest since, its image is pulled completely.
      - The file contains names and digests, and no secrets. It is created with mode 0600, and is not changed in check mode.
      - Delete the file to start again. Layers that Artifactory has removed from its cache since are not pulled again as long
        as the file exists.
    type: path
  progress_file:
    description:
      - File to append a line with the progress to every 5 seconds. It is created with mode 0600. Follow it with C(tail -f)
        on the host that runs the module.
      - Ansible shows no output of a module before the module ends, even with C(async).
    type: path
notes:
  - Each thread uses about 2 MiB of memory, regardless of the size of layers.
  - Foreign (non-distributable) layers are counted, but not pulled.
seealso:
  - module: cgr.pull_through.artifact_pull
  - module: cgr.pull_through.artifactory_repository_cache
"""

EXAMPLES = r"""
- name: Pull an image through Artifactory
  cgr.pull_through.registry_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    repository: cgr-private
    images:
      - example.com/nginx:latest

- name: Verify that Artifactory can pull from Chainguard, and compare the digests
  cgr.pull_through.registry_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_username: ci
    artifactory_access_token: "{{ artifactory_token }}"
    repository: cgr-public
    images:
      - chainguard/wolfi-base
      - chainguard/go:latest-dev
    depth: manifest
    from_upstream: required
    upstream_url: https://cgr.dev

- name: Warm the cache for two platforms
  cgr.pull_through.registry_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    repository: cgr-private
    images: "{{ images_to_cache }}"
    platforms: [linux/amd64, linux/arm64]
    threads: 16

- name: Show what would be pulled
  cgr.pull_through.registry_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    repository: cgr-public
    images: [chainguard/wolfi-base]
    upstream_url: https://cgr.dev
  check_mode: true

- name: Warm the cache for one hour with limits, and continue the previous run
  cgr.pull_through.registry_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    repository: cgr-private
    images: "{{ images_to_cache }}"
    platforms: [all]
    referrers: true
    canary: true
    requests_per_second: 20
    bytes_per_second: 50M
    max_seconds: 3600
    resume_file: /var/lib/cache-warming/pulled.jsonl
    progress_file: /var/log/cache-warming.log

- name: Verify two repositories in one task
  cgr.pull_through.registry_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    depth: manifest
    pulls:
      - repository: cgr-public
        images: [chainguard/wolfi-base]
        from_upstream: required
      - repository: cgr-charts
        images: [example.com/iamguarded-charts/redis:22.0.7]

- name: Pull directly from Chainguard with new pull tokens
  cgr.pull_through.registry_pull:
    registry_url: https://cgr.dev
    depth: manifest
    propagation_timeout: 30
    pulls:
      - name: cgr-private
        username: "{{ image_token.username }}"
        password: "{{ image_token.password }}"
        images: [example.com/nginx]
      - name: cgr-charts
        username: "{{ chart_token.username }}"
        password: "{{ chart_token.password }}"
        images: [example.com/iamguarded-charts/redis:22.0.7]

- name: Pull from another registry
  cgr.pull_through.registry_pull:
    registry_url: https://registry.example.com:5000
    username: ci
    password: "{{ registry_password }}"
    images: ["base/debian@sha256:2b8d2ad6b0e8a5c2d9f6f0a3f4c61a7b1e5cf2f1fb3a9d9d1dd6e4b6a7d3c001"]
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
      sample: cgr-private
    repository:
      description: See O(pulls[].repository). Not set if the item has none.
      type: str
      sample: cgr-private
    images:
      description: See RV(images).
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
      description: Whether an image of the item failed.
      type: bool
      sample: false
    msg:
      description: The failed images, each with its cause and fix.
      returned: if the item failed
      type: str
images:
  description: One result per image, in the order of O(images). Also returned when the module fails because of an image.
  returned: with O(images)
  type: list
  elements: dict
  contains:
    image:
      description: The image, as in O(images).
      type: str
      sample: chainguard/go:latest
    reference:
      description: The image, as container clients write it.
      type: str
      sample: myproject.jfrog.io/cgr-public/chainguard/go:latest
    status:
      description: V(pulled), V(failed), or V(skipped) if the image was not tried.
      type: str
      sample: pulled
    ok:
      description: Whether the pull and all requested verifications succeeded. Not set in check mode.
      type: bool
      sample: true
    digest:
      description: Digest of the tag in the repository.
      type: str
      sample: sha256:8e7c7e3d1d1f4b3b8a8d9c2f1a0e6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f00
    media_type:
      description: Media type of the manifest or index with this digest.
      type: str
      sample: application/vnd.oci.image.index.v1+json
    upstream_digest:
      description: Digest of the tag at O(upstream_url). Not set if the upstream was not queried, or returned an error.
      type: str
      sample: sha256:8e7c7e3d1d1f4b3b8a8d9c2f1a0e6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f00
    outdated:
      description: Whether the two digests differ. Not set if they were not compared.
      type: bool
      sample: false
    from_upstream:
      description: Whether a part of the image came from upstream during this run. Not set if this is unknown.
      type: bool
      sample: true
    from_upstream_evidence:
      description: The evidence for RV(images[].from_upstream), or the reason why it is unknown.
      type: str
      sample: chainguard/go latest was not in cgr-public-cache before, and is now.
    login_unverified_until:
      description:
        - Until when Artifactory may use the login that was stored before, because the image was requested from the upstream
          less than four minutes before this run. So RV(images[].from_upstream) does not show that the stored credentials work.
        - Not set if they were used in this run, and without O(from_upstream).
      type: str
      sample:
    platforms:
      description: Digest of the manifest of each platform that was pulled. Empty for an artifact without a platform.
      type: dict
      sample:
        linux/amd64: sha256:1f0c5f8f1b8f1ad7d0d6f2f7c3f5a1c9e8b7a6d5c4b3a2918070605040302010
    artifact_type:
      description: Type of an OCI artifact. Not set for an image.
      type: str
      sample: application/vnd.cncf.helm.config.v1+json
    layers:
      description: Number of layers of these platforms.
      type: int
      sample: 3
    foreign_layers:
      description: Number of these layers that are foreign, and therefore were not pulled.
      type: int
      sample: 0
    bytes:
      description: Size of all manifests, configurations and layers of these platforms in bytes.
      type: int
      sample: 251658240
    referrers:
      description: Number of signatures, attestations and SBOMs. Not set without O(referrers).
      type: int
      sample: 3
    seconds:
      description: Seconds from the first request for this image to the last one. Images are processed concurrently.
      type: float
      sample: 4.2
    error:
      description:
        - Details of the failure, with the keys C(message) and C(hint). If a request failed, also C(method), C(url), C(status)
          and C(response_message). Not set if the image did not fail.
      type: dict
      sample:
    diagnosis:
      description:
        - The cause of the failure and how to fix it, as text, with a machine-readable RV(images[].diagnosis.code).
        - Also set for an image that was pulled but is RV(images[].outdated). Otherwise not set.
      type: dict
      contains:
        code:
          description: Identifier of the cause.
          type: str
          sample: token_authentication_off
        cause:
          description: What is wrong.
          type: str
          sample: Token authentication is off in cgr-private, so Artifactory cannot log in upstream.
        fix:
          description: What to do.
          type: str
          sample: Set enableTokenAuthentication to true, then expire the cache of cgr-private or wait 1800 seconds.
        certainty:
          description: V(known) if the evidence shows the cause. V(likely) or V(possible) if other causes have the same evidence.
          type: str
          sample: known
summary:
  description: A line of text for each image that did not fail.
  returned: with O(images)
  type: list
  elements: str
  sample:
    - "myproject.jfrog.io/cgr-public/chainguard/go:latest: pulled sha256:8e7c… (same as upstream); linux/amd64; 3 layers, 251.7 MB; from upstream."
plan:
  description:
    - What would be pulled. C(layers), and C(bytes) of layers and configurations, are set only if all images have an
      O(upstream_url). Layers in O(resume_file) do not count.
  returned: in check mode
  type: dict
  sample:
    images: 2
    layers: 14
    bytes: 251672110
limit:
  description: The limit that ended the run. Not set if the run was not limited.
  returned: not in check mode
  type: str
  sample: max_seconds (3600)
totals:
  description:
    - Totals of all images. C(failed) counts the images whose RV(images[].ok) is V(false), and C(skipped) those that were not
      tried.
    - C(bytes) and C(requests) count the actual transfers from and to the registries.
  returned: always
  type: dict
  sample:
    images: 2
    failed: 0
    skipped: 0
    bytes: 251672110
    requests: 19
    seconds: 4.5
"""

import contextlib
import functools
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import Spec, from_env
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_config import RepositoryConfig
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._destinations import validate_registry
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Transport
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    PullThroughModule,
    make_transport,
    require_libraries,
    run,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._progress_file import ProgressFile
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_artifactory import ArtifactoryReader
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_module import (
    VERIFICATION_SPEC,
    CircuitBreakers,
    Params,
    build_jobs,
    exit_with_results,
    job_result,
    pull_arguments,
    read_pulls,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_result import Result
from ansible_collections.cgr.pull_through.plugins.module_utils._rate_limit import Limits
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._checkpoint import Checkpoint
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._options import (
    build_job,
    build_limits,
    build_settings,
    is_artifactory,
    parse_token_service_hosts,
    registry_url,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._puller import ImagePuller
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._report import (
    ImageResultBuilder,
    skipped_result,
    summary,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._result import ImagePullJob, ImagePullResult

_REGISTRY_SPEC: Spec = {
    "registry_url": {"type": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
}
_IMAGES: Spec = {name: {"type": "list", "elements": "str"} for name in ("images", "other_images")}
SPEC: Spec = {**_IMAGES, **_REGISTRY_SPEC, **VERIFICATION_SPEC}
RUN_SPEC: Spec = {
    **_REGISTRY_SPEC,
    "registry_url": from_env("REGISTRY_URL", type="str"),
    "token_service_hosts": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "depth": {"type": "str", "choices": ["resolve", "manifest", "image"], "default": "image"},
    "platforms": {"type": "list", "elements": "str", "default": ["linux/amd64"]},
    "threads": {"type": "int", "default": 12},
    "referrers": {"type": "bool", "default": False},
    "canary": {"type": "bool", "default": False},
    "requests_per_second": {"type": "float"},
    "bytes_per_second": {"type": "bytes"},
    "max_bytes": {"type": "bytes"},
    "max_seconds": {"type": "int"},
    "resume_file": {"type": "path"},
    "progress_file": {"type": "path"},
}
# After max_seconds, to read what explains a failure.
_END_SECONDS = 3
ARGUMENTS = pull_arguments(SPEC, "images", common=RUN_SPEC, together=[("username", "password")])


def create_transport(module: AnsibleModule) -> Transport:
    """Return the transport. It sends the client certificate for Artifactory to Artifactory's registry too."""
    urls = [(item, registry_url(item)) for item in read_pulls(module)]
    artifactory_urls = list(dict.fromkeys(url for item, url in urls if is_artifactory(item, url)))
    for url in artifactory_urls:
        validate_registry(module.params, url)
    max_seconds = float("inf") if module.params["max_seconds"] is None else module.params["max_seconds"]
    return make_transport(module, *artifactory_urls, max_run_seconds=max_seconds + _END_SECONDS)


def image_job_result(
    job: ImagePullJob, pulled: list[ImagePullResult], build: t.Callable[[ImagePullResult], Result], depth: str
) -> Result:
    """Return the result of one job."""
    results = [build(result) for result in pulled]
    lines = [summary(result, depth) for result in results if result["ok"] is not False]
    return job_result("images", job, pulled, results, lines)


def check_mode_result(job: ImagePullJob, depth: str) -> Result:
    """Return the result of one job in check mode without an upstream."""
    results = [skipped_result(reference.text, job) for reference in job.references]
    return job_result("images", job, [], results, [summary(result, depth) for result in results])


def plan_pull(puller: ImagePuller, jobs: list[ImagePullJob], depth: str) -> tuple[list[Result], Result]:
    """Return the result of each job in check mode, and the plan. Sends requests to the upstream only."""
    plan = {"images": sum(len(job.references) for job in jobs), "layers": None, "bytes": None}
    predicted = iter(puller.dry_run([job for job in jobs if job.upstream is not None]))
    job_results = []
    for job in jobs:
        if job.upstream is None:
            job_results.append(check_mode_result(job, depth))
        else:
            builder = ImageResultBuilder(job, RepositoryConfig)
            job_results.append(image_job_result(job, next(predicted), builder.build_predicted, depth))
    if all(job.upstream is not None for job in jobs):
        blobs = puller.pending_blobs()
        plan["layers"], plan["bytes"] = sum(not blob.is_config for blob in blobs), sum(blob.size for blob in blobs)
    return job_results, plan


def pull(
    module: AnsibleModule,
    puller: ImagePuller,
    jobs: list[tuple[Params, ImagePullJob]],
    transport: Transport,
    limits: Limits,
) -> list[Result]:
    """Pull the images and return the result of each job."""

    def sleep(seconds: float) -> None:
        time.sleep(limits.shorten(seconds))

    artifactory = ArtifactoryReader(module, transport, sleep=sleep)
    probed_jobs = artifactory.add_cache_probes(jobs)
    path = module.params["progress_file"]
    with ProgressFile(path, puller.progress) if path else contextlib.nullcontext():
        pulled = puller.pull(probed_jobs)
    job_results = []
    for (params, job), results in zip(jobs, pulled):
        builder = ImageResultBuilder(
            job, functools.partial(artifactory.config, params), functools.partial(artifactory.trace, params)
        )
        job_results.append(image_job_result(job, results, builder.build, module.params["depth"]))
    return job_results


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Validate the options, pull, and return the results."""
    started, params = time.monotonic(), module.params
    settings, limits, transport = build_settings(params), build_limits(params), create_transport(module)
    breakers, token_service_hosts = CircuitBreakers(), parse_token_service_hosts(params)

    def connect(url: str, credentials: Credentials) -> Registry:
        breaker = breakers.get(url, credentials)
        return Registry(
            url,
            credentials,
            transport=transport,
            breaker=breaker,
            limits=limits,
            token_service_hosts=token_service_hosts,
        )

    jobs = build_jobs(module, lambda item: build_job(item, connect))
    with contextlib.closing(Checkpoint(params["resume_file"], writable=not module.check_mode)) as checkpoint:
        puller = ImagePuller(settings, limits=limits, checkpoint=checkpoint)
        if module.check_mode:
            job_results, plan = plan_pull(puller, [job for _params, job in jobs], params["depth"])
            return exit_with_results(module, job_results, time.monotonic() - started, plan=plan)
        job_results = pull(module, puller, jobs, transport, limits)
    if limits.reached:
        skipped = sum(image["status"] == "skipped" for result in job_results for image in result["images"])
        module.warn(f"The run ended because {limits.reached} was reached. Images that were not pulled: {skipped}.")
    return exit_with_results(module, job_results, time.monotonic() - started, limit=limits.reached or None)


def main() -> None:
    module = PullThroughModule(**ARGUMENTS)
    require_libraries(module)
    run(module, execute, needs_visible_results=False)


if __name__ == "__main__":
    main()
