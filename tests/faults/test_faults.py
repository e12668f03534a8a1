# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A diagnosis of each fault of the catalog: the right cause first, and never a wrong one as known."""

from __future__ import annotations

import itertools
import json
import typing as t
from urllib.parse import urlsplit

import pytest

from faults.catalog import FAULTS, Fault
from faults.estate import NAMES, PULL_TOKENS, Estate
from lab.client import READ_METHODS
from lab.simulator import ARTIFACTORY_HOST
from support.forward_proxy import ForwardProxy
from support.lab_client import Json
from support.sources import SOURCES, VIRTUALS

Record = t.Callable[[str, str, bool], None]

# What Artifactory does without a request to an upstream.
READING_KINDS_OF_ARTIFACTORY = ("artifactory.", "docker.ping", "docker.token", "storage.")
# A server that the controller cannot reach.
NOWHERE = "http://127.0.0.1:9"
LESS_RIGHTS: dict[str, Json] = {
    "no pulls": {},
    "no Chainguard": {"chainguard": False},
    "reader": {"user": "reader"},
    "neither": {"user": "reader", "chainguard": False},
    "no route": {"chainguard_api_url": NOWHERE, "hosts": [NOWHERE]},
}
# Faults of one source that can be injected at once, and do not hide each other.
SETTINGS = (
    "offline containers",
    "url with a path",
    "token authentication off",
    "pattern hides the tag",
    "mime blocking off",
    "email address",
    "prefix doubled",
)
PAIRS_OF_KINDS = (
    ("revoked containers", "pattern hides the tag"),
    ("revoked containers", "image does not exist"),
    ("expired containers", "mime blocking off"),
    ("unbound containers", "url with a path"),
    ("unbound containers", "pattern hides the image"),
    ("pull token of java for containers", "prefix doubled"),
    ("no credentials containers", "token authentication off"),
    ("offline containers", "expires soon"),
    ("realm with an inner host", "revoked containers"),
    ("no registry", "pattern hides the tag"),
    ("only markers of layers", "mime blocking off"),
    ("Xray", "expires soon"),
)
BY_NAME = {fault.name: fault for fault in FAULTS}
PAIRS = [
    (BY_NAME[first_name], BY_NAME[second_name])
    for first_name, second_name in (*itertools.combinations(SETTINGS, 2), *PAIRS_OF_KINDS)
]


def break_estate(estate: Estate, fault: Fault) -> None:
    estate.build()
    fault.inject(estate)


def diagnose(estate: Estate, fault: Fault, **options: t.Any) -> list[Json]:
    """Return the findings about the broken source."""
    hosts = {"hosts": [estate.lab.registry_url]} if fault.has_route else {}
    return list(run(estate, fault.source, **{**hosts, **options, **fault.arguments})["findings"])


def run(estate: Estate, *names: str, **options: t.Any) -> Json:
    """Return the result of a diagnosis. Fails if it writes, fills a cache without pulls, or shows a secret."""
    before = estate.lab.log_position()
    result = estate.diagnose(*names, **options)
    result.pop("invocation", None)
    assert "findings" in result, result
    assert_reads_only(estate.lab.request_log(before), pull=options.get("pull", False))
    secrets = [secret for secret in estate.lab.credentials() if len(secret) > 8]
    secrets += [token["password"] for token in estate.tokens.values()]
    text = json.dumps(result)
    assert not [secret for secret in secrets if secret in text]
    return result


def assert_reads_only(requests: list[Json], pull: bool) -> None:
    """Fail if one of the requests writes, downloads without pull, or traces a path that may exist.

    With pull, a path that was not found before may be traced too.
    """
    missing = tuple(entry["path"] for entry in requests if entry["status"] == 404)
    assert not [entry for entry in requests if entry["method"] not in READ_METHODS and "token" not in entry["kind"]]
    for entry in requests:
        if entry["service"] != "artifactory":
            continue
        if "trace" in entry["query"]:
            # The URL of a client can have the path of an API before that of the file.
            file = entry["path"].removeprefix("/artifactory/").partition("/")[2]
            is_missing = pull and any(path.endswith(f"/{file}") for path in missing)
            assert "/pull-through-diagnosis-" in file or is_missing, entry
        elif not pull:
            assert entry["kind"].startswith(READING_KINDS_OF_ARTIFACTORY), entry


