"""The sandbox's fixed world: which apps, merchants and sellers exist, by the ids that a merchant would have been given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Platform = Literal["wechat", "alipay"]
Channel = Literal["wechat_pay", "alipay", "unionpay_pos"]

PLATFORM_CHANNELS: dict[str, Channel] = {"wechat": "wechat_pay", "alipay": "alipay"}


@dataclass(frozen=True, kw_only=True)
class App:
    """One mini-program as its platform knows it; `miniprogram` is the code that Canbao's addresses carry."""

    app_id: str
    platform: Platform
    miniprogram: str
    merchant: str | None = None


@dataclass(frozen=True, kw_only=True)
class WeChatMerchant:
    """A WeChat Pay merchant with both kinds of platform key, as during WeChat's move from one to the other."""

    mchid: str
    certificate_serial: str
    public_key_id: str
    platform_serial: str


@dataclass(frozen=True, kw_only=True)
class BankUnit:
    """One unit of Canbao's at one bank that debits by file; `way` is the folder's name, which Canbao's partners file carries too."""

    unit: str
    contract: str
    way: str
    layout: Literal["delimited", "fixed"]
    flag: Literal["SHA256", "SM3"] = "SHA256"


@dataclass(frozen=True, kw_only=True)
class UnionPayMerchant:
    """A merchant with POS terminals; `code` is what Canbao's addresses carry."""

    mer_id: str
    certificate_id: str
    code: str


@dataclass(frozen=True, kw_only=True)
class CounterBank:
    """A bank whose counters query and pay; `code` is what Canbao's addresses carry, `account` where its books keep the money."""

    code: str
    key_id: str
    account: str


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything the providers know before the first request."""

    apps: dict[str, App]
    wechat_merchants: dict[str, WeChatMerchant]
    sellers: tuple[str, ...]
    bank_units: dict[str, BankUnit]
    """By unit number."""
    unionpay_merchants: dict[str, UnionPayMerchant]
    counter_banks: dict[str, CounterBank]

    def app_of_merchant(self, merchant: str) -> App | None:
        """Return the first app bound to the merchant: where a stray payment pretends to come from."""
        return next((app for app in self.apps.values() if app.merchant == merchant), None)


def _units(place: str, *banks: tuple[str, Literal["delimited", "fixed"], Literal["SHA256", "SM3"]]) -> dict[str, BankUnit]:
    """The units of one collection authority, numbered from 1 after the place."""
    made = {}
    for number, (bank, layout, flag) in enumerate(banks, 1):
        unit = f"{place}{number:03d}"
        made[unit] = BankUnit(unit=unit, contract=f"DK{unit}", way=f"debit-{bank}-{place}", layout=layout, flag=flag)
    return made


def _by_id(*apps: App) -> dict[str, App]:
    return {app.app_id: app for app in apps}


WORLD = World(
    apps=_by_id(
        App(
            app_id="wx3204000000000001",
            platform="wechat",
            miniprogram="jiangsu-tax-wechat",
            merchant="1900003204",
        ),
        App(
            app_id="wx6500000000000001",
            platform="wechat",
            miniprogram="xinjiang-tax-wechat",
            merchant="1900006500",
        ),
        App(app_id="wx6500000000000002", platform="wechat", miniprogram="xinjiang-hrss-wechat"),
        App(
            app_id="2021003204000001",
            platform="alipay",
            miniprogram="jiangsu-tax-alipay",
            merchant="2088003204000001",
        ),
    ),
    wechat_merchants={
        "1900003204": WeChatMerchant(
            mchid="1900003204",
            certificate_serial="3204000000000000000000000000000000003204",
            public_key_id="PUB_KEY_ID_0119000032042026112200000001",
            platform_serial="5157F09EFDC096DE15EBE81A47057A7200003204",
        ),
        "1900006500": WeChatMerchant(
            mchid="1900006500",
            certificate_serial="6500000000000000000000000000000000006500",
            public_key_id="PUB_KEY_ID_0119000065002026112200000001",
            platform_serial="5157F09EFDC096DE15EBE81A47057A7200006500",
        ),
    },
    sellers=("2088003204000001",),
    bank_units=_units(
        "320400",
        ("boc", "delimited", "SHA256"),
        ("abc", "delimited", "SHA256"),
        ("icbc", "fixed", "SHA256"),
        ("ccb", "fixed", "SM3"),
        ("bocom", "delimited", "SM3"),
        ("jsb", "delimited", "SHA256"),
        ("jnb", "fixed", "SM3"),
        ("psbc", "delimited", "SHA256"),
    )
    | _units(
        "650000",
        ("icbc", "fixed", "SHA256"),
        ("abc", "delimited", "SHA256"),
        ("boc", "delimited", "SHA256"),
        ("ccb", "fixed", "SM3"),
        ("bocom", "delimited", "SM3"),
        ("psbc", "delimited", "SHA256"),
    ),
    unionpay_merchants={
        "898320453110001": UnionPayMerchant(mer_id="898320453110001", certificate_id="69629715588", code="pos-changzhou"),
    },
    counter_banks={
        f"counter-{bank}-320400": CounterBank(
            code=f"counter-{bank}-320400", key_id=f"{bank}-2026", account=f"{bank.upper()}-320400"
        )
        for bank in ("boc", "jnb")
    },
)
