"""Serves the sandbox's page: the phone, the world beside it, and the client that a mini-program's author would take. All our own."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

HERE = Path(__file__).resolve().parent
FOLDERS = {"panel": HERE / "panel", "phone": HERE / "mini"}
CLIENT = HERE.parent / "client"
"""The one that mini-programs take, byte for byte."""
POLICY = "default-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Pictures of papers and forms come with a token in a header, so the page holds them as blobs."""


def blueprint() -> Blueprint:
    door = Blueprint("page", __name__)

    def file(folder: Path, name: str) -> Response:
        answer = send_from_directory(folder, name, max_age=0)
        answer.headers["Content-Security-Policy"] = POLICY
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Cache-Control"] = "no-cache"
        return answer

    @door.get("/")
    def front() -> Response:
        return file(FOLDERS["panel"], "index.html")

    @door.get("/<any(panel, phone):folder>/<path:name>")
    def part(folder: str, name: str) -> Response:
        return file(FOLDERS[folder], name)

    @door.get("/client/canbao.js")
    def client() -> Response:
        return file(CLIENT, "canbao.js")

    return door