def is_first(findings: list[Json], fault: Fault) -> bool:
    return bool(findings) and findings[0]["code"] == fault.code and fault.fix in findings[0]["fix"]


def first(findings: list[Json]) -> tuple[str, str]:
    """Return the code and the fix of the first finding."""
    return findings[0]["code"], findings[0]["fix"]


def wrong_causes(findings: list[Json], *faults: Fault) -> list[Json]:
    """Return the findings that are known, but not true."""
    true = {code for fault in faults for code in (fault.code, *fault.also)}
    return [finding for finding in findings if finding["certainty"] == "known" and finding["code"] not in true]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault(estate: Estate, record: Record, fault: Fault) -> None:
    break_estate(estate, fault)
    findings = diagnose(estate, fault, pull=True)
    repeated = diagnose(estate, fault, pull=True)
    record(fault.name, "pulls", is_first(findings, fault))
    record(fault.name, "again", first(repeated) == first(findings))
    assert is_first(findings, fault), findings
    if fault.again:
        assert first(repeated)[0] == fault.again, repeated
    else:
        assert first(repeated) == first(findings), repeated
    assert not wrong_causes(findings + repeated, fault)
    assert all(finding["evidence"] for finding in findings)
    # A pull leaves traces in Artifactory, a diagnosis without pulls does not.
    break_estate(estate, fault)
    for mode, options in LESS_RIGHTS.items():
        findings = diagnose(estate, fault, **options)
        record(fault.name, mode, is_first(findings, fault))
        assert not wrong_causes(findings, fault), mode
        if mode == "no pulls":
            assert is_first(findings, fault) is fault.without_pulls, findings


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0].name} and {pair[1].name}")
def test_pair_of_faults(estate: Estate, record: Record, pair: tuple[Fault, Fault]) -> None:
    """Both causes with their fixes, one of them first, which a repeated diagnosis and one without pulls do not change."""
    estate.build()
    for fault in pair:
        fault.inject(estate)
    name = f"{pair[0].name} and {pair[1].name}"
    arguments = {**pair[0].arguments, **pair[1].arguments}
    without_pulls, *results = (
        run(estate, "containers", pull=pull, **arguments)["findings"] for pull in (False, True, True)
    )
    record(name, "no pulls", any(is_first(without_pulls, fault) for fault in pair))
    record(name, "pulls", any(is_first(results[0], fault) for fault in pair))
    record(name, "again", first(results[0]) == first(results[1]))
    assert not wrong_causes(without_pulls, *pair)
    assert first(results[0]) == first(results[1])
    for findings in results:
        assert any(is_first(findings, fault) for fault in pair), findings
        for fault in pair:
            fixes = [finding["fix"] for finding in findings if finding["code"] == fault.code]
            assert fixes and fault.fix in fixes[0], findings
        assert not wrong_causes(findings, *pair)


@pytest.mark.parametrize(
    "settings",
    [{}, {"artifactory_anonymous": True}, {"artifactory_version": "7.38.4"}, {"artifactory_encrypt_passwords": False}],
    ids=["newest", "anonymous", "oldest", "clear passwords"],
)
@pytest.mark.parametrize("pull", [False, True], ids=["without pulls", "with pulls"])
def test_healthy_estate(estate: Estate, settings: Json, pull: bool) -> None:
    estate.build(tuple(SOURCES))
    estate.lab.configure(**settings)
    result = run(estate, *SOURCES, pull=pull, hosts=[estate.lab.registry_url])
    assert result["findings"] == []
    assert {source["can_pull"] for source in result["sources"]} == {True if pull else None}


