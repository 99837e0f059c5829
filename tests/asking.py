"""Availability queries to the real handlers, in hours from the moment at which the tests' clock stands."""

from __future__ import annotations

from typing import Any

from tests.api import Answer, call

SECRET = "client secret"
DAY = {"start": "2027-01-15T08:00:00Z", "end": "2027-01-15T18:00:00Z"}
"""From the hour at which the clock stands, which the tests count from."""


def at(hour: float) -> str:
    """Hours before the first and after the last of the month are not needed."""
    day, minutes = divmod(round((8 + hour) * 60), 24 * 60)
    return f"2027-01-{15 + day:02}T{minutes // 60:02}:{minutes % 60:02}:00Z"


def group(required: Any, *members: Any, **more: Any) -> dict[str, Any]:
    """Members by sub, or as they are sent."""
    listed = [{"sub": member} if isinstance(member, str) else member for member in members]
    return {"required": required, "members": listed, **more}


def query(*groups: Any, **changed: Any) -> dict[str, Any]:
    """Each group is (required, member, …), or as it is sent."""
    return {
        "participants": [each if isinstance(each, dict) else group(*each) for each in groups],
        "required_duration": {"minutes": 60},
        "query_periods": [DAY],
        **changed,
    }


def ask(*groups: Any, bearer: str | None = SECRET, **changed: Any) -> Answer:
    return send("/v1/availability", query(*groups, **changed), bearer=bearer)


def send(path: str, body: Any, *, bearer: str | None = SECRET) -> Answer:
    return call("availability", "POST", path, body=body, bearer=bearer)


def found(answer: Answer, key: str = "available_periods") -> list[tuple[str, str, list[str]]]:
    assert answer.status == 200, answer.body
    return [
        (result["start"], result["end"], [participant["sub"] for participant in result["participants"]])
        for result in answer.json()[key]
    ]


def refused(answer: Answer) -> dict[str, set[str]]:
    """The keys of the errors by path."""
    assert answer.status == 422, answer.body
    return {path: {error["key"] for error in errors} for path, errors in answer.json()["errors"].items()}
