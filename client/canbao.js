// @ts-check
// Canbao's public API for mini-programs and browsers: one file, no dependency, no build step. See README.md beside it.

/** @typedef {import("./wire").Operations} Operations */
/** @typedef {import("./wire").Problem} Problem */
/** @typedef {import("./wire").PaymentOrderOut} PaymentOrderOut */
/** @typedef {{ method: string, url: string, headers: Record<string, string>, body?: string | ArrayBuffer, bytes: boolean, timeout_ms: number }} Sent */
/** @typedef {{ status: number, headers: Record<string, string>, body: string | ArrayBuffer }} Came */
/** @typedef {(sent: Sent) => Promise<Came>} Transport  Rejects only where no answer came. */
/** @typedef {{ get: () => string | null | Promise<string | null>, set: (token: string | null) => unknown }} Store */
/** @typedef {{ key?: string }} How  `key` names the intention: the same one when the person presses again. */
/**
 * @template {keyof Operations} Name
 * @typedef {{} extends Operations[Name]["given"]
 *   ? (given?: Operations[Name]["given"], how?: How) => Promise<Operations[Name]["answer"]>
 *   : (given: Operations[Name]["given"], how?: How) => Promise<Operations[Name]["answer"]>} Call
 */
/** @typedef {{ [Name in keyof Operations]: Call<Name> }} Calls */
/** @typedef {{ pace_ms?: number, limit_ms?: number, until?: (order: PaymentOrderOut) => boolean, seen?: (order: PaymentOrderOut) => unknown }} Waiting */
/** @typedef {Calls & { waitForOrder: (order_no: string, waiting?: Waiting) => Promise<PaymentOrderOut> }} Canbao */
/**
 * @typedef {object} Options
 * @property {string} url           Where Canbao is: https://canbao.example.gov.cn
 * @property {Transport} transport  How this platform sends.
 * @property {Store} store          Where the token is kept.
 * @property {(canbao: Canbao) => Promise<unknown>} [signIn]  Ends with createSession; called when the token is refused.
 * @property {number} [tries]       How often a call is sent at most; 4.
 * @property {number} [longest_wait_ms]  What is asked to wait longer is not waited for; 10 000.
 * @property {number} [timeout_ms]  For one try; 30 000.
 * @property {(ms: number) => Promise<unknown>} [sleep]
 */

/** @typedef {"again" | "keyed" | "open" | "picture" | "bytes"} Trait */

/**
 * Every operation: its method, its path, and what is special about it.
 * `keyed` carries an Idempotency-Key, `again` is the same when done twice, `open` needs no token, `picture` sends bytes, `bytes` brings them.
 * What is neither GET, PUT, DELETE, `keyed` nor `again` is sent once: a code is used up by it, a try counted, a version left behind.
 *
 * @type {{ readonly [Name in keyof Operations]: readonly [method: string, path: string, ...traits: Trait[]] }}
 */
