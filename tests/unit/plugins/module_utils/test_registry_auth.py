# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import concurrent.futures

import pytest
from fake_registry import FakeRegistry
from scripted import ScriptedResponse, ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials, basic_authorization
from ansible_collections.cgr.pull_through.plugins.module_utils._download import DownloadClient
from ansible_collections.cgr.pull_through.plugins.module_utils._download_errors import DownloadError
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._auth import (
    CREDENTIALS_WITHHELD,
    Authorizer,
    parse_challenges,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry
from ansible_collections.cgr.pull_through.plugins.module_utils._transfer_stats import TransferStats

BASE = "https://registry.example.com"
BEARER = f'Bearer realm="{BASE}/token",service="registry.example.com"'
USER = Credentials("user", "secret")


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def open_registry(fake, credentials=USER, clock=None):
    transport = ScriptedTransport(respond=fake)
    registry = Registry(fake.base, credentials, transport=transport, sleep=lambda _s: None, clock=clock or Clock())
    return registry, transport


def token_requests(transport):
    return [request for request in transport.requests if "/token" in request.url]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Bearer realm="https://r/t",service="s"', [("bearer", {"realm": "https://r/t", "service": "s"})]),
        (
            'Bearer realm="r",scope="repository:a/b:pull,push"',
            [("bearer", {"realm": "r", "scope": "repository:a/b:pull,push"})],
        ),
        ("bearer REALM=https://r/t , service=s", [("bearer", {"realm": "https://r/t", "service": "s"})]),
        ('Negotiate, Basic realm="x"', [("negotiate", {}), ("basic", {"realm": "x"})]),
        ('Negotiate YWJj==, Basic realm="x"', [("negotiate", {}), ("basic", {"realm": "x"})]),
        (
            'Bearer realm="r",service="s", Basic realm="Artifactory Realm"',
            [("bearer", {"realm": "r", "service": "s"}), ("basic", {"realm": "Artifactory Realm"})],
        ),
        (r'Basic realm="say \"hello\", you"', [("basic", {"realm": 'say "hello", you'})]),
        ("Basic", [("basic", {})]),
        ('Bearer realm="r" error="insufficient_scope"', [("bearer", {"realm": "r", "error": "insufficient_scope"})]),
        ("", []),
        ('="', []),
    ],
)
def test_challenges(header, expected):
    assert [(challenge.scheme, challenge.parameters) for challenge in parse_challenges(header)] == expected


def test_repr_of_credentials_has_no_secrets():
    assert "secret" not in repr(Credentials("user", "secret", "secret"))


def test_one_ping_and_one_token_per_repository():
    fake = FakeRegistry(challenge=BEARER)
    for name in ("a/one", "a/two"):
        fake.add_image(name, "1", "2")
    registry, transport = open_registry(fake)
    for name in ("a/one", "a/two"):
        registry.get_manifest(name, "1")
        registry.get_manifest(name, "2")
    assert [url.removeprefix(BASE) for _method, url in transport.calls] == [
        "/v2/",
        "/token?scope=repository%3Aa%2Fone%3Apull&service=registry.example.com",
        "/v2/a/one/manifests/1",
        "/v2/a/one/manifests/2",
        "/token?scope=repository%3Aa%2Ftwo%3Apull&service=registry.example.com",
        "/v2/a/two/manifests/1",
        "/v2/a/two/manifests/2",
    ]
    used = {request.headers.get("Authorization") for request in transport.requests if "/a/one/" in request.url}
    assert fake.tokens[used.pop()] == "repository:a/one:pull" and not used


def test_password_is_sent_only_to_the_token_service():
    fake = FakeRegistry(challenge=BEARER)
    fake.add_image("a/b", "1")
    registry, transport = open_registry(fake)
    registry.get_manifest("a/b", "1")
    with_password = [r.url for r in transport.requests if r.headers.get("Authorization") == USER.basic]
    assert with_password == [request.url for request in token_requests(transport)]


def test_anonymous_token_request():
    fake = FakeRegistry(challenge=BEARER)
    fake.add_image("a/b", "1")
    registry, transport = open_registry(fake, Credentials())
    registry.get_manifest("a/b", "1")
    assert "Authorization" not in token_requests(transport)[0].headers


