// The mini-programs and the app of the source documents, by the ids under which their platforms know them.

import { define } from "./words.js";

const titles = define({
  zh: {
    "jiangsu-tax-wechat": "江苏税务社保缴纳",
    "jiangsu-tax-alipay": "江苏税务社保缴纳",
    "changzhou-hrss-app": "常州人社",
    "xinjiang-hrss-wechat": "新疆智慧人社",
    "xinjiang-tax-wechat": "新疆税务社保缴费",
    wechat: "微信小程序",
    alipay: "支付宝小程序",
    app: "手机应用",
    tax: "缴费",
    hrss: "参保",
  },
  en: {
    "jiangsu-tax-wechat": "Jiangsu Tax: Pay",
    "jiangsu-tax-alipay": "Jiangsu Tax: Pay",
    "changzhou-hrss-app": "Changzhou HRSS",
    "xinjiang-hrss-wechat": "Xinjiang HRSS",
    "xinjiang-tax-wechat": "Xinjiang Tax: Pay",
    wechat: "in WeChat",
    alipay: "in Alipay",
    app: "app",
    tax: "pay",
    hrss: "enrol",
  },
});

export const PROGRAMS = [
  { code: "jiangsu-tax-wechat", platform: "wechat", appId: "wx3204000000000001", mark: "税", does: "tax", authority: "tax-320400", region: "320400" },
  { code: "xinjiang-tax-wechat", platform: "wechat", appId: "wx6500000000000001", mark: "税", does: "tax", authority: "tax-650000", region: "650000" },
  { code: "xinjiang-hrss-wechat", platform: "wechat", appId: "wx6500000000000002", mark: "人社", does: "hrss", region: "650000" },
  { code: "jiangsu-tax-alipay", platform: "alipay", appId: "2021003204000001", mark: "税", does: "tax", authority: "tax-320400", region: "320400" },
  { code: "changzhou-hrss-app", platform: "app", appId: "changzhou-hrss-app", mark: "常", does: "hrss", region: "320400" },
];

export const programOf = (code) => PROGRAMS.find((each) => each.code === code) ?? null;
export const titleOf = (program) => titles()[program.code];
export const hostOf = (program) => titles()[program.platform];
export const purposeOf = (program) => titles()[program.does];
