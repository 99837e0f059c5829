"""What pages say, in the language of whoever reads them: a file of texts for each language, and none in a template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from freebusy.entrypoints.cookies import kept
from freebusy.service.provider_leg import SESSION, trip_of

if TYPE_CHECKING:
    from markupsafe import Markup

DEFAULT = "en"
SOURCES = Path(__file__).parent / "pages" / "languages"

_MOST_RANGES = 20
_TAG = re.compile(r"[A-Za-z0-9]{1,8}([-_][A-Za-z0-9]{1,8}){0,4}")
"""As the tags of the languages that there are; it goes into a cookie."""


@dataclass(eq=False, repr=False)
class Texts:
    """The texts of one language, by the path of their key in its file: ``choose_provider.title``."""

    language: str
    _texts: Mapping[str, Any]

    def __contains__(self, key: str) -> bool:
        return key in self._texts

    def __call__(self, key: str, **values: str) -> Markup:
        """The text with ``values`` filled in. The text is markup; what is filled in is not, and gets escaped."""
        from markupsafe import Markup

        return Markup(self._texts[key]).format(**values)  # noqa: S704 - a text of ours; format escapes the rest

    def each(self, key: str) -> list[Markup]:
        """The texts of a list, as markup."""
        from markupsafe import Markup

        return [Markup(text) for text in self._texts[key]]  # noqa: S704 - a text of ours

    def moment(self, seconds: int) -> Markup:
        """As people read it, "25 November 2026, 13:04 UTC"."""
        moment = datetime.fromtimestamp(seconds, UTC)
        month = self._texts["page.months"][moment.month - 1]
        return self("page.moment", day=str(moment.day), month=month, year=str(moment.year), time=f"{moment:%H:%M}")

    def clock(self, seconds: int) -> Markup:
        """To the second, so that people see that something was done, "13:04:09 UTC"."""
        return self("page.clock", time=f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S}")


def texts_for(event: Mapping[str, Any], source: Path = SOURCES) -> Texts:
    """In the language that the application named, else the browser's first that there is, else English."""
    languages = _languages(source)
    return next((languages[tag] for tag in _wanted(event) if tag in languages), languages[DEFAULT])


def locale_of(event: Mapping[str, Any]) -> str | None:
    """The language that the request names, or the one that its trip began with, which the browser keeps."""
    query = parse_qs(event.get("rawQueryString") or "")
    trips = (kept(event, trip) for trip in _trips(event, query))
    named = [*query.get("locale", []), *(trip.locale for trip in trips if trip)]
    return next((tag for tag in named if _TAG.fullmatch(tag)), None)


def _trips(event: Mapping[str, Any], query: Mapping[str, list[str]]) -> Iterator[str]:
    """Which the request may belong to: one that ends at a callback, an organization's setup, a person's session."""
    handle = (event.get("pathParameters") or {}).get("handle")
    yield from map(trip_of, [*query.get("state", []), *([handle] if handle else [])])
    yield SESSION


def _wanted(event: Mapping[str, Any]) -> Iterator[str]:
    """Language tags, best first, each followed by what it is a variety of: de-ch, de (RFC 4647, 3.4)."""
    named = locale_of(event)
    for tag in [*([named] if named else []), *_accepted(event.get("headers", {}).get("accept-language", ""))]:
        parts = tag.strip().lower().replace("_", "-").split("-")
        yield from ("-".join(parts[:length]) for length in range(len(parts), 0, -1))


def _accepted(header: str) -> list[str]:
    """The ranges of ``Accept-Language`` that are wanted, best first (RFC 9110, 12.5.4)."""
    ranges = [_range(entry) for entry in header.split(",")[:_MOST_RANGES]]
    return [tag for tag, weight in sorted(ranges, key=lambda each: -each[1]) if weight > 0]


def _range(entry: str) -> tuple[str, float]:
    """Whatever has an unreadable weight is not wanted."""
    tag, _, weight = entry.partition(";")
    try:
        return tag.strip(), float(weight.strip().removeprefix("q=") or 1)
    except ValueError:
        return tag.strip(), 0.0


@cache
def _languages(source: Path) -> dict[str, Texts]:
    """By tag in lower case. They are few and small, so that they are read together."""
    import tomllib

    files = sorted(source.glob("*.toml"))
    return {
        file.stem.lower(): Texts(file.stem, dict(_flat(tomllib.loads(file.read_text(encoding="utf-8")))))
        for file in files
    }


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
