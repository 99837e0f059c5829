"""What happens, counted and timed; ``entrypoints.observing`` writes it down when the work is done.

Like the log it is one for the whole process, since a sandbox works on one event at a time. Every set of dimensions is a
metric that is paid for, so their values are a few words that are known beforehand, and never an id, an address or an
application.
"""

from __future__ import annotations

from collections import defaultdict
from enum import StrEnum
from threading import Lock
from typing import Self


class Measure(StrEnum):
    """A metric by its name, with its unit and the names of its dimensions. Shares are 1 for each failure, else 0."""

    unit: str
    dimensions: tuple[str, ...]

    def __new__(cls, name: str, unit: str, *dimensions: str) -> Self:
        measure = str.__new__(cls, name)
        measure._value_ = name
        measure.unit = unit
        measure.dimensions = dimensions
        return measure

    REQUEST_TIME = "RequestTime", "Milliseconds", "Route", "Outcome"  # 2xx, 3xx, 4xx, 5xx
    PROVIDER_TIME = "ProviderTime", "Milliseconds", "Provider"
    PROVIDER_TROUBLE = "ProviderTrouble", "None", "Provider"  # a share
    PROVIDER_FAILURES = "ProviderFailures", "Count", "Provider", "Reason"  # that of the ``ProviderError``
    DISCONNECTIONS = "Disconnections", "Count", "Reason"  # of people: ``Disconnected``
    ORGANIZATIONS_DISCONNECTED = "OrganizationsDisconnected", "Count", "Reason"  # ``Disconnected``
    INVITATIONS = "Invitations", "Count", "Outcome"  # of ``service.invitations``, ``Delivery``; waiting, unreadable
    MAIL_RECEIVED = "MailReceived", "Count", "Outcome"  # counted, ignored, waiting
    WAIT = "Wait", "Seconds", "QueueName"  # how long a message has waited that has to wait again
    CALLBACKS = "Callbacks", "Count", "Outcome"  # delivered, gone, failed, unsigned
    CALLBACK_TROUBLE = "CallbackTrouble", "None"  # a share
    UNOPENED = "Unopened", "Count"  # what was sealed here and does not open
    KEY_AGE = "KeyAge", "None"  # days since a secret of ours at a provider was stored


Dimensions = tuple[tuple[str, str], ...]
Taken = dict[Dimensions, dict[Measure, list[int]]]

_lock = Lock()
_taken: Taken = {}


def take(measure: Measure, *words: str, value: int = 1) -> None:
    """``words`` are the values of the dimensions. Safe to call from any thread."""
    dimensions = tuple(zip(measure.dimensions, words, strict=True))
    with _lock:
        _taken.setdefault(dimensions, defaultdict(list))[measure].append(value)


def taken() -> Taken:
    """All that was measured since the last time that somebody asked."""
    global _taken
    with _lock:
        given, _taken = _taken, {}
    return given
