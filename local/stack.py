"""`make run`: the whole service on this machine, without Docker and without an AWS account.

The AWS emulator holds the resources of template.yaml, each function runs in processes of its own behind a gateway
that reads its routes from the template, and simulators stand in for Google and Microsoft unless real client
ids are in the environment. Everything binds to the loopback, and nothing is left when it stops.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from local import emulator, upstream
from local.deployment import Deployment, DeploymentFailed, deploy
from local.gateway import Gateway
from local.lambda_host import LambdaHost
from local.processes import LOOPBACK, ChildFailed, Children, inherited_environment
from local.pumps import Pumps
from local.recording import recorder

ROOT = Path(__file__).resolve().parent.parent
REDIRECT_URIS = ["http://127.0.0.1:9999/callback"]
DEMO_NAME = "Demo Planner"
PROVIDERS = ("google", "microsoft")
PARAMETERS = {"MailDomain": "invites.example", "EnterpriseConnect": "true", "GoogleDomainProof": "sign_in"}
"""What an operator of the laptop chooses in the template."""

RECORDER = ROOT / "local" / "recorder"

START_LIMIT = 120.0
"""Seconds until the stack must be ready. It takes five; a busy machine may take longer."""

PARENT_CHECK = 0.5  # seconds

_DEFAULT_BASE = 8080
_DEFAULT_AWS = 4566
_LOWEST_BASE, _HIGHEST_BASE = 1024, 65530
"""Ports below are the system's own; from the highest on there is room for all of them."""


