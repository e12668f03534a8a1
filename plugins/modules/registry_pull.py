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
    With O(fresh) the module shows that something came from upstream during this run, and with O(upstream_url) it
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
    details: Checks the options and sends nothing. All images are reported as V(skipped), with RV(images[].ok) not set.
  diff_mode:
    support: N/A
    details: Nothing that lasts is changed.
  idempotent:
    support: full
    details: Nothing that lasts is changed, so C(changed) is always V(false). That a cache fills does not count.
options:
  registry_url:
    description:
      - The registry as a container client addresses it. Scheme and host, and a port if it needs one.
      - Defaults to scheme, host and port of O(artifactory_url).
      - Falls back to the environment variable E(REGISTRY_URL).
    type: str
  repository:
    description:
      - Key of the repository in Artifactory, which stands before the name of each image, as in
        C(HOST/KEY/ORGANISATION/IMAGE:TAG).
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
    required: true
  depth:
    description:
      - V(manifest) fetches what the tag leads to. This proves the name, the route and the permission.
      - V(image) fetches also each platform's manifest, configuration and layers. This proves that a client can run it,
        and puts all of it into the cache.
    type: str
    choices: [manifest, image]
    default: image
  platforms:
    description:
      - The platforms that the image must have, as V(os/architecture) or V(os/architecture/variant).
      - V(all) alone means each platform that the image has.
      - What is no image, such as a Helm chart, has no platform, and is pulled whatever is asked for here.
    type: list
    elements: str
    default: [linux/amd64]
  fresh:
    description:
      - Whether something of each image has to come from upstream during this run.
      - V(ignored) does not look.
      - V(preferred) looks into the cache before and after, and reports it as RV(images[].fresh).
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
      - With O(fresh=required), and if everything of an image is in the cache, delete one small manifest from the cache
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
        only older, which RV(images[].stale) tells. If not, the image fails, as the cache hides errors of upstream.
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
  threads:
    description: How many requests are under way at the same time, from 1 to 32.
    type: int
    default: 8
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
    fresh: required
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
images:
  description: What came of each image, in the order of O(images). Also returned when the module fails because of them.
  returned: always
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
    stale:
      description: Whether the two digests differ. Not set if they could not be compared.
      type: bool
      sample: false
    fresh:
      description: Whether something of the image came from upstream during this run. Not set if that is not known.
      type: bool
      sample: true
    fresh_evidence:
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
        - Also set for an image that was pulled but is RV(images[].stale). Otherwise not set.
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
  description: What each image's result proves, in a line for people.
  returned: success
  type: list
  elements: str
  sample:
    - "myproject.jfrog.io/cgr-public/chainguard/go:latest: pulled sha256:8e7c…, as upstream; linux/amd64, 3 layers, 251.7 MB; fresh from upstream."
totals:
  description:
    - The sum of it. C(failed) counts the images that are not RV(images[].ok), and C(skipped) those that were not tried.
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