@pytest.mark.parametrize("pull", [False, True], ids=["without pulls", "with pulls"])
def test_healthy_estate_of_a_manager(estate: Estate, pull: bool) -> None:
    """An administrator of a project manages its repositories, but not Artifactory."""
    estate.build(tuple(SOURCES))
    assert run(estate, *SOURCES, user="manager", pull=pull)["findings"] == []


def test_healthy_estate_behind_a_proxy(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate.build(tuple(SOURCES))
    virtuals = create_virtuals(estate)
    chainguard = estate.lab.state["chainguard"]
    urls = [estate.lab.artifactory_url, *(value for name, value in chainguard.items() if name.endswith("_url"))]
    addresses = {urlsplit(url).netloc: ("127.0.0.1", urlsplit(url).port or 0) for url in urls}
    with ForwardProxy(addresses).serve() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url())
        monkeypatch.setenv("NO_PROXY", "")
        result = run(estate, *SOURCES, virtuals=virtuals, pull=True, hosts=[estate.lab.registry_url])
    assert result["findings"] == []
    assert [source["can_pull"] for source in result["sources"]] == [True] * (len(SOURCES) + len(virtuals))
    assert [(host["responds"], host["proxy"]) for host in result["hosts"]] == [(True, proxy.netloc)]
    assert {request.target for request in proxy.requests} >= {urlsplit(url).netloc for url in urls[:2]}


def create_virtuals(estate: Estate) -> list[Json]:
    """Create all virtual repositories, and return them as items of the option sources."""
    for name in VIRTUALS:
        estate.create_virtual(name)
    estate.lab.set_config(VIRTUALS["packages"][0], primaryKeyPairRef="apk")
    return [
        {"key": key, "package_type": package_type, "members": members}
        for key, package_type, members in VIRTUALS.values()
    ]


def test_anonymous_access_hides_a_wrong_login(estate: Estate) -> None:
    estate.build()
    wrong = {"artifactory_access_token": "wrong"}
    codes = [finding["code"] for finding in run(estate, "containers", **wrong)["findings"]]
    assert codes == ["credentials_rejected"]
    estate.lab.configure(artifactory_anonymous=True)
    codes = [finding["code"] for finding in run(estate, "containers", **wrong)["findings"]]
    assert codes == ["credentials_rejected", "anonymous_access"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"artifactory_access_token": "{token}\n"}, ""),
        ({"artifactory_access_token": "", "artifactory_password": "{password}\n"}, ""),
        ({"artifactory_access_token": "", "artifactory_password": "{password} "}, "begins or ends with white space"),
    ],
    ids=["token", "password", "password with a space"],
)
def test_a_login_with_a_line_break(estate: Estate, options: Json, text: str) -> None:
    estate.build()
    user = estate.lab.users["admin"]
    values = {name: value.format(**user) for name, value in options.items()}
    findings = run(estate, "containers", **values)["findings"]
    assert [(finding["code"], text in finding["fix"]) for finding in findings] == (
        [("credentials_rejected", True)] if text else []
    )


@pytest.fixture
def named_estate(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Estate]:
    """The estate at a name, with a sub-domain for each repository."""
    address = ("127.0.0.1", urlsplit(estate.lab.artifactory_url).port or 0)
    names = [ARTIFACTORY_HOST, *(f"{SOURCES[name].key}.{ARTIFACTORY_HOST}" for name in NAMES)]
    estate.build()
    with ForwardProxy({f"{name}:80": address for name in names}).serve() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url())
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield estate


NAMED: Json = {"artifactory_url": f"http://{ARTIFACTORY_HOST}", "allow_plain_http": True}
SUBDOMAINS = f"http://{{key}}.{ARTIFACTORY_HOST}"