class CannotStart(Exception):
    """Something about this machine or its environment is in the way; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Ports:
    """``PORT_BASE`` moves all of them. At the default, AWS is where its emulators usually are."""

    gateway: int
    google: int
    microsoft: int
    mailbox: int
    aws: int
    demo: int

    @classmethod
    def from_base(cls, base: int) -> Ports:
        aws = _DEFAULT_AWS if base == _DEFAULT_BASE else base + 4
        return cls(base, base + 1, base + 2, base + 3, aws, base + 5)

    def refuse_taken(self) -> None:
        """Raises CannotStart."""
        for name in self.__slots__:
            port = getattr(self, name)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((LOOPBACK, port))
                except OSError as error:
                    raise CannotStart(
                        f"port {port} ({name}) is taken: stop what uses it, or choose others, PORT_BASE=9000 say"
                    ) from error


def port_base(default: int = _DEFAULT_BASE) -> int:
    """``PORT_BASE`` of the environment. Raises CannotStart when there is no room for the ports."""
    base = os.environ.get("PORT_BASE") or str(default)
    if not base.isdecimal() or not _LOWEST_BASE <= int(base) <= _HIGHEST_BASE:
        raise CannotStart(f"PORT_BASE is a number from {_LOWEST_BASE} to {_HIGHEST_BASE}, not {base}")
    return int(base)


class Stack:
    """One laptop stack. ``file`` is where applications find it: there when it is ready, gone when it stops.

    The logs are beside it, those of a moved stack in a folder named for its first port.
    """

    def __init__(self, ports: Ports, file: Path) -> None:
        self._ports = ports
        self._file = file
        logs = file.parent / "logs"
        self._logs = logs if ports.gateway == _DEFAULT_BASE else logs / str(ports.gateway)
        self.url = f"http://{LOOPBACK}:{ports.gateway}"

    async def run(self) -> None:
        """Runs until cancelled. It is ready within ``START_LIMIT``, or ends. Raises ChildFailed or CannotStart."""
        cronofy = upstream.chosen()
        self._ports.refuse_taken()
        remove_if_ours(self._file, self.url)  # left by one that was killed
        async with Children(self._logs) as children:
            limit = asyncio.timeout(START_LIMIT)
            try:
                async with limit:
                    await self._serve(children, cronofy, when_ready=lambda: limit.reschedule(None))
            except (BotoCoreError, ClientError, DeploymentFailed, httpx.HTTPError, OSError) as error:
                late = limit.expired()
                reason = f"it is not ready after {START_LIMIT:.0f} s" if late else f"{type(error).__name__}: {error}"
                raise CannotStart(f"{reason}\n{children.told()}") from error

    async def _serve(
        self, children: Children, cronofy: upstream.Upstream | None, *, when_ready: Callable[[], None]
    ) -> None:
        """Starts everything, and serves until a child ends."""
        began = time.monotonic()
        keep_log(children.log_of("gateway"))
        endpoint = await emulator.start(children, self._ports.aws)
        registrations, origins = await self._start_providers(children)
        if cronofy:
            registrations["cronofy"] = dict(cronofy.registration)
        template = await emulator.transform(ROOT / "template.yaml")
        await children.all_listening()
        say("AWS emulator", endpoint)
        for provider in PROVIDERS:
            say(provider, origins.get(provider, "the real one, with the client id of the environment"))
        parameters = PARAMETERS | (upstream.PARAMETER if cronofy else {}) | log_level()
        deployment = await asyncio.to_thread(deploy, template, endpoint, ROOT, parameters)
        await asyncio.to_thread(store_registrations, registrations, deployment, endpoint)
        await asyncio.to_thread(store_service_account, origins.get("google"), deployment, endpoint)
        say("template.yaml", f"{len(deployment.functions)} functions, {len(deployment.routes)} routes")
        mailbox = await self._start_mailbox(children, deployment, endpoint)
        client = await asyncio.to_thread(registered, "Demo", REDIRECT_URIS, deployment, endpoint)
        demo = await self._start_demo(children, deployment, endpoint, {**origins, "mailbox": mailbox})
        if cronofy:
            callbacks = [f"{self.url}/{leg}/callback/cronofy" for leg in ("oauth", "enterprise_connect")]
            await asyncio.to_thread(cronofy.let_us_in, callbacks)
            say("cronofy", cronofy.origin or "the real one, with the client id of the environment")
        standing_in = {"cronofy": cronofy.origin} if cronofy and cronofy.origin else {}
        host = LambdaHost(
            deployment.functions,
            children,
            layers=[*deployment.layers, *([RECORDER] if recording() else [])],
            environment=self._environment(endpoint, {**origins, **standing_in}, mailbox) | recording(),
        )
        pumps = Pumps(deployment.sources, host.invoke, endpoint)
        gateway = Gateway(
            deployment.routes,
            host.invoke,
            api_id=deployment.api_id,
            account_id=emulator.ACCOUNT_ID,
            witness=recorder(os.environ.get("EXCHANGES_FILE")),
        )
        try:
            await pumps.start()
            await gateway.server.listen(self._ports.gateway)
            await children.all_listening()
            addresses = {**origins, **standing_in, "mailbox": mailbox, "aws": endpoint, "demo": demo}
            addresses["logs"] = str(self._logs)
            write_atomically(self._file, {"url": self.url, **client, **addresses})
            say_how_to_try_it(self.url, demo, self._file, self._logs, time.monotonic() - began)
            when_ready()
            await children.first_to_end()
        finally:
            remove_if_ours(self._file, self.url)
            gateway.server.close()
            pumps.close()
            host.close()

    async def _start_providers(self, children: Children) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
        """The registration at each provider, and the origin of each that is simulated."""
        registrations: dict[str, dict[str, str]] = {}
        origins: dict[str, str] = {}
        for provider in PROVIDERS:
            if real := real_registration(provider):
                registrations[provider] = real
                continue
            simulated = {"client_id": f"laptop-{provider}", "client_secret": secrets.token_urlsafe(24)}
            port = getattr(self._ports, provider)
            await children.start(
                [sys.executable, "-m", "local.simulators", provider, "--port", str(port)],
                log=provider,
                port=port,
                environment={
                    **inherited_environment(),
                    "SIMULATOR_CLIENT_ID": simulated["client_id"],
                    "SIMULATOR_CLIENT_SECRET": simulated["client_secret"],
                },
                folder=ROOT,
            )
            registrations[provider], origins[provider] = simulated, f"http://{LOOPBACK}:{port}"
        return registrations, origins

    async def _start_mailbox(self, children: Children, deployment: Deployment, endpoint: str) -> str:
        """The origin of the mailbox, which delivers what functions send and hands in what people answer."""
        await children.start(
            [sys.executable, "-m", "local.simulators", "mailbox", "--port", str(self._ports.mailbox)],
            log="mailbox",
            port=self._ports.mailbox,
            environment={
                **inherited_environment(),
                **await asyncio.to_thread(mail_setup, deployment, endpoint),
                "AWS_ENDPOINT_URL": endpoint,
            },
            folder=ROOT,
        )
        await children.all_listening()
        origin = f"http://{LOOPBACK}:{self._ports.mailbox}"
        say("mailbox", origin)
        return origin

    async def _start_demo(
        self, children: Children, deployment: Deployment, endpoint: str, simulators: dict[str, str]
    ) -> str:
        """The origin of the demo front end: an application like any other, with a registration of its own."""
        origin = f"http://{LOOPBACK}:{self._ports.demo}"
        client = await asyncio.to_thread(registered, DEMO_NAME, [f"{origin}/callback"], deployment, endpoint)
        await children.start(
            [sys.executable, "-m", "local.demo_site", "--port", str(self._ports.demo)],
            log="demo",
            port=self._ports.demo,
            environment={
                **inherited_environment(),
                "SERVICE": self.url,
                "CLIENT_ID": client["client_id"],
                "CLIENT_SECRET": client["client_secret"],
                **{name.upper(): address for name, address in simulators.items()},
            },
            folder=ROOT,
        )
        return origin

    def _environment(self, endpoint: str, origins: dict[str, str], mailbox: str) -> dict[str, str]:
        """What functions are told here and cannot be told by the template."""
        environment = {**emulator.CREDENTIALS, "AWS_ENDPOINT_URL": endpoint, "PUBLIC_URL": self.url}
        environment["AWS_ENDPOINT_URL_SESV2"] = mailbox
        environment["CALLBACKS_MAY_BE_LOCAL"] = "true"  # Applications run on this machine too.
        environment |= {f"{provider.upper()}_ORIGIN": origin for provider, origin in origins.items()}
        if tenant := os.environ.get("MICROSOFT_TENANT"):
            environment["MICROSOFT_TENANT"] = tenant
        return environment


def log_level() -> dict[str, str]:
    """The parameter of the template, where the environment has ``LOG_LEVEL``."""
    level = os.environ.get("LOG_LEVEL")
    return {"LogLevel": level} if level else {}


def recording() -> dict[str, str]:
    """What has functions note which permissions they need, into the folder ``RECORD_PERMISSIONS`` if there is one."""
    folder = os.environ.get("RECORD_PERMISSIONS")
    plugin = {"BOTOCORE_EXPERIMENTAL__PLUGINS": "recorder=recorded_calls"}
    return {"RECORD_PERMISSIONS": folder, **plugin} if folder else {}


def real_registration(provider: str) -> dict[str, str] | None:
    """Your own OAuth client at the provider, when the environment has one. Raises CannotStart for half of one."""
    names = {key: f"{provider}_{key}".upper() for key in ("client_id", "client_secret")}
    registration = {key: os.environ[name] for key, name in names.items() if os.environ.get(name)}
    if registration and len(registration) < len(names):
        raise CannotStart(f"set both {' and '.join(names.values())}, or neither for a simulated {provider}")
    return registration or None


def store_registrations(registrations: dict[str, dict[str, str]], deployment: Deployment, endpoint: str) -> None:
    """Does what an operator does after a deployment: puts the OAuth clients into the template's secrets."""
    secrets_manager = emulator.client("secretsmanager", endpoint)
    for provider, registration in registrations.items():
        if secret_id := deployment.variable(f"{provider.upper()}_SECRET_ID"):
            secrets_manager.put_secret_value(SecretId=secret_id, SecretString=json.dumps(registration))