export const OPERATIONS = {
  createSession: ["POST", "/sessions", "open"],
  endSession: ["DELETE", "/sessions/current"],
  createSmsCode: ["POST", "/sms-codes", "open"],
  createAccount: ["POST", "/accounts", "open"],
  readMe: ["GET", "/me"],
  setPreferences: ["PATCH", "/me/preferences", "again"],
  addPhone: ["POST", "/me/phone"],
  removePhone: ["DELETE", "/me/phone"],
  readMenu: ["GET", "/menu"],
  listRegions: ["GET", "/regions", "open"],
  readRegion: ["GET", "/regions/{code}", "open"],
  listMessages: ["GET", "/messages"],

  listNotices: ["GET", "/notices"],
  openNotice: ["POST", "/notices/readings", "again"],
  listConsents: ["GET", "/consents"],
  createConsent: ["POST", "/consents", "keyed"],
  withdrawConsent: ["DELETE", "/consents/{consent_id}"],

  proveName: ["POST", "/identity/real-name"],
  startFaceCheck: ["POST", "/identity/face-checks", "keyed"],
  readFaceCheck: ["GET", "/identity/face-checks/{check_id}"],
  finishFaceCheck: ["POST", "/identity/face-checks/{check_id}/finished", "again"],
  checkBankCard: ["POST", "/identity/bank-card-checks", "keyed"],
  openCounterCheck: ["POST", "/identity/counter-checks", "keyed"],
  readCounterCheck: ["GET", "/identity/counter-checks/current"],
  withdrawCounterCheck: ["DELETE", "/identity/counter-checks/current"],

  listInsuredPersons: ["GET", "/insured-persons"],
  addInsuredPerson: ["POST", "/insured-persons", "keyed"],
  removeInsuredPerson: ["DELETE", "/insured-persons/{insured_person_id}"],
  listBills: ["GET", "/insured-persons/{insured_person_id}/bills"],
  listPayers: ["GET", "/payer-blocks"],
  blockPayer: ["POST", "/payer-blocks", "keyed"],
  unblockPayer: ["DELETE", "/payer-blocks/{block_id}"],

  listOrders: ["GET", "/payment-orders"],
  placeOrder: ["POST", "/payment-orders", "keyed"],
  readOrder: ["GET", "/payment-orders/{order_no}"],
  cancelOrder: ["POST", "/payment-orders/{order_no}/cancel", "again"],
  printReceipt: ["GET", "/payment-orders/{order_no}/receipt", "bytes"],

  readApplicationForm: ["GET", "/application-forms/{kind}"],
  listApplications: ["GET", "/applications"],
  createApplication: ["POST", "/applications", "keyed"],
  readApplication: ["GET", "/applications/{application_id}"],
  changeApplication: ["PATCH", "/applications/{application_id}"],
  withdrawApplication: ["DELETE", "/applications/{application_id}"],
  uploadDocument: ["PUT", "/applications/{application_id}/documents/{kind}", "picture"],
  linkToDocument: ["GET", "/applications/{application_id}/documents/{kind}"],
  removeDocument: ["DELETE", "/applications/{application_id}/documents/{kind}"],
  handInDocuments: ["POST", "/applications/{application_id}/documents-handed-in", "again"],
  submitApplication: ["POST", "/applications/{application_id}/submission", "again"],
  printRegistrationForm: ["GET", "/applications/{application_id}/registration-form", "bytes"],
  showPicture: ["GET", "/pictures/{ticket}", "open", "bytes"],
  listJointCases: ["GET", "/joint-cases"],
  openJointCase: ["POST", "/joint-cases", "keyed"],
  readJointCase: ["GET", "/joint-cases/{case_id}"],

  listEnrollments: ["GET", "/enrollments"],
  changeTier: ["POST", "/enrollments/{enrollment_no}/tier-changes", "keyed"],
  readRetirementOutlook: ["GET", "/retirement-outlook"],
  listWithholdingAgreements: ["GET", "/withholding-agreements"],
  signWithholdingAgreement: ["POST", "/withholding-agreements", "keyed"],
  readWithholdingAgreement: ["GET", "/withholding-agreements/{agreement_id}"],
  terminateWithholdingAgreement: ["DELETE", "/withholding-agreements/{agreement_id}"],

  readOwnData: ["GET", "/personal-data"],
  readOwnCopy: ["GET", "/personal-data/copy"],
  listAccesses: ["GET", "/personal-data/accesses"],
  listDataRequests: ["GET", "/personal-data/requests"],
  makeDataRequest: ["POST", "/personal-data/requests", "keyed"],
  takeBackDataRequest: ["DELETE", "/personal-data/requests/{request_id}"],
};

