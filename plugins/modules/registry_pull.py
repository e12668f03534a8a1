#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_pull
short_description: Pull images through a registry and prove it
version_added: 0.1.0
description:
  - Pulls container images through a repository of Artifactory, or from any registry, without a container engine. Every
    manifest and every layer is fetched as a client would. Digests and sizes are checked, and nothing is kept.
  - Helm charts and other things that registries hold are pulled in the same way. For packages and libraries, use
    M(cgr.pull_through.artifact_pull).
  - An image that comes from the cache proves little, as Artifactory goes on serving it after the upstream login died.
    With O(from_upstream) the module shows that something came from upstream during this run, and with O(upstream_url) it
    compares digests with what upstream serves now.
  - When a pull fails, it says what the likely cause is and how to mend it. Artifactory answers the same 404 for most
    causes, so the repository's configuration and upstream are asked as well.
  - Pulling fills the cache, so this is also the module to warm it.
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
      - Sends nothing through the registry, as that would fill its cache. With O(upstream_url), the manifests are read
        there, and RV(plan) tells what would be pulled. All images are reported as V(skipped), with RV(images[].ok) not
        set. An image that upstream does not let have fails.
  diff_mode:
    support: N/A
    details: Nothing that lasts is changed.
  idempotent:
    support: full
    details: Nothing that lasts is changed, so C(changed) is always V(false). That a cache fills does not count.
