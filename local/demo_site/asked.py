"""What the page asks of its server, and how the server says no."""

from __future__ import annotations

from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from local.simulators.server import Refusal, Request, Response

SHORTEST, LONGEST = 30, 120
"""Minutes of a meeting, in steps of the shortest."""


def refused(status: int, text: str) -> Refusal:
    """To be raised; the text is for people."""
    return Refusal(Response.of_json({"error": text}, status))


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("not a time zone")
    return name


Moment = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
Zone = Annotated[str, AfterValidator(_known_zone)]
Minutes = Annotated[int, Field(ge=SHORTEST, le=LONGEST, multiple_of=SHORTEST)]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Comment = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WeekAsked(_Asked):
    """``of`` is any day of the week; none is the current one. ``without`` are people who need not come."""

    zone: Zone
    minutes: Minutes
    of: date | None = None
    without: frozenset[str] = frozenset()


class NewMeeting(_Asked):
    title: Title
    start: Moment
    minutes: Minutes
    zone: Zone
    participants: Annotated[frozenset[str], Field(min_length=1)]


class NewTime(_Asked):
    start: Moment
    end: Moment
    zone: Zone

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> NewTime:
        return _ordered(self, self.start, self.end)


class Answered(_Asked):
    """What somebody answers to an invitation."""

    answer: Literal["accept", "decline"]
    comment: Comment = ""

    @property
    def reply(self) -> dict[str, Any]:
        """As the mailbox takes it."""
        return {"partstat": {"accept": "ACCEPTED", "decline": "DECLINED"}[self.answer], "comment": self.comment}


class Proposed(_Asked):
    """Another time that somebody proposes in answer to an invitation."""

    answer: Literal["propose"]
    start: Moment
    end: Moment
    comment: Comment = ""

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Proposed:
        return _ordered(self, self.start, self.end)

    @property
    def reply(self) -> dict[str, Any]:
        counter = {"start": self.start.isoformat(), "end": self.end.isoformat()}
        return {"counter": counter, "comment": self.comment}


Asked = TypeVar("Asked", bound=BaseModel)


def week_asked(request: Request) -> WeekAsked:
    """Raises a refusal."""
    values = {name: given[-1] for name, given in request.parameters.items()}
    return _read(WeekAsked, {**values, "without": request.parameters.get("without", [])})


def body_of(model: type[Asked], request: Request) -> Asked:
    """Raises a refusal."""
    return _read(model, _json(request))


def reply_of(request: Request) -> Answered | Proposed:
    """Raises a refusal."""
    body = _json(request)
    proposes = isinstance(body, dict) and body.get("answer") == "propose"
    return _read(Proposed, body) if proposes else _read(Answered, body)


def _json(request: Request) -> Any:
    try:
        return request.json
    except ValueError:
        raise refused(HTTPStatus.BAD_REQUEST, "The body has to be JSON.") from None


def _read(model: type[Asked], values: Any) -> Asked:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        where = {".".join(map(str, each["loc"])) or "the whole" for each in error.errors()}
        raise refused(HTTPStatus.BAD_REQUEST, f"This cannot be read: {', '.join(sorted(where))}.") from None


def _ordered(asked: Asked, start: datetime, end: datetime) -> Asked:
    if end <= start:
        raise ValueError("the end must be after the start")
    return asked
