"""A person's browser for the laptop stack: follows a connect link through the simulated consent screen."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx

MOST_REDIRECTS = 10
_CONSENT_SCREENS = ("oauth2", "adminconsent")


def visit(link: str, *, until: str, consent: dict[str, str]) -> dict[str, str]:
    """Follows ``link`` until it leads to ``until`` (the application's redirect URI) and returns what it brings.

    ``consent`` is what the person does at the provider's consent screen: ``{"sim_user": email}`` agrees,
    ``{"sim_deny": "access_denied"}`` refuses. Raises RuntimeError when the trip ends anywhere else.
    """
    with httpx.Client(follow_redirects=False, timeout=30) as browser:
        address = link
        for _ in range(MOST_REDIRECTS):
            response = browser.get(address)
            if response.next_request is None:
                break
            address = str(response.next_request.url)
            if address.split("?")[0] == until:
                return {name: values[-1] for name, values in parse_qs(urlsplit(address).query).items()}
            if any(name in urlsplit(address).path for name in _CONSENT_SCREENS):
                address = str(httpx.URL(address).copy_merge_params(consent))
    raise RuntimeError(f"the trip ended with {response.status_code} at {urlsplit(address).path}")
