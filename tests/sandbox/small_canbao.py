"""A Canbao of one file, only as much of its contract as a phone touches; it believes notices, for it tests the phone."""

import base64
import itertools
import json
import threading
import time

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Flask, jsonify, request
from werkzeug.serving import make_server

APP, MCHID = "wx3204000000000001", "1900003204"


class SmallCanbao:
    def __init__(self, wx, apiv3_key):
        self.wx, self.apiv3_key = wx, apiv3_key
        self.orders, self.people, self.asked, self.consents, self.booked = {}, [], [], [], 0
        self.numbers = itertools.count(1)
        self.app = Flask("small_canbao")
        self.doors()
        self.server = make_server("127.0.0.1", 0, self.app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def launch(self, prepay_id):
        stamp, package = str(int(time.time())), f"prepay_id={prepay_id}"
        sign = self.wx.sign([APP, stamp, "n", package])
        return {"timeStamp": stamp, "nonceStr": "n", "package": package, "signType": "RSA", "paySign": sign}

    def bills(self, person):
        state = {True: "PAID", False: "PAYABLE"}
        paid = {bill for order in self.orders.values() if order["state"] == "PAID" for bill in order["bill_ids"]}
        return [
            {"id": f"{person}-{n}", "coverage_month": f"2026-{n:02d}", "insurance_type": "pension", "amount_fen": 38000, "state": state[f"{person}-{n}" in paid], "payable": f"{person}-{n}" not in paid}
            for n in (10, 11)
        ]  # fmt: skip

    def place(self, given):
        number = f"SB20261122{next(self.numbers):08d}"
        total = 38000 * len(given["bill_ids"])
        status, text = self.wx.pay(
            "社保费", number, {"total": total, "currency": "CNY"}, payer={"openid": self.openid}, notify_url=f"{self.url}/n"
        )
        assert status == 200, text
        order = {"order_no": number, "state": "AWAITING_PAYMENT", "total_fen": total, "bill_ids": given["bill_ids"]}
        self.orders[number] = order
        return order | {"launch": self.launch(json.loads(text)["prepay_id"])}

    def settle(self, body):
        sealed = body["resource"]
        cipher = AESGCM(self.apiv3_key.encode())
        plain = cipher.decrypt(
            sealed["nonce"].encode(), base64.b64decode(sealed["ciphertext"]), sealed["associated_data"].encode()
        )
        paid = json.loads(plain)
        self.orders[paid["out_trade_no"]]["state"] = "PAID"
        self.booked += paid["amount"]["total"]

    def doors(self):  # noqa: C901 - one small function for each door
        app, base = self.app, "/api/v1"

        @app.before_request
        def remember():
            self.asked.append(
                (request.method, request.path, request.headers.get("Idempotency-Key"), request.headers.get("Authorization"))
            )

        @app.post(f"{base}/sessions")
        def sessions():
            answer = self.wx.sign_in(request.json["code"])
            self.openid = answer["openid"]
            return jsonify(token="t0ken", expires_at="2026-11-23T00:00:00+08:00", account={}, capabilities=[]), 201

        @app.get(f"{base}/notices")
        def notices():
            return jsonify(
                notices=[
                    {"purpose": purpose, "title": "告知书", "version": "1", "text": "……", "text_hash": "h"}
                    for purpose in ("REAL_NAME", "FACE")
                ]
            )

        @app.post(f"{base}/consents")
        def consents():
            self.consents.append(request.json)
            return jsonify(id=1), 201

        @app.post(f"{base}/identity/real-name")
        def real_name():
            self.people[:1] = [
                {
                    "id": 1,
                    "is_self": True,
                    "name": f"{request.json['name'][0]}**",
                    "id_number": "3204**********0011",
                    "relation": "SELF",
                    "keep": True,
                }
            ]
            return jsonify(state="VERIFIED")

        @app.post(f"{base}/identity/face-checks")
        def face():
            return jsonify(code="FACE_NOT_NEEDED", title="无需人脸", detail="", request_id="r1"), 409

        @app.route(f"{base}/insured-persons", methods=["GET", "POST"])
        def insured_persons():
            if request.method == "GET":
                return jsonify(insured_persons=self.people)
            person = {
                "id": len(self.people) + 1,
                "is_self": False,
                "name": f"{request.json['name'][0]}*",
                "id_number": "3204**********0038",
                "relation": "",
                "keep": True,
            }
            self.people.append(person)
            return jsonify(person), 201

        @app.get(f"{base}/insured-persons/<int:person>/bills")
        def bills(person):
            return jsonify(bills=self.bills(person))

        @app.post(f"{base}/payment-orders")
        def payment_orders():
            return jsonify(self.place(request.json)), 201

        @app.get(f"{base}/payment-orders/<number>")
        def payment_order(number):
            return jsonify(self.orders[number])

        @app.post(f"{base}/payment-orders/<number>/cancel")
        def cancel(number):
            self.wx.close(number)
            self.orders[number]["state"] = "CANCELLED"
            return jsonify(self.orders[number])

        @app.post("/n")
        def notice():
            self.settle(request.get_json())
            return "", 204

        @app.get("/sandbox/journal")
        def journal():
            transfer = {
                "id": 1,
                "at": "2026-11-22T08:00:00+08:00",
                "debit_account": f"clearing:wechat_pay:{MCHID}",
                "credit_account": "contributions:tax-320400:pension",
                "amount_fen": self.booked,
                "kind": "settled",
                "payment_no": "x",
            }
            accounts = [
                {"account": transfer["debit_account"], "balance_fen": self.booked},
                {"account": transfer["credit_account"], "balance_fen": self.booked},
            ]
            return jsonify(accounts=accounts, transfers=[transfer] if self.booked else [])