@pytest.mark.parametrize("credentials", [USER, Credentials()])
def test_credentials_are_sent_to_a_registry_with_anonymous_access(credentials):
    fake = FakeRegistry(challenge="")
    fake.add_image("a/b", "1")
    registry, transport = open_registry(fake, credentials)
    registry.get_manifest("a/b", "1")
    assert transport.requests[-1].headers.get("Authorization", "") == credentials.basic


def test_wrong_credentials_are_noticed_where_anonymous_access_is_on():
    fake = FakeRegistry(challenge="")
    fake.add_image("a/b", "1")
    rejected = ScriptedResponse(401, {"errors": []}, {"WWW-Authenticate": 'Basic realm="Artifactory Realm"'})
    fake.plays["/v2/a/b/manifests/1"] = [rejected]
    registry, _transport = open_registry(fake)
    with pytest.raises(DownloadError) as failure:
        registry.get_manifest("a/b", "1")
    assert failure.value.status == 401


def test_scope_of_the_challenge_is_used():
    # Artifactory returns a scope without the repository key, and only for an image.
    fake = FakeRegistry(challenge=f'{BEARER},scope="repository:org/image:pull"')
    fake.add_image("key/org/image", "1")
    fake.plays["/v2/"] = [ScriptedResponse(200)]
    registry, transport = open_registry(fake)
    registry.get_manifest("key/org/image", "1")
    assert list(fake.tokens.values()) == ["repository:org/image:pull"]
    assert len(transport.requests) == 4


def test_query_and_port_of_the_realm_are_kept():
    fake = FakeRegistry(challenge=f'Bearer realm="{BASE}:443/key/token?account=x&scope=old"')
    fake.realm = f"{BASE}:443/key/token"
    fake.add_image("a/b", "1")
    registry, transport = open_registry(fake)
    registry.get_manifest("a/b", "1")
    assert token_requests(transport)[0].url == f"{BASE}:443/key/token?account=x&scope=repository%3Aa%2Fb%3Apull"


def test_field_access_token_without_a_lifetime():
    fake = FakeRegistry(challenge=BEARER)
    fake.add_image("a/b", "1")
    fake.tokens["Bearer other"] = "x"
    fake.plays["/token"] = [ScriptedResponse(200, {"access_token": "other"})]
    registry, _transport = open_registry(fake)
    assert registry.get_manifest("a/b", "1").layers


def test_token_is_replaced_before_it_expires():
    fake, clock = FakeRegistry(challenge=BEARER), Clock()
    fake.add_image("a/b", "1")
    registry, transport = open_registry(fake, clock=clock)
    for seconds in (0, 239, 2):  # 80 % of 300 seconds
        clock.now += seconds
        registry.get_manifest("a/b", "1")
    assert len(token_requests(transport)) == 2
    assert not [r for r in transport.requests if "/manifests/" in r.url and "Authorization" not in r.headers]


def test_rejected_token_is_replaced_once():
    fake = FakeRegistry(challenge=BEARER)
    fake.add_image("a/b", "1")
    registry, transport = open_registry(fake)
    registry.get_manifest("a/b", "1")
    fake.tokens.clear()
    assert registry.get_manifest("a/b", "1").layers
    assert len(token_requests(transport)) == 2


def test_second_rejected_token_is_an_error():
    fake = FakeRegistry(challenge=BEARER)
    fake.plays["/token"] = [ScriptedResponse(200, {"token": "worthless"})]
    registry, transport = open_registry(fake)
    with pytest.raises(DownloadError) as caught:
        registry.get_manifest("a/b", "1")
    assert caught.value.status == 401
    assert len(token_requests(transport)) == 2


def test_threads_share_one_token_request():
    fake = FakeRegistry(challenge=BEARER)
    fake.add_image("a/b", "1")
    registry, transport = open_registry(fake)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(lambda _n: registry.get_manifest("a/b", "1"), range(32)))) == 32
    assert len(token_requests(transport)) == 1
    assert [url for _method, url in transport.calls].count(f"{BASE}/v2/") == 1


