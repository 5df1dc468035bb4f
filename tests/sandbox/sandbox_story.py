"""What the sandbox's stories share: a letterbox where Canbao's would be, and clients that others wrote."""

import base64
import json
import secrets as random_secrets
import threading
import time
import urllib.parse
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests
from alipay import AliPay
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from wechatpayv3 import WeChatPay, WeChatPayType

from sandbox.core import BEIJING

WX_APP = "wx3204000000000001"
MCHID = "1900003204"
ALI_APP = "2021003204000001"
SELLER = "2088003204000001"


class Letterbox:
    """Keeps what was posted, and answers as told: `answers` is used up first, then `answer`."""

    def __init__(self):
        self.letters = []
        self.answers = []
        self.answer = (204, b"")
        self._lock = threading.Lock()
        box = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, content = box.take({"path": self.path, "headers": self.headers, "body": body})
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if content:
                    self.wfile.write(content)

            do_GET = do_POST  # noqa: N815 - the same

            def log_message(self, *_):
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, letter):
        with self._lock:
            self.letters.append(letter)
            return self.answers.pop(0) if self.answers else self.answer

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def wechat_client(url, secrets, letterbox_url, **wishes):
    read = {
        name: (secrets / f"wechat-pay-{MCHID}-{name}").read_text()
        for name in ("merchant-private-key.pem", "apiv3-key.txt", "public-key.pem")
    }
    client = WeChatPay(
        WeChatPayType.MINIPROG,
        MCHID,
        read["merchant-private-key.pem"],
        wishes.get("serial", "3204000000000000000000000000000000003204"),
        WX_APP,
        read["apiv3-key.txt"],
        notify_url=f"{letterbox_url}/webhooks/wechat-pay/jiangsu-tax-wechat",
        public_key=read["public-key.pem"],
        public_key_id="PUB_KEY_ID_0119000032042026112200000001",
        timeout=(3, 10),
    )
    client._core._gate_way = url
    return client


class BeijingAliPay(AliPay):
    def build_body(self, *args, **kwargs):
        return super().build_body(*args, **kwargs) | {"timestamp": f"{datetime.now(BEIJING):%Y-%m-%d %H:%M:%S}"}


def launch(wx, prepay_id):
    stamp, nonce, package = str(int(time.time())), "n0nce", f"prepay_id={prepay_id}"
    return {
        "timeStamp": stamp,
        "nonceStr": nonce,
        "package": package,
        "signType": "RSA",
        "paySign": wx.sign([WX_APP, stamp, nonce, package]),
    }


def opened(raw, secrets):
    """Verify a notice over its raw bytes and give its fields in their own charset."""
    key = serialization.load_pem_public_key((secrets / f"alipay-{ALI_APP}-alipay-public-key.pem").read_bytes())
    fields = dict(urllib.parse.parse_qsl(raw.decode("ascii"), keep_blank_values=True, encoding="latin-1"))
    signature = base64.b64decode(fields.pop("sign"), validate=True)
    assert fields.pop("sign_type") == "RSA2"
    signed = "&".join(f"{name}={fields[name]}" for name in sorted(fields)).encode("latin-1")
    key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    codec = "gb18030" if fields["charset"].lower() == "gbk" else "utf-8"
    return {name: value.encode("latin-1").decode(codec) for name, value in fields.items()}


class ByHandWeChat:
    """Signs each request in the test's own words, so that one thing at a time can be wrong."""

    def __init__(self, url, secrets):
        self.url = url
        self.key = serialization.load_pem_private_key(
            (secrets / f"wechat-pay-{MCHID}-merchant-private-key.pem").read_bytes(), None
        )

    def call(
        self, method, path, body="", *, sign_path=None, age=0, serial="3204000000000000000000000000000000003204", headers=None
    ):
        stamp, nonce = str(int(time.time()) - age), random_secrets.token_hex(16)
        raw = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        message = f"{method}\n{sign_path or path}\n{stamp}\n{nonce}\n{raw}\n".encode()
        signature = base64.b64encode(self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode()
        authorization = f'WECHATPAY2-SHA256-RSA2048 serial_no="{serial}",mchid="{MCHID}",timestamp="{stamp}",nonce_str="{nonce}",signature="{signature}"'
        sent = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": "story",
            "Authorization": authorization,
            "Wechatpay-Serial": "PUB_KEY_ID_0119000032042026112200000001",
        }
        sent |= headers or {}
        return requests.request(method, self.url + path, data=raw.encode(), headers=sent, timeout=10)
