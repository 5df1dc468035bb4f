"""Every key of the sandbox's world: made once under its home, handed to the merchant by `issue`, used to sign and verify."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import os
import secrets
import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.world import World

ALPHABET = string.ascii_letters + string.digits
CERTIFICATE_YEARS = 5


def sign(key: rsa.RSAPrivateKey, message: bytes) -> str:
    """RSA PKCS#1 v1.5 with SHA-256 in standard base64: what both payment providers call their signature."""
    return base64.b64encode(key.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode("ascii")


def verifies(key: rsa.RSAPublicKey, message: bytes, signature: str) -> bool:
    """Tell whether the base64 signature belongs to the message; garbage is simply no."""
    try:
        key.verify(base64.b64decode(signature, validate=True), message, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class MerchantKeys:
    """What WeChat Pay holds about one merchant: their public key, the shared secret, and its own two signing keys."""

    merchant_public: rsa.RSAPublicKey
    merchant_certificate_pem: str
    """Says when the merchant's own key ends; nothing here needs it."""
    apiv3_key: str
    public_mode_key: rsa.RSAPrivateKey
    certificate_mode_key: rsa.RSAPrivateKey
    certificate_pem: str


@dataclass(frozen=True, kw_only=True)
class AlipayKeys:
    """What Alipay holds about one app: its public key, the key with which Alipay signs for it, the secret shared for phone numbers."""

    app_public: rsa.RSAPublicKey
    alipay_private: rsa.RSAPrivateKey
    aes_key: str = field(repr=False)
    """16 bytes in base64, as the console shows it."""


@dataclass(frozen=True, kw_only=True)
class PushKeys:
    """What was set for one mini-program's message push: the token that signs, and the key that seals."""

    token: str
    aes_key: str
    """EncodingAESKey: 43 letters and digits."""


@dataclass(frozen=True, kw_only=True)
class UnionPayKeys:
    """UnionPay's chain, what it signs with, a stranger's certificate of the same name, and each merchant's public key."""

    root_pem: str
    middle_pem: str
    sign_key: rsa.RSAPrivateKey
    sign_pem: str
    stranger_key: rsa.RSAPrivateKey
    stranger_pem: str
    merchants: dict[str, rsa.RSAPublicKey]


@dataclass(frozen=True, kw_only=True)
class CounterKeys:
    """What each bank signs its counters' requests with, and whose signature it believes."""

    banks: dict[str, rsa.RSAPrivateKey]
    canbao: rsa.RSAPublicKey


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The providers' side of every secret."""

    app_secrets: dict[str, str]
    pushes: dict[str, PushKeys]
    wechat_pay: dict[str, MerchantKeys]
    alipay: dict[str, AlipayKeys]
    unionpay: UnionPayKeys
    counters: CounterKeys
    aliyun_access_key_id: str
    aliyun_access_key_secret: str = field(repr=False)
    aliyun_callback_token: str = field(repr=False)
    """Chosen by whoever installs, and told with each face check; here one for the whole sandbox."""


class KeyCupboard:
    """The folder of keys under the sandbox's home; what is missing is made on first use, what is there stays."""

    def __init__(self, home: Path, *, valid_from: dt.datetime | None = None) -> None:
        """`valid_from`: when certificates begin that are made now; None: yesterday."""
        today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self._valid_from = valid_from or today - dt.timedelta(days=1)
        self.folder = home / "keys"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def text(self, name: str, *, length: int = 32, prefix: str = "") -> str:
        """Read the named secret text, or make one of that length."""
        path = self.folder / name
        if not path.exists():
            made = prefix + "".join(secrets.choice(ALPHABET) for _ in range(length - len(prefix)))
            write_private(path, made)
        return path.read_text(encoding="ascii")

    def aes_key(self, name: str) -> str:
        """Read the named AES key, or make one: 16 bytes in base64."""
        path = self.folder / name
        if not path.exists():
            write_private(path, base64.b64encode(secrets.token_bytes(16)).decode("ascii"))
        return path.read_text(encoding="ascii")

    def key(self, name: str) -> rsa.RSAPrivateKey:
        """Read the named RSA key, or make one."""
        path = self.folder / name
        if not path.exists():
            write_private(path, private_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
        # Nobody but us writes here; checking every prime again would cost a third of a second at each start.
        loaded = serialization.load_pem_private_key(path.read_bytes(), password=None, unsafe_skip_rsa_key_validation=True)
        if not isinstance(loaded, rsa.RSAPrivateKey):
            raise TypeError(f"{path.name}: an RSA private key is needed here")
        return loaded

    def certificate(self, name: str, *, key: rsa.RSAPrivateKey, serial: str) -> str:
        """Read the named certificate, or make a self-signed one with exactly this serial number."""
        path = self.folder / name
        if not path.exists():
            write_private(path, self_signed(key, serial=serial, valid_from=self._valid_from))
        return path.read_text(encoding="ascii")

    def issued(
        self, name: str, *, to: str, key: rsa.RSAPrivateKey, by: str = "", by_key: rsa.RSAPrivateKey | None = None
    ) -> str:
        """Read the named certificate, or let `by` issue it to a common name; without an issuer it is a root."""
        path = self.folder / name
        if not path.exists():
            made = issued_certificate(key, to=to, by=by or to, by_key=by_key or key, valid_from=self._valid_from)
            write_private(path, made)
        return path.read_text(encoding="ascii")


def private_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")


def public_pem(key: rsa.RSAPublicKey) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def self_signed(key: rsa.RSAPrivateKey, *, serial: str, valid_from: dt.datetime) -> str:
    """Make a certificate such as a merchant downloads: its own, or an older one's of the platform."""
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Canbao sandbox"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Canbao sandbox WeChat Pay certificate"),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int(serial, 16))
        .not_valid_before(valid_from)
        .not_valid_after(valid_from + dt.timedelta(days=365 * CERTIFICATE_YEARS))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def issued_certificate(key: rsa.RSAPrivateKey, *, to: str, by: str, by_key: rsa.RSAPrivateKey, valid_from: dt.datetime) -> str:
    """Make a certificate of UnionPay's look: everything it says of its owner stands in the common name."""
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, to)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid_from)
        .not_valid_after(valid_from + dt.timedelta(days=365 * CERTIFICATE_YEARS))
        .sign(by_key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


UNIONPAY_ROOT = "Canbao sandbox UnionPay root"
UNIONPAY_MIDDLE = "Canbao sandbox UnionPay middle"
UNIONPAY_SIGNS_AS = "041@Z2020@00040000:SIGN@00000001"


def _unionpay_keys(cupboard: KeyCupboard, world: World) -> UnionPayKeys:
    root, middle, signs, stranger = (
        cupboard.key(f"unionpay-{each}-private-key.pem") for each in ("root", "middle", "sign", "stranger")
    )
    return UnionPayKeys(
        root_pem=cupboard.issued("unionpay-root.pem", to=UNIONPAY_ROOT, key=root),
        middle_pem=cupboard.issued("unionpay-middle.pem", to=UNIONPAY_MIDDLE, key=middle, by=UNIONPAY_ROOT, by_key=root),
        sign_key=signs,
        sign_pem=cupboard.issued("unionpay-sign.pem", to=UNIONPAY_SIGNS_AS, key=signs, by=UNIONPAY_MIDDLE, by_key=middle),
        stranger_key=stranger,
        # Everything as it should be but for whose signature stands under it.
        stranger_pem=cupboard.issued(
            "unionpay-stranger.pem", to=UNIONPAY_SIGNS_AS, key=stranger, by=UNIONPAY_MIDDLE, by_key=stranger
        ),
        merchants={
            mer_id: cupboard.key(f"unionpay-{mer_id}-merchant-private-key.pem").public_key()
            for mer_id in world.unionpay_merchants
        },
    )


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner may read; it appears whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(content)
    draft.replace(path)


def load_keys(home: Path, world: World, *, valid_from: dt.datetime | None = None) -> Keys:
    """Read every key of the world, making those that are missing; their certificates hold from `valid_from`, or from yesterday."""
    cupboard = KeyCupboard(home, valid_from=valid_from)
    wechat_pay = {}
    for mchid, merchant in world.wechat_merchants.items():
        certificate_key = cupboard.key(f"wechat-pay-{mchid}-platform-private-key.pem")
        merchant_key = cupboard.key(f"wechat-pay-{mchid}-merchant-private-key.pem")
        wechat_pay[mchid] = MerchantKeys(
            merchant_public=merchant_key.public_key(),
            merchant_certificate_pem=cupboard.certificate(
                f"wechat-pay-{mchid}-merchant-certificate.pem", key=merchant_key, serial=merchant.certificate_serial
            ),
            apiv3_key=cupboard.text(f"wechat-pay-{mchid}-apiv3-key.txt"),
            public_mode_key=cupboard.key(f"wechat-pay-{mchid}-private-key.pem"),
            certificate_mode_key=certificate_key,
            certificate_pem=cupboard.certificate(
                f"wechat-pay-{mchid}-platform-certificate.pem", key=certificate_key, serial=merchant.platform_serial
            ),
        )
    alipay = {
        app_id: AlipayKeys(
            app_public=cupboard.key(f"alipay-{app_id}-app-private-key.pem").public_key(),
            alipay_private=cupboard.key(f"alipay-{app_id}-alipay-private-key.pem"),
            aes_key=cupboard.aes_key(f"alipay-{app_id}-aes-key.txt"),
        )
        for app_id, app in world.apps.items()
        if app.platform == "alipay"
    }
    return Keys(
        app_secrets={
            app_id: cupboard.text(f"wechat-{app_id}-app-secret.txt")
            for app_id, app in world.apps.items()
            if app.platform == "wechat"
        },
        pushes={
            app_id: PushKeys(
                token=cupboard.text(f"wechat-{app_id}-message-token.txt"),
                aes_key=cupboard.text(f"wechat-{app_id}-message-aes-key.txt", length=43),
            )
            for app_id, app in world.apps.items()
            if app.platform == "wechat"
        },
        wechat_pay=wechat_pay,
        alipay=alipay,
        unionpay=_unionpay_keys(cupboard, world),
        counters=CounterKeys(
            banks={code: cupboard.key(f"{code}-partner-private-key.pem") for code in world.counter_banks},
            canbao=cupboard.key("counters-canbao-private-key.pem").public_key(),
        ),
        aliyun_access_key_id=cupboard.text("aliyun-access-key-id.txt", length=24, prefix="LTAI"),
        aliyun_access_key_secret=cupboard.text("aliyun-access-key-secret.txt", length=30),
        aliyun_callback_token=cupboard.text("aliyun-face-callback-token.txt"),
    )


def issue(home: Path, secrets_dir: Path, world: World, *, valid_from: dt.datetime | None = None) -> list[str]:
    """Write what a merchant downloads from, or keeps for, the providers' portals; running it again changes nothing."""
    keys = load_keys(home, world, valid_from=valid_from)
    kept = home / "keys"
    files = {f"wechat-{app_id}-app-secret.txt": secret for app_id, secret in keys.app_secrets.items()}
    for app_id, push in keys.pushes.items():
        files[f"wechat-{app_id}-message-token.txt"] = push.token
        files[f"wechat-{app_id}-message-aes-key.txt"] = push.aes_key
    for mchid, merchant in keys.wechat_pay.items():
        private = f"wechat-pay-{mchid}-merchant-private-key.pem"
        files[private] = (kept / private).read_text(encoding="ascii")
        files[f"wechat-pay-{mchid}-merchant-certificate.pem"] = merchant.merchant_certificate_pem
        files[f"wechat-pay-{mchid}-apiv3-key.txt"] = merchant.apiv3_key
        files[f"wechat-pay-{mchid}-public-key.pem"] = public_pem(merchant.public_mode_key.public_key())
        files[f"wechat-pay-{mchid}-platform-certificate.pem"] = merchant.certificate_pem
    for app_id, pair in keys.alipay.items():
        private = f"alipay-{app_id}-app-private-key.pem"
        files[private] = (kept / private).read_text(encoding="ascii")
        files[f"alipay-{app_id}-alipay-public-key.pem"] = public_pem(pair.alipay_private.public_key())
        files[f"alipay-{app_id}-aes-key.txt"] = pair.aes_key
    for mer_id in keys.unionpay.merchants:
        private = f"unionpay-{mer_id}-merchant-private-key.pem"
        files[private] = (kept / private).read_text(encoding="ascii")
    files["unionpay-root.pem"], files["unionpay-middle.pem"] = keys.unionpay.root_pem, keys.unionpay.middle_pem
    for code, key in keys.counters.banks.items():
        files[f"{code}-partner-public-key.pem"] = public_pem(key.public_key())
    files["counters-canbao-private-key.pem"] = (kept / "counters-canbao-private-key.pem").read_text(encoding="ascii")
    files["aliyun-access-key-id.txt"] = keys.aliyun_access_key_id
    files["aliyun-access-key-secret.txt"] = keys.aliyun_access_key_secret
    files["aliyun-face-callback-token.txt"] = keys.aliyun_callback_token
    secrets_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, content in files.items():
        path = secrets_dir / name
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            write_private(path, content)
        path.chmod(0o600)
    return sorted(files)
