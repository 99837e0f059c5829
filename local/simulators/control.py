"""The control surface, the same at every simulator; people script against it.

| call | effect |
| --- | --- |
| `PUT /sim/users/{email}` `{"busy": [{"start", "end", "status"?}], "zone"?, "exists"?, "scopes_granted"?: [..],
  "token_lifetime"?}` | creates or replaces a person, whose grants stay; times are RFC 3339 with an offset, `status` is
  `busy` (the default), `tentative`, `oof`, `workingElsewhere`, `free` or `unknown`, `token_lifetime` is in seconds |
| `GET /sim/users`, `GET /sim/users/{email}` | everybody; one person |
| `POST /sim/users/{email}/revoke` | the person withdraws consent: their tokens and codes are dead |
| `DELETE /sim/users/{email}` | forgets the person and everything they granted |
| `PUT {google}/sim/domains/{domain}`, `PUT {microsoft}/sim/tenants/{domain}` `{"admin": EMAIL, "delegated"?, "users"?:
  [EMAIL...], "hidden"?: [EMAIL...], "suspended"?: [EMAIL...], "rooms"?: [{"email", "name"}...], "propagation_ms"?}`,
  and Google's `"scopes"?`, `"txt"?`, Microsoft's `"narrowed_to"?`, `"places"?`, `"wids"?` | creates or replaces an
  organization; who is named becomes a person, or stays the one they are; see `Organization`, `Workspace`, `Tenant` |
| `GET` and `DELETE` of the same | shows it; forgets it, and not its people |
| `PUT /sim/client` `{"secrets": [SECRET...]}` | the secrets of our client that work from now on |
| `GET {google}/sim/service_account` | the key file of the service account that organizations delegate to |
| `POST {google}/sim/service_account/keys`, `DELETE .../{key_id}` | one more key, whose file is the answer; ends one |
| `PUT /sim/faults` `{"busy" or "token" or "refresh": {"status"?, "body"?, "headers"?, "delay_ms"?, "times"?}}` | these
  faults, in place of those before: the next `times` calls (all, without it) are answered so, `delay_ms` late |
| `GET /sim/faults`, `DELETE /sim/faults` | what is still to strike; clears |
| `GET /sim/requests`, `DELETE /sim/requests` | the last 10,000 calls of the provider's own paths, in order: `method`,
  `path`, `query`, `headers` (names in lower case), `body` (the text); clears |

At the consent screen `&sim_user=EMAIL` consents at once (whoever is new there is made, free all day), and
`&sim_deny=access_denied` refuses. What cannot be read is answered with 400 and `{"error": "..."}`.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError

from local.simulators.faults import Faults
from local.simulators.grants import Grants
from local.simulators.organizations import Organizations
from local.simulators.people import InvalidEmail, Model, People, Person, address_of
from local.simulators.server import Refusal, Request, Response, Route, route_of

PREFIX = "/sim/"
MOST_REQUESTS = 10_000
_DONE = Response(HTTPStatus.NO_CONTENT)


class ControlSurface:
    def __init__(
        self, people: People, grants: Grants, organizations: Organizations[Any], more: Sequence[Route] = ()
    ) -> None:
        """``more`` is what only this provider has."""
        self.faults = Faults()
        self._people = people
        self._grants = grants
        self._organizations = organizations
        self._requests: deque[Request] = deque(maxlen=MOST_REQUESTS)
        self._routes = [
            Route("GET", "/sim/users", self._everybody),
            Route("PUT", "/sim/users/{email}", self._put_person),
            Route("GET", "/sim/users/{email}", self._person),
            Route("DELETE", "/sim/users/{email}", self._delete_person),
            Route("POST", "/sim/users/{email}/revoke", self._revoke),
            Route("PUT", f"/sim/{organizations.called}/{{domain}}", self._put_organization),
            Route("GET", f"/sim/{organizations.called}/{{domain}}", self._organization),
            Route("DELETE", f"/sim/{organizations.called}/{{domain}}", self._delete_organization),
            Route("PUT", "/sim/faults", self._put_faults),
            Route("GET", "/sim/faults", lambda _: Response.of_json(self.faults.as_json())),
            Route("DELETE", "/sim/faults", lambda _: _done(self.faults.clear)),
            Route("GET", "/sim/requests", self._recorded),
            Route("DELETE", "/sim/requests", lambda _: _done(self._requests.clear)),
            *more,
        ]

    def record(self, request: Request) -> None:
        self._requests.append(request)

    def answer(self, request: Request) -> Response:
        route, parts = route_of(request, self._routes)
        try:
            return route.answer(request, parts)
        except ValidationError as error:
            return _unreadable("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()))
        except ValueError as error:
            return _unreadable(str(error))

    def _everybody(self, _: Request) -> Response:
        return Response.of_json([_shown(person) for person in self._people.values()])

    def _put_person(self, request: Request, email: str) -> Response:
        address = address_of(email)
        described = _json_object(request)
        person = Person.model_validate({**described, "email": address})
        self._people[address] = person
        return Response.of_json(_shown(person))

    def _person(self, _: Request, email: str) -> Response:
        return Response.of_json(_shown(self._known(email)))

    def _delete_person(self, _: Request, email: str) -> Response:
        address = address_of(email)
        self._people.pop(address, None)
        self._grants.revoke(address)
        return _DONE

    def _revoke(self, _: Request, email: str) -> Response:
        self._grants.revoke(self._known(email).email)
        return _DONE

    def _put_organization(self, request: Request, domain: str) -> Response:
        return Response.of_json(_shown(self._organizations.put(domain, _json_object(request))))

    def _organization(self, _: Request, domain: str) -> Response:
        organization = self._organizations.get(domain.lower())
        if organization is None:
            raise Refusal(Response.of_json({"error": f"there is no organization {domain}"}, 404))
        return Response.of_json(_shown(organization))

    def _delete_organization(self, _: Request, domain: str) -> Response:
        self._organizations.remove(domain.lower())
        return _DONE

    def _put_faults(self, request: Request) -> Response:
        self.faults.replace(_json_object(request))
        return Response.of_json(self.faults.as_json())

    def _recorded(self, _: Request) -> Response:
        return Response.of_json(
            [
                {
                    "method": request.method,
                    "path": request.path,
                    "query": request.query,
                    "headers": dict(request.headers),
                    "body": request.text,
                }
                for request in self._requests
            ]
        )

    def _known(self, email: str) -> Person:
        try:
            return self._people[address_of(email)]
        except (KeyError, InvalidEmail):
            raise Refusal(Response.of_json({"error": f"nobody is called {email}"}, 404)) from None


def _shown(described: Model) -> dict[str, Any]:
    return described.model_dump(mode="json")


def _json_object(request: Request) -> dict[str, Any]:
    """Takes any Content-Type: curl and its like call everything a form."""
    body = json.loads(request.body or b"{}")
    if not isinstance(body, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004 - answered like other values that do not fit
    return body


def _done(effect: Callable[[], None]) -> Response:
    effect()
    return _DONE


def _unreadable(reason: str) -> Response:
    return Response.of_json({"error": reason}, 400)
