"""A day to come, on which the people of the end-to-end tests are busy or meet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

DAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=7)


def at(hour: float, day: datetime = DAY) -> str:
    """That hour of the day, as the contract writes times."""
    return (day + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%SZ")
