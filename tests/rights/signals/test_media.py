"""What pictures and documents say, in real files: XMP by Pillow, manifests signed by c2pa."""

import io
import sys
import zipfile
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso.rights.signals import cawg, media, resolve, xmp

PLUS = "http://ns.useplus.org/ldf/xmp/1.0/"
VOCABULARY = "http://ns.useplus.org/ldf/vocab/"


def packet(attributes="", inner="") -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:plus="{PLUS}" xmlns:dcterms="http://purl.org/dc/terms/"'
        f' xmlns:tdm="http://www.w3.org/ns/tdmrep#" {attributes}>{inner}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def mining(value: str) -> bytes:
    return packet(inner=f"<plus:DataMining>{value}</plus:DataMining>")


NO = mining(f"{VOCABULARY}DMI-PROHIBITED-AIMLTRAINING")


def answer(data: bytes, name: str = "", **asked) -> str:
    return resolve.verdict(media.read(data, name), **asked).answer


def picture(kind: str, metadata: bytes | None = None) -> bytes:
    from PIL import Image, PngImagePlugin

    image, out = Image.new("RGB", (8, 8), "navy"), io.BytesIO()
    told = {}
    if metadata is not None and kind == "PNG":
        told["pnginfo"] = info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", metadata.decode(), zip=True)
    elif metadata is not None and kind == "TIFF":
        told["tiffinfo"] = {700: metadata}
    elif metadata is not None:
        told["xmp"] = metadata
    image.save(out, kind, **told)
    return out.getvalue()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("DMI-UNSPECIFIED", "unknown"),
        ("DMI-ALLOWED", "allow"),
        ("DMI-PROHIBITED", "deny"),
        ("DMI-PROHIBITED-AIMLTRAINING", "deny"),
        ("DMI-PROHIBITED-GENAIMLTRAINING", "deny"),
        ("DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING", "deny"),
        ("DMI-PROHIBITED-SEECONSTRAINT", "deny"),
        ("DMI-SEECONSTRAINT", "unreadable"),
        ("DMI-SOMETHING-NEW", "unreadable"),
    ],
)
def test_codes_of_plus_in_each_form(value, expected):
    address = VOCABULARY + value
    forms = [
        mining(address),
        mining(value),
        packet(f'plus:DataMining="{address}"'),
        packet(inner=f'<plus:DataMining rdf:resource="{address}"/>'),
        packet(
            inner=f"<plus:DataMining><rdf:Bag><rdf:li>{value}</rdf:li></rdf:Bag></plus:DataMining>"
        ),
    ]
    for form in forms:
        assert answer(form, "x.xmp") == expected
        assert answer(picture("JPEG", form)) == expected


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Allowed", "allow"),
        ("Prohibited", "deny"),
        ("Prohibited for AI/ML training", "deny"),
        ("Prohibited, see Other Constraints property", "deny"),
        ("Unspecified - no prohibition defined", "unknown"),
        ("Allowed unless I say so", "unreadable"),
    ],
)
def test_labels_of_plus(label, expected):
    assert answer(mining(label), "x.xmp") == expected


def test_a_no_to_generative_training_is_one_to_that_alone():
    found = xmp.sidecar(mining("Prohibited for Generative AI/ML training"))
    assert resolve.verdict(found, uses={"training"}).answer == "unknown"
    assert resolve.verdict(found).answer == "deny"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_xmp_in_every_format(kind):
    assert answer(picture(kind)) == "unknown"
    assert answer(picture(kind, NO)) == "deny"
    assert answer(picture(kind, mining("DMI-ALLOWED"))) == "allow"
    assert answer(picture(kind, NO), "lies.txt") == "deny"


