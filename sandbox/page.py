"""Serves the sandbox's page: plain files of our own, and nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

FOLDER = Path(__file__).resolve().parent / "panel"
POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def blueprint() -> Blueprint:
    door = Blueprint("page", __name__)

    def file(name: str) -> Response:
        answer = send_from_directory(FOLDER, name, max_age=0)
        answer.headers["Content-Security-Policy"] = POLICY
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Cache-Control"] = "no-cache"
        return answer

    @door.get("/")
    def front() -> Response:
        return file("index.html")

    @door.get("/panel/<path:name>")
    def part(name: str) -> Response:
        return file(name)

    return door
