# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import sys
import time
import unicodedata

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils import _module, _text
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import basic_authorization
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import HTTPStatusError, capture_failure
from ansible_collections.cgr.pull_through.plugins.module_utils._html import describe_html
from ansible_collections.cgr.pull_through.plugins.module_utils._text import MAX_MESSAGE, join_messages, join_names

URL = "https://artifactory.example.com/x"


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch):
    monkeypatch.setattr(_text, "_secrets", {})


def message(text):
    return str(HTTPStatusError(400, text, method="GET", url=URL))


def test_control_format_and_bidirectional_characters_are_replaced():
    unsafe = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs")]
    kept = {character for character in unsafe if _text.clean_text(character) == character}
    # Newer versions of Unicode may add characters.
    assert sorted(character for character in kept if ord(character) < 0x10000) == ["\t", "\n"]
    assert "\x1b" not in message("a \x1b[31m red \u202e text")


@pytest.mark.parametrize(
    "form",
    [
        "p/ss wörd?",
        "p%2Fss%20w%C3%B6rd%3F",
        "p%2Fss+w%C3%B6rd%3F",
        base64.b64encode("p/ss wörd?".encode()).decode(),
        basic_authorization("user", "p/ss wörd?").partition(" ")[2],
    ],
)
def test_a_sent_secret_is_removed_in_each_form(form):
    _text.remember_authorization(basic_authorization("user", "p/ss wörd?"))
    assert form not in message(f"wrong: {form}!") and "secret removed" in message(f"wrong: {form}!")


def test_a_short_secret_is_removed_only_where_credentials_are():
    _text.remember_authorization(basic_authorization("user", "cgr"))
    text = message("cgr.dev rejects https://user:cgr@cgr.dev and password=cgr")
    assert "cgr.dev rejects" in text and ":cgr@" not in text and "=cgr" not in text


@pytest.mark.parametrize("text", ["eyJ" * 30000, "<title>" * 10000, "<" * 60000, "eyJ." * 20000])
def test_a_text_is_searched_in_linear_time(text):
    start = time.process_time()
    message(text)
    describe_html(text)
    _text.redact(text)
    assert time.process_time() - start < 0.5


def fail(*_arguments):
    raise KeyError("secret")


def test_an_unexpected_exception_of_an_item_is_a_failure_without_its_text():
    result = capture_failure(fail)
    assert result["failed"] and "bug in cgr.pull_through: KeyError in test_text.py" in result["msg"]
    assert "secret" not in json.dumps(result)


def test_an_unexpected_exception_of_a_module_is_a_failure_without_a_traceback(monkeypatch):
    class Module:
        no_log_values = frozenset({"another"})
        params: dict[str, str] = {}

        def fail_json(self, **result):
            assert sys.exc_info()[0] is None
            raise SystemExit(json.dumps(result))

    monkeypatch.setattr(_module, "clean_secrets", lambda module: None)
    with pytest.raises(SystemExit, match="bug in cgr.pull_through: KeyError in test_text.py") as caught:
        _module.run(Module(), fail, needs_visible_results=False)
    assert "Traceback" not in str(caught.value) and "secret" not in str(caught.value)


def test_results_are_clean_except_those_that_are_secrets():
    _text.forget_secrets()
    _text.remember_secret("opaque-token-1")
    result = {"a": ["\x1b[31mred"], "b": {"c": "has opaque-token-1"}, "password": "opaque-token-1", "d": 1, "e": None}
    assert _text.clean_result(result, {"password"}) == {
        "a": ["\N{REPLACEMENT CHARACTER}[31mred"],
        "b": {"c": "has (secret removed)"},
        "password": "opaque-token-1",
        "d": 1,
        "e": None,
    }
    _text.forget_secrets()


@pytest.mark.parametrize("form", ['a\\"b&c-secret', "a&quot;b&amp;c-secret", "a%22b%26c-secret", "YSJiJmMtc2VjcmV0"])
def test_escaped_forms_of_a_secret_are_removed(form):
    _text.remember_secret('a"b&c-secret')
    assert form not in _text.redact(f"no {form}")
    _text.forget_secrets()


def test_joined_messages_are_bounded_and_name_the_first():
    text = join_messages([f"source {number}: {'x' * 700}" for number in range(20)])
    assert len(text) <= MAX_MESSAGE and text.endswith("\n15 more failures are not shown.")
    assert [line[:10] for line in text.splitlines()[:5]] == [f"source {number}: " for number in range(5)]
    assert len(text.splitlines()[0]) > 500, "the first failure is often the cause of the others"


@pytest.mark.parametrize("messages", [[], ["one"], ["x" * 400, "y" * 500], ["short"] * 100])
def test_short_messages_are_joined_as_they_are(messages):
    assert join_messages(messages) == "\n".join(messages)


@pytest.mark.parametrize("messages", [["x" * 2000], ["x" * 1000, "y"], ["a", "b" * 5000, "c"], ["x" * 80] * 50])
def test_every_joined_message_is_bounded(messages):
    assert len(join_messages(messages)) <= MAX_MESSAGE


def test_many_names_are_counted():
    assert join_names(list("abcde")) == "a, b, c, d, e"
    assert join_names(list("abcdefg")) == "a, b, c, d, e and 2 more"
