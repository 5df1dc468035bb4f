"""Make the virtual environment that every other command uses. Standard library only, safe to run again.

It installs exactly what the lock files say, by hash, and remembers them: a second run with the same locks does nothing.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

HOME = Path(__file__).resolve().parent
VENV = HOME / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".locks"
LOCKS = [HOME / "requirements" / "runtime.txt", HOME / "requirements" / "dev.txt"]
UV = "uv==0.13.9"


def main() -> None:
    """Make or refresh `.venv`; says what it does, and does nothing when nothing changed."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        sys.exit(f"Canbao needs Python 3.11, 3.12 or 3.13; this is {sys.version.split()[0]}. Try: make PYTHON=python3.12")
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in [*LOCKS, HOME / "pyproject.toml"])).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted and PYTHON.exists():
        return
    if not PYTHON.exists():
        print("setup: making .venv", flush=True)
        venv.create(VENV, with_pip=True)
    run = {**os.environ, "VIRTUAL_ENV": str(VENV), "UV_PYTHON_DOWNLOADS": "never"}
    print("setup: installing the locked packages (by hash)", flush=True)
    subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV], check=True, env=run)
    uv = str(VENV / "bin" / "uv")
    quiet = ["--quiet", "--python", str(PYTHON)]
    locks = [str(path) for path in LOCKS]
    # sync removes what is not locked, uv itself and our own command among it, so both are put back after it. Compiled here, once:
    # where Python may not write byte code, every start of every process would compile all libraries anew (4 s instead of 1).
    subprocess.run([uv, "pip", "sync", "--require-hashes", "--compile-bytecode", *quiet, *locks], check=True, env=run)
    subprocess.run([uv, "pip", "install", "--no-deps", "--no-build-isolation", *quiet, "-e", str(HOME)], check=True, env=run)
    STAMP.write_text(wanted)
    print("setup: done", flush=True)


if __name__ == "__main__":
    main()