def store_service_account(simulated_google: str | None, deployment: Deployment, endpoint: str) -> None:
    """Likewise with the key file of the service account, where the template has a secret for one.

    Raises CannotStart.
    """
    secret_id = deployment.variable("GOOGLE_SERVICE_ACCOUNT_SECRET_ID")
    if secret_id and (key_file := service_account_key(simulated_google)):
        emulator.client("secretsmanager", endpoint).put_secret_value(SecretId=secret_id, SecretString=key_file)


def service_account_key(simulated_google: str | None) -> str | None:
    """The simulator's key file; beside a real Google your own, which the environment names, or none.

    Raises CannotStart when that cannot be read.
    """
    if simulated_google:
        return httpx.get(f"{simulated_google}/sim/service_account").raise_for_status().text
    name = os.environ.get("GOOGLE_SERVICE_ACCOUNT_FILE")
    try:
        return Path(name).read_text(encoding="utf-8") if name else None
    except OSError as error:
        raise CannotStart(f"GOOGLE_SERVICE_ACCOUNT_FILE: {error}") from error


def mail_setup(deployment: Deployment, endpoint: str) -> dict[str, str]:
    """What the mailbox has to know of the deployment, as far as the deployment has it."""
    names = ("MAIL_DOMAIN", "CONFIGURATION_SET", "INBOUND_BUCKET")
    setup = {name: value for name in names if (value := deployment.variable(name))}
    queue = deployment.queue_of("on_mail_received")
    for subscription in emulator.client("sns", endpoint).list_subscriptions()["Subscriptions"]:
        if subscription["Endpoint"] == queue:
            setup["INBOUND_TOPIC_ARN"] = subscription["TopicArn"]
    return setup


