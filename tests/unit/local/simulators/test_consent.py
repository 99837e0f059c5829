"""The consent screens: what a person can do there, and what a client must have said before."""

import re
from html.parser import HTMLParser
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

FREE_BUSY_SCOPE = "https://www.googleapis.com/auth/calendar.freebusy"


class Form(HTMLParser):
    """What a browser would send."""

    def __init__(self, page):
        super().__init__()
        self.fields = []
        self.labels = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "input":
            self.fields.append(given)

    def sent(self, *, unticked=(), typed="", pick=None):
        chosen = {
            "hidden": lambda _: True,
            "email": lambda _: True,
            "checkbox": lambda field: "checked" in field and field["value"] not in unticked,
            "radio": lambda field: field["value"] == pick if pick else "checked" in field,
        }
        return [(field["name"], field.get("value", typed)) for field in self.fields if chosen[field["type"]](field)]


def submitted(caller, page, **choices):
    answer = caller.get(caller.authorize_path, params=Form(page.text).sent(**choices))
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def test_the_screen_is_a_page_without_scripts(provider):
    page = provider.authorize()

    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_known_person_is_chosen_by_clicking(provider):
    provider.put_person("ana@example.com")
    provider.put_person("ben@example.com")

    answer = submitted(provider, provider.authorize(), pick="ben@example.com")

    assert provider.exchange(answer["code"]).status_code == 200
    assert answer["state"] == "state of ours"


def test_the_hinted_person_is_chosen_already(provider):
    provider.put_person("ana@example.com")
    provider.put_person("ben@example.com")

    form = Form(provider.authorize(login_hint="ben@example.com").text)

    assert ("sim_user", "ben@example.com") in form.sent()
    assert ("sim_user", "ana@example.com") not in form.sent()


def test_a_typed_address_wins_over_a_chosen_one(provider):
    provider.put_person("ana@example.com")

    submitted(provider, provider.authorize(), typed="New.Person@Example.com")

    assert [person["email"] for person in provider.get("/sim/users").json()] == [
        "ana@example.com",
        "new.person@example.com",
    ]


def test_somebody_new_exists_from_then_on_and_is_free_all_day(provider):
    provider.connect("new@example.com")

    person = provider.get("/sim/users/new@example.com").json()
    assert person["busy"] == []
    assert person["exists"] is True


def test_an_address_that_is_none_gets_a_page(provider):
    answer = provider.authorize(sim_user="nobody")

    assert answer.status_code == 400
    assert "not an e-mail address" in answer.text


def test_what_is_shown_is_escaped(provider):
    assert "<b>" not in provider.authorize(state="<b>").text
    assert "&lt;b&gt;" in provider.authorize(state="<b>").text


def test_the_calendar_box_can_be_unticked_at_google(google):
    answer = submitted(google, google.authorize(), typed="ana@example.com", unticked=[FREE_BUSY_SCOPE])

    assert FREE_BUSY_SCOPE not in answer["scope"].split()
    granted = google.exchange(answer["code"]).json()["scope"].split()
    assert sorted(granted) == ["https://www.googleapis.com/auth/userinfo.email", "openid"]


def test_microsoft_asks_for_all_or_nothing(microsoft):
    assert 'type="checkbox"' not in microsoft.authorize().text


def test_google_sends_back_code_state_scope_and_issuer(google):
    answer = google.sent_back(sim_user="ana@example.com")

    assert answer["kept"] == "yes"  # a query of the redirect URI's own
    assert answer["state"] == "state of ours"
    assert answer["iss"] == "https://accounts.google.com"
    assert answer["authuser"] == "0"
    assert answer["hd"] == "example.com"
    assert answer["code"].startswith("4/0A")
    assert {"openid", "email", FREE_BUSY_SCOPE} <= set(answer["scope"].split())


def test_microsoft_sends_back_code_state_and_session_state(microsoft):
    answer = microsoft.sent_back(sim_user="ana@example.com")

    assert answer.keys() == {"kept", "code", "state", "session_state"}
    assert answer["state"] == "state of ours"


def test_microsoft_answers_in_the_fragment_when_asked_to(microsoft):
    location = urlsplit(microsoft.authorize(sim_user="ana@example.com", response_mode="fragment").headers["location"])

    assert location.query == "kept=yes"
    assert parse_qs(location.fragment).keys() == {"code", "state", "session_state"}


