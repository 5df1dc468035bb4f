// How the client behaves: `node --test`. Nothing is sent; the transports are played.

import assert from "node:assert/strict";
import { test } from "node:test";

import { alipayTransport, browserTransport, CanbaoError, isConfirmed, isPaid, makeCanbao, newKey, OPERATIONS, wechatTransport } from "./canbao.js";

const json = (status, body, headers = {}) => ({ status, headers, body: JSON.stringify(body) });
const problem = (status, code, more = {}, headers = {}) => json(status, { code, title: "标题", detail: "怎么办", hotline: "12333", request_id: "r-1", status, ...more }, headers);
const utf8 = (text) => new TextEncoder().encode(text).buffer;

/** A client whose transport gives these answers in turn; a null is a line that broke. */
function played(answers, more = {}) {
  const sent = [];
  const slept = [];
  let token = more.token === undefined ? "t-1" : more.token;
  const canbao = makeCanbao({
    url: "https://canbao.example/",
    transport: async (each) => {
      sent.push(structuredClone(each));
      const answer = answers.shift();
      assert.notEqual(answer, undefined, `nobody expected ${each.method} ${each.url}`);
      if (answer === null) throw new Error("line broke");
      return typeof answer === "function" ? answer(each) : answer;
    },
    store: { get: () => token, set: (given) => { token = given; } },
    sleep: async (ms) => { slept.push(ms); },
    ...more,
  });
  return { canbao, sent, slept, token: () => token };
}

async function refused(work) {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof CanbaoError, String(error));
    return error;
  }
  throw new Error("nobody refused");
}

test("path, query and body come from one object", async () => {
  const { canbao, sent } = played([json(200, { bills: [] }), json(200, { entries: [] }), json(200, { id: "a" })]);

  await canbao.listBills({ insured_person_id: "a/b" });
  await canbao.readMenu({ region: "320400" });
  await canbao.changeApplication({ application_id: "a", version: 3, fields: { name: "张三" } });

  assert.deepEqual(
    sent.map((each) => [each.method, each.url, each.body]),
    [
      ["GET", "https://canbao.example/api/v1/insured-persons/a%2Fb/bills", undefined],
      ["GET", "https://canbao.example/api/v1/menu?region=320400", undefined],
      ["PATCH", "https://canbao.example/api/v1/applications/a", '{"version":3,"fields":{"name":"张三"}}'],
    ],
  );
  assert.ok(sent.every((each) => each.headers.Authorization === "Bearer t-1"));
});

test("what the path needs is asked for before anything is sent", async () => {
  const { canbao, sent } = played([]);

  await assert.rejects(canbao.readOrder({}), /readOrder needs order_no/);
  assert.equal(sent.length, 0);
});

test("signing in keeps the token, signing out forgets it, and neither regions nor sign-in carry it", async () => {
  const { canbao, sent, token } = played([json(200, { regions: [] }), json(201, { token: "t-2" }), { status: 204, headers: {}, body: "" }]);

  await canbao.listRegions();
  await canbao.createSession({ miniprogram: "m", code: "c" });
  assert.equal(token(), "t-2");
  assert.ok(sent.every((each) => !("Authorization" in each.headers)));

  assert.equal(await canbao.endSession(), undefined);
  assert.equal(token(), null);
});

test("one intention keeps one key over its tries, and another one has another", async () => {
  const given = { insured_person_id: "p", bill_ids: ["b"], expected_amount_fen: 100 };
  const { canbao, sent } = played([null, problem(503, "BUSY", {}, { "retry-after": "3" }), json(201, {}), json(201, {}), json(201, {})]);

  await canbao.placeOrder(given);
  await canbao.placeOrder(given);
  await canbao.placeOrder(given, { key: "kept-by-the-caller" });

  const keys = sent.map((each) => each.headers["Idempotency-Key"]);
  assert.equal(new Set(keys.slice(0, 3)).size, 1);
  assert.notEqual(keys[3], keys[0]);
  assert.equal(keys[4], "kept-by-the-caller");
  assert.ok(keys.every((key) => /^[!-~]{8,64}$/.test(key)));
  assert.equal(new Set(Array.from({ length: 500 }, newKey)).size, 500);
});

