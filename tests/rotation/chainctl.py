# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stands in for Chainguard's own program: logged in at the lab, and able to print a token and to make a pull token.

It shares no code with the collection. Usage: python chainctl.py API_TOKEN ARGUMENT..., with the arguments of chainctl.
"""

from __future__ import annotations

import base64
import json
import secrets
import sys
import time
from email.utils import parsedate_to_datetime

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ISSUER = "https://pulltoken.issuer.chainguard.dev"
ROLES = {"oci": "registry.pull", "apk": "apk.pull"}


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def make_pull_token(api: httpx.Client, options: dict[str, str]) -> dict[str, str]:
    """Do what `chainctl auth pull-token create` does, name and all."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "alg": "RS256", "use": "sig", "n": number(public.n), "e": number(public.e)}
    groups = api.get("/iam/v2/groups", params={"uidp.inRoot": "true"})
    now = int(parsedate_to_datetime(groups.headers["Date"]).timestamp())
    expires, subject = now + int(options["ttl"].removesuffix("s")) - 1, f"pull-token-{secrets.token_hex(20)}"
    claims = {"iss": ISSUER, "sub": subject, "aud": "https://issuer.enforce.dev", "iat": now, "exp": expires}
    signed = f"{encode(json.dumps({'alg': 'RS256'}).encode())}.{encode(json.dumps(claims).encode())}"
    token = f"{signed}.{encode(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"
    identity = {
        "name": options["name"] + (" - registry" if options["repository"] == "oci" else ""),
        "description": options["description"],
        "staticKeys": {
            "issuer": ISSUER,
            "subject": subject,
            "issuerKeys": json.dumps({"keys": [jwk]}),
            "expirationTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires)),
        },
    }
    made = api.post(f"/iam/v2/identities/{options['parent']}", json=identity).raise_for_status().json()
    roles = api.get("/iam/v2/roles", params={"name": ROLES[options["repository"]]}).raise_for_status().json()["roles"]
    binding = {"identityUid": made["uid"], "roleUid": roles[0]["uid"]}
    api.post(f"/iam/v2/roleBindings/{options['parent']}", json=binding).raise_for_status()
    return {"identity_id": made["uid"], "token": token}


def main(api_token: str, arguments: list[str]) -> None:
    options = dict(argument.removeprefix("--").split("=", 1) for argument in arguments if "=" in argument)
    if arguments[:2] == ["auth", "token"]:
        print(api_token)
    elif arguments[:3] == ["auth", "pull-token", "create"] and options["output"] == "json":
        headers = {"Authorization": f"Bearer {api_token}"}
        with httpx.Client(base_url=options["api"], headers=headers, trust_env=False) as api:
            print(json.dumps(make_pull_token(api, options)))
    else:
        sys.exit(f"unknown command: {arguments}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