def test_an_extended_packet_of_jpeg_cut_to_pieces():
    plain, pieces = picture("JPEG"), b""
    whole = NO.replace(b"<plus", b" " * 90_000 + b"<plus")
    for at in range(0, len(whole), 60_000):
        piece = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32
        piece += len(whole).to_bytes(4, "big") + at.to_bytes(4, "big") + whole[at : at + 60_000]
        pieces = b"\xff\xe1" + (len(piece) + 2).to_bytes(2, "big") + piece + pieces
    assert answer(plain[:2] + pieces + plain[2:]) == "deny"
    first = pieces[: len(pieces) // 2]
    assert answer(plain[:2] + first + plain[2:]) == "unreadable"


def test_pdf_with_plain_compressed_and_odd_metadata():
    def pdf(stream: bytes, more: bytes = b"") -> bytes:
        head = b"%%PDF-1.7\n1 0 obj\n<< /Type /Metadata /Subtype /XML /Length %d %s>>\n"
        return head % (len(stream), more) + b"stream\n" + stream + b"\nendstream\nendobj\n%%EOF"

    flate = b"/Filter /FlateDecode "
    assert answer(pdf(NO)) == "deny"
    assert answer(pdf(zlib.compress(NO), flate)) == "deny"
    assert answer(pdf(zlib.compress(mining("DMI-ALLOWED")), flate)) == "allow"
    assert answer(pdf(b"broken", flate)) == "unreadable"
    assert answer(pdf(b"xxxx", b"/Filter /LZWDecode ")) == "unreadable"
    reserved = packet(inner="<tdm:reservation>1</tdm:reservation><tdm:policy>u</tdm:policy>")
    assert answer(pdf(reserved)) == "deny"
    bomb = zlib.compress(b" " * 20_000_000)
    assert answer(pdf(bomb, flate)) == "unreadable"


def test_epub():
    def epub(value: str) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as book:
            meta = f'<meta property="tdm:reservation">{value}</meta>'
            book.writestr("OPS/package.opf", f"<package><metadata>{meta}</metadata></package>")
        return out.getvalue()

    assert answer(epub("1")) == "deny"
    assert answer(epub("0")) == "allow"
    assert answer(epub("<")) == "unreadable"
    assert answer(epub("1")[:-30]) == "unreadable"


def test_what_looks_like_a_signal_and_cannot_be_read_is_no_yes():
    assert answer(NO[:-60]) == "unreadable"
    assert answer(b"\xff\xd8\xff\xe1 plus:DataMining somewhere") == "unreadable"
    assert answer(NO.decode().encode("utf-16-le")) == "unreadable"
    assert answer(NO.decode().encode("utf-16"), "x.xmp") == "deny"
    entity = NO.replace(b"<x:xmpmeta", b'<!DOCTYPE a [<!ENTITY b "c">]><x:xmpmeta')
    assert answer(entity, "x.xmp") == "unreadable"
    assert answer(packet('dcterms:provenance="https://m.example/1.c2pa"')) == "unreadable"
    assert answer(packet('dcterms:provenance="self#jumbf=c2pa"')) == "unknown"


@settings(deadline=None)
@given(
    st.sampled_from(["JPEG", "PNG", "TIFF", "WEBP"]), st.integers(0, 5000), st.binary(max_size=4)
)
def test_a_damaged_picture_with_a_no_never_says_yes(kind, at, noise):
    data = picture(kind, NO)
    at %= len(data)
    assert answer(data[:at] + noise + data[at + len(noise) :]) != "allow"


# Manifests -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def signer():
    """A signer of c2pa's with a certificate chain made here; nobody trusts it."""
    import c2pa
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def name(common):
        pairs = [(NameOID.ORGANIZATION_NAME, "Harbour"), (NameOID.COMMON_NAME, common)]
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in pairs])

    def certificate(subject, key, issuer, by, is_authority):
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(
                    not is_authority, False, False, False, False, is_authority, False, False, False
                ),
                critical=True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), False
            )
        )
        if not is_authority:
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            made = made.add_extension(usage, critical=False)
        return made.sign(by, hashes.SHA256())

    root, leaf = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    chain = [
        certificate("signer", leaf, "root", root, False),
        certificate("root", root, "root", root, True),
    ]
    pem = serialization.Encoding.PEM
    secret = leaf.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    info = c2pa.C2paSignerInfo(b"es256", b"".join(c.public_bytes(pem) for c in chain), secret, None)
    return c2pa.Signer.from_info(info)


