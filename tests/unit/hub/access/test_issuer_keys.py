"""Which of an issuer's published keys may check a token, and with which algorithm."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from periplus_hub.access.service_keys import ALGORITHMS, usable

RSA: dict[str, Any] = RSAAlgorithm.to_jwk(
    rsa.generate_private_key(public_exponent=65_537, key_size=2_048).public_key(), as_dict=True
)
WEAK: dict[str, Any] = RSAAlgorithm.to_jwk(
    rsa.generate_private_key(public_exponent=65_537, key_size=1_024).public_key(), as_dict=True
)
EC: dict[str, Any] = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), as_dict=True)
PRIVATE: dict[str, Any] = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
ED: dict[str, Any] = OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate().public_key(), as_dict=True)


def algorithms(entry: dict[str, Any]) -> list[str]:
    return [
        name
        for each in usable([{key: value for key, value in entry.items() if key != "key_ops"}])
        for name in sorted(each.algorithms)
    ]


def test_a_key_checks_what_its_sort_can() -> None:
    assert algorithms(RSA) == ["PS256", "PS384", "PS512", "RS256", "RS384", "RS512"]
    assert algorithms(RSA | {"alg": "PS256", "use": "sig"}) == ["PS256"]
    assert algorithms(EC) == ["ES384"]
    assert algorithms(ED) == ["EdDSA"]
    assert not [name for name in ALGORITHMS if name.startswith("HS") or name == "none"]


@pytest.mark.parametrize(
    "entry",
    [
        {},
        WEAK,
        RSA | {"use": "enc"},
        RSA | {"alg": "HS256"},
        RSA | {"alg": "ES256"},
        RSA | {"alg": "none"},
        RSA | {"alg": ["RS256"]},
        RSA | {"kid": 7},
        RSA | {"n": "!"},
        RSA | {"n": 5},
        EC | {"crv": "secp256k1"},
        EC | {"crv": ["P-256"]},
        EC | {"x": ""},
        EC | {"kty": "OKP"},
        {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"},
        {"kty": ["RSA"]},
    ],
)
def test_what_is_for_others_is_left_out(entry: dict[str, Any]) -> None:
    assert algorithms(entry) == []


def test_operations_have_to_hold_checking() -> None:
    plain = {name: value for name, value in RSA.items() if name != "key_ops"}
    assert len(usable([plain | {"key_ops": ["verify"]}, plain | {"key_ops": ["encrypt"]}, plain | {"key_ops": 1}])) == 1


def test_of_a_private_key_the_public_half_is_taken() -> None:
    [found] = usable([{key: value for key, value in PRIVATE.items() if key != "key_ops"}])
    assert isinstance(found.key, ec.EllipticCurvePublicKey)
