"""``python -m local.demo_site --port 8085``: the demo front end as a process, on loopback only.

SERVICE is the address of the service, CLIENT_ID and CLIENT_SECRET are the application's registration there, MAILBOX is
the simulated mailbox, and GOOGLE and MICROSOFT the simulated providers, where there are any.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from datetime import UTC, datetime

import httpx
import pycronofy

from local.demo_site import made_up
from local.demo_site.inbox import Inbox
from local.demo_site.people import Application
from local.demo_site.site import Site
from local.processes import LOOPBACK
from local.simulators.process import serve_under

TIMEOUT = 10.0
"""Seconds that the mailbox has for an answer."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.demo_site", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    parent, environment = os.getppid(), os.environ
    pycronofy.settings.API_BASE_URL = pycronofy.settings.APP_BASE_URL = environment["SERVICE"]
    origins = {name: environment[name.upper()] for name in ("google", "microsoft") if name.upper() in environment}
    made_up.introduce(origins, datetime.now(UTC).astimezone().date())
    origin = f"http://{LOOPBACK}:{port}"
    application = Application(environment["CLIENT_ID"], environment["CLIENT_SECRET"], f"{origin}/callback")
    waiting = {name: [each.first_name for each in made_up.waiting({name: name})] for name in origins}
    inbox = Inbox(httpx.Client(base_url=environment["MAILBOX"], timeout=TIMEOUT))
    site = Site(application, inbox, origin=origin, simulated=waiting)
    asyncio.run(serve_under(parent, "demo", site, port))


if __name__ == "__main__":
    main()
