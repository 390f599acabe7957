"""Receipts: what was signed can be checked with the public key alone, and nothing else passes."""

import base64
import json
import stat
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OctKey, OKPKey, RSAKey

from sayso.errors import IntegrityError
from sayso.rights import objections, receipts
from sayso.rights.database import Rights
from sayso.workspace import Workspace

CLAIMS = {"number": "OBJ-1", "reason": "weil ü", "services": ["square"]}
quick = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def key(workspace):
    return receipts.signing_key(workspace)


@pytest.fixture
def public(workspace, key):
    return workspace.keys / "receipts.pub.jwk"


def encode(part: object) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def refused(token: str, public) -> bool:
    with pytest.raises(IntegrityError) as caught:
        receipts.verify(token, public)
    return bool(caught.value.hint)


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=6,
)


@quick
@given(st.dictionaries(st.text(), values))
def test_what_was_signed_comes_back(key, public, claims):
    token = receipts.sign(key, claims)
    assert token.isascii()
    assert len(token.split()) == 1
    assert receipts.verify(token, public) == claims
    assert receipts.verify(f"  {token}\n", public) == claims


def test_the_key_is_made_once_and_its_secret_half_is_nobody_elses(workspace, key, public):
    assert receipts.signing_key(workspace).as_dict(private=True) == key.as_dict(private=True)
    secret = workspace.keys / "signing.jwk"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert "d" not in json.loads(public.read_bytes())


@quick
@given(st.data())
def test_a_receipt_changed_anywhere_is_refused(key, public, data):
    token = receipts.sign(key, CLAIMS)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters().filter(lambda c: c != token[place]))
    changed = token[:place] + other + token[place + 1 :]
    signature = token.rpartition(".")[2]
    # The last letter of base64 has spare bits: another letter can spell the same signature.
    if place == len(token) - 1 and other.isascii() and other.isalnum():
        same = decode(changed.rpartition(".")[2]) == decode(signature)
        if same:
            return
    assert refused(changed, public)


@pytest.mark.parametrize("length", [0, 1, 20, -1, -20])
def test_a_receipt_cut_short_is_refused(key, public, length):
    assert refused(receipts.sign(key, CLAIMS)[:length], public)


def test_a_receipt_with_other_words_under_the_signature_is_refused(key, public):
    header, _, signature = receipts.sign(key, CLAIMS).split(".")
    assert refused(f"{header}.{encode(CLAIMS | {'reason': ''})}.{signature}", public)
    other = encode({"alg": "Ed25519", "typ": receipts.TYPE})
    assert refused(f"{other}.{encode(CLAIMS)}.{signature}", public)


def test_a_receipt_by_another_key_is_refused(tmp_path, public):
    other = receipts.signing_key(Workspace.create(tmp_path / "other"))
    assert refused(receipts.sign(other, CLAIMS), public)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", None, "HS256", "EdDSA", "RS256", 1])
def test_another_algorithm_is_refused(key, public, alg):
    header = encode({"alg": alg, "typ": receipts.TYPE})
    signature = receipts.sign(key, CLAIMS).rpartition(".")[2]
    for tail in ("", signature):
        assert refused(f"{header}.{encode(CLAIMS)}.{tail}", public)


def test_the_public_key_as_a_shared_secret_is_refused(public):
    secret = OctKey.import_key(public.read_bytes())
    header = {"alg": "HS256", "typ": receipts.TYPE}
    assert refused(jws.serialize_compact(header, json.dumps(CLAIMS), secret), public)


@pytest.mark.parametrize("kind", ["JWT", "", None])
def test_what_was_signed_for_another_purpose_is_refused(key, public, kind):
    header = {"alg": receipts.ALGORITHM} | ({} if kind is None else {"typ": kind})
    token = jws.serialize_compact(header, json.dumps(CLAIMS), key, algorithms=["Ed25519"])
    assert refused(token, public)


@pytest.mark.parametrize("payload", [b"[]", b'"x"', b"1", b"null", b"not JSON", b"\xff", b""])
def test_what_is_signed_but_says_nothing_is_refused(key, public, payload):
    header = {"alg": receipts.ALGORITHM, "typ": receipts.TYPE}
    token = jws.serialize_compact(header, payload, key, algorithms=["Ed25519"])
    assert refused(token, public)


@quick
@given(st.one_of(st.text(), st.binary().map(lambda data: data.decode("latin-1"))))
def test_garbage_is_refused(public, garbage):
    assert refused(garbage, public)


@quick
@given(st.lists(st.one_of(values.map(encode), st.binary().map(encode)), max_size=4), st.text("."))
def test_garbage_of_the_right_form_is_refused(public, parts, dots):
    assert refused(".".join(parts) + dots, public)
    assert refused(".".join([encode({"alg": "Ed25519", "crit": ["b64"], "b64": False}), *parts]),
                   public)  # fmt: skip


KEYS_THAT_ARE_NONE = [
    *[b"", b"\x00\xff", b"null", b"[]", b"1", b'"x"', b"{}", b'{"kty":"OKP"}', b'{"kty":"oct"}'],
    *[b'{"kty":"OKP","crv":"Ed25519","x":"AAAA"}', b'{"kty":"OKP","crv":"Ed25519","x":1}'],
    json.dumps(OctKey.generate_key(256).as_dict()).encode(),
    json.dumps(OKPKey.generate_key("X25519").as_dict()).encode(),
    json.dumps(RSAKey.generate_key(2048).as_dict(private=False)).encode(),
]


@pytest.mark.parametrize("key_file", KEYS_THAT_ARE_NONE, ids=range(len(KEYS_THAT_ARE_NONE)))
def test_a_public_key_that_is_none_checks_nothing(tmp_path, key, key_file):
    path = tmp_path / "key.jwk"
    path.write_bytes(key_file)
    assert refused(receipts.sign(key, CLAIMS), path)


def test_a_missing_public_key_is_said_to_be_missing(tmp_path, key):
    for path in (tmp_path / "none.jwk", tmp_path):
        with pytest.raises(IntegrityError, match="no public key"):
            receipts.verify(receipts.sign(key, CLAIMS), path)


@pytest.mark.parametrize("attempt", range(3))
def test_people_who_object_first_and_at_once_all_get_receipts_that_hold(tmp_path, attempt):
    workspace = Workspace.create(tmp_path / "fresh")
    crowd, made, failures = 4, [], []
    start = threading.Barrier(crowd)

    def object_(name: str) -> None:
        try:
            start.wait(10)
            made.extend(objections.receive(Rights(workspace), name))
        except Exception as error:
            failures.append(error)

    Rights(workspace)  # the database is there; its keys are not yet
    threads = [threading.Thread(target=object_, args=(f"member-{n}",)) for n in range(crowd)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failures
    assert len(made) == crowd
    for objection in made:
        receipts.verify(objection.receipt, workspace.keys / "receipts.pub.jwk")