options:
  pulls:
    description:
      - Several repositories in one task, in the place of O(repository), O(images) and the other options that its items
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
      images:
        description: As O(images), of this repository.
        type: list
        elements: str
        required: true
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
      registry_url:
        description: As O(registry_url), for this item. Defaults to O(registry_url).
        type: str
      username:
        description:
          - User name for the registry of this item, such as that of a pull token to pull directly from Chainguard.
          - Defaults to O(username), unless the item has its own O(pulls[].registry_url).
        type: str
      password:
        description: Password of O(pulls[].username).
        type: str
  registry_url:
    description:
      - The registry as a container client addresses it. Scheme and host, and a port if it needs one.
      - Defaults to scheme, host and port of O(artifactory_url).
      - Falls back to the environment variable E(REGISTRY_URL).
    type: str
  repository:
    description:
      - Key of the repository in Artifactory, which stands before the name of each image, as in
        C(HOST/KEY/ORGANIZATION/IMAGE:TAG).
      - Leave it out for a registry without such keys.
    type: str
  images:
    description:
      - What to pull, without host and repository key. V(example.com/nginx:1.27), V(example.com/nginx@sha256:…) or both,
        as in V(example.com/nginx:1.27@sha256:…). Without tag and digest, V(latest) is pulled.
      - With tag and digest, the tag is pulled. If it has another digest, that digest must be available as well.
      - All images are tried. What fails does not stop the others. After three failures in a row with one cause that is
        no matter of the single image (no connection, or a login that is refused) the rest is skipped.
    type: list
    elements: str
  depth:
    description:
      - V(resolve) asks for the digest alone (HEAD, and GET where that does not tell it). This proves the name and the
        route, and with O(upstream_url) it shows what is outdated. It puts nothing into the cache. Since 0.2.0.
      - V(manifest) fetches what the tag leads to. This proves the name, the route and the permission.
      - V(image) fetches also each platform's manifest, configuration and layers. This proves that a client can run it,
        and puts all of it into the cache.
    type: str
    choices: [resolve, manifest, image]
    default: image
  platforms:
    description:
      - The platforms that the image must have, as V(os/architecture) or V(os/architecture/variant).
      - V(all) alone means each platform that the image has.
      - What is no image, such as a Helm chart, has no platform, and is pulled whatever is asked for here.
    type: list
    elements: str
    default: [linux/amd64]
  from_upstream:
    description:
      - Whether something of each image has to come from upstream during this run.
      - V(ignored) does not look.
      - V(preferred) looks into the cache before and after, and reports it as RV(images[].from_upstream).
      - V(required) fails for an image of which nothing can be shown to have come from upstream.
      - If all that is pulled was in the cache, a small manifest of the image that is not is looked for and pulled, such
        as that of another platform or an attestation. If that does not come, only the cache still works, and the image
        fails, with V(preferred) too.
      - This needs O(repository) as the key of a remote repository, and a login for Artifactory that may read its cache.
    type: str
    choices: [ignored, preferred, required]
    default: ignored
  evict:
    description:
      - With O(from_upstream=required), and if everything of an image is in the cache, delete one small manifest from the cache
        and pull it again. It is one that is not pulled otherwise, if there is one.
      - This needs permission to delete from the repository. If upstream cannot be reached, the manifest is gone from
        the cache until it can be.
    type: bool
    default: false
  upstream_url:
    description:
      - Registry to ask for the digest of each tag, such as V(https://cgr.dev). It must be reachable from where the
        module runs.
      - If its digest differs, the image is pulled by that digest through the repository too. If that works, the tag is
        only older, which RV(images[].outdated) tells. If not, the image fails, as the cache hides errors of upstream.
    type: str
  upstream_username:
    description: User name for O(upstream_url). For Chainguard, that of a pull token. Without it, nobody logs in.
    type: str
  upstream_password:
    description: Password of O(upstream_username).
    type: str
  username:
    description:
      - User name for the registry.
      - Without it, the login for Artifactory is used, if there is a O(repository) or the registry has the same host.
        With O(artifactory_username) it is sent as C(docker login) would. An O(artifactory_access_token) alone is sent
        as a Bearer token.
    type: str
  password:
    description: Password of O(username).
    type: str
  propagation_timeout:
    description:
      - For how many seconds to retry a pull that the registry or its token service denies, if it is pulled directly, with
        credentials and without a O(repository). Other pulls are not retried.
      - A new pull token or role binding needs some seconds until all of Chainguard knows it.
      - With O(max_seconds), the retries end after that time at the latest.
    type: int
    default: 0
    version_added: 0.2.0
  threads:
    description: How many requests are under way at the same time, from 1 to 32.
    type: int
    default: 12
  referrers:
    description:
      - Whether to pull also the signatures, attestations and SBOMs of each image and of its platforms.
      - They are found by the Referrers API, by the tag that stands in for it, and by the older tags that end in C(.sig),
        C(.att) and C(.sbom). That there are none is no failure. This takes four or five requests for each digest.
      - This needs O(depth=image).
    type: bool
    default: false
    version_added: 0.2.0
  canary:
    description:
      - Whether to pull the first image alone first. If it fails, no other is tried, and all others are reported as
        V(skipped).
    type: bool
    default: false
    version_added: 0.2.0
  requests_per_second:
    description: The most requests to send in a second, over all threads, such as V(20) or V(0.5).
    type: float
    version_added: 0.2.0
  bytes_per_second:
    description: The most bytes to download in a second, over all threads, such as V(50M).
    type: bytes
    version_added: 0.2.0
  max_bytes:
    description:
      - End the run before it downloads more than these bytes of layers and configurations, such as V(200G). Manifests,
        which are small, and what has to be sent again after a cut connection come on top.
      - What was not pulled because of this or of O(max_seconds) is reported as V(skipped), with RV(images[].ok) not set.
        The module warns, and does not fail because of it. RV(limit) tells which one it was.
      - With one of the two, images are pulled in their order. Without, the largest layers come first.
    type: bytes
    version_added: 0.2.0
  max_seconds:
    description: End the run after these seconds. What is under way then is given up.
    type: int
    version_added: 0.2.0
  resume_file:
    description:
      - A file that remembers which layers of which image were pulled, so that a run that was stopped goes on where it
        was. Manifests are asked for again, and if a tag leads to another digest by now, its image is pulled whole.
      - The file holds names and digests, and no secret. It is made with mode 0600, and only read in check mode. Delete it
        to begin anew. As long as it exists, it hides that Artifactory may have removed from its cache what was pulled.
    type: path
    version_added: 0.2.0
  progress_file:
    description:
      - A file to which a line with the progress is appended every 5 seconds, made with mode 0600. Follow it with
        C(tail -f) on the host where the module runs.
      - Ansible shows nothing of a module before it ends, nor of an C(async) task, so there is no other honest way.
    type: path
    version_added: 0.2.0
notes:
  - Memory does not grow with the size of layers. Each thread holds about 2 MiB.
  - Foreign (non-distributable) layers are counted and not fetched.
"""

EXAMPLES = r"""
- name: Can this image be pulled?
  cgr.pull_through.registry_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    repository: cgr-private
    images:
      - example.com/nginx:latest

- name: Prove that the way to Chainguard is open, and that the cache is not outdated
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
    evict: true
    upstream_url: https://cgr.dev
  register: proof

- name: Warm the cache for two platforms before the night's builds
  cgr.pull_through.registry_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    repository: cgr-private
    images: "{{ images_of_our_builds }}"
    platforms: [linux/amd64, linux/arm64]
    threads: 16

- name: What would that pull?
  cgr.pull_through.registry_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    repository: cgr-public
    images: [chainguard/wolfi-base]
    upstream_url: https://cgr.dev
  check_mode: true
  register: foreseen

- name: Warm the cache for an hour each night, politely, and go on where the last night ended
  cgr.pull_through.registry_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    repository: cgr-private
    images: "{{ images_of_our_builds }}"
    platforms: [all]
    referrers: true
    canary: true
    requests_per_second: 20
    bytes_per_second: 50M
    max_seconds: 3600
    resume_file: /var/lib/warm-up/proved.jsonl
    progress_file: /var/log/warm-up.log

- name: Prove two repositories in one task
  cgr.pull_through.registry_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    depth: manifest
    pulls:
      - repository: cgr-public
        images: [chainguard/wolfi-base]
        from_upstream: required
        evict: true
      - repository: cgr-charts
        images: [example.com/iamguarded-charts/redis:22.0.7]

- name: Can this Helm chart be pulled?
  cgr.pull_through.registry_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    repository: cgr-charts
    images:
      - example.com/iamguarded-charts/redis:22.0.7

- name: Pull from another registry, without Artifactory
  cgr.pull_through.registry_pull:
    registry_url: https://registry.example.com:5000
    username: ci
    password: "{{ registry_password }}"
    images: ["base/debian@sha256:2b8d2ad6b0e8a5c2d9f6f0a3f4c61a7b1e5cf2f1fb3a9d9d1dd6e4b6a7d3c001"]
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
    images:
      description: As RV(images), of this repository.
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
images:
  description: What came of each image, in the order of O(images). Also returned when the module fails because of them.
  returned: without O(pulls)
  type: list
  elements: dict
  contains:
    image:
      description: The image as given.
      type: str
      sample: chainguard/go:latest
    reference:
      description: The image as a container client writes it.
      type: str
      sample: myproject.jfrog.io/cgr-public/chainguard/go:latest
    status:
      description: V(pulled), V(failed), or V(skipped) for an image that was not tried.
      type: str
      sample: pulled
    ok:
      description: Whether everything that was asked for could be shown. Not set in check mode.
      type: bool
      sample: true
    digest:
      description: Digest that the tag has through the repository.
      type: str
      sample: sha256:8e7c7e3d1d1f4b3b8a8d9c2f1a0e6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f00
    media_type:
      description: Media type of what has that digest.
      type: str
      sample: application/vnd.oci.image.index.v1+json
    upstream_digest:
      description: Digest that the tag has at O(upstream_url). Not set if it was not asked, or did not tell.
      type: str
      sample: sha256:8e7c7e3d1d1f4b3b8a8d9c2f1a0e6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f00
    outdated:
      description: Whether the two digests differ. Not set if they could not be compared.
      type: bool
      sample: false
    from_upstream:
      description: Whether something of the image came from upstream during this run. Not set if that is not known.
      type: bool
      sample: true
    from_upstream_evidence:
      description: Why it is known, or not.
      type: str
      sample: chainguard/go latest was not in cgr-public-cache before, and is now.
    platforms:
      description: Digest of the manifest of each platform that was pulled. Empty for what is no image.
      type: dict
      sample:
        linux/amd64: sha256:1f0c5f8f1b8f1ad7d0d6f2f7c3f5a1c9e8b7a6d5c4b3a2918070605040302010
    artifact_type:
      description: What it is, if it is no image. Not set for an image.
      type: str
      sample: application/vnd.cncf.helm.config.v1+json
    layers:
      description: Number of layers of these platforms.
      type: int
      sample: 3
    foreign_layers:
      description: How many of them are foreign, and so were not fetched.
      type: int
      sample: 0
    bytes:
      description: Bytes of all manifests, configurations and layers of these platforms.
      type: int
      sample: 251658240
    referrers:
      description: How many signatures, attestations and SBOMs it has. Not set without O(referrers).
      type: int
      sample: 3
    seconds:
      description: Time from the first request for this image to the last. Images overlap.
      type: float
      sample: 4.2
    error:
      description:
        - What went wrong. Its keys are C(message), C(hint), and for a request C(method), C(url), C(status) and C(said),
          which are the words of the answer. Not set if nothing went wrong.
      type: dict
      sample:
    diagnosis:
      description:
        - The cause of what went wrong and how to mend it, in words, with a RV(images[].diagnosis.code) for programs.
        - Also set for an image that was pulled but is RV(images[].outdated). Otherwise not set.
      type: dict
      contains:
        code:
          description: Name of the cause.
          type: str
          sample: token_authentication_off
        cause:
          description: What is wrong.
          type: str
          sample: Token authentication is off in cgr-private, so Artifactory cannot log in upstream.
        fix:
          description: What to do.
          type: str
          sample: Set enableTokenAuthentication to true, then zap the caches of cgr-private or wait 1800 seconds.
summary:
  description: What each image's result proves, in a line for people, for those that could be pulled as asked.
  returned: without O(pulls)
  type: list
  elements: str
  sample:
    - "myproject.jfrog.io/cgr-public/chainguard/go:latest: pulled sha256:8e7c…, as upstream; linux/amd64, 3 layers, 251.7 MB; from upstream."
plan:
  description:
    - What would be pulled. C(layers) and C(bytes), those of layers and configurations, are not set unless O(upstream_url)
      is given for all images. What O(resume_file) knows does not count.
  returned: in check mode
  type: dict
  sample:
    images: 2
    layers: 14
    bytes: 251672110
limit:
  description: The limit that ended the run. Not set if none did.
  returned: not in check mode
  type: str
  sample: max_seconds (3600)
totals:
  description:
    - The sum of it, over all repositories. C(failed) counts the images that are not RV(images[].ok), and C(skipped) those that were not tried.
    - C(bytes) and C(requests) are what really went over the wire from and to the registries.
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
import dataclasses
import functools
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import ARTIFACTORY_SPEC, HTTP_SPEC
from ansible_collections.cgr.pull_through.plugins.module_utils._circuit_breaker import CircuitBreaker
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis import RepositoryConfig, Result
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Transport, validate_base_url
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    artifactory_base_url,
    make_transport,
    require_libraries,
    run,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._progress_file import ProgressFile
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
    item_params,
    pulls_option,
    repository_result,
    validate_from_upstream,
    validate_propagation_timeout,
    validate_threads,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._rate_limit import Limits
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._checkpoint import Checkpoint
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._platforms import parse_platforms
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._pull import (
    PullJob,
    PullResult,
    Puller,
    Settings,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._reference import (
    Reference,
    parse_reference,
    validate_name,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._report import (
    ResultBuilder,
    skipped_result,
    summary,
)

EACH_SPEC: dict[str, dict[str, t.Any]] = {"images": {"type": "list", "elements": "str"}, **PROOF_SPEC}

CREDENTIALS_SPEC: dict[str, dict[str, t.Any]] = {
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
}
# What each item may have besides, while the module's own options are its defaults.
ITEM_SPEC: dict[str, dict[str, t.Any]] = {**EACH_SPEC, "registry_url": {"type": "str"}, **CREDENTIALS_SPEC}

SPEC: dict[str, dict[str, t.Any]] = {
    **EACH_SPEC,
    **RUN_SPEC,
    **CREDENTIALS_SPEC,
    "pulls": pulls_option(ITEM_SPEC, required=["images"], together=[("username", "password")]),
    "registry_url": {"type": "str", "fallback": (env_fallback, ["REGISTRY_URL"])},
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

# Makes a registry of a URL and a login.
Connect = t.Callable[[str, Credentials], Registry]


def build_settings(params: Params) -> Settings:
    """Return what to do with each image, or raise InputError."""
    if params["referrers"] and params["depth"] != "image":
        raise InputError(f"referrers is on with depth={params['depth']}.", hint="It needs depth=image.")
    return Settings(
        depth=params["depth"],
        platforms=parse_platforms(params["platforms"]),
        threads=validate_threads(params["threads"]),
        referrers=params["referrers"],
        canary=params["canary"],
        propagation_timeout=propagation_timeout(params),
    )


def propagation_timeout(params: Params) -> float:
    """Return how long a denied direct pull is retried: not longer than the run may take. Raises InputError."""
    seconds = validate_propagation_timeout(params["propagation_timeout"])
    return seconds if params["max_seconds"] is None else min(seconds, params["max_seconds"])


def build_limits(params: Params) -> Limits:
    """Return the limits of the run, or raise InputError."""
    given = {name: params[name] for name in ("requests_per_second", "bytes_per_second", "max_bytes", "max_seconds")}
    for name, value in given.items():
        if value is not None and value <= 0:
            raise InputError(f"{name} is {value:g}.", hint="Set it to more than 0, or leave it out for no limit.")
    return Limits(**given)


def validate_registry_url(url: str, option: str) -> str:
    """Return the URL of a registry, or raise InputError. Container clients know no path before /v2/."""
    url = validate_base_url(url, option)
    if url.count("/") > 2:
        raise InputError(f"{option} has a path: {url}.", hint="Write scheme, host and port only, as for docker login.")
    return url


def registry_url(module: AnsibleModule, params: Params) -> str:
    """Return the URL of the registry to pull from, or raise InputError."""
    if params["registry_url"]:
        return validate_registry_url(params["registry_url"], "registry_url")
    if not params["artifactory_url"]:
        raise InputError("There is no registry to pull from.", hint="Set registry_url or artifactory_url.")
    return "/".join(artifactory_base_url(module).split("/")[:3])


def belongs_to_artifactory(params: Params, url: str) -> bool:
    """Return whether the registry is Artifactory's, so that it may see what Artifactory may."""
    return bool(params["repository"]) or f"{params['artifactory_url']}/".startswith(f"{url}/")


def open_transport(module: AnsibleModule) -> Transport:
    """Return the transport. It shows a client certificate to the registry as well, where that is Artifactory's."""
    items = [item_params(module.params, item) for item in module.params["pulls"] or [module.params]]
    urls = [(item, registry_url(module, item)) for item in items]
    return make_transport(module, *dict.fromkeys(url for item, url in urls if belongs_to_artifactory(item, url)))


def registry_login(params: Params, url: str) -> Credentials:
    """Return the login for a registry. That for Artifactory is shown only to what belongs to it."""
    if params["username"]:
        return Credentials(params["username"], params["password"])
    token, username = params["artifactory_access_token"], params["artifactory_username"]
    belongs = belongs_to_artifactory(params, url)
    if belongs and username:
        return Credentials(username, token or params["artifactory_password"] or "")
    return Credentials(bearer=token) if belongs and token else Credentials()


def parse_references(images: t.Sequence[str], hosts: t.Collection[str]) -> list[Reference]:
    """Return the images without repetitions, or raise InputError."""
    if not images:
        raise InputError("images is empty.", hint="Name at least one image: pulling nothing proves nothing.")
    return [parse_reference(text, hosts=hosts) for text in dict.fromkeys(images)]


def open_upstream(params: Params, connect: Connect) -> Registry | None:
    """Return the registry to compare with, if there is one. Raises InputError."""
    if not params["upstream_url"]:
        return None
    login = Credentials(params["upstream_username"] or "", params["upstream_password"] or "")
    return connect(validate_registry_url(params["upstream_url"], "upstream_url"), login)


def build_job(module: AnsibleModule, params: Params, connect: Connect) -> tuple[Params, PullJob]:
    """Return the options of one repository, and its images with what it takes to pull them. Raises InputError."""
    validate_from_upstream(params)
    if params["from_upstream"] != "ignored" and params["depth"] == "resolve":
        raise InputError(
            f"from_upstream={params['from_upstream']} cannot be shown with depth=resolve, which fetches nothing.",
            hint="Set depth to manifest or image, or fresh to ignored.",
        )
    url = registry_url(module, params)
    registry, upstream = connect(url, registry_login(params, url)), open_upstream(params, connect)
    batch = PullJob(
        registry,
        parse_references(params["images"], [one.host for one in (registry, upstream) if one is not None]),
        repository=validate_name(params["repository"], "The repository key") if params["repository"] else "",
        from_upstream=params["from_upstream"],
        evict=params["evict"],
        upstream=upstream,
    )
    return params, batch


def check_mode_result(batch: PullJob, depth: str) -> Result:
    """Return the part of the result for one repository in check mode, when nobody is asked."""
    results = [skipped_result(one.text, batch.registry.host, batch.repository) for one in batch.references]
    return repository_result("images", results, [summary(result, depth) for result in results], [], 0)


def pulled(batch: PullJob, outcomes: list[PullResult], results: list[Result], depth: str) -> Result:
    """Return the part of the result for one repository."""
    lines = [summary(result, depth) for result in results if result["ok"] is not False]
    counters = [one.counter for one in (batch.registry, batch.upstream) if one is not None]
    seconds = max(outcome.finished for outcome in outcomes) - min(outcome.started for outcome in outcomes)
    return repository_result("images", results, lines, counters, seconds)


def plan_pull(puller: Puller, opened: list[tuple[Params, PullJob]], depth: str) -> tuple[list[Result], Result]:
    """Return the part of the result for each repository in check mode, and the plan. Asks upstream alone."""
    batches = [batch for _params, batch in opened]
    plan = {"images": sum(len(batch.references) for batch in batches), "layers": None, "bytes": None}
    surveys = iter(puller.dry_run([batch for batch in batches if batch.upstream is not None]))
    parts = []
    for batch in batches:
        if batch.upstream is None:
            parts.append(check_mode_result(batch, depth))
        else:
            outcomes, reporter = next(surveys), ResultBuilder(batch, RepositoryConfig)
            parts.append(pulled(batch, outcomes, [reporter.planned_result(outcome) for outcome in outcomes], depth))
    if all(batch.upstream is not None for batch in batches):
        blobs = puller.wanted()
        plan["layers"], plan["bytes"] = sum(not blob.is_config for blob in blobs), sum(blob.size for blob in blobs)
    return parts, plan


def pull(
    module: AnsibleModule, puller: Puller, opened: list[tuple[Params, PullJob]], transport: Transport
) -> list[Result]:
    """Pull the images and return the part of the result for each repository."""
    configurations, parts = RepositoryConfigCache(module, transport), []
    batches = [
        dataclasses.replace(batch, cache_probe=create_cache_probe(module, transport, params, configurations))
        for params, batch in opened
    ]
    path = module.params["progress_file"]
    with ProgressFile(path, puller.progress) if path else contextlib.nullcontext():
        found = puller.pull(batches)
    for (params, _unseen), batch, outcomes in zip(opened, batches, found):
        reporter = ResultBuilder(batch, functools.partial(configurations.of, params))
        results = [reporter.result(outcome) for outcome in outcomes]
        parts.append(pulled(batch, outcomes, results, module.params["depth"]))
    return parts


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Check the options, pull, word what came of it."""
    started, params = time.monotonic(), module.params
    settings, limits, transport = build_settings(params), build_limits(params), open_transport(module)
    breaker = functools.lru_cache(maxsize=None)(lambda _url, login: CircuitBreaker(login))

    def connect(url: str, login: Credentials) -> Registry:
        return Registry(url, login, transport=transport, breaker=breaker(url, login), limits=limits)

    opened = build_jobs(module, lambda each: build_job(module, each, connect))
    with contextlib.closing(Checkpoint(params["resume_file"], writable=not module.check_mode)) as resume:
        puller = Puller(settings, limits=limits, resume=resume)
        if module.check_mode:
            parts, plan = plan_pull(puller, opened, params["depth"])
            return exit_with_results(module, parts, time.monotonic() - started, plan=plan)
        parts = pull(module, puller, opened, transport)
    if limits.reached:
        left = sum(result["status"] == "skipped" for one in parts for result in one["images"])
        module.warn(f"The run ended as {limits.reached} was reached. Images that were not pulled: {left}.")
    return exit_with_results(module, parts, time.monotonic() - started, limit=limits.reached or None)


def main() -> None:
    module = AnsibleModule(
        argument_spec={**SPEC, **ARTIFACTORY_SPEC, **HTTP_SPEC},
        mutually_exclusive=[("pulls", name) for name in EACH_SPEC],
        required_one_of=[("images", "pulls")],
        required_together=[("username", "password"), *REQUIRED_TOGETHER],
        required_by=REQUIRED_BY,
        supports_check_mode=True,
    )
    require_libraries(module)
    run(module, execute)


if __name__ == "__main__":
    main()
