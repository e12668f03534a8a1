# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the evidence about servers and their addresses to findings. No I/O. Private to the collection."""

from __future__ import annotations

from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._evidence import (
    AddressEvidence,
    ServerEvidence,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._findings import FindingRule
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_rules import (
    CONNECTION_RULES,
    FALLBACK,
    SERVER,
    STORAGE_FULL,
    Evidence,
    Rule,
    all_of,
    has_no_response,
    has_problem,
    has_status,
    message_contains,
)

_MAX_CLOCK_DIFFERENCE = 300


def _quoting(rule: Rule[Evidence]) -> FindingRule[Evidence]:
    """Return a rule for failed pulls as one that quotes the response."""
    return FindingRule(rule.code, rule.applies, rule.cause, rule.fix, rule.certainty, "{failure.message}")


# Why the API of Artifactory does not answer. The first that applies is the finding.
API_RULES: tuple[FindingRule[Evidence], ...] = (
    FindingRule(
        "instance_rejects_all",
        all_of(has_status(402, 403), message_contains("subscription", "trial", "suspend", "payment", "hibernat")),
        "This Artifactory instance rejects the requests of all users: {failure.response_message}",
        "Check its subscription and status with JFrog",
        quote="{failure.message}",
    ),
    _quoting(STORAGE_FULL),
    FindingRule(
        "edition",
        message_contains("available only in Artifactory Pro"),
        "This edition or license of Artifactory has no API for repositories: {failure.response_message}",
        "Use the Pro edition or higher with an active license",
        quote="{failure.message}",
    ),
    *map(_quoting, CONNECTION_RULES),
    FindingRule(
        "not_artifactory",
        lambda e: has_status(301, 302, 303, 307, 308)(e) or message_contains("HTML page", "not JSON")(e),
        "{failure.host} does not respond as Artifactory: {failure.response_message}",
        "Check pull_through_artifactory_url, and whether a proxy responds with its login page",
        certainty="likely",
        quote="{failure.message}",
    ),
    FindingRule(
        "credentials_rejected",
        has_status(401),
        "{failure.host} rejected the credentials: {failure.response_message}",
        "Check pull_through_artifactory_access_token, or the user name and password: they may have expired, be revoked, "
        "or belong to another server. {failure.hint}",
        quote="{failure.message}",
    ),
    *map(_quoting, (*SERVER, FALLBACK)),
)

# If Artifactory has anonymous access, and the login does not work.
ANONYMOUS_RULES: tuple[FindingRule[Evidence], ...] = (
    FindingRule(
        "anonymous_access",
        has_status(401),
        "{e.host} has anonymous access, so it does not ask clients to log in, and they do not notice that a login is wrong: "
        "what anonymous users may not pull seems to be missing or forbidden",
        "Correct the login, and let clients send it without being asked. Without anonymous access, a wrong login is always "
        "rejected",
        quote="GET {e.host}/artifactory/api/system/version without credentials: status 200",
        severity="warning",
    ),
)
LOGIN_NOT_RECEIVED: FindingRule[Evidence] = FindingRule(
    "login_not_received",
    has_status(401),
    "{e.host} did not receive the login, and treats this user as an anonymous one: {failure.response_message}",
    "Let the proxy in front of Artifactory forward the Authorization header",
    certainty="likely",
    quote="{failure.message}",
)

# A server of Chainguard, as the controller sees it. Artifactory has its own connection.
HOST_RULES: tuple[FindingRule[ServerEvidence], ...] = (
    FindingRule(
        "tls_from_controller",
        has_no_response("certificate", "TLS"),
        "The TLS connection from the controller to {e.host} fails, so Artifactory may have the same problem",
        "Set pull_through_ca_path to the CA of the proxy that intercepts TLS, and let Artifactory trust it too. "
        "{failure.hint}",
        certainty="possible",
        quote="{failure.message}{e.tls_text}",
        severity="warning",
    ),
    FindingRule(
        "blob_host_from_controller",
        lambda e: bool(e.blobs_of) and e.failure.problem != "other" and not has_no_response("certificate", "TLS")(e),
        "The controller reaches {e.blobs_of}, but not {e.host}, where it stores the layers of images, so Artifactory may have the "
        "same problem",
        "Allow connections to {e.host} in the firewall and the proxy, above all for Artifactory. {failure.hint}",
        certainty="possible",
        quote="{e.host}: {failure.message}",
        severity="warning",
    ),
    FindingRule(
        "clock_difference",
        lambda e: abs(e.clock_difference) > _MAX_CLOCK_DIFFERENCE,
        "The clock of {e.host} is {e.clock_text} that of the controller, so tokens and signed links may expire at "
        "another time than expected",
        "Synchronize the clocks of the controller and of Artifactory with a time server",
        certainty="possible",
        quote="Date header of {e.host}: {e.clock_text} the clock of the controller",
        severity="warning",
    ),
)

# If Artifactory cannot reach its upstream.
INTERCEPTION: FindingRule[ServerEvidence] = FindingRule(
    "tls_interception",
    lambda e: bool(e.issuer),
    "A proxy intercepts the TLS connection from the controller to {e.host}; if it also does that for Artifactory, and "
    "Artifactory does not trust its CA, Artifactory cannot connect to the upstream",
    "Let Artifactory trust the CA {e.issuer}, or do not intercept {e.host}",
    certainty="possible",
    quote="only pull_through_ca_path verifies the certificate of {e.host}{e.tls_text}",
    severity="warning",
)

# Where the token service is, in the challenge of each form of address.
REALM_RULES: tuple[FindingRule[AddressEvidence], ...] = (
    FindingRule(
        "realm_scheme",
        lambda e: e.realm.startswith("http://") and e.address.startswith("https://"),
        "Artifactory sends container clients to a token service without TLS, so they cannot log in",
        "Let the proxy that ends TLS send X-Forwarded-Proto: https, or set the Custom Base URL of Artifactory to "
        "{e.address} {e.working_text}",
        quote="GET {e.url}: realm {e.realm}",
    ),
    FindingRule(
        "realm_host",
        lambda e: e.has_other_realm,
        "Artifactory sends container clients to a token service at another address than the one that they use",
        "Let the proxy forward the Host header, or set the Custom Base URL of Artifactory to {e.address} {e.working_text}",
        quote="GET {e.url}: realm {e.realm}",
    ),
)

ADDRESS_RULES: tuple[FindingRule[AddressEvidence], ...] = (
    *REALM_RULES,
    FindingRule(
        "registry_of_one_repository",
        lambda e: e.is_of_one_repository,
        "The proxy maps {e.address} to the repository {e.repository} alone, so the names of images with its key, and all "
        "other repositories, are not found there",
        "Set pull_through_registry_url to an address for all repositories, or to one with the key in the host name, as in "
        "https://{{key}}.example.com {e.working_text}",
        certainty="likely",
        quote="GET {e.url}: realm {e.realm}",
    ),
    FindingRule(
        "not_a_registry",
        lambda e: e.failure.is_html or has_problem("html")(e) or has_status(301, 302, 303, 307, 308, 404)(e),
        "{e.url} is not the registry of Artifactory: {failure.message}",
        "Set pull_through_registry_url to scheme, host and port as for docker login, and let the proxy forward /v2/ to "
        "Artifactory {e.working_text}",
        quote="GET {e.url}: {failure.message}",
    ),
    FindingRule(
        "reverse_proxy",
        message_contains("Unsupported docker v2 repository request"),
        "The proxy does not map the address to a repository of Artifactory: {failure.response_message}",
        "Use the repository path method (host/KEY/image), or fix how the proxy rewrites the host name {e.working_text}",
        quote="GET {e.url}: {failure.message}",
    ),
    FindingRule(
        "registry_fails",
        lambda e: e.failure.status >= 500 or has_no_response()(e),
        "The registry of Artifactory does not respond to container clients: {failure.message}",
        "{failure.hint} Check the log of Artifactory, and the proxy in front of it {e.working_text}",
        quote="GET {e.url}: {failure.message}",
    ),
)
