"""Names become addresses in bounded time, many of them side by side."""

from __future__ import annotations

import socket
from threading import Barrier, Event

import pytest

from freebusy.adapters.hosts import SystemResolver


def found(*addresses: str):
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]


def test_all_addresses_of_a_name_are_told_once():
    resolver = SystemResolver(getaddrinfo=lambda *_, **__: found("192.0.2.1", "2001:db8::1", "192.0.2.1"))
    assert resolver.addresses(["app.example"], within=30) == {"app.example": ("192.0.2.1", "2001:db8::1")}


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(socket.gaierror(socket.EAI_NONAME, "unknown"), id="no such name"),
        pytest.param(socket.gaierror(socket.EAI_AGAIN, "again"), id="no answer"),
        pytest.param(UnicodeError("label too long"), id="nothing that a name can be"),
    ],
)
def test_what_is_not_found_is_left_out(trouble):
    def look_up(host, *_, **__):
        if host == "gone.example":
            raise trouble
        return found("192.0.2.1")

    resolver = SystemResolver(getaddrinfo=look_up)
    assert set(resolver.addresses(["gone.example", "app.example"], within=30)) == {"app.example"}


def test_names_are_looked_up_side_by_side():
    """Each lookup waits for all the others: one after another, they would wait for ever."""
    together = Barrier(50, timeout=30)
    resolver = SystemResolver(getaddrinfo=lambda *_, **__: (together.wait(), found("192.0.2.1"))[1])
    assert len(resolver.addresses([f"{number}.example" for number in range(50)], within=30)) == 50


def test_nobody_waits_for_a_name_that_takes_too_long():
    let_go = Event()

    def look_up(host, *_, **__):
        if host.startswith("slow"):
            let_go.wait(30)
        return found("192.0.2.1")

    resolver = SystemResolver(getaddrinfo=look_up)
    hosts = ["app.example", *(f"slow-{number}.example" for number in range(200))]
    try:
        assert set(resolver.addresses(hosts, within=0.2)) == {"app.example"}
    finally:
        let_go.set()
    assert set(resolver.addresses(["app.example", "slow-7.example"], within=30)) == {"app.example", "slow-7.example"}


def test_the_operating_systems_own_answer_is_understood():
    assert "127.0.0.1" in SystemResolver().addresses(["localhost"], within=30)["localhost"]