test("it waits as long as it is asked to, else a little longer each time", async () => {
  const { canbao, slept } = played([null, { status: 502, headers: {}, body: "<html>" }, problem(503, "BUSY", {}, { "retry-after": "3" }), json(200, {})]);

  await canbao.readMe();

  assert.ok(slept[0] >= 250 && slept[0] <= 750, String(slept));
  assert.ok(slept[1] >= 500 && slept[1] <= 1500, String(slept));
  assert.equal(slept[2], 3000);
});

test("it gives up after four tries, and at once where the wait is a day or the answer is a no", async () => {
  const four = played([null, null, null, null]);
  const day = played([problem(429, "TOO_MANY_TRIES", {}, { "retry-after": "40000" })]);
  const no = played([problem(409, "BILLS_RESERVED", { order_no: "O1" })]);
  const broken = played([problem(500, "INTERNAL")]);

  assert.equal((await refused(four.canbao.readMe())).code, "NO_ANSWER");
  assert.equal((await refused(day.canbao.openCounterCheck())).retry_after_seconds, 40000);
  assert.equal((await refused(no.canbao.placeOrder({ insured_person_id: "p", bill_ids: ["b"], expected_amount_fen: 1 }))).problem.order_no, "O1");
  assert.equal((await refused(broken.canbao.readMe())).kind, "FAULT");
  assert.deepEqual([four, day, no, broken].map((each) => each.sent.length), [4, 1, 1, 1]);
});

test("what uses something up is sent once, whatever happened to its answer", async () => {
  const once = {
    createSession: { miniprogram: "m", code: "c" },
    createAccount: { miniprogram: "m", phone: "p", sms_code: "1" },
    createSmsCode: { miniprogram: "m", phone: "p" },
    addPhone: { code: "c" },
    proveName: { name: "n", id_number: "i" },
    changeApplication: { application_id: "a", version: 1 },
  };
  for (const [name, given] of Object.entries(once)) {
    for (const answer of [null, problem(503, "BUSY", {}, { "retry-after": "1" }), { status: 504, headers: {}, body: "" }]) {
      const { canbao, sent } = played([answer]);
      await refused(canbao[name](given));
      assert.equal(sent.length, 1, name);
    }
  }
  const again = Object.entries(OPERATIONS).filter(([, [method, , ...traits]]) => ["POST", "PATCH"].includes(method) && !traits.some((each) => ["keyed", "again"].includes(each)));
  assert.deepEqual(again.map(([name]) => name).sort(), Object.keys(once).sort());
});

test("taken away, the answer lost, and not found on asking again: it is away; not found at first is a no", async () => {
  const lost = played([null, problem(404, "NOT_FOUND")]);
  const busy = played([problem(503, "BUSY", {}, { "retry-after": "1" }), problem(404, "NOT_FOUND")]);
  const never = played([problem(404, "NOT_FOUND")]);

  assert.equal(await lost.canbao.unblockPayer({ block_id: "b" }), undefined);
  assert.equal((await refused(busy.canbao.unblockPayer({ block_id: "b" }))).status, 404);
  assert.equal((await refused(never.canbao.unblockPayer({ block_id: "b" }))).status, 404);
});

test("a token that ended: one sign-in for all who wait, one more try each, with the same key", async () => {
  let signed_in = 0;
  const answers = (each) => (each.headers.Authorization === "Bearer t-2" ? json(201, {}) : problem(401, "SIGN_IN_AGAIN"));
  const { canbao, sent, token } = played([answers, answers, json(201, { token: "t-2" }), answers, answers], {
    signIn: async (same) => { signed_in += 1; await same.createSession({ miniprogram: "m", code: "c" }); },
  });

  await Promise.all([canbao.readMe(), canbao.blockPayer({ payer_id: "p" })]);

  assert.deepEqual([signed_in, token()], [1, "t-2"]);
  const keys = sent.filter((each) => each.url.endsWith("/payer-blocks")).map((each) => each.headers["Idempotency-Key"]);
  assert.equal(keys.length, 2);
  assert.equal(keys[0], keys[1]);
});

