import re
import tomllib
from types import SimpleNamespace

import pytest

from freebusy.entrypoints import http
from freebusy.entrypoints.languages import DEFAULT, SOURCES, _flat, texts_for
from freebusy.service.provider_leg import trip_of


@pytest.fixture
def languages(tmp_path):
    """English, German, and the Portuguese of Brazil."""
    for tag, hello in {"en": "Hello", "de": "Hallo", "pt-BR": "Oi"}.items():
        text = f'hello = "{hello} <em>{{name}}</em>"\n[page]\nclock = "{{time}}"\n'
        (tmp_path / f"{tag}.toml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        pytest.param("", None, "en", id="nothing is asked for"),
        pytest.param("", "de", "de", id="the browser's language"),
        pytest.param("", "de-CH", "de", id="a variety of one that there is"),
        pytest.param("", "pt-br", "pt-BR", id="a variety that there is"),
        pytest.param("", "pt", "en", id="only a variety of it exists"),
        pytest.param("", "fr, de;q=0.8, en;q=0.9", "en", id="the best that there is"),
        pytest.param("", "fr;q=1.0,de;q=0.8,en;q=0.7", "de", id="weights"),
        pytest.param("", "de;q=0, fr", "en", id="one that is not wanted"),
        pytest.param("", "*", "en", id="any"),
        pytest.param("", "de;q=much", "en", id="no weight"),
        pytest.param("", ",;q=,;;", "en", id="nonsense"),
        pytest.param("locale=de", "en", "de", id="the application goes before the browser"),
        pytest.param("locale=de_AT", None, "de", id="as programs spell it"),
        pytest.param("locale=fr", "de", "de", id="the application's is not there"),
        pytest.param("locale=..%2Fen", None, "en", id="a path"),
        pytest.param("locale=", "de", "de", id="an empty one"),
    ],
)
def test_the_language_is_the_one_that_was_asked_for(languages, query, accepted, language):
    event = {"rawQueryString": query, "headers": {"accept-language": accepted} if accepted else {}}
    assert texts_for(event, languages).language == language


TRIP, SETUP, SESSION = (f"__Host-freebusy-{name}" for name in (trip_of("s1"), trip_of("h1"), "connections"))


@pytest.mark.parametrize(
    ("cookies", "language"),
    [
        pytest.param([f"{TRIP}=secret.de"], "de", id="that of the trip that comes back"),
        pytest.param([f"{SETUP}=secret.de"], "de", id="that of the setup that is looked at"),
        pytest.param([f"{SESSION}=handle.de"], "de", id="that of the session"),
        pytest.param([f"{SESSION}=handle.de", f"{TRIP}=secret.pt-BR"], "pt-BR", id="a trip goes before a session"),
        pytest.param([f"{TRIP}=secret"], "en", id="none was named"),
        pytest.param([f"{TRIP}=secret.../de"], "en", id="nonsense"),
        pytest.param([f"__Host-freebusy-{trip_of('s2')}=secret.de"], "en", id="that of another trip"),
        pytest.param(["other=de"], "en", id="a cookie that is not ours"),
    ],
)
def test_the_language_of_a_trip_is_kept_by_the_browser(languages, monkeypatch, cookies, language):
    monkeypatch.setattr(http, "settings", lambda: SimpleNamespace(public_url="https://calendar.example.com"))
    event = {"rawQueryString": "state=s1", "pathParameters": {"handle": "h1"}, "headers": {}, "cookies": cookies}
    assert texts_for(event, languages).language == language
    assert texts_for(event | {"rawQueryString": "state=s1&locale=en"}, languages).language == "en"


def test_what_is_filled_in_is_text_and_no_markup(languages):
    assert texts_for({}, languages)("hello", name="<b>") == "Hello <em>&lt;b&gt;</em>"


def keys(file):
    return dict(_flat(tomllib.loads(file.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("file", sorted(SOURCES.glob("*.toml")), ids=lambda file: file.stem)
class TestEveryLanguage:
    def test_says_all_that_there_is_to_say(self, file):
        assert keys(file).keys() == keys(SOURCES / f"{DEFAULT}.toml").keys()

    def test_fills_in_the_same(self, file):
        def filled(texts):
            return {key: sorted(re.findall(r"\{\w*\}", str(text))) for key, text in texts.items()}

        assert filled(keys(file)) == filled(keys(SOURCES / f"{DEFAULT}.toml"))

    def test_has_no_markup_but_emphasis(self, file):
        """Nor quotes, since texts stand in attributes, too."""
        for text in keys(file).values():
            for each in text if isinstance(text, list) else [text]:
                left = re.sub(r"</?(?:strong|em|code)>|&amp;", "", each)
                assert not re.search(r'[<>&"]', left), each


def used():
    """The keys that templates name outright."""
    for template in SOURCES.parent.glob("*.html"):
        yield from re.findall(r'\bt(?:\.each)?\("([\w.]+)"[,)]', template.read_text(encoding="utf-8"))


NO_TEXT = re.compile(r"\{% set commands.*?endset|\{% block main_class.*?endblock|\{[{%#].*?[#%}]\}|<[^>]*>", re.DOTALL)


def test_templates_say_nothing_themselves():
    for template in SOURCES.parent.glob("*.html"):
        text = NO_TEXT.sub("", template.read_text(encoding="utf-8"))
        assert not re.findall(r"[A-Za-z]{2,}", text), template.name


def test_every_text_is_used_and_every_key_is_there():
    texts = keys(SOURCES / f"{DEFAULT}.toml")
    chosen_at_run_time = (
        *("message.", "setup_google.trouble.", "setup_google.doubt.", "setup_microsoft.trouble."),
        *("connections.state.", "connections.about."),
    )
    in_code = {"page.months", "page.moment", "page.clock"}
    named = set(used()) | in_code
    assert named <= texts.keys()
    assert {key for key in texts.keys() - named if not key.startswith(chosen_at_run_time)} == set()
