"""``freebusy``: registers the applications that may use a deployment, replaces its keys and secrets, erases people, and
delivers again what was lost. For operators, from their own machine.

Talks to the deployment's table with the operator's own AWS credentials, or to the laptop stack with ``--local``.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from getpass import getpass
from operator import itemgetter
from pathlib import Path
from time import monotonic, sleep, time
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from freebusy.bootstrap import (
    access_request_store,
    account_store,
    application_registry,
    audit_log,
    audit_log_in,
    belongings,
    erasure_queue,
    key_rotation,
    provider_secrets,
    redelivery,
    secret_vault,
    service_account_store,
)
from freebusy.domain.account import Upstream
from freebusy.domain.application import MOST_LOGO_BYTES, Appearance, Application
from freebusy.domain.errors import FreeBusyError, InvalidRequest, ProviderError
from freebusy.domain.identifiers import is_service_account
from freebusy.entrypoints.audit import line_of, record_of
from freebusy.ports import ApplicationRegistry, AuditLog, Belongings, SecretVault
from freebusy.service.applications import (
    add_origins,
    add_redirect_uris,
    choose_upstream,
    erase_application,
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
from freebusy.service.audit import By, Notes
from freebusy.service.authorization import relink_url
from freebusy.service.erasure import people_of
from freebusy.service.export import export_account
from freebusy.service.invitations import deliver_again
from freebusy.service.key_rotation import SETTLING_SECONDS, KeyRotation
from freebusy.service.moving import mark_moving
from freebusy.service.provider_secrets import ProviderSecret, replace_secret, restore_secret

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LAPTOP_STACK_NAME = "freebusy-connect"
LAPTOP_STACK_FILE = ".local/stack.json"
LAPTOP_REGION = "us-east-1"

_DEPLOYMENTS = "default"
"""Instead of an upstream or a limit of its own: the deployment's."""
_NO_LIMIT = "none"

_LONGEST_ERASURE = 900.0
_BETWEEN_LOOKS = 2.0
"""Seconds. An erasure goes on by itself, however long somebody waits for it."""

_PROVIDER_SECRETS = {
    "google": ("GoogleSecretArn", "the old secret of the OAuth client, in the Cloud console"),
    "google-service-account": ("GoogleServiceAccountSecretArn", "the old key of the service account, in the console"),
    "microsoft": ("MicrosoftSecretArn", "the old client secret of the app registration, in Entra"),
    "cronofy": ("CronofySecretArn", "the old client secret, in Cronofy's dashboard"),
}
"""The output of the stack that names the secret, and what is to be ended at the provider when it was replaced."""

_NOT_SECRET = ("client_id", "client_email", "private_key_id", "data_center")
_MOST_READ = 65_536
_SUB = re.compile(r"(acc|ser)_\w{1,64}", re.ASCII)
_UNITS = {"m": 60, "h": 3600, "d": 86400}

_REFUSED = 2
_INTERRUPTED = 130
_TIMES = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 5})

_Answer: TypeAlias = dict[str, Any] | list[dict[str, Any]]
_Command: TypeAlias = Callable[[argparse.Namespace, ApplicationRegistry], _Answer]
_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - has no public name


class CommandRefused(FreeBusyError):
    """The command cannot be carried out as it was given; the message says why, in one line."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when it was done; 2, with one line on the standard error, when it was not."""
    given = sys.argv[1:] if arguments is None else arguments
    # A bare --local takes no value, or `freebusy --local applications list` would name a file "applications".
    options = _parser().parse_args([f"--local={LAPTOP_STACK_FILE}" if word == "--local" else word for word in given])
    try:
        answer = options.command(options, _registry(options))
    except (FreeBusyError, BotoCoreError, ClientError) as error:
        print(f"freebusy: {_in_one_line(error)}", file=sys.stderr)
        return _REFUSED
    except KeyboardInterrupt:
        return _INTERRUPTED
    print(json.dumps(answer, indent=2, ensure_ascii=False) if options.json else _in_columns(answer))
    return 0


# --- Commands --------------------------------------------------------------------------------------