@pytest.mark.parametrize("path_method", [True, False])
@pytest.mark.parametrize("pull", [False, True])
def test_healthy_estate_with_subdomains(named_estate: Estate, path_method: bool, pull: bool) -> None:
    named_estate.lab.configure(artifactory_path_method=path_method)
    result = run(named_estate, "containers", "containers_public", registry_url=SUBDOMAINS, pull=pull, **NAMED)
    assert result["findings"] == []
    assert [(item["form"], item["works"]) for item in result["addresses"]] == [
        ("subdomain", True),
        ("subdomain", True),
        ("api", True),
    ]


def test_an_address_that_works_instead_is_named(named_estate: Estate) -> None:
    named_estate.lab.configure(artifactory_path_method=False)
    result = run(named_estate, "containers", **NAMED)
    assert [finding["code"] for finding in result["findings"]] == ["reverse_proxy"]
    assert f"set pull_through_registry_url to {SUBDOMAINS}" in result["findings"][0]["fix"]
    assert [(item["form"], item["works"]) for item in result["addresses"]] == [("path", False), ("subdomain", True)]


def test_subdomains_that_do_not_exist(named_estate: Estate) -> None:
    result = run(named_estate, "containers", registry_url="http://{key}.other.example.com", **NAMED)
    (finding,) = result["findings"]
    assert (finding["source"], finding["code"]) == ("containers", "registry_fails")
    assert f"set pull_through_registry_url to http://{ARTIFACTORY_HOST}" in finding["fix"]


def test_an_address_of_one_repository(named_estate: Estate) -> None:
    """With a port for each repository, a proxy maps an address without a key to one of them."""
    address = f"http://cgr-private.{ARTIFACTORY_HOST}"
    (finding,) = run(named_estate, "containers", registry_url=address, **NAMED)["findings"]
    assert (finding["code"], finding["certainty"]) == ("registry_of_one_repository", "likely")
    assert "/api/docker/cgr-private/" in finding["evidence"]
    assert f"set pull_through_registry_url to http://{ARTIFACTORY_HOST}" in finding["fix"]


def test_healthy_virtual_repositories(estate: Estate) -> None:
    estate.build(tuple(SOURCES))
    virtuals = create_virtuals(estate)
    result = run(estate, *SOURCES, virtuals=virtuals, pull=True)
    assert result["findings"] == []
    assert [source["can_pull"] for source in result["sources"]] == [True] * (len(SOURCES) + len(virtuals))


def test_a_virtual_repository_whose_member_cannot_be_pulled(estate: Estate) -> None:
    estate.build(NAMES)
    estate.create_virtual("containers")
    estate.lab.set_config("cgr-private", excludesPattern="**")
    key, package_type, members = VIRTUALS["containers"]
    virtual = {"key": key, "package_type": package_type, "members": members}
    result = run(estate, "containers", virtuals=[virtual], pull=True)
    assert [source["can_pull"] for source in result["sources"]] == [False, False]
    first, *_others = result["findings"]
    assert (first["source"], first["code"]) == ("containers", "excluded_by_pattern")
    of_virtual = [finding["cause"] for finding in result["findings"] if finding["source"] == key]
    assert "its member cgr-private fails" in of_virtual[0], of_virtual


@pytest.mark.parametrize("pull", [False, True])
def test_a_user_without_read(estate: Estate, pull: bool) -> None:
    estate.build()
    login = {"artifactory_username": "stranger", "artifactory_access_token": estate.lab.create_user("stranger")}
    findings = run(estate, "containers", "java", pull=pull, **login)["findings"]
    assert {finding["code"] for finding in findings} <= {"forbidden", "deploy_cache_denied"}, findings
    assert {finding["source"] for finding in findings} == ({"containers", "java"} if pull else {"java"})


