"""``freebusy applications``: registers, changes and erases those that may use a deployment."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path
from time import sleep, time
from typing import TYPE_CHECKING, Any

from freebusy.bootstrap import account_store, secret_vault, service_account_store
from freebusy.domain.account import Upstream
from freebusy.domain.application import MOST_LOGO_BYTES
from freebusy.domain.erasure import APPLICATION_ERASED, BEGUN
from freebusy.entrypoints.cli.erasing import add_erasing, proof_of_erasure, was_interrupted, write_down
from freebusy.entrypoints.cli.moving import add_undo, moved
from freebusy.entrypoints.cli.output import Answer, CommandRefused, confirm, moment, say
from freebusy.entrypoints.cli.parsing import CLIENT_ID, Command, Commands, add_command, add_group
from freebusy.entrypoints.cli.people import erase_by_queue
from freebusy.service.applications import (
    add_origins,
    add_redirect_uris,
    choose_upstream,
    find_application,
    limit_requests,
    register_application,
    remove_origins,
    remove_redirect_uris,
    rename_application,
    revoke_secret,
    rotate_secret,
    show_home_page,
    show_logo,
)
from freebusy.service.erasure import LONGEST_REQUEST

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from freebusy.domain.application import Appearance, Application
    from freebusy.entrypoints.cli.deployment import Deployment
    from freebusy.ports import SecretVault

_DEPLOYMENTS = "default"
"""Instead of an upstream or a limit of its own: the deployment's."""
_NO_LIMIT = "none"

_NAME = {"dest": "name", "metavar": "NAME", "help": "as people see it when they are asked to connect"}
_HOME_PAGE = {"dest": "home_page", "metavar": "URL", "help": "https, or http on localhost"}
_LOGO = {"dest": "logo", "metavar": "FILE", "type": Path, "help": f"a PNG of at most {MOST_LOGO_BYTES // 1000} kB"}
_URIS = {
    "dest": "uris",
    "metavar": "URI",
    "nargs": "+",
    "help": "https, or http on localhost; compared as it is",
}
_ORIGINS = {
    "dest": "origins",
    "metavar": "ORIGIN",
    "nargs": "+",
    "help": "https://host[:port], or http on localhost",
}
_HINT = {"dest": "hint", "metavar": "HINT", "help": "how the secret begins, as `show` lists it"}


def add_commands(commands: Commands) -> None:
    applications = add_group(commands, "applications", "register, change and erase applications")
    _add_create(applications)
    add_command(applications, "list", _list, "client id and name of every application")
    add_command(applications, "show", _show, "all about one application but its secrets", CLIENT_ID)
    rename = _changing(rename_application, "name")
    add_command(applications, "rename", rename, "change the name that people see", CLIENT_ID, _NAME)
    delete = add_command(applications, "delete", _delete, "erase an application with all its accounts", CLIENT_ID)
    add_erasing(delete, "do not ask for the name first")
    upstream = add_command(
        applications, "upstream", _choose_upstream, "say through whom people connect from now on", CLIENT_ID
    )
    upstream.add_argument(
        "upstream",
        choices=[*(each.value for each in Upstream), _DEPLOYMENTS],
        help="default is what the deployment says",
    )
    limit = _changing(limit_requests, "per_minute")
    add_command(applications, "limit", limit, "say how many requests a minute it may make", CLIENT_ID).add_argument(
        "per_minute",
        metavar="NUMBER",
        type=_limit_from,
        help=f"or {_NO_LIMIT} for any number, or {_DEPLOYMENTS} for what the deployment says",
    )
    move = "take all its people off Cronofy, each at their next consent, and show where they consent"
    add_undo(add_command(applications, "move", _move, move, CLIENT_ID))
    _add_lists(applications)
    _add_looks(applications)
    _add_secrets(applications)


def _add_create(applications: Commands) -> None:
    create = add_command(applications, "create", _create, "register an application and show its secret, once", _NAME)
    back = "where people are sent back to; repeatable"
    create.add_argument("--redirect-uri", action="append", required=True, metavar="URI", help=back)
    create.add_argument("--public", action="store_true", help="a front end: no secret, PKCE instead")
    origin = "browser origin that may call the API; repeatable"
    create.add_argument("--origin", action="append", default=[], metavar="ORIGIN", help=origin)


