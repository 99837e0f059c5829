import pytest

from freebusy.adapters.dynamodb.managed_availability import managed_availability_item
from freebusy.domain.managed_availability import MOST_AVAILABLE_PERIODS, AvailablePeriod, ManagedAvailability
from tests.api import call
from tests.fakes.clock import NOW
from tests.people import CLIENT_ID, connected

TOKEN = "access token of acc_1"
PERIODS = "/v1/available_periods"
HOUR, DAY = 3600, 86_400
FIRST = {"available_period_id": "first", "start": "2027-01-18T09:00:00Z", "end": "2027-01-18T12:00:00Z"}
SECOND = {"available_period_id": "second", "start": "2027-01-19T23:00:00Z", "end": "2027-01-20T01:00:00Z"}


@pytest.fixture(autouse=True)
def account(sign_in):
    return sign_in(connected(), TOKEN)


def send(method, body=None, *, path=PERIODS, query=(), bearer=TOKEN):
    return call("available_periods", method, path, body=body, query=query, bearer=bearer)


def upsert(*periods):
    for period in periods:
        written = send("POST", period)
        assert (written.status, written.body) == (202, "")


def read(**query):
    return send("GET", {}, query={"from" if name == "start" else name: value for name, value in query.items()}).json()


def store(wired, periods):
    """At once: a request for each would take long."""
    item = managed_availability_item("acc_1", ManagedAvailability(periods=tuple(periods)), CLIENT_ID)
    wired.dynamodb.put_item(TableName=wired.settings.table_name, Item=item)


def ids(**query):
    return [period["available_period_id"] for period in read(**query)["available_periods"]]


def test_periods_are_listed_by_start_without_a_zone():
    upsert(SECOND, FIRST)
    assert read() == {"pages": {"current": 1, "total": 1}, "available_periods": [FIRST, SECOND]}


def test_a_period_of_the_same_id_is_replaced():
    upsert(FIRST, FIRST | {"end": "2027-01-18T13:00:00Z"})
    assert read()["available_periods"] == [FIRST | {"end": "2027-01-18T13:00:00Z"}]


@pytest.mark.parametrize(
    "start",
    [
        pytest.param("2027-01-18 09:00:00Z", id="a space for the T, as C# has it"),
        pytest.param("2027-01-18T10:00:00+01:00", id="with an offset"),
        pytest.param({"time": "2027-01-18T09:00:00Z", "tzid": "Europe/Paris"}, id="with a zone"),
    ],
)
def test_times_are_understood_however_sdks_write_them(start):
    upsert(FIRST | {"start": start, "tzid": "Europe/Paris"})
    assert read()["available_periods"] == [FIRST]


def test_localized_times_carry_offset_and_zone():
    upsert(FIRST)
    (period,) = read(localized_times="true", tzid="Europe/Paris")["available_periods"]
    assert period["start"] == {"time": "2027-01-18T10:00:00+01:00", "tzid": "Europe/Paris"}
    (period,) = read(localized_times="True")["available_periods"]
    assert period["end"] == {"time": "2027-01-18T12:00:00+00:00", "tzid": "Etc/UTC"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({"start": "2027-01-19"}, ["second"], id="those that end before the first day are left out"),
        pytest.param({"to": "2027-01-19"}, ["first"], id="those that begin on the last day or later are left out"),
        pytest.param({"start": "2027-01-20", "to": "2027-01-21"}, ["second"], id="one that began the day before"),
        pytest.param({"start": "2027-01-18T12:00:00Z"}, ["first", "second"], id="one that ends just then"),
        pytest.param({"to": "2027-01-18T09:00:00Z"}, [], id="one that begins just then"),
        pytest.param({"to": "2027-01-18", "tzid": "America/Adak"}, ["first"], id="dates are those of the zone"),
    ],
)
def test_bounds_are_dates_of_the_zone_or_times(query, expected):
    upsert(FIRST, SECOND)
    assert ids(**{"tzid": "Etc/UTC"} | query) == expected


