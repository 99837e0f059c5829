"""``freebusy keys``: the data keys, which seal credentials and client secrets."""

from __future__ import annotations

from argparse import ArgumentTypeError
from operator import itemgetter
from time import sleep
from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import key_rotation
from freebusy.entrypoints.cli.output import Answer, CommandRefused, moment, say
from freebusy.entrypoints.cli.parsing import Commands, add_command, add_group, application_id
from freebusy.service.applications import find_application
from freebusy.service.key_rotation import SETTLING_SECONDS, KeyRotation

if TYPE_CHECKING:
    import argparse

    from freebusy.entrypoints.cli.deployment import Deployment
    from freebusy.ports import ApplicationRegistry


def add_commands(commands: Commands) -> None:
    keys = add_group(commands, "keys", "data keys, which seal credentials and client secrets")
    listing = add_command(keys, "list", _list, "when each key and client secret was made, the oldest first")
    listing.add_argument("--application", type=application_id, metavar="CLIENT_ID", help="of one application alone")
    rotate = add_command(keys, "rotate", _rotate, "seal everything under new data keys and forget the old ones")
    whose = rotate.add_mutually_exclusive_group(required=True)
    whose.add_argument("--application", type=application_id, metavar="CLIENT_ID", help="of one application")
    whose.add_argument("--all", action="store_true", help="of all applications")
    rotate.add_argument(
        "--settling",
        type=_seconds,
        default=SETTLING_SECONDS,
        metavar="SECONDS",
        help="how long to wait for what is under way (%(default)s); less is for the laptop stack alone",
    )


def _list(options: argparse.Namespace, deployment: Deployment) -> Answer:
    """The oldest first. Where a key has no date of its own, it is that of its application: it cannot be older."""
    registry, rotation, rows = deployment.registry, _rotation(deployment), list[tuple[int, dict[str, Any]]]()
    for client_id in _named_or_all(options, registry):
        application = registry.find(client_id)
        if application is None:  # its erasure was interrupted
            continue
        for what, vault in (("credentials", rotation.credentials), ("client secrets", rotation.secrets)):
            for key in (keys := vault.keys(client_id)):
                state = "seals" if key is keys[-1] else "being replaced"
                made_at = key.created_at or application.created_at
                row = {"client_id": client_id, "what": f"data key of {what}", "id": str(key.key_id), "state": state}
                rows.append((made_at, row))
        for secret in application.secrets:
            state = "signs" if secret.sealed else "cannot sign callbacks: rotate it"
            row = {"client_id": client_id, "what": "client secret", "id": secret.hint, "state": state}
            rows.append((secret.created_at, row))
    return [{"made_at": moment(made_at), **row} for made_at, row in sorted(rows, key=itemgetter(0))]


def _rotate(options: argparse.Namespace, deployment: Deployment) -> Answer:
    if options.settling < SETTLING_SECONDS and not deployment.laptop:
        raise CommandRefused(f"only the laptop stack settles in less than {SETTLING_SECONDS} seconds")
    rotation, rotated = _rotation(deployment), []
    named = _named_or_all(options, deployment.registry)
    for each in rotation.rotate(named, settling=options.settling, pause=_wait):
        rotated.append({**each._asdict(), "left": list(each.left)})
        done = f"{each.resealed} sealed again, {each.checked} looked at, {each.forgotten} old keys forgotten"
        say(f"{each.client_id}: {done}")
    if kept := [f"{each['client_id']} ({', '.join(each['left'])})" for each in rotated if each["left"]]:
        raise CommandRefused(f"old keys were kept for what does not open, or was never left alone: {'; '.join(kept)}")
    return rotated


def _rotation(deployment: Deployment) -> KeyRotation:
    return key_rotation(deployment.client("kms"), *deployment.dynamodb, key_id=deployment.key_id)


def _named_or_all(options: argparse.Namespace, registry: ApplicationRegistry) -> list[str]:
    """Client ids. Raises NotFound."""
    if options.application:
        return [find_application(options.application, registry=registry).client_id]
    return list(registry.names())


def _wait(seconds: float) -> None:
    say(f"waiting {seconds:.0f} seconds for what is under way; interrupted, this goes on when it is asked for again")
    sleep(seconds)


def _seconds(text: str) -> int:
    """Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdecimal()):
        raise ArgumentTypeError(f"{text!r} is no number of seconds")
    return int(text)
