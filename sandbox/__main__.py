"""The sandbox's command line: `issue` hands out keys, `serve` opens the doors."""

from __future__ import annotations

import argparse
import datetime as dt
import signal
import threading
from pathlib import Path

from sandbox.app import close_sandbox, create_sandbox
from sandbox.keys import issue
from sandbox.server import SandboxServer
from sandbox.world import WORLD


def day(text: str) -> dt.datetime:
    return dt.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=dt.UTC)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    issuing = commands.add_parser("issue", help="write the merchant's keys and secrets")
    issuing.add_argument("--home", type=Path, required=True)
    issuing.add_argument("--secrets", type=Path, required=True)
    issuing.add_argument(
        "--valid-from", type=day, help="the day from which certificates hold, such as 2026-09-01; else yesterday"
    )
    serving = commands.add_parser("serve", help="stand in for every provider")
    serving.add_argument("--home", type=Path, required=True)
    serving.add_argument("--host", default="127.0.0.1")
    serving.add_argument("--port", type=int, required=True)
    serving.add_argument("--canbao-url", default="http://127.0.0.1:8000")
    serving.add_argument("--letterbox-url", default="http://127.0.0.1:8001")
    serving.add_argument("--notice-time-scale", type=float, default=1.0, help="1 is the providers' own patience")
    serving.add_argument("--banks-folder", type=Path, help="where bank files lie; unset: banks/ beside the home folder")
    serving.add_argument("--know-everyone", action="store_true", help="unknown people match whatever is asked of them")
    return parser.parse_args()


def serve(wanted: argparse.Namespace) -> None:
    app = create_sandbox(
        wanted.home,
        notice_time_scale=wanted.notice_time_scale,
        canbao_url=wanted.canbao_url,
        letterbox_url=wanted.letterbox_url,
        know_everyone=wanted.know_everyone,
        banks_folder=wanted.banks_folder,
    )
    server = SandboxServer(wanted.host, wanted.port, app)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    working = threading.Thread(target=server.serve_forever, daemon=True)
    working.start()
    print(f"sandbox: ready at http://{wanted.host}:{server.server_port}", flush=True)
    stop.wait()
    server.shutdown()
    working.join()
    server.close_everything()
    close_sandbox(app)


def main() -> None:
    wanted = read_arguments()
    if wanted.command == "issue":
        files = issue(wanted.home, wanted.secrets, WORLD, valid_from=wanted.valid_from)
        print(f"sandbox: {len(files)} files are in {wanted.secrets}")
        return
    serve(wanted)


if __name__ == "__main__":
    main()
