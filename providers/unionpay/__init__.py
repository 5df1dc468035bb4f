"""UnionPay 全渠道 (ACP 5.1.0): cards at the POS of a window. Their forms become our news, and our refunds theirs."""
