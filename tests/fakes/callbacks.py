from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from freebusy.domain.callback import Destination


class FakeHosts:
    """``at`` says where hosts are; all others are on the public Internet. ``asked`` is what was looked up together."""

    def __init__(self) -> None:
        self.at: dict[str, Sequence[str]] = {}
        self.asked: list[list[str]] = []

    def addresses(self, hosts: Collection[str], *, within: float) -> dict[str, Sequence[str]]:
        self.asked.append(list(hosts))
        found = {host: self.at.get(host, ("8.8.8.8",)) for host in hosts}
        return {host: addresses for host, addresses in found.items() if addresses}


@dataclass(frozen=True)
class Callback:
    """``url`` as it can be told from where it went."""

    url: str
    address: str
    body: bytes
    signature: str

    def json(self) -> Any:
        return json.loads(self.body)


class FakeCallbackSender:
    """Keeps what it takes in ``sent``; raises the errors of ``troubles`` first, one for each callback."""

    def __init__(self) -> None:
        self.sent: list[Callback] = []
        self.troubles: list[Exception] = []

    def post(self, destination: Destination, address: str, body: bytes, *, signature: str) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        url = f"{destination.scheme}://{destination.authority}{destination.target}"
        self.sent.append(Callback(url, address, body, signature))