def test_token_of_another_thread_is_used():
    transport = ScriptedTransport(respond=FakeRegistry(challenge=BEARER))
    authorizer = Authorizer(BASE, USER, DownloadClient(BASE, transport, TransferStats()), clock=Clock())
    old = authorizer.authorization("a/b")
    new = authorizer.refresh("a/b", BEARER, rejected=old)
    assert authorizer.refresh("a/b", BEARER, rejected=old) == new != old
    assert len(token_requests(transport)) == 2


def test_basic_challenge():
    fake = FakeRegistry(challenge='Basic realm="x"')
    fake.tokens[USER.basic] = ""
    fake.add_image("a/b", "1")
    registry, transport = open_registry(fake)
    registry.get_manifest("a/b", "1")
    assert [request.headers.get("Authorization") for request in transport.requests] == [
        None,
        basic_authorization("user", "secret"),
    ]


@pytest.mark.parametrize("credentials", [USER, Credentials()], ids=["wrong", "none"])
def test_rejected_basic_credentials_are_not_sent_again(credentials):
    fake = FakeRegistry(challenge='Basic realm="x"')
    registry, transport = open_registry(fake, credentials)
    with pytest.raises(DownloadError) as caught:
        registry.get_manifest("a/b", "1")
    assert caught.value.status == 401 and len(transport.requests) == 2


def test_bearer_credentials_are_sent_unchanged():
    fake = FakeRegistry(challenge=BEARER)
    fake.add_image("a/b", "1")
    registry, transport = open_registry(fake, Credentials(bearer="access-token"))
    with pytest.raises(DownloadError):
        registry.get_manifest("a/b", "1")
    assert [request.headers["Authorization"] for request in transport.requests] == ["Bearer access-token"]


def test_unsupported_challenge_is_an_error():
    fake = FakeRegistry(challenge="Negotiate")
    registry, transport = open_registry(fake)
    with pytest.raises(DownloadError) as caught:
        registry.get_manifest("a/b", "1")
    assert caught.value.response_message == "authentication required" and len(transport.requests) == 2


@pytest.mark.parametrize(
    ("realm", "why"),
    [
        ("http://registry.example.com/token", "not encrypted"),
        ("https://169.254.169.254/token", "private address"),
        ("https://[::1]/token", "private address"),
        ("https://localhost/token", "private address"),
        ("file:///etc/passwd", "not an http or https URL"),
        ("https://", "not an http or https URL"),
    ],
)
def test_credentials_are_not_sent_to_an_unsafe_token_service(realm, why):
    fake = FakeRegistry(challenge=f'Bearer realm="{realm}?x=y"')
    registry, transport = open_registry(fake)
    with pytest.raises(DownloadError, match=why):
        registry.get_manifest("a/b", "1")
    assert all(request.url.startswith(BASE) for request in transport.requests)


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ((), None),
        (("other.example.com",), None),
        (("auth.example.com",), USER.basic),
        (("auth.example.com:443",), USER.basic),
    ],
)
def test_a_token_service_on_another_host_gets_the_credentials_only_if_it_is_named(hosts, expected):
    realm = "https://auth.example.com/token"
    fake = FakeRegistry(challenge=f'Bearer realm="{realm}",service="s"')
    fake.realm = realm
    fake.add_image("a/b", "1")
    transport = ScriptedTransport(respond=fake)
    registry = Registry(BASE, USER, transport=transport, sleep=lambda _s: None, token_service_hosts=hosts)
    registry.get_manifest("a/b", "1")
    (request,) = [request for request in transport.requests if request.url.startswith(realm)]
    assert request.headers.get("Authorization") == expected


@pytest.mark.parametrize(
    ("realm", "hint"),
    [
        ("http://registry.example.com/token", "X-Forwarded-Proto"),
        ("https://10.0.0.5/token", "Custom Base URL"),
    ],
)
def test_a_realm_that_cannot_be_used_has_a_hint(realm, hint):
    registry, _transport = open_registry(FakeRegistry(challenge=f'Bearer realm="{realm}"'))
    with pytest.raises(DownloadError) as caught:
        registry.get_manifest("a/b", "1")
    assert hint in caught.value.hint


