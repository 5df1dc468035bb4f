"""DOOR 2: the letterbox. Providers knock here; what is authentic is kept, and only then acknowledged. Nothing else is done here.

    wechat_pay        POST /webhooks/wechat-pay/{miniprogram}
    alipay            POST /webhooks/alipay/{miniprogram}
    unionpay          POST /webhooks/unionpay/{code}, or without the code where there is one merchant
    bank_counters     POST, GET /webhooks/bank-counters/{partner}/…    the partner API: answered at once, and signed
    wechat_messages   GET, POST /webhooks/wechat-messages/{miniprogram}
    identity          GET /webhooks/identity/aliyun    keeps nothing: it only makes us ask

It runs as a process of its own, so that slow calls elsewhere never hold its threads.
"""