def _create(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    application, secret = register_application(
        options.name,
        options.redirect_uri,
        public=options.public,
        origins=options.origin,
        registry=registry,
        vault=_vault(options),
        now=int(time()),
    )
    return _shown(application, secret)


def _list(_: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    names = sorted(registry.names().items(), key=lambda entry: entry[1].casefold())
    return [{"client_id": client_id, "name": name} for client_id, name in names]


def _show(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    application = find_application(options.client_id, registry=registry)
    return {**_shown(application), **_appearance(options, registry.appearance(options.client_id))}


def _rename(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    return _shown(rename_application(options.client_id, options.name, registry=registry))


def _set_home_page(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    return _appearance(options, show_home_page(options.client_id, options.home_page, registry=registry))


def _remove_home_page(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    return _appearance(options, show_home_page(options.client_id, "", registry=registry))


def _set_logo(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    try:
        logo = options.logo.read_bytes()
    except OSError as error:
        raise CommandRefused(f"{options.logo} cannot be read: {error.strerror}") from error
    if not logo:
        raise CommandRefused(f"{options.logo} is empty")
    return _appearance(options, show_logo(options.client_id, logo, registry=registry))


def _remove_logo(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    return _appearance(options, show_logo(options.client_id, b"", registry=registry))


def _add_redirect_uris(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    return _shown(add_redirect_uris(options.client_id, options.uris, registry=registry))


def _remove_redirect_uris(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    return _shown(remove_redirect_uris(options.client_id, options.uris, registry=registry))


def _add_origins(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    return _shown(add_origins(options.client_id, options.origins, registry=registry))


def _remove_origins(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    return _shown(remove_origins(options.client_id, options.origins, registry=registry))


def _rotate_secret(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    return _shown(*rotate_secret(options.client_id, registry=registry, vault=_vault(options), now=int(time())))


def _revoke_secret(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    return _shown(revoke_secret(options.client_id, options.hint, registry=registry))


def _delete(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    """The directory still knows the name of an application whose erasure was interrupted."""
    name = registry.names().get(options.client_id, options.client_id)
    if not options.yes:
        _confirm("This erases the application with all its accounts, for good", name)
    return {"client_id": options.client_id, "erased": erase_application(options.client_id, registry=registry)}


def _choose_upstream(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    upstream = None if options.upstream == _DEPLOYMENTS else Upstream(options.upstream)
    return _shown(choose_upstream(options.client_id, upstream, registry=registry))


def _limit(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    return _shown(limit_requests(options.client_id, options.per_minute, registry=registry))


def _move_application(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    """Whoever connects from now on does so directly as well, or there would be no end to it."""
    if not options.undo:
        choose_upstream(options.client_id, Upstream.DIRECT, registry=registry)
    application = find_application(options.client_id, registry=registry)
    return _moved(registry.accounts_of(application.client_id), options)


def _move_accounts(options: argparse.Namespace, _: ApplicationRegistry) -> _Answer:
    return _moved(options.accounts, options)


def _moved(subs: Sequence[str], options: argparse.Namespace) -> _Answer:
    """With the address at which each person consents, for the application to send them to."""
    marked = mark_moving(subs, moving=not options.undo, accounts=account_store(*_dynamodb(options)))
    session, endpoint = _session(options)
    public_url = _public_url(options, session, endpoint)
    moving = [{"account": sub, "relink_url": relink_url(public_url, sub, profile_id)} for sub, profile_id in marked]
    return {"stay" if options.undo else "moving": moving}


def _erase_account(options: argparse.Namespace, _: ApplicationRegistry) -> _Answer:
    if is_service_account(options.account):
        raise CommandRefused(f"{options.account} is an organization: organizations erase does it, with its people")
    return {"account": options.account, **_erase(options, options.account)}


def _export_account(options: argparse.Namespace, _: ApplicationRegistry) -> _Answer:
    """Recorded first: who cannot write that down does not see anything."""
    sub, where = _sub(options), _dynamodb(options)
    notes = Notes(accounts={sub: None}, by=By.OPERATOR)
    _audit_log(options).add(line_of(record_of(notes, "account.exported", "", "done")))
    return export_account(
        sub,
        accounts=account_store(*where),
        belongings=belongings(*where),
        requests=access_request_store(*where),
        now=int(time()),
    )


def _audit_account(options: argparse.Namespace, _: ApplicationRegistry) -> _Answer:
    sub, now = _sub(options), int(time())
    return [*map(dict, _audit_log(options).about(sub, since=now - options.since, until=now))]


def _sub(options: argparse.Namespace) -> str:
    """Before it stands in the log, or in a query of it."""
    sub: str = options.account
    if not _SUB.fullmatch(sub):
        raise CommandRefused(f"{sub} is no account's sub")
    return sub


def _audit_log(options: argparse.Namespace) -> AuditLog:
    session, endpoint = _session(options)
    if endpoint:
        return audit_log_in(Path(json.loads(Path(options.local).read_text(encoding="utf-8"))["logs"]))
    logs = session.client("logs", config=_TIMES)
    return audit_log(logs, _of_stack("FunctionLogGroup", options, session, endpoint))


def _age(text: str) -> int:
    """Seconds, of ``90m``, ``36h`` or ``7d``."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not like 90m, 36h or 7d")
    return int(number) * _UNITS[unit]


def _list_organizations(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    application = find_application(options.client_id, registry=registry)
    found = service_account_store(*_dynamodb(options)).find_many(registry.service_accounts_of(application.client_id))
    return [
        {"organization": sub, "name": each.organization.key, "connected": "connected" if each.connected else "-"}
        for sub, each in sorted(found.items())
    ]


def _show_organization(options: argparse.Namespace, _: ApplicationRegistry) -> _Answer:
    found = service_account_store(*_dynamodb(options)).find(options.organization)
    if found is None:
        raise CommandRefused(f"there is no organization {options.organization}")
    return {
        "organization": found.sub,
        "client_id": found.client_id,
        "provider": found.organization.provider,
        "name": found.organization.key,
        "domains": list(found.organization.domains),
        "administrator": found.administrator.email,
        "delegated_scope": found.delegated_scope,
        "disconnected": found.disconnected,
        "accounts": account_store(*_dynamodb(options)).of_organization(found),
        "created_at": _moment(found.created_at),
    }


def _erase_organization(options: argparse.Namespace, _: ApplicationRegistry) -> _Answer:
    """Its accounts are found as long as it is there itself, and it goes last."""
    sub = options.organization
    if not is_service_account(sub):
        raise CommandRefused(f"{sub} is no organization: its id begins with ser_")
    found = service_account_store(*_dynamodb(options)).find(sub)
    with_it = people_of(found, accounts=account_store(*_dynamodb(options))).erased if found else []
    return {"organization": sub, **_erase(options, sub, *with_it)}


def _erase(options: argparse.Namespace, sub: str, *with_it: str) -> dict[str, Any]:
    """Queues ``sub`` and waits until nothing is left of it, nor of those that are erased ``with_it``."""
    stored = belongings(*_dynamodb(options))
    there = _count(stored, sub, *with_it)
    if options.verify:
        if there:
            raise CommandRefused(f"of {sub} there is still: {', '.join(f'{n} {kind}' for kind, n in there.items())}")
        return {"left": 0}
    if not there:
        raise CommandRefused(f"nothing is stored about {sub}")
    if not options.yes:
        _confirm(f"This erases everything about {sub} and {len(with_it)} more, for good; no meeting is cancelled", sub)
    session, endpoint = _session(options)
    sqs = session.client("sqs", endpoint_url=endpoint, config=_TIMES)
    erasure_queue(sqs, _of_stack("ErasureQueueUrl", options, session, endpoint)).put([sub])
    given_up = monotonic() + _LONGEST_ERASURE
    while any(map(stored.count, (sub, *with_it))):
        if monotonic() > given_up:
            raise CommandRefused(f"{sub} is not erased yet; it goes on by itself: look with --verify, and at the log")
        sleep(_BETWEEN_LOOKS)
    return {"erased": [{"kind": kind, "items": number} for kind, number in there.items()]}


def _count(stored: Belongings, *subs: str) -> dict[str, int]:
    together: Counter[str] = Counter()
    for sub in subs:
        together.update(stored.count(sub))
    return dict(sorted(together.items()))


def _dynamodb(options: argparse.Namespace) -> tuple[DynamoDBClient, str]:
    """The client, and the table's name."""
    session, endpoint = _session(options)
    client = session.client("dynamodb", endpoint_url=endpoint, config=_TIMES)
    return client, _table(options, session, endpoint)


def _redeliver(options: argparse.Namespace, _: ApplicationRegistry) -> _Answer:
    session, endpoint = _session(options)
    events, log, queue = redelivery(
        session.client("dynamodb", endpoint_url=endpoint, config=_TIMES),
        session.client("sqs", endpoint_url=endpoint, config=_TIMES),
        table_name=_table(options, session, endpoint),
        queue_url=_of_stack("InvitationQueueUrl", options, session, endpoint),
    )
    queued = sum(deliver_again(sub, events=events, log=log, queue=queue) for sub in options.accounts)
    return {"accounts": options.accounts, "queued": queued}


def _list_keys(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    """The oldest first. Where a key has no date of its own, it is that of its application: it cannot be older."""
    rotation, rows = _rotation(options), list[tuple[int, dict[str, Any]]]()
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
    return [{"made_at": _moment(made_at), **row} for made_at, row in sorted(rows, key=itemgetter(0))]


def _rotate_keys(options: argparse.Namespace, registry: ApplicationRegistry) -> _Answer:
    if options.settling < SETTLING_SECONDS and options.local is None:
        raise CommandRefused(f"only the laptop stack settles in less than {SETTLING_SECONDS} seconds")
    rotation, rotated = _rotation(options), []
    for each in rotation.rotate(_named_or_all(options, registry), settling=options.settling, pause=_wait):
        rotated.append({**each._asdict(), "left": list(each.left)})
        done = f"{each.resealed} sealed again, {each.checked} looked at, {each.forgotten} old keys forgotten"
        _say(f"{each.client_id}: {done}")
    if kept := [f"{each['client_id']} ({', '.join(each['left'])})" for each in rotated if each["left"]]:
        raise CommandRefused(f"old keys were kept for what does not open, or was never left alone: {'; '.join(kept)}")
    return rotated


def _named_or_all(options: argparse.Namespace, registry: ApplicationRegistry) -> list[str]:
    """Client ids. Raises NotFound."""
    if options.application:
        return [find_application(options.application, registry=registry).client_id]
    return list(registry.names())


def _wait(seconds: float) -> None:
    _say(f"waiting {seconds:.0f} seconds for what is under way; interrupted, this goes on when it is asked for again")
    sleep(seconds)


def _say(progress: str) -> None:
    print(progress, file=sys.stderr)


def _list_providers(options: argparse.Namespace, _: ApplicationRegistry) -> _Answer:
    """By what Secrets Manager says of the versions, so that no secret is read."""
    since = {name: secret.versions.since() for name, secret in _provider_secrets(options).items()}
    return [
        {"provider": name, "made_at": _moment_or_not(current), "one_before": _moment_or_not(previous)}
        for name, (current, previous) in since.items()
    ]


def _rotate_provider(options: argparse.Namespace, _: ApplicationRegistry) -> _Answer:
    secret = _provider_secrets(options).get(options.provider)
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
        then += f" After ten, end {_PROVIDER_SECRETS[options.provider][1]}."
    shown = {name: now[name] for name in _NOT_SECRET if name in now}
    replaced = [str(before[name]) for name in _NOT_SECRET if before and name in before]
    return {"provider": options.provider, **shown, "replaced": replaced, "then": then}


def _given(file: Path | None) -> str:
    """Never from an argument, which other processes could see and the shell would remember."""
    try:
        if file is None:
            return getpass("The new secret, which is not shown: ") if sys.stdin.isatty() else sys.stdin.read(_MOST_READ)
        with file.open(encoding="utf-8") as content:
            return content.read(_MOST_READ)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandRefused(f"{file or 'the standard input'} cannot be read as text") from error


def _confirm(warning: str, name: str) -> None:
    print(f"{warning}. Type its name ({name}):", file=sys.stderr)
    if sys.stdin.readline().strip() != name:
        raise CommandRefused("nothing was erased, since that is not its name (--yes erases without asking)")


# --- Which deployment ------------------------------------------------------------------------------


def _registry(options: argparse.Namespace) -> ApplicationRegistry:
    """Raises CommandRefused, and what boto3 raises."""
    return application_registry(*_dynamodb(options))


def _vault(options: argparse.Namespace) -> SecretVault:
    """For commands that make a secret. Raises as ``_registry``."""
    session, endpoint = _session(options)
    return secret_vault(
        session.client("kms", endpoint_url=endpoint, config=_TIMES),
        session.client("dynamodb", endpoint_url=endpoint, config=_TIMES),
        _table(options, session, endpoint),
        key_id=options.key or _of_stack("CredentialKeyId", options, session, endpoint),
    )


def _rotation(options: argparse.Namespace) -> KeyRotation:
    """Raises as ``_registry``."""
    session, endpoint = _session(options)
    return key_rotation(
        session.client("kms", endpoint_url=endpoint, config=_TIMES),
        session.client("dynamodb", endpoint_url=endpoint, config=_TIMES),
        _table(options, session, endpoint),
        key_id=options.key or _of_stack("CredentialKeyId", options, session, endpoint),
    )


def _table(options: argparse.Namespace, session: boto3.Session, endpoint: str | None) -> str:
    return options.table or _of_stack("TableName", options, session, endpoint)


def _provider_secrets(options: argparse.Namespace) -> dict[str, ProviderSecret]:
    """Those that this deployment has. Raises as ``_registry``."""
    session, endpoint = _session(options)
    _of_stack("TableName", options, session, endpoint)
    outputs, parameters = (_described(kind, options, session, endpoint) for kind in ("Output", "Parameter"))
    origins = json.loads(Path(options.local).read_text(encoding="utf-8")) if endpoint else {}
    secrets_manager = session.client("secretsmanager", endpoint_url=endpoint, config=_TIMES)
    tenant = getattr(options, "tenant", None) or parameters.get("MicrosoftTenant", "organizations")
    secret_ids = {name: outputs[output] for name, (output, _) in _PROVIDER_SECRETS.items() if output in outputs}
    return provider_secrets(secrets_manager, secret_ids, origins=origins, tenant=tenant)


def _of_stack(key: str, options: argparse.Namespace, session: boto3.Session, endpoint: str | None) -> str:
    """An output of the stack."""
    if not (options.stack or endpoint):
        instead = {"TableName": " --table NAME,", "CredentialKeyId": " --key KEY beside --table,"}.get(key, "")
        raise CommandRefused(f"say which deployment: --stack NAME,{instead} or --local for the laptop stack")
    outputs = _described("Output", options, session, endpoint)
    if key not in outputs:
        raise CommandRefused(f"the stack {_stack(options)} has no output {key}: is it a deployment of this service?")
    return outputs[key]


def _described(
    kind: Literal["Output", "Parameter"], options: argparse.Namespace, session: boto3.Session, endpoint: str | None
) -> dict[str, str]:
    """The outputs or the parameters of the stack."""
    cloudformation: Any = session.client("cloudformation", endpoint_url=endpoint, config=_TIMES)
    (described,) = cloudformation.describe_stacks(StackName=_stack(options))["Stacks"]
    return {each[f"{kind}Key"]: each.get(f"{kind}Value", "") for each in described.get(f"{kind}s", [])}


def _stack(options: argparse.Namespace) -> str:
    return options.stack or LAPTOP_STACK_NAME


def _public_url(options: argparse.Namespace, session: boto3.Session, endpoint: str | None) -> str:
    """Empty, so that addresses begin with their path, where only the table is known."""
    if endpoint:
        url: str = json.loads(Path(options.local).read_text(encoding="utf-8"))["url"]
        return url
    return _of_stack("ApiUrl", options, session, endpoint) if options.stack else ""


def _session(options: argparse.Namespace) -> tuple[boto3.Session, str | None]:
    """With the endpoint of the laptop stack, whose emulator takes any credentials but wants some."""
    region = options.region
    file = options.local
    if file is None:
        return boto3.Session(region_name=region), None
    try:
        endpoint = json.loads(Path(file).read_text(encoding="utf-8"))["aws"]
    except OSError as error:
        raise CommandRefused(
            f"the laptop stack is not running ({file} is not there): start it with make run"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise CommandRefused(f"{file} is not the file of a laptop stack") from error
    return boto3.Session("laptop", "laptop", region_name=region or LAPTOP_REGION), endpoint


# --- What people see -------------------------------------------------------------------------------


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
        "secrets": [{"hint": each.hint, "created_at": _moment(each.created_at)} for each in application.secrets],
        "created_at": _moment(application.created_at),
    }
    return {**shown, "client_secret": secret} if secret else shown


def _appearance(options: argparse.Namespace, appearance: Appearance) -> dict[str, Any]:
    return {
        "client_id": options.client_id,
        "home_page": appearance.home_page or None,
        "logo": f"PNG, {len(appearance.logo)} bytes" if appearance.logo else None,
    }


def _moment_or_not(seconds: int | None) -> str:
    return "-" if seconds is None else _moment(seconds)


def _limit_in_words(per_minute: int | None) -> str:
    return _DEPLOYMENTS if per_minute is None else str(per_minute or _NO_LIMIT)


def _limit_from(word: str) -> int | None:
    """Raises ``ValueError``, which argparse reports."""
    return None if word == _DEPLOYMENTS else 0 if word == _NO_LIMIT else int(word)


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _in_columns(answer: _Answer) -> str:
    if isinstance(answer, list):
        return "\n".join("  ".join(map(str, row.values())) for row in answer) or "nothing yet"
    width = max(map(len, answer)) + 2
    lines = [
        f"{name if first else '':{width}}{line}" for name, value in answer.items() for first, line in _lines(value)
    ]
    if "client_secret" in answer:
        lines.append("Keep the client_secret now: it cannot be shown again.")
    return "\n".join(lines)


def _lines(value: Any) -> Iterator[tuple[bool, str]]:
    """Each line of a value, and whether it is the first."""
    values = value if isinstance(value, list) else [value]
    for place, each in enumerate(values or ["-"]):
        match each:
            case None:
                text = "-"
            case bool():
                text = "yes" if each else "no"
            case dict():
                text = "  ".join(map(str, each.values()))
            case _:
                text = str(each)
        yield place == 0, text


def _in_one_line(error: Exception) -> str:
    if isinstance(error, InvalidRequest):
        return "; ".join(entry.description for entries in error.errors.values() for entry in entries)
    return " ".join(str(error).split())


# --- The command line ------------------------------------------------------------------------------


_ARGUMENTS: dict[str, dict[str, Any]] = {
    "client_id": {"metavar": "CLIENT_ID"},
    "name": {"metavar": "NAME", "help": "as people see it when they are asked to connect"},
    "home_page": {"metavar": "URL", "help": "https, or http on localhost"},
    "logo": {"metavar": "FILE", "type": Path, "help": f"a PNG of at most {MOST_LOGO_BYTES // 1000} kB"},
    "uris": {"metavar": "URI", "nargs": "+", "help": "https, or http on localhost; compared as it is"},
    "origins": {"metavar": "ORIGIN", "nargs": "+", "help": "https://host[:port], or http on localhost"},
    "account": {"metavar": "ACCOUNT", "help": "its sub"},
    "organization": {"metavar": "ORGANIZATION", "help": "its sub, ser_..."},
    "accounts": {"metavar": "ACCOUNT", "nargs": "+", "help": "sub of an account, as the log names it"},
    "provider": {"choices": list(_PROVIDER_SECRETS)},
    "hint": {"metavar": "HINT", "help": "how the secret begins, as `show` lists it"},
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="freebusy",
        description="Registers the applications of a Free/Busy Connect deployment, replaces its keys and secrets, and "
        "looks after its people.",
        epilog="Options may stand before or after the command. AWS credentials come from where AWS tools find them.",
    )
    _add_options(parser, default=None)
    commands = _commands(parser)
    applications = _group(commands, "applications", "register, change and erase applications")

    create = _add(applications, "create", _create, "register an application and show its secret, once", "name")
    create.add_argument(
        "--redirect-uri",
        action="append",
        required=True,
        metavar="URI",
        help="where people are sent back to; repeatable",
    )
    create.add_argument("--public", action="store_true", help="a front end: no secret, PKCE instead")
    create.add_argument(
        "--origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="browser origin that may call the API; repeatable",
    )
    _add(applications, "list", _list, "client id and name of every application")
    _add(applications, "show", _show, "all about one application but its secrets", "client_id")
    _add(applications, "rename", _rename, "change the name that people see", "client_id", "name")
    delete = _add(applications, "delete", _delete, "erase an application with all its accounts", "client_id")
    delete.add_argument("--yes", action="store_true", help="do not ask for the name first")

    upstream = _add(
        applications, "upstream", _choose_upstream, "say through whom people connect from now on", "client_id"
    )
    upstream.add_argument(
        "upstream",
        choices=[*(each.value for each in Upstream), _DEPLOYMENTS],
        help="default is what the deployment says",
    )
    limit = _add(applications, "limit", _limit, "say how many requests a minute it may make", "client_id")
    limit.add_argument(
        "per_minute",
        metavar="NUMBER",
        type=_limit_from,
        help=f"or {_NO_LIMIT} for any number, or {_DEPLOYMENTS} for what the deployment says",
    )
    move = "take all its people off Cronofy, each at their next consent, and show where they consent"
    _add_undo(_add(applications, "move", _move_application, move, "client_id"))

    redirect_uris = _group(applications, "redirect-uris", "where people are sent back to after they consented")
    _add(redirect_uris, "add", _add_redirect_uris, "list more redirect URIs", "client_id", "uris")
    _add(redirect_uris, "remove", _remove_redirect_uris, "take redirect URIs off the list", "client_id", "uris")

    origins = _group(applications, "origins", "browser origins that may call the API (CORS)")
    _add(origins, "add", _add_origins, "list more origins", "client_id", "origins")
    _add(origins, "remove", _remove_origins, "take origins off the list", "client_id", "origins")

    home_page = _group(applications, "home-page", "where people can read about the application")
    _add(home_page, "set", _set_home_page, "link to it from the pages that people see", "client_id", "home_page")
    _add(home_page, "remove", _remove_home_page, "link to nothing any more", "client_id")

    logo = _group(applications, "logo", "a picture beside the name")
    _add(logo, "set", _set_logo, "show it on the pages that people see", "client_id", "logo")
    _add(logo, "remove", _remove_logo, "show none any more", "client_id")

    secrets = _group(applications, "secrets", "client secrets, of which two can live at once")
    _add(secrets, "rotate", _rotate_secret, "add a second secret; the first lives until it is revoked", "client_id")
    _add(secrets, "revoke", _revoke_secret, "end one secret at once", "client_id", "hint")

    _add_rotation(commands)
    _add_people(commands)

    invitations = _group(commands, "invitations", "mail that events bring about")
    _add(invitations, "redeliver", _redeliver, "queue what accounts' attendees were never sent", "accounts")
    return parser


def _add_people(commands: _Commands) -> None:
    accounts = _group(commands, "accounts", "people who have connected")
    move = "take people off Cronofy, each at their next consent, and show where they consent"
    _add_undo(_add(accounts, "move", _move_accounts, move, "accounts"))
    audit = _add(accounts, "audit", _audit_account, "who did what about somebody, as the log has it", "account")
    since = "how far back, as 90m, 36h or 7d (which is the default)"
    audit.add_argument("--since", type=_age, default=_age("7d"), metavar="TIME", help=since)
    export = _add(accounts, "export", _export_account, "print everything that is stored about somebody", "account")
    export.set_defaults(json=True)
    _add_erasing(_add(accounts, "erase", _erase_account, "erase everything that is stored about somebody", "account"))

    organizations = _group(commands, "organizations", "organizations that their administrators have connected")
    _add(organizations, "list", _list_organizations, "those of one application", "client_id")
    _add(organizations, "show", _show_organization, "all about one, with its accounts", "organization")
    erase = "erase it, with the account of every mailbox that it alone gives access to"
    _add_erasing(_add(organizations, "erase", _erase_organization, erase, "organization"))


def _add_rotation(commands: _Commands) -> None:
    keys = _group(commands, "keys", "data keys, which seal credentials and client secrets")
    listing = _add(keys, "list", _list_keys, "when each key and client secret was made, the oldest first")
    listing.add_argument("--application", metavar="CLIENT_ID", help="of one application alone")
    rotate = _add(keys, "rotate", _rotate_keys, "seal everything under new data keys and forget the old ones")
    whose = rotate.add_mutually_exclusive_group(required=True)
    whose.add_argument("--application", metavar="CLIENT_ID", help="of one application")
    whose.add_argument("--all", action="store_true", help="of all applications")
    rotate.add_argument(
        "--settling",
        type=_seconds,
        default=SETTLING_SECONDS,
        metavar="SECONDS",
        help="how long to wait for what is under way (%(default)s); less is for the laptop stack alone",
    )

    providers = _group(commands, "providers", "what this deployment is known by at Google, Microsoft and Cronofy")
    _add(providers, "list", _list_providers, "when each secret was made, and the one before it")
    replacing = "try a new secret out and use it from now on; it is read from the standard input"
    rotate = _add(providers, "rotate", _rotate_provider, replacing, "provider")
    rotate.add_argument("--file", type=Path, metavar="FILE", help="read it from there instead")
    rotate.add_argument("--back", action="store_true", help="use the one before instead of a new one")
    rotate.add_argument("--tenant", metavar="TENANT", help="Microsoft's, in which the application is registered")
    rotate.add_argument("--untried", action="store_true", help="do not ask the provider first")
    forget = "believe nothing any more that Cronofy signed with the one before alone"
    rotate.add_argument("--forget-replaced", action="store_true", help=forget)
    rotate.add_argument("--another-client", action="store_true", help="also of another client_id: consents end")


def _seconds(text: str) -> int:
    """Raises ``ValueError``, which argparse turns into its usage."""
    if (seconds := int(text)) < 0:
        raise ValueError(text)
    return seconds


def _commands(parser: argparse.ArgumentParser) -> _Commands:
    return parser.add_subparsers(title="commands", required=True, metavar="COMMAND")


def _group(commands: _Commands, name: str, about: str) -> _Commands:
    return _commands(commands.add_parser(name, help=about, description=about))


def _add(commands: _Commands, name: str, command: _Command, about: str, *arguments: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=about, description=about)
    parser.set_defaults(command=command)
    for argument in arguments:
        parser.add_argument(argument, **_ARGUMENTS[argument])
    _add_options(parser, default=argparse.SUPPRESS)
    return parser


def _add_undo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--undo", action="store_true", help="leave at Cronofy who has not consented again yet")


def _add_erasing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask first")
    parser.add_argument("--verify", action="store_true", help="erase nothing, but fail when something is left")


def _add_options(parser: argparse.ArgumentParser, *, default: Any) -> None:
    """What is not given after the command must not undo what was given before it, hence SUPPRESS there."""
    options = parser.add_argument_group("which deployment")
    options.add_argument(
        "--stack", metavar="NAME", default=default, help="its CloudFormation stack, which names the table"
    )
    options.add_argument("--table", metavar="NAME", default=default, help="its table, where the stack cannot be read")
    options.add_argument(
        "--key", metavar="KEY", default=default, help="its KMS key, beside --table, for commands that make a secret"
    )
    options.add_argument("--region", metavar="REGION", default=default, help="its AWS region")
    options.add_argument(
        "--local",
        nargs="?",
        metavar="=FILE",
        default=default,
        help=f"the laptop stack, as {LAPTOP_STACK_FILE} or another file says where it is",
    )
    parser.add_argument("--json", action="store_const", const=True, default=default, help="answer in JSON")
