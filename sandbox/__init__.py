"""The sandbox: stands in for every provider over HTTP, with keys, books and manners of its own."""

from __future__ import annotations

from sandbox.app import create_sandbox
from sandbox.server import Running, serve_in_thread

__all__ = ["Running", "create_sandbox", "serve_in_thread"]
