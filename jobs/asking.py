"""What every command asks for first: the settings, and the ports with a plain sentence where they cannot be had."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import click
from flask import current_app

from config.retention import RetentionFault
from config.rulebook import RulebookFault
from config.seals import SealKeysFault
from config.settings import SettingsFault
from config.wordings import WordingsFault
from providers.keys import KeyFileError
from services.errors import BusinessError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.settings import Settings
    from services.ports import Ports


def settings_of() -> Settings:
    """Those of the environment."""
    return cast("Settings", current_app.extensions["canbao.settings"])


def ports_of(*, while_rebuilding: bool = False) -> Ports:
    """Raises ClickException where a setting, a key or a rulebook is not as it must be."""
    extensions = current_app.extensions
    if "canbao.ports" not in extensions:
        try:
            extensions["canbao.ports"] = extensions["canbao.make_ports"](while_rebuilding=while_rebuilding)
        except (SettingsFault, SealKeysFault, RulebookFault, RetentionFault, WordingsFault, KeyFileError) as fault:
            raise click.ClickException(str(fault)) from None
    return cast("Ports", extensions["canbao.ports"])


@contextmanager
def in_words() -> Iterator[None]:
    """A refusal ends the command with its words."""
    try:
        yield
    except BusinessError as fault:
        raise click.ClickException(f"{fault.title}：{fault.said} ({fault.code})") from None
