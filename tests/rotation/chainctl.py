# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A replacement for chainctl that is logged in to the lab, prints an API token, and issues pull tokens.

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


def encode_bytes(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def encode_number(value: int) -> str:
    """Return a number as a JWK contains it."""
    return encode_bytes(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def create_jwk(key: rsa.RSAPrivateKey) -> dict[str, str]:
    """Return the public part of a key."""
    public = key.public_key().public_numbers()
    return {"kty": "RSA", "alg": "RS256", "use": "sig", "n": encode_number(public.n), "e": encode_number(public.e)}


def sign_token(key: rsa.RSAPrivateKey, claims: dict[str, str | int]) -> str:
    """Return a signed JWT."""
    payload = ".".join(encode_bytes(json.dumps(part).encode()) for part in ({"alg": "RS256"}, claims))
    return f"{payload}.{encode_bytes(key.sign(payload.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def create_pull_token(api: httpx.Client, options: dict[str, str]) -> dict[str, str]:
    """Do what `chainctl auth pull-token create` does, including the name of the identity."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    groups = api.get("/iam/v2/groups", params={"uidp.inRoot": "true"})
    now = int(parsedate_to_datetime(groups.headers["Date"]).timestamp())
    expires, subject = now + int(options["ttl"].removesuffix("s")) - 1, f"pull-token-{secrets.token_hex(20)}"
    token = sign_token(
        key, {"iss": ISSUER, "sub": subject, "aud": "https://issuer.enforce.dev", "iat": now, "exp": expires}
    )
    body = {
        "name": options["name"] + (" - registry" if options["repository"] == "oci" else ""),
        "description": options["description"],
        "staticKeys": {
            "issuer": ISSUER,
            "subject": subject,
            "issuerKeys": json.dumps({"keys": [create_jwk(key)]}),
            "expirationTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires)),
        },
    }
    identity = api.post(f"/iam/v2/identities/{options['parent']}", json=body).raise_for_status().json()
    roles = api.get("/iam/v2/roles", params={"name": ROLES[options["repository"]]}).raise_for_status().json()["roles"]
    binding = {"identityUid": identity["uid"], "roleUid": roles[0]["uid"]}
    api.post(f"/iam/v2/roleBindings/{options['parent']}", json=binding).raise_for_status()
    return {"identity_id": identity["uid"], "token": token}


def main(api_token: str, arguments: list[str]) -> None:
    options = dict(argument.removeprefix("--").split("=", 1) for argument in arguments if "=" in argument)
    if arguments[:2] == ["auth", "token"]:
        print(api_token)
    elif arguments[:3] == ["auth", "pull-token", "create"] and options["output"] == "json":
        headers = {"Authorization": f"Bearer {api_token}"}
        with httpx.Client(base_url=options["api"], headers=headers, trust_env=False) as api:
            print(json.dumps(create_pull_token(api, options)))
    else:
        sys.exit(f"unknown command: {arguments}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
