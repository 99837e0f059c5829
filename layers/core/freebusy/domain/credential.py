"""What opens somebody's calendar at the provider."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ProviderCredential:
    """What the provider gave us for one profile. Leaves the service only as a request to that provider."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: int
    scope: str = ""