def signed(signer, entries=None, label=cawg.LABEL, kind="JPEG", ingredient=None) -> bytes:
    import c2pa

    mime = f"image/{kind.lower()}"
    actions = {"actions": [{"action": "c2pa.created", "digitalSourceType":
               "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation"}]}  # fmt: skip
    if ingredient is not None:
        actions = {"actions": [{"action": "c2pa.opened", "parameters": {"ingredientIds": ["p"]}}]}
    manifest = {
        "claim_generator_info": [{"name": "test", "version": "1"}],
        "title": "picture",
        "assertions": [{"label": "c2pa.actions", "data": actions}],
    }
    if entries is not None:
        manifest["assertions"].append({"label": label, "data": {"entries": entries}})
    settings = c2pa.Settings.from_dict({"verify": {"verify_after_sign": False},
                                        "builder": {"thumbnail": {"enabled": False}}})  # fmt: skip
    out = io.BytesIO()
    with c2pa.Builder(manifest, context=c2pa.Context(settings)) as builder:
        if ingredient is not None:
            about = {"title": "part", "relationship": "parentOf", "instance_id": "p", "label": "p"}
            builder.add_ingredient(about, mime, io.BytesIO(ingredient))
        builder.sign(signer, mime, io.BytesIO(picture(kind)), out)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_signed_pictures_assertion(signer, kind):
    no = {"cawg.ai_generative_training": {"use": "notAllowed"}, "cawg.ai_training": {
        "use": "constrained", "constraint_info": "see my page"}}  # fmt: skip
    data = signed(signer, no, kind=kind)
    found = media.read(data)
    assert {(s.category, s.value) for s in found} == {("generative", "deny"), ("training", "deny")}
    assert answer(signed(signer, kind=kind)) == "unknown"


def test_a_yes_counts_only_whole_and_of_the_picture_itself(signer):
    yes = {
        "cawg.ai_training": {"use": "allowed"},
        "cawg.ai_generative_training": {"use": "allowed"},
    }
    data = signed(signer, yes)
    assert answer(data) == "allow"
    assert answer(data.replace(b"\xff\xda", b"\xff\xda\0\0", 1)) == "unreadable"
    no = {"c2pa.ai_training": {"use": "notAllowed"}}
    old = signed(signer, no, cawg.LEGACY)
    assert answer(old) == "deny"
    assert answer(signed(signer, yes, ingredient=old)) == "deny"
    assert answer(signed(signer, ingredient=data)) == "unreadable"


def test_a_manifest_that_nothing_here_can_read_is_no_yes(signer, monkeypatch):
    data = signed(signer, {"cawg.ai_training": {"use": "allowed"}})
    monkeypatch.setitem(sys.modules, "c2pa", None)
    assert answer(data) == "unreadable"
    assert answer(picture("JPEG")) == "unknown"


def test_stores_as_json():
    def store(label, entries, state="Trusted"):
        assertion = {"label": label, "data": {"entries": entries}}
        manifests = {"a": {"assertions": [assertion]}}
        return {"active_manifest": "a", "validation_state": state, "manifests": manifests}

    def heard(*told):
        import json

        found = cawg.store(json.dumps(store(*told)).encode())
        return resolve.verdict(found).answer

    assert heard("cawg.training-mining__2", {"cawg.data_mining": {"use": "notAllowed"}}) == "deny"
    assert heard(cawg.LABEL, {"cawg.ai_inference": {"use": "notAllowed"}}) == "deny"
    assert heard(cawg.LABEL, {"cawg.ai_training": {"use": "allowed"}}) == "allow"
    assert heard(cawg.LABEL, {"cawg.ai_training": {"use": "allowed"}}, "Invalid") == "unreadable"
    assert heard(cawg.LABEL, {"cawg.ai_training": {}}) == "unreadable"
    assert heard(cawg.LABEL, None) == "unreadable"
    assert heard("stds.exif", {"x": 1}) == "unknown"


def test_a_file_of_a_thousand_packets_is_not_read_to_its_end():
    many = b"%PDF-1.7\n" + 1000 * (
        b"1 0 obj << /Type /Metadata /Filter /FlateDecode >>\nstream\n"
        + zlib.compress(b" " * 1_000_000)
        + b"\nendstream\n"
    )
    assert answer(many) == "unreadable"
    assert answer(1000 * mining("DMI-ALLOWED")) == "unreadable"
