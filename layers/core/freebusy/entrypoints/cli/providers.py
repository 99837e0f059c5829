"""``freebusy providers``: what a deployment is known by at Google, Microsoft and Cronofy."""

from __future__ import annotations

import sys
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from freebusy.bootstrap import provider_secrets
from freebusy.domain.errors import ProviderError
from freebusy.entrypoints.cli.output import Answer, CommandRefused, moment
from freebusy.entrypoints.cli.parsing import Commands, add_command, add_group
from freebusy.service.provider_secrets import ProviderSecret, replace_secret, restore_secret

if TYPE_CHECKING:
    import argparse

    from freebusy.entrypoints.cli.deployment import Deployment

_SECRETS = {
    "google": ("GoogleSecretArn", "the old secret of the OAuth client, in the Cloud console"),
    "google-service-account": ("GoogleServiceAccountSecretArn", "the old key of the service account, in the console"),
    "microsoft": ("MicrosoftSecretArn", "the old client secret of the app registration, in Entra"),
    "cronofy": ("CronofySecretArn", "the old client secret, in Cronofy's dashboard"),
}
"""The output of the stack that names the secret, and what is to be ended at the provider when it was replaced."""

_NOT_SECRET = ("client_id", "client_email", "private_key_id", "data_center")
_MOST_READ = 65_536


def add_commands(commands: Commands) -> None:
    providers = add_group(commands, "providers", "what this deployment is known by at Google, Microsoft and Cronofy")
    add_command(providers, "list", _list, "when each secret was made, and the one before it")
    replacing = "try a new secret out and use it from now on; it is read from the standard input"
    which = {"dest": "provider", "choices": list(_SECRETS)}
    rotate = add_command(providers, "rotate", _rotate, replacing, which)
    rotate.add_argument("--file", type=Path, metavar="FILE", help="read it from there instead")
    rotate.add_argument("--back", action="store_true", help="use the one before instead of a new one")
    rotate.add_argument("--tenant", metavar="TENANT", help="Microsoft's, in which the application is registered")
    rotate.add_argument("--untried", action="store_true", help="do not ask the provider first")
    forget = "believe nothing any more that Cronofy signed with the one before alone"
    rotate.add_argument("--forget-replaced", action="store_true", help=forget)
    rotate.add_argument("--another-client", action="store_true", help="also of another client_id: consents end")


def _list(_: argparse.Namespace, deployment: Deployment) -> Answer:
    """By what Secrets Manager says of the versions, so that no secret is read."""
    since = {name: secret.versions.since() for name, secret in _secrets_of(deployment).items()}
    return [
        {"provider": name, "made_at": _moment_or_not(current), "one_before": _moment_or_not(previous)}
        for name, (current, previous) in since.items()
    ]


def _rotate(options: argparse.Namespace, deployment: Deployment) -> Answer:
    _refuse_what_would_do_nothing(options)
    secret = _secrets_of(deployment, tenant=options.tenant).get(options.provider)
    if secret is None:
        raise CommandRefused(f"this deployment has no secret for {options.provider}")
    try:
        if options.back:
            before, now = restore_secret(secret=secret, untried=options.untried)
        else:
            before, now = replace_secret(
                _given(options.file),
                secret=secret,
                another_client=options.another_client,
                untried=options.untried,
                forget_replaced=options.forget_replaced,
            )
    except ProviderError as error:
        raise CommandRefused(f"nothing was changed, since the provider was asked and did not agree: {error}") from error
    then = "Functions use it within five minutes."
    if not options.back:
        then += f" After ten, end {_SECRETS[options.provider][1]}."
    shown = {name: now[name] for name in _NOT_SECRET if name in now}
    replaced = [str(before[name]) for name in _NOT_SECRET if before and name in before]
    return {"provider": options.provider, **shown, "replaced": replaced, "then": then}


def _refuse_what_would_do_nothing(options: argparse.Namespace) -> None:
    """Whoever gives an option relies on it. Raises CommandRefused."""
    if options.back and (options.file or options.another_client or options.forget_replaced):
        raise CommandRefused(
            "--back uses the one before, so it goes without --file, --another-client, --forget-replaced"
        )
    if options.tenant and options.provider != "microsoft":
        raise CommandRefused("--tenant is Microsoft's")
    if options.forget_replaced and options.provider != "cronofy":
        raise CommandRefused("--forget-replaced is for Cronofy, which alone signs with its secret")


def _secrets_of(deployment: Deployment, *, tenant: str | None = None) -> dict[str, ProviderSecret]:
    """Those that this deployment has, which its stack alone can tell."""
    deployment.output("TableName")
    outputs, parameters = deployment.described("Output"), deployment.described("Parameter")
    return provider_secrets(
        deployment.client("secretsmanager"),
        {name: outputs[output] for name, (output, _) in _SECRETS.items() if output in outputs},
        origins=deployment.laptop,
        tenant=tenant or parameters.get("MicrosoftTenant", "organizations"),
    )


def _given(file: Path | None) -> str:
    """Never from an argument, which other processes could see and the shell would remember."""
    try:
        if file is None:
            return getpass("The new secret, which is not shown: ") if sys.stdin.isatty() else sys.stdin.read(_MOST_READ)
        with file.open(encoding="utf-8") as content:
            return content.read(_MOST_READ)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandRefused(f"{file or 'the standard input'} cannot be read as text") from error


def _moment_or_not(seconds: int | None) -> str:
    return "-" if seconds is None else moment(seconds)