def _add_lists(applications: Commands) -> None:
    uris = add_group(applications, "redirect-uris", "where people are sent back to after they consented")
    add_command(uris, "add", _changing(add_redirect_uris, "uris"), "list more redirect URIs", CLIENT_ID, _URIS)
    remove = _changing(remove_redirect_uris, "uris")
    add_command(uris, "remove", remove, "take redirect URIs off the list", CLIENT_ID, _URIS)

    origins = add_group(applications, "origins", "browser origins that may call the API (CORS)")
    add_command(origins, "add", _changing(add_origins, "origins"), "list more origins", CLIENT_ID, _ORIGINS)
    remove = _changing(remove_origins, "origins")
    add_command(origins, "remove", remove, "take origins off the list", CLIENT_ID, _ORIGINS)


def _add_looks(applications: Commands) -> None:
    page = add_group(applications, "home-page", "where people can read about the application")
    add_command(page, "set", _show_home_page, "link to it from the pages that people see", CLIENT_ID, _HOME_PAGE)
    remove = add_command(page, "remove", _show_home_page, "link to nothing any more", CLIENT_ID)
    remove.set_defaults(home_page="")

    logo = add_group(applications, "logo", "a picture beside the name")
    add_command(logo, "set", _show_logo, "show it on the pages that people see", CLIENT_ID, _LOGO)
    add_command(logo, "remove", _show_logo, "show none any more", CLIENT_ID).set_defaults(logo=None)


def _add_secrets(applications: Commands) -> None:
    secrets = add_group(applications, "secrets", "client secrets, of which two can live at once")
    rotate = "add a second secret; the first lives until it is revoked"
    add_command(secrets, "rotate", _rotate_secret, rotate, CLIENT_ID)
    add_command(secrets, "revoke", _changing(revoke_secret, "hint"), "end one secret at once", CLIENT_ID, _HINT)


# --- Commands --------------------------------------------------------------------------------------


def _changing(change: Callable[..., Application], given: str) -> Command:
    """The command that changes an application by its argument ``given``, and shows what became of it."""

    def command(options: argparse.Namespace, deployment: Deployment) -> Answer:
        return _shown(change(options.client_id, getattr(options, given), registry=deployment.registry))

    return command


def _create(options: argparse.Namespace, deployment: Deployment) -> Answer:
    application, secret = register_application(
        options.name,
        options.redirect_uri,
        public=options.public,
        origins=options.origin,
        registry=deployment.registry,
        vault=_vault(deployment),
        now=int(time()),
    )
    return _shown(application, secret)


def _list(_: argparse.Namespace, deployment: Deployment) -> Answer:
    names = sorted(deployment.registry.names().items(), key=lambda entry: entry[1].casefold())
    return [{"client_id": client_id, "name": name} for client_id, name in names]


def _show(options: argparse.Namespace, deployment: Deployment) -> Answer:
    application = find_application(options.client_id, registry=deployment.registry)
    return {**_shown(application), **_appearance(options, deployment.registry.appearance(options.client_id))}


def _delete(options: argparse.Namespace, deployment: Deployment) -> Answer:
    """The directory still knows the name of an application whose erasure was interrupted."""
    client_id, registry = options.client_id, deployment.registry
    there = registry.count(client_id)
    if options.verify:
        return {"client_id": client_id, **proof_of_erasure(client_id, there, options, deployment)}
    if not there and not was_interrupted(client_id, options, deployment):
        raise CommandRefused(f"there is no application {client_id}")
    if not options.yes:
        name = registry.names().get(client_id, client_id)
        confirm("This erases the application with all its accounts, for good", name)
    return {"client_id": client_id, "erased": erase_application(client_id, deployment)}


def erase_application(client_id: str, deployment: Deployment) -> int:
    """How many items that were. Done is what a last look finds nothing of, when every request that was under way is
    over. Raises CommandRefused where it is to be gone on with later.
    """
    registry = deployment.registry
    write_down(APPLICATION_ERASED, deployment, client_id=client_id, outcome=BEGUN)
    erased = registry.lock_out(client_id)
    _end_at_cronofy(client_id, deployment)
    erased += registry.erase(client_id)
    while True:
        say(f"waiting {LONGEST_REQUEST} seconds for what is under way; interrupted, erase it again")
        sleep(LONGEST_REQUEST)
        if not (more := registry.erase(client_id)):
            break
        erased += more
    write_down(APPLICATION_ERASED, deployment, client_id=client_id)
    return erased