/** @type {Record<number, string>} */
const KINDS = {
  401: "UNAUTHENTICATED", 403: "FORBIDDEN", 404: "NOT_FOUND", 409: "CONFLICT", 429: "TOO_MANY",
  500: "FAULT", 0: "UNAVAILABLE", 502: "UNAVAILABLE", 503: "UNAVAILABLE", 504: "UNAVAILABLE",
}; // prettier-ignore
const PASSES = [429, 502, 503, 504];
const FIRST_WAIT_MS = 500;
const CONFIRMED = ["TAX_CONFIRMED", "POSTED"];

/** Canbao said no, or nobody answered (status 0). Decide by `code`; show `title` and `detail` as they are. */
export class CanbaoError extends Error {
  /**
   * @param {number} status
   * @param {Partial<Problem>} problem
   * @param {number | null} [retry_after_seconds]
   */
  constructor(status, problem, retry_after_seconds = null) {
    const title = problem.title || "请求未能完成";
    const detail = problem.detail || "请稍后再试。";
    super(`${title}：${detail}`);
    this.name = "CanbaoError";
    this.status = status;
    this.code = problem.code || `HTTP_${status}`;
    this.kind = KINDS[status] || (status < 500 ? "MALFORMED" : "FAULT");
    this.title = title;
    this.detail = detail;
    this.ways = problem.ways || [];
    const numbers = [problem.hotline, ...this.ways.map((way) => way.hotline)];
    this.hotlines = numbers.filter((number, place) => number && numbers.indexOf(number) === place);
    this.request_id = problem.request_id || "";
    this.retry_after_seconds = retry_after_seconds;
    /** Every member as it came, with the facts of this refusal: order_no, counter, errors … */
    this.problem = problem;
  }
}

/** A name for one intention. Keep it until the intention has an answer, over a restart too. It protects nothing, it only differs. */
export function newKey() {
  const random = () => Math.random().toString(36).slice(2, 12);
  return `${Date.now().toString(36)}-${random()}-${random()}`;
}

/** 支付成功: the money is there. @param {PaymentOrderOut} order */
export const isPaid = (order) => order.state === "PAID";
/** 缴费成功: the tax authority has every month of it. @param {PaymentOrderOut} order */
export const isConfirmed = (order) => isPaid(order) && order.lines.every((line) => CONFIRMED.includes(line.state));
/** @param {PaymentOrderOut} order */
const isOver = (order) => isPaid(order) || order.state === "CLOSED";

/**
 * The client: a method for every operation, which takes path, query and body in one object.
 *
 * @param {Options} options
 * @returns {Canbao}
 */