def test_member_of_another_type(estate: Estate) -> None:
    estate.build(NAMES)
    estate.create_virtual("containers")
    key, package_type, members = VIRTUALS["containers"]
    members = [*members, SOURCES["java"].key]
    estate.lab.set_config(key, repositories=members)
    (finding,) = run(estate, sources=[{"key": key, "package_type": package_type, "members": members}])["findings"]
    assert (finding["code"], "Remove cgr-java" in finding["fix"]) == ("member_type", True)


def test_a_virtual_repository_whose_members_cannot_be_read(estate: Estate) -> None:
    estate.build(NAMES)
    estate.create_virtual("containers")
    key, package_type, members = VIRTUALS["containers"]
    login = {"artifactory_username": "stranger", "artifactory_access_token": estate.lab.create_user("stranger")}
    virtual = {"key": key, "package_type": package_type, "members": members}
    result = run(estate, "containers", virtuals=[virtual], pull=True, **login)
    (finding,) = [finding for finding in result["findings"] if finding["source"] == key]
    assert finding["code"] == "forbidden" and "its member cgr-private fails" in finding["cause"]
    assert any("cgr-public" in sentence for sentence in result["unknown"])


def test_an_api_key_as_token_is_refused_before_the_first_request(estate: Estate) -> None:
    estate.build(["java"])
    before = estate.lab.log_position()
    result = estate.diagnose("java", artifactory_access_token="AKCp8-an-api-key")
    assert result["failed"] and "is an API key" in result["msg"]
    assert estate.lab.request_log(before) == []


def test_patterns_of_a_virtual_repository(estate: Estate) -> None:
    estate.build(NAMES)
    estate.create_virtual("containers")
    key, package_type, members = VIRTUALS["containers"]
    estate.lab.set_config(key, excludesPattern="**/latest/**")
    virtual = {"key": key, "package_type": package_type, "members": members}
    result = run(estate, "containers", virtuals=[virtual])
    findings = [(finding["source"], finding["code"]) for finding in result["findings"]]
    assert findings == [(key, "excluded_by_pattern")]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda lab: lab.set_config("cgr-containers-all", repositories=["cgr-private"]), "member_missing"),
        (lambda lab: lab.set_config("cgr-public", offline=True), "member_disabled"),
        (lambda lab: lab.set_config("cgr-public", priorityResolution=True), "member_priority"),
    ],
    ids=["missing", "offline", "priority"],
)
def test_member_of_a_virtual_repository(estate: Estate, change: t.Callable[[t.Any], None], code: str) -> None:
    estate.build(NAMES)
    estate.create_virtual("containers")
    change(estate.lab)
    key, package_type, members = VIRTUALS["containers"]
    result = run(estate, sources=[{"key": key, "package_type": package_type, "members": members}])
    assert [finding["code"] for finding in result["findings"]] == [code]


def test_virtual_alpine_repository_without_key_pair(estate: Estate) -> None:
    estate.build(tuple(SOURCES))
    estate.create_virtual("packages")
    key, package_type, members = VIRTUALS["packages"]
    (finding,) = run(estate, sources=[{"key": key, "package_type": package_type, "members": members}])["findings"]
    assert (finding["code"], finding["certainty"]) == ("key_pair_missing", "possible")


def test_what_is_not_known_is_named(estate: Estate) -> None:
    estate.build()
    result = run(estate, "containers", user="reader", chainguard=False, hosts=[NOWHERE])
    assert result["findings"] == []
    text = "\n".join(result["unknown"])
    for part in ("require an administrator", "pull tokens are valid", "127.0.0.1:9", "Nothing was pulled"):
        assert part in text


def test_number_of_requests(estate: Estate) -> None:
    estate.build(tuple(SOURCES))
    before = estate.lab.log_position()
    run(estate, *SOURCES)
    own = [entry for entry in estate.lab.request_log(before) if entry["user_agent"] != "Artifactory"]
    # For each pull token two, for each package repository one, and one each for the server and all configurations.
    assert len(own) <= 2 * len(PULL_TOKENS) + len(SOURCES) + 16, [entry["path"] for entry in own]