def test_a_token_service_that_redirects_is_named():
    fake = FakeRegistry(challenge=BEARER)
    fake.plays["/token"] = [ScriptedResponse(302, "never read", {"Location": "https://login.example.com/"})]
    registry, _transport = open_registry(fake)
    with pytest.raises(DownloadError, match="a redirect of the token service to https://login.example.com/"):
        registry.get_manifest("a/b", "1")


def test_http_to_https_at_the_registry_is_named():
    fake = FakeRegistry("http://registry.example.com")
    fake.plays["/v2/a/b/manifests/1"] = [ScriptedResponse(301, "", {"Location": f"{BASE}/v2/a/b/manifests/1"})]
    registry, _transport = open_registry(fake)
    with pytest.raises(DownloadError, match="the server requires https, so set the URL to https"):
        registry.get_manifest("a/b", "1")


def test_local_registry_may_have_a_token_service_on_another_host():
    fake = FakeRegistry("http://127.0.0.1:5000", challenge='Bearer realm="http://127.0.0.1:5001/token",service="s"')
    fake.realm = "http://127.0.0.1:5001/token"
    fake.add_image("a/b", "1")
    registry, _transport = open_registry(fake)
    assert registry.get_manifest("a/b", "1").layers


def test_a_token_service_that_did_not_get_the_credentials_is_named():
    fake = FakeRegistry("http://127.0.0.1:5000", challenge='Bearer realm="http://127.0.0.1:5001/token",service="s"')
    fake.plays["/token"] = [ScriptedResponse(401, {"details": "anonymous"})]
    registry, transport = open_registry(fake)
    with pytest.raises(DownloadError) as caught:
        registry.get_manifest("a/b", "1")
    assert caught.value.code == CREDENTIALS_WITHHELD and "127.0.0.1:5001" in caught.value.response_message
    assert "Authorization" not in token_requests(transport)[0].headers


@pytest.mark.parametrize(
    ("play", "status", "response_message"),
    [
        (ScriptedResponse(401, {"errors": [{"status": 401, "message": "Bad Credentials"}]}), 401, "Bad Credentials"),
        (ScriptedResponse(403, {"errors": [{"code": "FORBIDDEN", "message": "Forbidden"}]}), 403, "Forbidden"),
        (ScriptedResponse(200, {"tokens": []}), 200, "returned no token"),
        (ScriptedResponse(200, "[]"), 200, "a list instead of an object"),
        (ScriptedResponse(200, {"token": "x", "expires_in": "soon"}), 200, "field expires_in"),
    ],
)
def test_token_service_errors(play, status, response_message):
    fake = FakeRegistry(challenge=BEARER)
    fake.plays["/token"] = [play]
    registry, _transport = open_registry(fake)
    with pytest.raises(DownloadError) as caught:
        registry.get_manifest("a/b", "1")
    assert caught.value.status == status and response_message in caught.value.response_message


def test_token_request_is_retried():
    fake = FakeRegistry(challenge=BEARER)
    fake.add_image("a/b", "1")
    fake.plays["/token"] = [ScriptedResponse(503, "busy"), ScriptedResponse(200, {"token": "given"})]
    fake.tokens["Bearer given"] = ""
    registry, _transport = open_registry(fake)
    assert registry.get_manifest("a/b", "1").layers


def test_challenge_of_another_host_is_ignored():
    fake = FakeRegistry()
    elsewhere = ScriptedResponse(302, b"", {"Location": "https://blobs.example.net/v2/"})
    challenge = ScriptedResponse(401, "no", {"WWW-Authenticate": 'Bearer realm="https://blobs.example.net/token"'})
    fake.plays["/v2/"] = [elsewhere, challenge]
    fake.plays["/v2/a/b/manifests/1"] = [
        ScriptedResponse(302, b"", {"Location": "https://blobs.example.net/x"}),
        unanswerable := ScriptedResponse(401, "no", challenge.headers),
    ]
    fake.plays["/x"] = [unanswerable]
    registry, transport = open_registry(fake)
    with pytest.raises(DownloadError) as caught:
        registry.get_manifest("a/b", "1")
    assert caught.value.status == 401 and not token_requests(transport)
    assert not [request for request in transport.requests if "Authorization" in request.headers]