export function makeCanbao(options) {
  const { transport, store, signIn, tries = 4, longest_wait_ms = 10000, timeout_ms = 30000 } = options;
  const sleep = options.sleep || ((ms) => new Promise((done) => setTimeout(done, ms)));
  const base = `${options.url.replace(/\/+$/, "")}/api/v1`;
  /** @type {Promise<unknown> | null} */
  let signing = null;

  /** Whoever is refused meanwhile waits for the same signing in. */
  const signInOnce = () => {
    signing = signing || Promise.resolve(signIn && signIn(canbao)).finally(() => { signing = null; });
    return signing;
  };

  /** @param {keyof Operations} name @param {Record<string, any>} given @param {How} how */
  async function call(name, given, how) {
    const [method, , ...traits] = OPERATIONS[name];
    const sent = written(base, name, given, timeout_ms);
    const safe = ["GET", "PUT", "DELETE"].includes(method) || traits.includes("keyed") || traits.includes("again");
    if (traits.includes("keyed")) sent.headers["Idempotency-Key"] = how.key || newKey();
    let may_sign_in = Boolean(signIn) && !traits.includes("open");
    let perhaps_done = false;
    for (let sent_times = 1; ; sent_times += 1) {
      const token = traits.includes("open") ? null : await store.get();
      if (token) sent.headers.Authorization = `Bearer ${token}`;
      const came = await transport(sent).catch(() => null);
      if (came && came.status < 300) return keep(name, read(came, sent.bytes));
      // Our own first try took it away, and its answer got lost. (Withdrawing a consent tells something, which nobody can make up.)
      if (came && came.status === 404 && method === "DELETE" && perhaps_done && name !== "withdrawConsent") return undefined;
      const error = came ? refusal(came) : noAnswer();
      if (error.code === "SIGN_IN_AGAIN" && may_sign_in) {
        may_sign_in = false;
        if ((await store.get()) === token) await signInOnce();
        continue;
      }
      const wait = waitFor(error, sent_times);
      if (!safe || wait === null || wait > longest_wait_ms || sent_times >= tries) throw error;
      perhaps_done = perhaps_done || ![429, 503].includes(error.status);
      await sleep(wait);
    }
  }

  /** @param {keyof Operations} name @param {any} answer */
  async function keep(name, answer) {
    if (name === "createSession" || name === "createAccount") await store.set(answer.token);
    if (name === "endSession") await store.set(null);
    return answer;
  }

  /**
   * Look at an order until it is over, or as `until` says (isConfirmed, say), or the limit has passed; gives what was seen last.
   *
   * @param {string} order_no
   * @param {Waiting} [waiting]
   */
  async function waitForOrder(order_no, { pace_ms = 1000, limit_ms = 60000, until = isOver, seen = () => {} } = {}) {
    for (let waited = 0; ; waited += pace_ms) {
      const order = await canbao.readOrder({ order_no });
      seen(order);
      if (until(order) || order.state === "CLOSED" || waited + pace_ms > limit_ms) return order;
      await sleep(pace_ms);
    }
  }

  const names = /** @type {Array<keyof Operations>} */ (Object.keys(OPERATIONS));
  /** @type {any} */
  const calls = { waitForOrder };
  for (const name of names) calls[name] = (given = {}, how = {}) => call(name, given, how);
  /** @type {Canbao} */
  const canbao = calls;
  return canbao;
}

/**
 * @param {string} base
 * @param {keyof Operations} name
 * @param {Record<string, any>} given
 * @param {number} timeout_ms
 * @returns {Sent}
 */
function written(base, name, given, timeout_ms) {
  const [method, path, ...traits] = OPERATIONS[name];
  const rest = { ...given };
  const filled = path.replace(/\{(\w+)\}/g, (_, part) => {
    const value = rest[part];
    if (value === undefined || value === null || value === "") throw new TypeError(`${name} needs ${part}`);
    delete rest[part];
    return encodeURIComponent(value);
  });
  const headers = /** @type {Record<string, string>} */ ({ Accept: traits.includes("bytes") ? "*/*" : "application/json" });
  const sent = { method, url: base + filled, headers, bytes: traits.includes("bytes"), timeout_ms };
  if (traits.includes("picture")) return { ...sent, headers: { ...headers, "Content-Type": "image/jpeg" }, body: rest.picture };
  if (method === "POST" || method === "PATCH") {
    return { ...sent, headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify(rest) };
  }
  const asked = Object.keys(rest).filter((each) => rest[each] !== undefined && rest[each] !== null);
  const query = asked.map((each) => `${each}=${encodeURIComponent(rest[each])}`).join("&");
  return query ? { ...sent, url: `${sent.url}?${query}` } : sent;
}

/** @param {Came} came @param {boolean} bytes */
function read(came, bytes) {
  if (bytes) return came.body;
  return came.body ? JSON.parse(text(came.body)) : undefined;
}

/** @param {string | ArrayBuffer} body */
function text(body) {
  if (typeof body === "string") return body;
  // A mini-program has no TextDecoder.
  const escaped = Array.from(new Uint8Array(body), (byte) => `%${byte.toString(16).padStart(2, "0")}`);
  return decodeURIComponent(escaped.join(""));
}

/** @param {Came} came */
function refusal(came) {
  let problem = {};
  try {
    problem = JSON.parse(text(came.body)) || {};
  } catch {
    // Not ours: a gateway's page. The status says enough.
  }
  const seconds = Number(came.headers["retry-after"]);
  return new CanbaoError(came.status, problem, seconds > 0 ? seconds : null);
}