import functools
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import (
    ARTIFACTORY_SPEC,
    HTTP_SPEC,
    artifactory_base_url,
    make_transport,
    require_libraries,
    run,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis import Result, failure_message
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._exchange import Login
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Transport, checked_base_url
from ansible_collections.cgr.pull_through.plugins.module_utils._pulling import (
    checked_threads,
    open_witness,
    read_configuration,
    refuse_blind_proof,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._platforms import parse_platforms
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._pull import Puller, Settings
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._reference import (
    Reference,
    checked_name,
    parse_reference,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._report import Reporter, summary, untried

SPEC: dict[str, dict[str, t.Any]] = {
    "registry_url": {"type": "str", "fallback": (env_fallback, ["REGISTRY_URL"])},
    "repository": {"type": "str"},
    "images": {"type": "list", "elements": "str", "required": True},
    "depth": {"type": "str", "choices": ["manifest", "image"], "default": "image"},
    "platforms": {"type": "list", "elements": "str", "default": ["linux/amd64"]},
    "fresh": {"type": "str", "choices": ["ignored", "preferred", "required"], "default": "ignored"},
    "evict": {"type": "bool", "default": False},
    "upstream_url": {"type": "str"},
    "upstream_username": {"type": "str"},
    "upstream_password": {"type": "str", "no_log": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "threads": {"type": "int", "default": 8},
}


def checked_settings(params: dict[str, t.Any]) -> Settings:
    """Return what to do with each image, or raise InputError."""
    refuse_blind_proof(params)
    return Settings(
        repository=checked_name(params["repository"], "The repository key") if params["repository"] else "",
        depth=params["depth"],
        platforms=parse_platforms(params["platforms"]),
        fresh=params["fresh"],
        evict=params["evict"],
        threads=checked_threads(params["threads"]),
    )


def checked_registry_url(url: str, option: str) -> str:
    """Return the URL of a registry, or raise InputError. Container clients know no path before /v2/."""
    url = checked_base_url(url, option)
    if url.count("/") > 2:
        raise InputError(f"{option} has a path: {url}.", hint="Write scheme, host and port only, as for docker login.")
    return url


def registry_url(module: AnsibleModule) -> str:
    """Return the URL of the registry to pull from, or raise InputError."""
    if module.params["registry_url"]:
        return checked_registry_url(module.params["registry_url"], "registry_url")
    if not module.params["artifactory_url"]:
        raise InputError("There is no registry to pull from.", hint="Set registry_url or artifactory_url.")
    return "/".join(artifactory_base_url(module).split("/")[:3])


def belongs_to_artifactory(params: dict[str, t.Any], url: str) -> bool:
    """Return whether the registry is Artifactory's, so that it may see what Artifactory may."""
    return bool(params["repository"]) or f"{params['artifactory_url']}/".startswith(f"{url}/")


def registry_login(params: dict[str, t.Any], url: str) -> Login:
    """Return the login for a registry. That for Artifactory is shown only to what belongs to it."""
    if params["username"]:
        return Login(params["username"], params["password"])
    token, username = params["artifactory_access_token"], params["artifactory_username"]
    belongs = belongs_to_artifactory(params, url)
    if belongs and username:
        return Login(username, token or params["artifactory_password"] or "")
    return Login(bearer=token) if belongs and token else Login()


def checked_references(module: AnsibleModule, hosts: t.Collection[str]) -> list[Reference]:
    """Return the images without repetitions, or raise InputError."""
    if not module.params["images"]:
        raise InputError("images is empty.", hint="Name at least one image: pulling nothing proves nothing.")
    return [parse_reference(text, hosts=hosts) for text in dict.fromkeys(module.params["images"])]


def open_upstream(params: dict[str, t.Any], transport: Transport) -> Registry | None:
    """Return the registry to compare with, if there is one. Raises InputError."""
    if not params["upstream_url"]:
        return None
    login = Login(params["upstream_username"] or "", params["upstream_password"] or "")
    return Registry(checked_registry_url(params["upstream_url"], "upstream_url"), login, transport=transport)


def pull(
    module: AnsibleModule,
    settings: Settings,
    references: list[Reference],
    registry: Registry,
    upstream: Registry | None,
    transport: Transport,
) -> list[Result]:
    """Pull the images and return their results."""
    configuration = functools.cache(lambda: read_configuration(module, transport))
    witness = open_witness(module, transport, configuration)
    outcomes = Puller(registry, settings, upstream=upstream, witness=witness).pull(references)
    reporter = Reporter(registry, upstream, settings.repository, configuration)
    return [reporter.result(outcome) for outcome in outcomes]


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Check the options, pull, word what came of it."""
    params, started = module.params, time.monotonic()
    settings, url = checked_settings(params), registry_url(module)
    transport = make_transport(module, *([url] if belongs_to_artifactory(params, url) else []))
    registry = Registry(url, registry_login(params, url), transport=transport)
    upstream = open_upstream(params, transport)
    registries = [one for one in (registry, upstream) if one is not None]
    references = checked_references(module, [one.host for one in registries])
    if module.check_mode:
        results = [untried(one.text, registry.host, settings.repository) for one in references]
    else:
        results = pull(module, settings, references, registry, upstream, transport)
    totals = {
        "images": len(results),
        "failed": sum(result["ok"] is False for result in results),
        "skipped": sum(result["status"] == "skipped" for result in results),
        "bytes": sum(one.counter.bytes for one in registries),
        "requests": sum(one.counter.requests for one in registries),
        "seconds": round(time.monotonic() - started, 3),
    }
    if totals["failed"]:
        module.fail_json(msg=failure_message(results, "images", "reference"), images=results, totals=totals)
    lines = [summary(result, params["depth"]) for result in results]
    return {"changed": False, "images": results, "totals": totals, "summary": lines}


def main() -> None:
    module = AnsibleModule(
        argument_spec={**SPEC, **ARTIFACTORY_SPEC, **HTTP_SPEC},
        required_together=[("username", "password"), ("upstream_username", "upstream_password")],
        required_by={"upstream_username": ["upstream_url"]},
        supports_check_mode=True,
    )
    require_libraries(module)
    run(module, execute)


if __name__ == "__main__":
    main()
