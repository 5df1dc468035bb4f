// What the phone's platform would do for a mini-program: sign in, the phone-number button, the camera, the cashier. The sandbox plays it.

import { CanbaoError } from "/client/canbao.js";
import { wish } from "./wishes.js";

export async function sandbox(method, path, body) {
  const answer = await fetch(`/_sandbox${path}`, {
    method,
    headers: { Accept: "application/json", ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new CanbaoError(answer.status, { code: "SANDBOX", title: "沙箱没有照办", detail: told.error ?? String(answer.status) });
  return told;
}

const REFERENCES = ["verifyId", "certifyId", "verify_id", "certify_id"];
const META_INFO = '{"apdidToken":"sandbox","appName":"changzhou-hrss-app","deviceType":"ios","osVersion":"19.0"}';

export class Platform {
  constructor(program, ownerNumber) {
    this.program = program;
    this.ownerNumber = ownerNumber;
    this.user = null;
  }

  // Who this person is to the platform; the same each time.
  async userId() {
    this.user ??= (await sandbox("POST", `/demo-people/${this.ownerNumber}/users`, { app_id: this.program.appId })).user_id;
    return this.user;
  }

  // wx.login, my.getAuthCode
  async login() {
    return (await sandbox("POST", "/codes", { app_id: this.program.appId, user_id: await this.userId() })).code;
  }

  // The button that gives the phone number.
  async phoneButton() {
    return sandbox("POST", "/phone-buttons", { app_id: this.program.appId, user_id: await this.userId() });
  }

  // What the app's face SDK says of the device; mini-programs need none.
  device() {
    return this.program.platform === "app" ? META_INFO : null;
  }

  // The platform's own face function: it answers nothing that the program could believe.
  async showFace(launch, outcome) {
    const reference = REFERENCES.map((name) => launch?.[name]).find(Boolean);
    await sandbox("POST", `/faces/${reference}`, { outcome });
  }

  // wx.requestPayment, my.tradePay. Resolves to {paid, said}: what the cashier tells proves nothing.
  async pay(launch, outcome, faults, totalFen) {
    const body = { app_id: this.program.appId, user_id: await this.userId(), outcome, faults: faults.map((name) => wish(name, totalFen)) };
    if (this.program.platform === "alipay") {
      const told = await sandbox("POST", "/alipay/cashier", { ...body, tradeNO: launch.tradeNO });
      return { paid: told.resultCode === "9000", said: [told.resultCode, told.memo].filter(Boolean).join(" ") };
    }
    const { timeStamp, nonceStr, package: bundle, signType, paySign } = launch;
    const told = await sandbox("POST", "/wechat/cashier", { ...body, timeStamp, nonceStr, package: bundle, signType, paySign });
    return { paid: told.errMsg === "requestPayment:ok", said: told.errMsg };
  }
}