def _end_at_cronofy(client_id: str, deployment: Deployment) -> None:
    """Revoking there takes credentials, which functions alone open: so whoever has one is erased by the queue before,
    as long as the data keys are there that they are sealed under.
    """
    registry = deployment.registry
    accounts, organizations = account_store(*deployment.dynamodb), service_account_store(*deployment.dynamodb)

    def there() -> list[str]:
        people = accounts.find_many(registry.accounts_of(client_id))
        givers = organizations.find_many(registry.service_accounts_of(client_id))
        return [
            *(sub for sub, account in people.items() if account.at_cronofy),
            *(sub for sub, giver in givers.items() if giver.organization.at_cronofy),
        ]

    late = (
        f"{client_id} is locked out; its people are being taken off Cronofy, which goes on by itself: delete it later"
    )
    while subs := there():

        def left(subs: list[str] = subs) -> bool:
            return bool(accounts.find_many(subs) or organizations.find_many(subs))

        erase_by_queue(subs, deployment, left=left, late=late)


def _choose_upstream(options: argparse.Namespace, deployment: Deployment) -> Answer:
    upstream = None if options.upstream == _DEPLOYMENTS else Upstream(options.upstream)
    return _shown(choose_upstream(options.client_id, upstream, registry=deployment.registry))


def _move(options: argparse.Namespace, deployment: Deployment) -> Answer:
    """Whoever connects from now on does so directly as well, or there would be no end to it."""
    if not options.undo:
        choose_upstream(options.client_id, Upstream.DIRECT, registry=deployment.registry)
    application = find_application(options.client_id, registry=deployment.registry)
    return moved(deployment.registry.accounts_of(application.client_id), deployment, undo=options.undo)


def _show_home_page(options: argparse.Namespace, deployment: Deployment) -> Answer:
    return _appearance(options, show_home_page(options.client_id, options.home_page, registry=deployment.registry))


def _show_logo(options: argparse.Namespace, deployment: Deployment) -> Answer:
    logo = b"" if options.logo is None else _picture(options.logo)
    return _appearance(options, show_logo(options.client_id, logo, registry=deployment.registry))


def _picture(file: Path) -> bytes:
    try:
        picture = file.read_bytes()
    except OSError as error:
        raise CommandRefused(f"{file} cannot be read: {error.strerror}") from error
    if not picture:
        raise CommandRefused(f"{file} is empty")
    return picture


def _rotate_secret(options: argparse.Namespace, deployment: Deployment) -> Answer:
    vault = _vault(deployment)
    return _shown(*rotate_secret(options.client_id, registry=deployment.registry, vault=vault, now=int(time())))


def _vault(deployment: Deployment) -> SecretVault:
    return secret_vault(deployment.client("kms"), *deployment.dynamodb, key_id=deployment.key_id)


# --- What is shown of them -------------------------------------------------------------------------


def _shown(application: Application, secret: str | None = None) -> dict[str, Any]:
    """``client_secret`` is there only when it was just made; afterwards nobody knows it but the application."""
    shown: dict[str, Any] = {
        "client_id": application.client_id,
        "name": application.name,
        "public": application.public,
        "redirect_uris": list(application.redirect_uris),
        "origins": list(application.origins),
        "upstream": application.upstream or _DEPLOYMENTS,
        "limit": _limit_in_words(application.requests_per_minute),
        "secrets": [{"hint": each.hint, "created_at": moment(each.created_at)} for each in application.secrets],
        "created_at": moment(application.created_at),
    }
    return {**shown, "client_secret": secret} if secret else shown


def _appearance(options: argparse.Namespace, appearance: Appearance) -> dict[str, Any]:
    return {
        "client_id": options.client_id,
        "home_page": appearance.home_page or None,
        "logo": f"PNG, {len(appearance.logo)} bytes" if appearance.logo else None,
    }


def _limit_in_words(per_minute: int | None) -> str:
    return _DEPLOYMENTS if per_minute is None else str(per_minute or _NO_LIMIT)


def _limit_from(word: str) -> int | None:
    """Raises ArgumentTypeError."""
    if word in (_DEPLOYMENTS, _NO_LIMIT):
        return None if word == _DEPLOYMENTS else 0
    if not (word.isascii() and word.isdecimal()):
        raise ArgumentTypeError(f"{word!r} is neither a number of requests nor {_NO_LIMIT} nor {_DEPLOYMENTS}")
    return int(word)