const noAnswer = () =>
  new CanbaoError(0, { code: "NO_ANSWER", title: "网络不通", detail: "请检查网络后重试；已付款的请先查看订单，不要重复支付。" });

/** How long before the next try, in ms; null: asking again does not help. @param {CanbaoError} error @param {number} sent_times */
function waitFor(error, sent_times) {
  if (error.status !== 0 && !PASSES.includes(error.status)) return null;
  if (error.retry_after_seconds !== null) return error.retry_after_seconds * 1000;
  if (error.status === 429) return null;
  return FIRST_WAIT_MS * 2 ** (sent_times - 1) * (0.5 + Math.random());
}

/** @param {Record<string, any>} headers */
const lowered = (headers) =>
  Object.keys(headers || {}).reduce((all, name) => ({ ...all, [name.toLowerCase()]: String(headers[name]) }), {});

/** Mini-programs know no PATCH; Canbao takes a POST that says so. @param {Sent} sent */
const withoutPatch = (sent) =>
  sent.method === "PATCH"
    ? { ...sent, method: "POST", headers: { ...sent.headers, "X-HTTP-Method-Override": "PATCH" } }
    : sent;

/**
 * For WeChat's mini-programs. A picture is an ArrayBuffer: wx.getFileSystemManager().readFileSync(path).
 *
 * @param {{ request: (asked: any) => unknown }} wx
 * @returns {Transport}
 */
export function wechatTransport(wx) {
  return (given) => new Promise((resolve, reject) => {
    const sent = withoutPatch(given);
    wx.request({
      url: sent.url,
      method: sent.method,
      header: sent.headers,
      data: sent.body,
      timeout: sent.timeout_ms,
      dataType: "text", // or an empty answer would be parsed
      responseType: sent.bytes ? "arraybuffer" : "text",
      success: (/** @type {any} */ told) => resolve({ status: told.statusCode, headers: lowered(told.header), body: told.data }),
      fail: reject,
    });
  });
}

/**
 * For Alipay's mini-programs. A picture is an ArrayBuffer: my.getFileSystemManager().readFile({filePath}).
 *
 * @param {{ request: (asked: any) => unknown }} my
 * @returns {Transport}
 */
export function alipayTransport(my) {
  return (given) => new Promise((resolve, reject) => {
    const sent = withoutPatch(given);
    /** @param {any} told */
    const answer = (told) => resolve({ status: told.status, headers: lowered(told.headers), body: told.data || "" });
    my.request({
      url: sent.url,
      method: sent.method,
      headers: sent.headers,
      // Alipay writes the JSON by itself, and would write a text once more.
      data: typeof sent.body === "string" ? JSON.parse(sent.body) : sent.body,
      timeout: sent.timeout_ms,
      dataType: sent.bytes ? "arraybuffer" : "text",
      success: answer,
      // Every refusal comes here too, with its number; without an answer there is none, or one of Alipay's own below 100.
      fail: (/** @type {any} */ told) => (told.status >= 100 ? answer(told) : reject(told)),
    });
  });
}

/**
 * For browsers, and the web view of an app.
 *
 * @param {typeof globalThis.fetch} fetch
 * @returns {Transport}
 */
export function browserTransport(fetch) {
  return async (sent) => {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), sent.timeout_ms);
    try {
      const { url, method, headers, body } = sent;
      const came = await fetch.call(globalThis, url, { method, headers, body, signal: stop.signal, cache: "no-store" });
      /** @type {Record<string, string>} */
      const told = {};
      came.headers.forEach((value, name) => { told[name.toLowerCase()] = value; });
      return { status: came.status, headers: told, body: sent.bytes ? await came.arrayBuffer() : await came.text() };
    } finally {
      clearTimeout(timer);
    }
  };
}