test("a token that is refused twice is a refusal; without a way to sign in, at once; a wrong SMS code is none of it", async () => {
  let signed_in = 0;
  const signIn = async () => { signed_in += 1; };
  const twice = played([problem(401, "SIGN_IN_AGAIN"), problem(401, "SIGN_IN_AGAIN")], { signIn });
  const none = played([problem(401, "SIGN_IN_AGAIN")]);
  const wrong = played([problem(401, "SMS_CODE_WRONG")], { signIn });

  assert.equal((await refused(twice.canbao.readMe())).kind, "UNAUTHENTICATED");
  assert.equal((await refused(none.canbao.readMe())).code, "SIGN_IN_AGAIN");
  assert.equal((await refused(wrong.canbao.createSession({ miniprogram: "m", phone: "p", sms_code: "0" }))).code, "SMS_CODE_WRONG");
  assert.equal(signed_in, 1);
});

test("a refusal keeps everything a person and a program need", async () => {
  const ways = [{ way: "COUNTER", hotline: "12366" }, { way: "BANK_CARD", hotline: "12333" }];
  const { canbao } = played([problem(403, "FACE_CHECK_REQUIRED", { ways, counter: { name: "窗口" } })]);

  const error = await refused(canbao.listInsuredPersons());

  const { code, kind, title, detail, hotlines, request_id, status, message } = error;
  assert.deepEqual(
    { code, kind, title, detail, hotlines, request_id, status, message },
    { code: "FACE_CHECK_REQUIRED", kind: "FORBIDDEN", title: "标题", detail: "怎么办", hotlines: ["12333", "12366"], request_id: "r-1", status: 403, message: "标题：怎么办" },
  );
  assert.deepEqual([error.ways, error.problem.counter], [ways, { name: "窗口" }]);
});

test("a refusal that is not ours still says what to do", async () => {
  const error = await refused(played([{ status: 413, headers: {}, body: "<html>too large" }]).canbao.readMe());

  assert.deepEqual([error.code, error.kind, error.title], ["HTTP_413", "MALFORMED", "请求未能完成"]);
});

const order = (state, ...lines) => json(200, { order_no: "O1", state, lines: lines.map((each) => ({ state: each })) });

test("an order is looked at until it is over, and on until the tax authority has it", async () => {
  const answers = () => [order("PREPAY", "LOCKED"), order("PAID", "PAID"), order("PAID", "TAX_CONFIRMED")];
  const seen = [];
  const first = played(answers());
  const second = played(answers());

  assert.equal((await first.canbao.waitForOrder("O1")).lines[0].state, "PAID");
  const confirmed = await second.canbao.waitForOrder("O1", { pace_ms: 200, until: isConfirmed, seen: (each) => seen.push(isPaid(each)) });

  assert.equal(confirmed.lines[0].state, "TAX_CONFIRMED");
  assert.deepEqual([first.slept, second.slept, seen], [[1000], [200, 200], [false, true, true]]);
});

test("waiting ends with its limit, and with an order that was closed", async () => {
  const long = played(Array.from({ length: 4 }, () => order("UNKNOWN", "LOCKED")));
  const closed = played([order("CLOSED", "UNPAID")]);

  assert.equal((await long.canbao.waitForOrder("O1", { pace_ms: 1000, limit_ms: 3500 })).state, "UNKNOWN");
  assert.equal((await closed.canbao.waitForOrder("O1", { until: isConfirmed })).state, "CLOSED");
  assert.equal(long.sent.length, 4);
});