def test_a_refusal_is_told_to_the_client(provider):
    answer = provider.sent_back(sim_deny="access_denied")

    assert answer["error"] == "access_denied"
    assert answer["state"] == "state of ours"
    assert "code" not in answer


def test_microsoft_explains_a_refusal(microsoft):
    answer = microsoft.sent_back(sim_deny="access_denied")

    assert answer["error_description"].startswith("AADSTS65004: ")
    assert answer["error_subcode"] == "cancel"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param({"client_id": "somebody-else"}, "invalid_client", id="another client"),
        pytest.param({"client_id": None}, "client_id", id="no client"),
        pytest.param({"redirect_uri": None}, "redirect_uri", id="no redirect URI"),
        pytest.param({"redirect_uri": "/callback"}, "redirect_uri_mismatch", id="a relative redirect URI"),
        pytest.param({"redirect_uri": "http://a.example/#here"}, "redirect_uri_mismatch", id="a fragment"),
        pytest.param({"response_type": None}, "response_type", id="no response type"),
        pytest.param({"response_type": "token"}, "unsupported_response_type", id="the implicit flow"),
        pytest.param({"scope": None}, "scope", id="no scope"),
        pytest.param({"scope": "openid calendar"}, "invalid_scope", id="a scope that does not exist"),
        pytest.param({"scope": ["openid", "email"]}, "more than once", id="a parameter twice"),
        pytest.param({"access_type": "always"}, "access_type", id="an unknown access type"),
        pytest.param({"prompt": "login"}, "prompt", id="a prompt of Microsoft's"),
        pytest.param({"code_challenge_method": "S512"}, "code_challenge_method", id="an unknown challenge method"),
        pytest.param({"code_challenge": "short"}, "code_challenge", id="a challenge that is too short"),
    ],
)
def test_google_shows_mistakes_of_the_client_to_the_person(google, changed, said):
    answer = google.authorize(sim_user="ana@example.com", **changed)

    assert answer.status_code == 400
    assert said in answer.text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param({"client_id": "somebody-else"}, "AADSTS700016", id="another client"),
        pytest.param({"redirect_uri": None}, "AADSTS900971", id="no redirect URI"),
        pytest.param({"response_mode": "form_post"}, "AADSTS70007", id="a mode that would need a script"),
    ],
)
def test_microsoft_does_not_redirect_to_what_it_cannot_trust(microsoft, changed, said):
    answer = microsoft.authorize(sim_user="ana@example.com", **changed)

    assert answer.status_code == 400
    assert said in answer.text


@pytest.mark.parametrize(
    ("changed", "error", "code"),
    [
        pytest.param({"response_type": "token"}, "unsupported_response_type", 70005, id="the implicit flow"),
        pytest.param({"response_type": None}, "invalid_request", 900144, id="no response type"),
        pytest.param({"scope": None}, "invalid_request", 900144, id="no scope"),
        pytest.param({"scope": "openid Calendars.Guess"}, "invalid_client", 650053, id="a scope that does not exist"),
        pytest.param({"state": ["a", "b"]}, "invalid_request", 9000411, id="a parameter twice"),
        pytest.param({"code_challenge": "short"}, "invalid_request", 501491, id="a challenge that is too short"),
        pytest.param({"code_challenge_method": "S512"}, "invalid_request", 501491, id="an unknown challenge method"),
    ],
)
def test_microsoft_tells_the_client_of_other_mistakes(microsoft, changed, error, code):
    answer = microsoft.sent_back(sim_user="ana@example.com", **changed)

    assert answer["error"] == error
    assert answer["error_description"].startswith(f"AADSTS{code}: ")


def test_a_tenant_admits_its_own_people_only(microsoft):
    microsoft.authorize_path = "/example.com/oauth2/v2.0/authorize"

    assert "code" in microsoft.sent_back(sim_user="ana@example.com")
    assert "AADSTS50020" in microsoft.authorize(sim_user="ana@example.org").text


def test_a_tenant_that_cannot_be_is_not_found(microsoft):
    microsoft.authorize_path = "/nonsense/oauth2/v2.0/authorize"

    assert microsoft.authorize(sim_user="ana@example.com").json()["error_codes"] == [90002]


def test_enter_allows(provider):
    """A browser presses the first button of a form when the Enter key is hit."""
    first = re.search(r"<button[^>]*>([^<]*)", provider.authorize().text)

    assert first[1] == "Allow"