@pytest.mark.parametrize(
    ("query", "field", "key"),
    [
        pytest.param({"start": "2027-01-19"}, "tzid", "errors.required", id="a date needs a zone"),
        pytest.param({"to": "2027-01-19"}, "tzid", "errors.required", id="at either end"),
        pytest.param({"tzid": "Mars/Olympus"}, "tzid", "errors.tzid_unrecognized", id="no such zone"),
        pytest.param({"start": "soon", "tzid": "Etc/UTC"}, "from", "errors.invalid_format", id="no time"),
        pytest.param(
            {"start": "2027-01-19", "to": "2027-01-18", "tzid": "Etc/UTC"},
            "to",
            "errors.invalid_time_pair",
            id="ends before it begins",
        ),
        pytest.param({"localized_times": "maybe"}, "localized_times", "errors.must_be_boolean", id="no boolean"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(query, field, key):
    assert read(**query)["errors"][field][0]["key"] == key


def test_a_long_list_comes_in_pages(wired, sign_in):
    periods = tuple(
        AvailablePeriod(NOW + number * DAY, NOW + number * DAY + HOUR, f"{number}") for number in range(250)
    )
    for period in periods:
        assert wired.managed_availability.save_period("acc_1", period, client_id=CLIENT_ID)
    page = read()
    seen = page["available_periods"]
    while "next_page" in page["pages"]:
        path = page["pages"]["next_page"].removeprefix("https://calendar.example.com")
        # The Node SDK sends the caller's other options again.
        page = send("GET", path=path, query={"tzid": "Etc/UTC"}).json()
        seen = seen + page["available_periods"]
    assert page["pages"]["current"] == page["pages"]["total"] == 3
    assert [each["available_period_id"] for each in seen] == [f"{number}" for number in range(250)]
    sign_in(connected("acc_2"), "token of acc_2")
    assert send("GET", path=path, bearer="token of acc_2").status == 404
    assert send("GET", path=f"{PERIODS}/pages/nonsense").status == 404


def test_one_period_is_deleted_by_its_id():
    upsert(FIRST, SECOND)
    for _ in range(2):
        deleted = send("DELETE", {"available_period_id": "first"})
        assert (deleted.status, deleted.body) == (202, "")
    assert ids() == ["second"]


@pytest.mark.parametrize("everything", [True, "true"])
def test_all_periods_are_deleted_at_once(everything):
    upsert(FIRST, SECOND)
    assert send("DELETE", {"delete_all": everything}).status == 202
    assert ids() == []


@pytest.mark.parametrize(
    ("body", "field", "key"),
    [
        pytest.param({}, "available_period_id", "errors.required", id="nothing"),
        pytest.param({"delete_all": False}, "available_period_id", "errors.required", id="not all"),
        pytest.param(FIRST | {"delete_all": True}, "available_period_id", "errors.required", id="both"),
        pytest.param({"delete_all": "perhaps"}, "delete_all", "errors.must_be_boolean", id="no boolean"),
    ],
)
def test_a_deletion_that_does_not_say_what_is_refused(body, field, key):
    upsert(FIRST)
    refused = send("DELETE", body)
    assert (refused.status, refused.json()["errors"][field][0]["key"]) == (422, key)
    assert ids() == ["first"]


@pytest.mark.parametrize(
    ("changes", "field", "key"),
    [
        pytest.param({"available_period_id": None}, "available_period_id", "errors.required", id="no id"),
        pytest.param({"available_period_id": "ß"}, "available_period_id", "errors.invalid_format", id="not ASCII"),
        pytest.param({"available_period_id": "x" * 65}, "available_period_id", "errors.invalid_format", id="long id"),
        pytest.param({"start": None}, "start", "errors.required", id="no start"),
        pytest.param({"start": "2027-01-18"}, "start", "errors.invalid_format", id="a date"),
        pytest.param({"start": "2027-01-18T09:00:00"}, "start", "errors.invalid_format", id="no offset"),
        pytest.param({"end": "2027-01-18T09:00:00Z"}, "end", "errors.invalid_time_pair", id="no time"),
        pytest.param({"end": "2300-01-01T00:00:00Z"}, "end", "errors.invalid_format", id="beyond every calendar"),
        pytest.param({"tzid": "Mars/Olympus"}, "tzid", "errors.tzid_unrecognized", id="no such zone"),
    ],
)
def test_what_cannot_be_a_period_is_refused(changes, field, key):
    refused = send("POST", FIRST | changes)
    assert (refused.status, {name: each[0]["key"] for name, each in refused.json()["errors"].items()}) == (
        422,
        {field: key},
    )
    assert ids() == []


class TestFull:
    @pytest.fixture
    def fill(self, wired):
        def filled(start):
            numbers = range(MOST_AVAILABLE_PERIODS)
            store(wired, (AvailablePeriod(start + number, start + number + HOUR, f"{number}") for number in numbers))

        return filled

    def test_one_period_too_many_is_refused(self, fill):
        fill(NOW)
        refused = send("POST", FIRST)
        assert (refused.status, refused.json()["errors"]["available_period_id"][0]["key"]) == (422, "errors.too_many")
        upsert(FIRST | {"available_period_id": "7"})

    def test_periods_of_long_ago_make_room(self, fill):
        fill(NOW - 50 * DAY)
        upsert(FIRST)
        assert ids(start="2027-01-15", tzid="Etc/UTC") == ["first"]


def test_periods_are_their_accounts_alone(sign_in):
    sign_in(connected("acc_2"), "token of acc_2")
    upsert(FIRST)
    assert send("GET", bearer="token of acc_2").json()["available_periods"] == []
    send("DELETE", {"delete_all": True}, bearer="token of acc_2")
    assert ids() == ["first"]


@pytest.mark.parametrize(("scope", "status"), [("free_busy", 202), ("read_free_busy", 202), ("read_account", 403)])
def test_whoever_may_read_free_busy_may_write_periods(sign_in, scope, status):
    sign_in(connected("acc_3", scope=scope), "token of acc_3")
    assert send("POST", FIRST, bearer="token of acc_3").status == status


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_nobody_else_gets_in(method):
    assert send(method, FIRST, bearer=None).status == 401
    assert send(method, FIRST, bearer="guessed").status == 401
