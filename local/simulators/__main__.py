"""``python -m local.simulators google --port 8081``: one simulator as a process, on loopback only."""

from __future__ import annotations

import argparse
import os

from local.simulators.process import PROVIDERS, client_of, serve


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m local.simulators",
        description="A calendar provider, or everybody's mailbox, on loopback. It stops on SIGTERM, on Ctrl-C, and "
        "with its parent process. MAIL_DOMAIN, CONFIGURATION_SET, AWS_ENDPOINT_URL, INBOUND_BUCKET and "
        "INBOUND_TOPIC_ARN tell the mailbox what was set up for it.",
    )
    parser.add_argument("simulator", choices=[*sorted(PROVIDERS), "mailbox"])
    parser.add_argument("--port", type=int, default=0, help="0 (the default) lets the system choose")
    parser.add_argument(
        "--client-id",
        default=os.environ.get("SIMULATOR_CLIENT_ID"),
        help="a provider's registered client; SIMULATOR_CLIENT_ID, or sim-<provider>-client",
    )
    parser.add_argument(
        "--client-secret",
        default=os.environ.get("SIMULATOR_CLIENT_SECRET"),
        help="its secret; SIMULATOR_CLIENT_SECRET, or sim-<provider>-secret",
    )
    options = parser.parse_args()
    if options.simulator == "mailbox":
        from local.simulators.mailbox_process import serve_mailbox  # with libraries that providers do not need

        serve_mailbox(options.port, os.environ)
    else:
        client = client_of(options.simulator, options.client_id, options.client_secret)
        serve(options.simulator, options.port, client)


if __name__ == "__main__":
    main()
