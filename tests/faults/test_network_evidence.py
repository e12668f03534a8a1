# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the controller sees of Chainguard's servers: TLS with the CA of a company, and where layers are stored."""

from __future__ import annotations

import sys
import typing as t

import pytest

from faults.estate import Estate
from lab.client import started
from support.lab_client import Json, LabClient


@pytest.fixture(scope="module")
def tls_estate() -> t.Iterator[Estate]:
    """An estate whose servers have certificates of a CA that only ca_path names."""
    with started() as process:
        yield Estate(LabClient(process.state), pull_tokens=1)


@pytest.fixture(scope="module")
def other_url() -> t.Iterator[str]:
    """The registry of a lab with a CA that is not trusted."""
    with started() as process:
        yield str(process.state["chainguard"]["registry_url"])


def diagnose(estate: Estate, **options: t.Any) -> dict[str, Json]:
    """Return the findings by code."""
    return {finding["code"]: finding for finding in estate.diagnose("java", **options)["findings"]}


def test_who_signed_a_certificate_that_is_not_trusted(tls_estate: Estate, other_url: str) -> None:
    tls_estate.build(["java"])
    findings = diagnose(tls_estate, hosts=[other_url])
    assert list(findings) == ["tls_from_controller"]
    evidence = findings["tls_from_controller"]["evidence"]
    assert "; TLSv1.3, " in evidence and " issued by " in evidence and "trustme" in evidence


def test_a_proxy_that_intercepts_tls(tls_estate: Estate) -> None:
    tls_estate.build(["java"])
    hosts = [tls_estate.lab.registry_url]
    assert diagnose(tls_estate, hosts=hosts) == {}
    tls_estate.lab.inject_fault({"cut": "before"}, service="libraries", user_agent="^Artifactory")
    findings = diagnose(tls_estate, hosts=hosts)
    assert list(findings) == ["upstream_unreachable_for_artifactory", "tls_interception"]
    assert findings["tls_interception"]["certainty"] == "possible"
    assert "trustme" in findings["tls_interception"]["fix"]


def test_how_a_server_responds(tls_estate: Estate) -> None:
    tls_estate.build(["java"])
    url = tls_estate.lab.registry_url
    responding, silent = tls_estate.diagnose("java", hosts=[url, "https://127.0.0.1:9"])["hosts"]
    certificates = responding["certificates"]
    assert responding["responds"] and responding["tls_version"] == "TLSv1.3"
    assert abs(responding["clock_difference"]) < 60
    # The lab sends only its own certificate.
    assert ["trustme" in certificate["issuer"] for certificate in certificates] == [True]
    assert responding["has_all_certificates"] is (sys.version_info >= (3, 13))
    assert (silent["responds"], silent["tls_version"], silent["certificates"]) == (False, "", [])
    assert "refused the connection" in silent["message"] and responding["message"] == ""


def test_a_proxy_that_ends_tls(tls_estate: Estate) -> None:
    tls_estate.build(["containers"])
    realm = tls_estate.lab.artifactory_url.replace("https:", "http:") + "/v2/token"
    challenge = {"WWW-Authenticate": f'Bearer realm="{realm}",service="artifactory"'}
    tls_estate.lab.inject_fault({"status": 401, "headers": challenge}, service="artifactory", path="^/v2/$")
    (finding,) = tls_estate.diagnose("containers")["findings"]
    assert (finding["code"], finding["certainty"]) == ("realm_scheme", "known")
    assert "X-Forwarded-Proto: https" in finding["fix"] and realm in finding["evidence"]


def test_the_host_of_layers(estate: Estate) -> None:
    estate.build(["java"])
    hosts = [estate.lab.registry_url, estate.lab.state["chainguard"]["libraries_url"]]
    assert diagnose(estate, hosts=hosts) == {}
    estate.lab.inject_fault({"cut": "before"}, service="blobs")
    findings = diagnose(estate, hosts=hosts)
    assert list(findings) == ["blob_host_from_controller"]
    assert "localhost" in findings["blob_host_from_controller"]["cause"]
