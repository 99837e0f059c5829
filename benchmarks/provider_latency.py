"""Fifty individually connected members at providers that take their time: are the calls really made at once?

The simulators run as processes of their own and answer late. The real adapters call them over HTTP on
loopback, one call per member. DynamoDB's answers are replayed, so that the emulator's slowness is not ours.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from urllib.parse import parse_qs, urlsplit

import boto3
import httpx

from benchmarks.deployment import (
    PROVIDERS,
    Diary,
    ask_availability,
    availability_body,
    deployed,
    person,
    replay_aws,
    sub_of,
)
from benchmarks.measuring import interleaved, median_ms, verdict
from freebusy.adapters.provider_times import rfc3339
from freebusy.bootstrap import Dependencies
from freebusy.domain.account import ProviderName
from freebusy.domain.credential import ProviderCredential
from freebusy.domain.pkce import challenge_of
from tests.people import email_of

ROUNDS = 8
LATENCIES = (100, 200, 500)
MEMBERS, MOST_MEMBERS = 50, 200
WEEK = Diary(days=7, meetings=40)

SIMULATORS = {ProviderName.GOOGLE: "google", ProviderName.MICROSOFT: "microsoft"}


def main() -> None:
    with ExitStack() as running:
        origins = {name: running.enter_context(_simulator(SIMULATORS[name])) for name in PROVIDERS}
        wired = running.enter_context(
            deployed(
                GOOGLE_SECRET_ID="google",  # noqa: S106 - the secret's name
                MICROSOFT_SECRET_ID="microsoft",  # noqa: S106 - the secret's name
                GOOGLE_ORIGIN=origins[ProviderName.GOOGLE],
                MICROSOFT_ORIGIN=origins[ProviderName.MICROSOFT],
            )
        )
        _populate(wired, origins)
        replay_aws(wired)
        print(f"Providers that take their time: one availability request by the clock on the wall, p50 of {ROUNDS}")
        for latency in LATENCIES:
            _report(origins, MEMBERS, latency, goal=1.5 * latency + 60)
        _report(origins, MOST_MEMBERS, 200, goal=None)


def _report(origins: Mapping[ProviderName, str], members: int, latency: int, *, goal: float | None) -> None:
    with httpx.Client() as http:
        for origin in origins.values():
            http.put(f"{origin}/sim/faults", json={"busy": {"delay_ms": latency}}).raise_for_status()
    body = availability_body([sub_of(number) for number in range(members)], WEEK, required=members // 2)
    taken = interleaved({"wall": partial(ask_availability, body)}, rounds=ROUNDS)["wall"]
    measured = median_ms(taken)
    print(f"  {members:>3} members, latency L of {latency} ms {measured:>10.0f} ms{measured / latency:>8.2f} L", end="")
    print(f"   goal ≤ 1.5 L + 60 = {goal:.0f} ms  {verdict(measured, goal)}" if goal else "")


@contextmanager
def _simulator(provider: str) -> Iterator[str]:
    """Its address; it also stops by itself when this process ends."""
    command = [sys.executable, "-m", "local.simulators", provider]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if not process.stdout or not (ready := process.stdout.readline()):
                raise RuntimeError(f"the {provider} simulator did not start")
            yield ready.partition(": ")[2].strip()
        finally:
            process.terminate()


def _populate(wired: Dependencies, origins: Mapping[ProviderName, str]) -> None:
    secrets = boto3.client("secretsmanager")
    for provider in SIMULATORS.values():
        client = {"client_id": f"sim-{provider}-client", "client_secret": f"sim-{provider}-secret"}
        secrets.create_secret(Name=provider, SecretString=json.dumps(client))
    with httpx.Client() as browser:
        for number in range(MOST_MEMBERS):
            name, email = PROVIDERS[number % 2], email_of(sub_of(number))
            busy = [{"start": rfc3339(start), "end": rfc3339(end)} for start, end, _ in WEEK.of(number)]
            browser.put(f"{origins[name]}/sim/users/{email}", json={"busy": busy}).raise_for_status()
            wired.accounts.create(person(number, wired, _consented(wired, name, email, browser)))


def _consented(wired: Dependencies, name: ProviderName, email: str, browser: httpx.Client) -> ProviderCredential:
    """What the provider gives us once the person has agreed at its consent screen."""
    verifier, nonce, redirect_uri = "v" * 43, "nonce", f"https://calendar.example.com/oauth/callback/{SIMULATORS[name]}"
    provider = wired.providers[name]
    consent_screen = provider.authorization_url(
        redirect_uri=redirect_uri, state="state", nonce=nonce, code_challenge=challenge_of(verifier)
    )
    answer = browser.get(f"{consent_screen}&sim_user={email}")
    (code,) = parse_qs(urlsplit(answer.headers["location"]).query)["code"]
    _, credential = provider.exchange_code(code, redirect_uri=redirect_uri, code_verifier=verifier, nonce=nonce)
    return credential


if __name__ == "__main__":
    main()
