"""Banks whose counters query and pay by our own partner API (docs/reference/partner-api.md)."""
