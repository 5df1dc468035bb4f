"""The `canbao` command without a process of its own, which would import the whole house anew for two seconds.

It is the same entry point with the same environment: settings, adapters and keys are read afresh for each command. That the script
itself stands and starts is shown wherever a Stack does (migrate, seal-keys, settle, worker).
"""

from __future__ import annotations

import logging
import subprocess
from typing import TYPE_CHECKING

from click.testing import CliRunner
from flask.cli import ScriptInfo

from app import cli

if TYPE_CHECKING:
    from collections.abc import Mapping


def canbao(environment: Mapping[str, str], *words: str, typed: str | None = None) -> subprocess.CompletedProcess[str]:
    """What a process would answer: exit code, and all that it said, its log included. A fault that no command catches is raised."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    script = ScriptInfo(create_app=cli.create_app)
    try:
        done = CliRunner().invoke(cli, words, input=typed, env=environment, obj=script)
    finally:
        if script._loaded_app is not None and "canbao.ports" in script._loaded_app.extensions:
            # The end of a process would have closed these.
            script._loaded_app.extensions["canbao.ports"].sessions.kw["bind"].dispose()
        # The command set up the log of this process, to an output that is closed by now.
        root.handlers[:] = handlers
        root.setLevel(level)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)