def registered(name: str, redirect_uris: list[str], deployment: Deployment, endpoint: str) -> dict[str, Any]:
    """A new application: its client id, secret and redirect URIs."""
    from freebusy.bootstrap import application_registry, secret_vault
    from freebusy.service.applications import register_application

    table, key_id = deployment.variable("TABLE_NAME"), deployment.variable("CREDENTIAL_KEY_ID")
    if table is None or key_id is None:
        raise DeploymentFailed("no function of template.yaml has a TABLE_NAME, or none a CREDENTIAL_KEY_ID")
    dynamodb = emulator.client("dynamodb", endpoint)
    application, secret = register_application(
        name,
        redirect_uris,
        registry=application_registry(dynamodb, table),
        vault=secret_vault(emulator.client("kms", endpoint), dynamodb, table, key_id=key_id),
        now=int(time.time()),
    )
    return {"client_id": application.client_id, "client_secret": secret, "redirect_uris": redirect_uris}


def write_atomically(file: Path, content: dict[str, Any]) -> None:
    """Whoever sees the file sees all of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    draft.replace(file)


def remove_if_ours(file: Path, url: str) -> None:
    """Another stack may have put its own there since."""
    if file.exists() and json.loads(file.read_text(encoding="utf-8")).get("url") == url:
        file.unlink()


def keep_log(file: Path) -> None:
    handler = logging.FileHandler(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger("local").addHandler(handler)
    logging.getLogger("local").setLevel(logging.INFO)


def say(what: str, text: str) -> None:
    print(f"  {what:<14} {text}", flush=True)


def say_how_to_try_it(url: str, demo: str, file: Path, logs: Path, seconds: float) -> None:
    say("service", url)
    say("demo", demo)
    local = "--local" if file == ROOT / ".local" / "stack.json" else f"--local={file}"
    print(
        f"""
Ready after {seconds:.1f} s. Open {demo} in a browser, connect two people and find a time for them.
Or try it from another terminal:

  make demo
  .venv/bin/freebusy {local} applications list
  curl {url}/.well-known/oauth-authorization-server

{file} holds these addresses and the client id and secret of a registered application.
Logs are in {logs}. Ctrl-C stops everything.""",
        flush=True,
    )


async def until_told_to_stop(stack: Stack) -> None:
    """Runs the stack until SIGINT, SIGTERM or SIGHUP, or until `make` is gone, and then stops it in good order."""
    loop, running = asyncio.get_running_loop(), asyncio.current_task()
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        signals.append(signal.SIGHUP)

    def stop() -> None:
        """Only the first signal is handled with care; a second one ends this process as it would any other."""
        for number in signals:
            loop.remove_signal_handler(number)
        if running:
            running.cancel()

    for number in signals:
        loop.add_signal_handler(number, stop)
    watch = loop.create_task(when_parent_ends(stop)) if os.environ.get("STOP_WITH_PARENT") else None
    try:
        await stack.run()
    finally:
        if watch:
            watch.cancel()


async def when_parent_ends(stop: Callable[[], None]) -> None:
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 - nothing would set an event
        await asyncio.sleep(PARENT_CHECK)
    stop()


def main() -> None:
    file = Path(os.environ.get("STACK_FILE") or ROOT / ".local" / "stack.json").resolve()
    print("Starting Free/Busy Connect on this machine", flush=True)
    try:
        ports = Ports.from_base(port_base())
        asyncio.run(until_told_to_stop(Stack(ports, file)))
    except asyncio.CancelledError:
        print("Stopped.", flush=True)
    except (CannotStart, ChildFailed, upstream.NoUpstream) as error:
        sys.exit(f"\nThe stack cannot run: {error}")


if __name__ == "__main__":
    main()
