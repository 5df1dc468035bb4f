"""Applications that houses borrow. Making one costs more than most stories: routes, schemas, and templates that compile at first sight."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app import create_app
from config.settings import Settings

if TYPE_CHECKING:
    from flask import Flask

    from services.ports import Ports

PLAIN = Settings()


@dataclass
class Copy:
    """One application as it was made, and who has it now."""

    app: Flask
    borrower: weakref.ref[object]
    config: dict[str, Any] = field(init=False)
    extensions: dict[str, Any] = field(init=False)
    wsgi_app: Any = field(init=False)
    """A door may have put something before it; so may a story."""

    def __post_init__(self) -> None:
        self.config, self.extensions = dict(self.app.config), dict(self.app.extensions)
        self.wsgi_app = self.app.wsgi_app

    def lend(self, borrower: object, ports: Ports) -> Flask:
        """As if it were new, with these ports."""
        self.borrower = weakref.ref(borrower)
        self.app.wsgi_app = self.wsgi_app
        for given, now in ((self.config, self.app.config), (self.extensions, self.app.extensions)):
            now.clear()
            now.update(given)
        self.app.extensions |= {"canbao.ports": ports, "canbao.make_ports": lambda **_: ports}
        return self.app


_SHELF: dict[tuple[str, ...], list[Copy]] = {}


def borrowed(borrower: object, *, settings: Settings, doors: tuple[str, ...], ports: Ports) -> Flask:
    """An application that nobody else has while `borrower` lives. One with settings of its own is made for it alone."""
    if settings != PLAIN:
        return create_app(settings, doors=doors, ports=ports)
    shelf = _SHELF.setdefault(doors, [])
    copy = next((each for each in shelf if each.borrower() is None), None)
    if copy is None:
        copy = Copy(create_app(settings, doors=doors, ports=ports), weakref.ref(borrower))
        shelf.append(copy)
    return copy.lend(borrower, ports)
