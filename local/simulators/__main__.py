"""``python -m local.simulators google --port 8081``: one simulator as a process, on loopback only."""

from __future__ import annotations

import argparse
import os

from local.simulators.process import PROVIDERS, client_of, serve


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m local.simulators",
        description="A calendar provider on loopback. It stops on SIGTERM, on Ctrl-C, and with its parent process.",
    )
    parser.add_argument("provider", choices=sorted(PROVIDERS))
    parser.add_argument("--port", type=int, default=0, help="0 (the default) lets the system choose")
    parser.add_argument(
        "--client-id",
        default=os.environ.get("SIMULATOR_CLIENT_ID"),
        help="the registered client; SIMULATOR_CLIENT_ID, or sim-<provider>-client",
    )
    parser.add_argument(
        "--client-secret",
        default=os.environ.get("SIMULATOR_CLIENT_SECRET"),
        help="its secret; SIMULATOR_CLIENT_SECRET, or sim-<provider>-secret",
    )
    options = parser.parse_args()
    serve(options.provider, options.port, client_of(options.provider, options.client_id, options.client_secret))


if __name__ == "__main__":
    main()