const SENT = { url: "https://canbao.example/api/v1/x", headers: { Authorization: "Bearer t" }, timeout_ms: 5, bytes: false };

test("WeChat: a PATCH goes as a POST that says so, bytes as an ArrayBuffer, a refusal is an answer", async () => {
  const asked = [];
  const answers = [
    { statusCode: 200, header: { "Retry-After": "2" }, data: "{}" },
    { statusCode: 409, header: {}, data: "{}" },
    { statusCode: 200, header: {}, data: utf8("%PDF") },
  ];
  const send = wechatTransport({ request: (each) => { asked.push(each); each.success(answers.shift()); } });
  const picture = utf8("jpeg");

  const patched = await send({ ...SENT, method: "PATCH", body: '{"a":1}' });
  const put = await send({ ...SENT, method: "PUT", body: picture });
  const file = await send({ ...SENT, method: "GET", bytes: true });

  assert.deepEqual(patched, { status: 200, headers: { "retry-after": "2" }, body: "{}" });
  assert.deepEqual([put.status, file.body.byteLength], [409, 4]);
  assert.deepEqual(asked.map((each) => [each.method, each.data, each.responseType]), [["POST", '{"a":1}', "text"], ["PUT", picture, "text"], ["GET", undefined, "arraybuffer"]]);
  assert.deepEqual(asked[0].header, { Authorization: "Bearer t", "X-HTTP-Method-Override": "PATCH" });
  await assert.rejects(wechatTransport({ request: (each) => each.fail(new Error("request:fail timeout")) })({ ...SENT, method: "GET" }), /timeout/);
});

test("Alipay: JSON as an object, a refusal comes through fail, a line that broke has no number of HTTP", async () => {
  const asked = [];
  const told = [
    (each) => each.success({ status: 200, headers: { "Content-Type": "a" }, data: "{}" }),
    (each) => each.fail({ error: 19, status: 409, headers: {}, data: '{"code":"X"}' }),
    (each) => each.fail({ error: 12, status: 12 }),
    (each) => each.fail({ error: 13 }),
  ];
  const send = alipayTransport({ request: (each) => { asked.push(each); told.shift()(each); } });

  assert.deepEqual((await send({ ...SENT, method: "PATCH", body: '{"a":1}' })).headers, { "content-type": "a" });
  assert.deepEqual(await send({ ...SENT, method: "GET" }), { status: 409, headers: {}, body: '{"code":"X"}' });
  await assert.rejects(send({ ...SENT, method: "GET" }));
  await assert.rejects(send({ ...SENT, method: "GET" }));
  assert.deepEqual([asked[0].method, asked[0].headers["X-HTTP-Method-Override"], asked[0].data, asked[0].dataType], ["POST", "PATCH", { a: 1 }, "text"]);
});

test("a browser: bytes as they are, and no longer than the time-out", async () => {
  const good = browserTransport(async (url, { method, cache }) => new Response(`${method} ${url} ${cache}`, { headers: { "Retry-After": "1" } }));
  const slow = browserTransport((url, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted")))));

  const came = await good({ ...SENT, method: "PATCH" });
  const file = await good({ ...SENT, method: "GET", bytes: true });

  assert.deepEqual([came.body, came.headers["retry-after"]], [`PATCH ${SENT.url} no-store`, "1"]);
  assert.ok(file.body instanceof ArrayBuffer);
  await assert.rejects(slow({ ...SENT, method: "GET" }), /aborted/);
});

test("files come as bytes, and a refusal of one as words", async () => {
  const { canbao } = played([{ status: 200, headers: {}, body: utf8("%PDF-1.7") }, { status: 409, headers: {}, body: utf8(problem(409, "RECEIPT_NOT_READY").body) }]);

  assert.equal((await canbao.printReceipt({ order_no: "O1" })).byteLength, 8);
  assert.deepEqual((({ code, title }) => [code, title])(await refused(canbao.printReceipt({ order_no: "O1" }))), ["RECEIPT_NOT_READY", "标题"]);
});
