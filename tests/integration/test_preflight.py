import pytest

from freebusy.domain.errors import StorageUnavailable
from freebusy.settings import settings
from tests.api import call
from tests.browsers import FRONT_END_ORIGIN

pytestmark = pytest.mark.usefixtures("deployment")

PATHS = ["/v1/availability", "/oauth/token", "/v1/profiles/pro_1/revoke", "/"]


def ask(origin, path="/v1/availability"):
    headers = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
    return call("preflight", "OPTIONS", path, headers={**headers, **({"origin": origin} if origin else {})})


def permissions(answer):
    return {name: value for name, value in answer.headers.items() if name.startswith("Access-Control-")}


@pytest.mark.parametrize("path", PATHS)
def test_a_front_end_may_call_from_its_own_origin(path):
    answer = ask(FRONT_END_ORIGIN, path)
    assert (answer.status, answer.body) == (204, "")
    assert permissions(answer) == {
        "Access-Control-Allow-Origin": FRONT_END_ORIGIN,
        "Access-Control-Allow-Methods": "GET, POST, DELETE",
        "Access-Control-Allow-Headers": "authorization, content-type, idempotency-key",
        "Access-Control-Max-Age": "600",
    }
    assert answer.headers["Vary"] == "Origin"


def test_so_may_the_origins_that_the_operator_lists(monkeypatch):
    monkeypatch.setenv("ALLOWED_ORIGINS", "https://one.example https://two.example")
    settings.cache_clear()
    assert permissions(ask("https://two.example"))["Access-Control-Allow-Origin"] == "https://two.example"


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "*",
        "https://evil.example",
        f"{FRONT_END_ORIGIN}.evil.example",
        f"{FRONT_END_ORIGIN}/",
        FRONT_END_ORIGIN.replace("https", "http"),
        FRONT_END_ORIGIN.upper(),
        "x" * 5000,
        "\0",
        "https://é.example",
    ],
)
def test_nobody_else_may(origin):
    answer = ask(origin)
    assert answer.status == 204
    assert permissions(answer) == {}


def test_cookies_are_never_allowed():
    assert "Access-Control-Allow-Credentials" not in ask(FRONT_END_ORIGIN).headers


def test_an_origin_that_is_no_longer_listed_may_not_call(deployment):
    registry = deployment.wired.applications
    application = registry.find("front-end")
    assert registry.change(application, application._replace(origins=()))
    assert permissions(ask(FRONT_END_ORIGIN)) == {}


def test_while_the_table_does_not_answer_nobody_may_call_but_answers_still_come(deployment, monkeypatch):
    def throttled(_):
        raise StorageUnavailable("throttled")

    monkeypatch.setattr(deployment.wired.applications, "with_origin", throttled)
    assert permissions(ask(FRONT_END_ORIGIN)) == {}
    read = call("token", "GET", "/.well-known/oauth-authorization-server", headers={"origin": FRONT_END_ORIGIN})
    assert read.status == 200
    assert permissions(read) == {}
