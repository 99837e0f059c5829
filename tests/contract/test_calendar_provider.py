"""What every calendar provider promises (``ports.CalendarProvider``), whichever it is."""

from __future__ import annotations

import base64
import contextlib
import hmac
import itertools
import json
import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from freebusy.domain.errors import (
    AccessTokenRejected,
    CalendarUnreadable,
    ConsentIncomplete,
    ConsentRefused,
    CredentialRevoked,
    IdentityRejected,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.domain.free_busy import FreeBusyPeriod, Period
from tests.fakes.clock import NOW
from tests.provider_harness import (
    CANARY,
    CLIENT_ID,
    CREDENTIAL,
    DAY,
    HARNESSES,
    JUNK,
    NONCE,
    FakeTime,
    Harness,
    busy,
    form_of,
    paths_of,
    replaced,
    signing_key,
    told,
)

HOUR = 3600
EIGHT_MONTHS = 241


def named(harness):
    return harness.__name__.removesuffix("Harness")


@pytest.fixture(params=HARNESSES, ids=named)
def upstream(request) -> Harness:
    return request.param()


@pytest.fixture(params=[harness for harness in HARNESSES if harness.signs_in], ids=named)
def signing_in(request) -> Harness:
    """A provider that says who signed in by an id_token."""
    return request.param()


@pytest.fixture
def seam(upstream):
    """Where the first piece of a long window ends."""
    return upstream.beginning + 60 * 86400


def authorization_url(upstream):
    return upstream.provider.authorization_url(
        redirect_uri="https://us.example/callback", state="state-1", nonce=NONCE, code_challenge="challenge-1"
    )


# --- The consent screen --------------------------------------------------------------------------------


def test_consent_is_asked_for_identity_and_free_busy_and_for_nothing_more(upstream):
    query = parse_qs(urlsplit(authorization_url(upstream)).query)
    assert set(query["scope"][0].split()) == upstream.scopes


def test_the_round_trip_is_bound_by_state_and_redirect_uri(upstream):
    url = urlsplit(authorization_url(upstream))
    query = {name: values for name, values in parse_qs(url.query).items() if name != "scope"}
    assert url.scheme == "https"
    assert url.hostname in upstream.hosts
    assert query["response_type"] == ["code"]
    assert query["client_id"] == [CLIENT_ID]
    assert query["redirect_uri"] == ["https://us.example/callback"]
    assert query["state"] == ["state-1"]


def test_who_signs_in_is_bound_by_nonce_and_pkce(signing_in):
    query = parse_qs(urlsplit(authorization_url(signing_in)).query)
    assert query["nonce"] == [NONCE]
    assert query["code_challenge"] == ["challenge-1"]
    assert query["code_challenge_method"] == ["S256"]
    signing_in.exchange()
    assert form_of(signing_in.asked(signing_in.token_path)[0])["code_verifier"] == "verifier-1"


def test_everything_goes_to_the_providers_own_hosts_over_tls(upstream):
    upstream.exchange()
    upstream.refresh()
    upstream.free_busy()
    assert {request.url.scheme for request in upstream.requests} == {"https"}
    assert {request.url.host for request in upstream.requests} <= upstream.hosts


@pytest.mark.parametrize("harness", HARNESSES)
def test_an_origin_stands_in_for_every_host_and_leaves_the_paths(harness):
    upstream, real = harness("http://127.0.0.1:8081/"), harness()
    for each in (upstream, real):
        each.exchange()
        each.free_busy()
    here = urlsplit(authorization_url(upstream))
    assert (here.scheme, here.netloc) == ("http", "127.0.0.1:8081")
    assert here.path == urlsplit(authorization_url(real)).path
    assert {(request.url.scheme, request.url.netloc) for request in upstream.requests} == {("http", b"127.0.0.1:8081")}
    assert [request.url.path for request in upstream.requests] == [request.url.path for request in real.requests]


# --- A code for an identity and a credential --------------------------------------------------------------


def test_a_code_is_exchanged_for_identity_and_credential(upstream):
    identity, credential = upstream.exchange()
    assert (identity.subject, identity.email) == (upstream.subject, upstream.email)
    assert credential.access_token == "access-2"
    assert credential.refresh_token == "refresh-2"
    assert credential.expires_at == NOW + 3599
    form = form_of(upstream.asked(upstream.token_path)[0])
    assert (
        form.items()
        >= {
            "grant_type": "authorization_code",
            "code": "code-1",
            "redirect_uri": "https://us.example/callback",
            "client_id": CLIENT_ID,
            "client_secret": "secret-1",
        }.items()
    )


FORGERIES = {
    "another sign-in's nonce": {"nonce": "nonce-of-another-sign-in"},
    "no nonce": {"nonce": None},
    "several nonces": {"nonce": ["x", "y"]},
    "another application's token": {"aud": "another-client-id"},
    "shared with another application": {"aud": [CLIENT_ID, "another-client-id"]},
    "no audience": {"aud": None},
    "another issuer": {"iss": "https://accounts.example.com"},
    "no issuer": {"iss": None},
    "expired": {"exp": NOW - 61},
    "without end": {"exp": None},
    "an end that is no number": {"exp": "tomorrow"},
    "issued in the future": {"iat": NOW + 61},
    "issued at no time": {"iat": None},
    "nobody": {"sub": None},
    "somebody who is a number": {"sub": 7},
    "signed by a key that is not published": {"key": "key-2", "header": {"alg": "RS256", "kid": "key-2"}},
    "signed by another key of the same name": {"key": "key-2"},
    "no key named": {"header": {"alg": "RS256"}},
    "signed by the right key in a way we did not ask for": {"header": {"alg": "PS256", "kid": "key-1"}},
}


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("changes", [pytest.param(each, id=name) for name, each in FORGERIES.items()])
def test_an_id_token_that_does_not_check_out_is_rejected(signing_in, changes):
    signing_in.usual_tokens = signing_in.tokens(id_token=signing_in.id_token(**changes))
    with pytest.raises(IdentityRejected):
        signing_in.exchange()


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def header(algorithm: str) -> str:
    return base64url(json.dumps({"alg": algorithm, "kid": "key-1"}).encode())


def unsigned(upstream):
    payload = upstream.id_token().split(".")[1]
    return f"{header('none')}.{payload}."


def signed_with_the_public_key_as_a_shared_secret(upstream):
    payload = upstream.id_token().split(".")[1]
    signed = f"{header('HS256')}.{payload}"
    mac = hmac.digest(signing_key("key-1").as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64url(mac)}"


def cut_off(upstream):
    return upstream.id_token().rpartition(".")[0] + "."


def changed(upstream):
    return upstream.id_token()[:-8] + "AAAAAAAA"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(unsigned, id="unsigned"),
        pytest.param(signed_with_the_public_key_as_a_shared_secret, id="public key as a shared secret"),
        pytest.param(changed, id="signature changed"),
        pytest.param(cut_off, id="signature missing"),
        pytest.param("a.b.c", id="three letters"),
        pytest.param("not a token", id="no token at all"),
        pytest.param("\U0001f600.é.", id="not ASCII"),
        pytest.param("x" * 200_000, id="enormous"),
        pytest.param("W10.W10.W10", id="lists instead of objects"),
        pytest.param(None, id="missing"),
    ],
)
def test_what_is_no_id_token_is_rejected(signing_in, token):
    signing_in.usual_tokens = signing_in.tokens(id_token=token(signing_in) if callable(token) else token)
    with pytest.raises(IdentityRejected):
        signing_in.exchange()


def test_clocks_may_differ_a_little(signing_in):
    for changes in ({"exp": NOW - 30}, {"iat": NOW + 30}):
        signing_in.token_replies.append(signing_in.tokens(id_token=signing_in.id_token(**changes)))
        assert signing_in.exchange()[0].subject == signing_in.subject


def test_the_providers_keys_are_fetched_once_for_many_sign_ins(signing_in):
    signing_in.exchange()
    signing_in.exchange()
    assert len(signing_in.asked(signing_in.keys_path)) == 1


def test_a_new_key_is_looked_up_once_when_a_token_names_it(signing_in):
    signing_in.exchange()
    signing_in.published = [signing_key("key-2")]
    signing_in.usual_tokens = signing_in.tokens(
        id_token=signing_in.id_token(key="key-2", header={"alg": "RS256", "kid": "key-2"})
    )
    assert signing_in.exchange()[0].subject == signing_in.subject
    assert len(signing_in.asked(signing_in.keys_path)) == 2


@pytest.mark.parametrize("time", ["elapsed", "frozen"])
def test_a_withdrawn_key_is_not_believed_for_ever(signing_in, time):
    signing_in.exchange()
    signing_in.published = [signing_key("key-2")]
    setattr(signing_in.time, time, 6.0 * HOUR)
    signing_in.usual_tokens = signing_in.tokens(id_token=signing_in.id_token(iat=NOW, exp=NOW + 86400))
    with pytest.raises(IdentityRejected):
        signing_in.exchange()


@pytest.mark.parametrize(
    "keys",
    [
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"keys": {}}),
        httpx.Response(200, json={"keys": [{"kty": "RSA", "kid": "key-1", "n": 5, "e": []}]}),
        httpx.Response(404),
        httpx.Response(302, headers={"location": "https://elsewhere.example/keys"}),
    ],
    ids=["a page", "nothing", "no list", "broken keys", "gone", "moved"],
)
def test_without_the_providers_keys_nobody_is_let_in(signing_in, keys):
    signing_in.keys_replies.append(keys)
    with pytest.raises(ProviderUnavailable):
        signing_in.exchange()


def test_keys_of_other_kinds_are_passed_over(signing_in):
    strange = [
        {"kty": "AKP", "kid": "pq-1"},
        "a word",
        {"kty": "RSA", "kid": 7},
        {"kty": "RSA", "kid": "e", "use": "enc"},
    ]
    good = signing_key("key-1").as_dict(private=False)
    signing_in.keys_replies.append(httpx.Response(200, json={"keys": [*strange, good]}))
    assert signing_in.exchange()[0].subject == signing_in.subject


def test_a_consent_without_the_calendar_permission_is_incomplete(upstream):
    upstream.usual_tokens = upstream.tokens(scope="openid email profile")
    with pytest.raises(ConsentIncomplete):
        upstream.exchange()


def test_a_consent_without_lasting_access_is_incomplete(upstream):
    upstream.usual_tokens = upstream.tokens(refresh_token=None)
    with pytest.raises(ConsentIncomplete):
        upstream.exchange()


def test_an_answer_that_names_no_scope_granted_what_was_asked(upstream):
    upstream.usual_tokens = upstream.tokens(scope=None)
    assert upstream.exchange()[0].subject == upstream.subject


def test_an_unknown_code_is_told_apart_from_a_refused_consent(upstream):
    upstream.token_replies.append(httpx.Response(400, json={"error": "invalid_grant"}))
    with pytest.raises(CredentialRevoked):
        upstream.exchange()
    upstream.token_replies.append(httpx.Response(403, json={"error": "access_denied"}))
    with pytest.raises(ConsentRefused):
        upstream.exchange()


def test_no_credential_shows_in_what_is_printed(upstream):
    assert "access-2" not in repr(upstream.exchange())
    assert "refresh-2" not in repr(upstream.exchange())


# --- Refreshing ------------------------------------------------------------------------------------------


def test_a_refresh_gives_a_new_access_token(upstream):
    renewed = upstream.refresh()
    assert (renewed.access_token, renewed.expires_at) == ("access-2", NOW + 3599)
    form = form_of(upstream.asked(upstream.token_path)[0])
    assert form["grant_type"] == "refresh_token"
    assert form["refresh_token"] == CREDENTIAL.refresh_token


def test_the_stored_refresh_token_is_kept_unless_a_new_one_comes(upstream):
    assert upstream.refresh().refresh_token == "refresh-2"
    upstream.usual_tokens = upstream.tokens(refresh_token=None)
    assert upstream.refresh().refresh_token == CREDENTIAL.refresh_token


def test_a_dead_refresh_token_means_that_the_credential_is_revoked(upstream):
    upstream.usual_tokens = httpx.Response(400, json=upstream.dead_refresh_token)
    with pytest.raises(CredentialRevoked):
        upstream.refresh()
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("error", ["interaction_required", "consent_required", "login_required", "access_denied"])
def test_what_only_the_person_can_mend_means_that_the_credential_is_revoked(upstream, error):
    upstream.usual_tokens = httpx.Response(400, json={"error": error})
    with pytest.raises(CredentialRevoked):
        upstream.refresh()


def test_a_withdrawn_calendar_permission_means_that_the_credential_is_revoked(upstream):
    upstream.usual_tokens = upstream.tokens(scope="openid email")
    with pytest.raises(CredentialRevoked):
        upstream.refresh()


def test_a_wrong_client_secret_is_the_operators_business_after_one_fresh_look(upstream):
    upstream.usual_tokens = httpx.Response(401, json=upstream.wrong_secret)
    for call in (upstream.refresh, upstream.exchange):
        upstream.requests.clear()
        with pytest.raises(ProviderMisconfigured):
            call()
        assert len(upstream.requests) == 2


def test_a_renewed_client_secret_is_picked_up(upstream):
    upstream.registration.current = replace(upstream.registration.current, client_secret="secret-2")
    upstream.token_replies.append(httpx.Response(401, json=upstream.wrong_secret))
    assert upstream.refresh().access_token == "access-2"
    assert [form_of(request)["client_secret"] for request in upstream.asked(upstream.token_path)] == [
        "secret-1",
        "secret-2",
    ]


@pytest.mark.parametrize("error", ["unauthorized_client", "invalid_request", "invalid_scope", "redirect_uri_mismatch"])
def test_our_own_mistakes_disconnect_nobody(upstream, error):
    upstream.usual_tokens = httpx.Response(400, json={"error": error})
    with pytest.raises(ProviderMisconfigured):
        upstream.refresh()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.Response(400, json={"error": "something_new"}), id="an error we do not know"),
        pytest.param(httpx.Response(400, json={"error": {"code": "invalid_grant"}}), id="an error of another shape"),
        pytest.param(httpx.Response(400, json=["invalid_grant"]), id="a list"),
        pytest.param(httpx.Response(400, text="invalid_grant"), id="not JSON"),
        pytest.param(httpx.Response(400, json={"error_description": "invalid_grant"}), id="only a text"),
        pytest.param(httpx.Response(403), id="nothing"),
        pytest.param(httpx.Response(302, headers={"location": "https://elsewhere.example"}), id="a redirect"),
        pytest.param(httpx.Response(200, text="<html>"), id="a page"),
        pytest.param(httpx.Response(200, json={}), id="no token"),
        pytest.param(httpx.Response(204), id="no content"),
    ],
)
def test_what_the_token_endpoint_never_said_disconnects_nobody(upstream, answer):
    upstream.usual_tokens = answer
    with pytest.raises(ProviderUnavailable):
        upstream.refresh()


@pytest.mark.parametrize(
    "changes",
    [
        {"access_token": 7},
        {"access_token": ""},
        {"access_token": "line\r\nbreak:x"},
        {"access_token": "two words"},
        {"access_token": "ключ"},
        {"access_token": None},
        {"expires_in": "soon"},
        {"expires_in": None},
        {"refresh_token": ["refresh-2"]},
        {"scope": 7},
    ],
    ids=str,
)
def test_a_grant_of_the_wrong_shape_is_no_grant(upstream, changes):
    upstream.usual_tokens = upstream.tokens(**changes)
    with pytest.raises(ProviderUnavailable):
        upstream.refresh()


@pytest.mark.parametrize(("told", "kept"), [(-5, 0), (10**30, 86400)], ids=["already over", "for ever"])
def test_a_lifetime_is_kept_within_reason(upstream, told, kept):
    upstream.usual_tokens = upstream.tokens(expires_in=told)
    assert upstream.refresh().expires_at == NOW + kept


@pytest.mark.parametrize("error", ["temporarily_unavailable", "server_error"])
def test_a_token_endpoint_that_is_away_for_a_moment_is_asked_again(upstream, error):
    upstream.token_replies.append(httpx.Response(400, json={"error": error}))
    assert upstream.refresh().access_token == "access-2"
    upstream.usual_tokens = httpx.Response(400, json={"error": error})
    with pytest.raises(ProviderUnavailable):
        upstream.refresh()


# --- Free/busy ---------------------------------------------------------------------------------------------


def test_free_busy_is_times_and_status_sorted_by_start(upstream):
    late, early = busy(NOW + 5 * HOUR, NOW + 6 * HOUR), busy(NOW + HOUR, NOW + 2 * HOUR)
    upstream.usual_busy = upstream.periods(late, early)
    assert upstream.free_busy() == [early, late]


def test_a_calendar_without_periods_is_free(upstream):
    assert upstream.free_busy() == []


def test_the_access_token_is_sent_to_the_calendar_alone(upstream):
    upstream.free_busy()
    upstream.exchange()
    with_token = [request for request in upstream.requests if "authorization" in request.headers]
    assert {request.url.path for request in with_token} <= {upstream.busy_path, "/v1/userinfo"}
    assert {request.headers["authorization"] for request in with_token} == {"Bearer access-1"}


@pytest.mark.parametrize("harness", HARNESSES)
def test_a_calendar_that_could_not_be_read_is_never_free(harness):
    for body in harness().unreadable():
        upstream = harness()
        upstream.usual_busy = httpx.Response(200, json=body)
        with pytest.raises(CalendarUnreadable):
            upstream.free_busy()


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_a_refusal_for_this_calendar_is_never_free(upstream, status):
    upstream.usual_busy = httpx.Response(status, json=upstream.error("somethingNew"))
    with pytest.raises(CalendarUnreadable):
        upstream.free_busy()
    assert len(upstream.asked(upstream.busy_path)) == 1


@pytest.mark.parametrize(
    "body", ["[]", "null", "7", '"busy"', "<html>", "", "{", "[" * 100_000, '{"a": 1' + "0" * 5000 + "}"]
)
def test_an_answer_that_is_no_json_object_is_never_free(upstream, body):
    upstream.usual_busy = httpx.Response(200, text=body)
    with pytest.raises(ProviderError):
        upstream.free_busy()


@pytest.mark.parametrize("harness", HARNESSES)
def test_wrong_types_anywhere_in_an_answer_are_never_free_and_never_a_crash(harness):
    upstream = harness()
    good = upstream.times("2027-01-15T09:00:00", "2027-01-15T10:00:00").json()
    expected = [busy(NOW + HOUR, NOW + 2 * HOUR)]
    tried = 0
    for path in paths_of(good):
        for junk in JUNK:
            upstream.usual_busy = httpx.Response(200, content=json.dumps(replaced(good, path, junk)).encode())
            tried += 1
            try:
                periods = upstream.free_busy()
            except ProviderError:
                continue
            # Members that nobody reads may hold anything, and a status nobody knows counts as busy.
            assert [(each.start, each.end) for each in periods] == [(each.start, each.end) for each in expected] or (
                junk == [] and path[-1] in ("busy", "scheduleItems", "free_busy")
            ), (path, junk)
    assert tried > 50


def test_a_rejected_access_token_is_said_so_at_once(upstream):
    upstream.usual_busy = httpx.Response(401, json=upstream.error("authError"))
    with pytest.raises(AccessTokenRejected):
        upstream.free_busy()
    assert len(upstream.asked(upstream.busy_path)) == 1


def test_a_stored_token_that_fits_no_header_is_an_error_of_ours(upstream):
    broken = type(CREDENTIAL)("ключ", "refresh-1", expires_at=NOW)
    with pytest.raises(ProviderError):
        upstream.provider.free_busy(broken, upstream.email, DAY, deadline=10)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        pytest.param("2027-01-15T09:00:00.0000000", "2027-01-15T10:00:00.0000000", (1, 2), id="whole seconds"),
        pytest.param("2027-01-15T09:00:00.9999999", "2027-01-15T10:00:00", (1, 2), id="starts within a second"),
        pytest.param("2027-01-15T09:00:00", "2027-01-15T09:59:59.0000001", (1, 2), id="ends just within a second"),
    ],
)
def test_a_busy_period_grows_to_whole_seconds_and_never_shrinks(upstream, start, end, expected):
    upstream.usual_busy = upstream.times(start, end)
    assert upstream.free_busy() == [busy(NOW + expected[0] * HOUR, NOW + expected[1] * HOUR)]


def test_a_period_that_ends_before_it_starts_is_no_answer(upstream):
    upstream.usual_busy = upstream.times("2027-01-15T10:00:00", "2027-01-15T09:00:00")
    with pytest.raises(ProviderUnavailable):
        upstream.free_busy()


def test_what_lies_outside_the_window_or_lasts_no_time_is_left_out(upstream):
    for start, end in (
        ("2027-01-15T07:00:00", "2027-01-15T08:00:00"),
        ("2027-01-16T08:00:00", "2027-01-16T09:00:00"),
        ("2027-01-15T09:00:00", "2027-01-15T09:00:00"),
    ):
        upstream.usual_busy = upstream.times(start, end)
        assert upstream.free_busy() == []


def test_an_empty_window_asks_nobody(upstream):
    assert upstream.free_busy(Period(NOW, NOW)) == []
    assert upstream.requests == []


# --- Long windows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [1, 60, 61, 62, EIGHT_MONTHS])
def test_a_window_is_asked_for_in_pieces_that_every_limit_allows(upstream, days):
    window = Period(upstream.beginning, upstream.long_window(days).end - 7)
    upstream.free_busy(window)
    pieces = sorted(upstream.window_of(request) for request in upstream.asked(upstream.busy_path))
    assert (pieces[0].start, pieces[-1].end) == window
    assert all(before.end == after.start for before, after in itertools.pairwise(pieces))
    assert all(piece.end - piece.start <= 60 * 86400 for piece in pieces)


@pytest.mark.parametrize(
    "reported",
    [
        pytest.param([(-HOUR, HOUR)], id="whole, to both pieces"),
        pytest.param([(-HOUR, 0), (0, HOUR)], id="cut at the seam"),
    ],
)
def test_a_period_across_a_seam_is_one_period(upstream, seam, reported):
    upstream.usual_busy = upstream.periods(*(busy(seam + start, seam + end) for start, end in reported))
    assert upstream.free_busy(upstream.long_window(EIGHT_MONTHS)) == [busy(seam - HOUR, seam + HOUR)]


def test_a_period_longer_than_a_piece_is_one_period(upstream):
    everything = upstream.long_window(EIGHT_MONTHS)
    absence = busy(*everything)

    def cut_to_the_piece(request):
        window = upstream.window_of(request)
        return upstream.periods(absence._replace(start=window.start, end=window.end))(request)

    for reply in (cut_to_the_piece, upstream.periods(absence)):
        upstream.usual_busy = reply
        assert upstream.free_busy(everything) == [absence]


def test_two_meetings_at_the_same_time_stay_two(upstream, seam):
    twice = [busy(seam - HOUR, seam + HOUR)] * 2
    upstream.usual_busy = upstream.periods(*twice)
    assert upstream.free_busy(upstream.long_window(EIGHT_MONTHS)) == twice


def test_one_unreadable_piece_makes_the_whole_window_unreadable(upstream):
    upstream.busy_replies.append(httpx.Response(404, json=upstream.error("notFound")))
    with pytest.raises(CalendarUnreadable):
        upstream.free_busy(upstream.long_window(EIGHT_MONTHS))


@pytest.mark.parametrize("days", [EIGHT_MONTHS, 600])
def test_four_pieces_are_asked_for_at_once_and_never_five(upstream, days):
    four, five, together = threading.Barrier(4), threading.Barrier(5), []
    first_four = iter(range(4))

    def reply(request):
        if next(first_four, None) is not None:
            four.wait(timeout=30)
        with contextlib.suppress(threading.BrokenBarrierError):
            together.append(five.wait(timeout=0.1))
        return upstream.periods()(request)

    upstream.usual_busy = reply
    assert upstream.free_busy(upstream.long_window(days)) == []
    assert not four.broken
    assert together == []


def test_a_piece_that_never_comes_is_not_waited_for(upstream):
    over = threading.Event()
    answers = iter(range(4))

    def reply(request):
        if next(answers, None) is None:
            over.wait(timeout=30)
        return upstream.periods()(request)

    upstream.usual_busy = reply
    with pytest.raises(ProviderUnavailable):
        upstream.free_busy(upstream.long_window(EIGHT_MONTHS), deadline=0.2)
    assert not over.is_set()
    over.set()


# --- Trouble -----------------------------------------------------------------------------------------------


def test_throttling_is_waited_out_for_exactly_the_time_asked(upstream):
    upstream.busy_replies.append(httpx.Response(429, headers={"retry-after": "3"}))
    assert upstream.free_busy() == []
    assert upstream.time.sleeps == [3]


def test_retry_after_may_be_a_date(upstream):
    then = datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=4)
    upstream.busy_replies.append(httpx.Response(503, headers={"retry-after": format_datetime(then, usegmt=True)}))
    assert upstream.free_busy() == []
    assert upstream.time.sleeps == [4]


@pytest.mark.parametrize(
    "retry_after", ["soon", "", "-3", "Thu, 99 Jan 2027", "²", "Fri, 15 Jan 2027 08:00:00 +9999999999"]
)
def test_a_retry_after_that_says_nothing_leaves_the_usual_backoff(upstream, retry_after):
    reply = httpx.Response(429)
    reply.headers = httpx.Headers([(b"retry-after", retry_after.encode())])
    upstream.busy_replies.append(reply)
    assert upstream.free_busy() == []
    assert len(upstream.time.sleeps) == 1
    assert 0 < upstream.time.sleeps[0] < 1


@pytest.mark.parametrize("retry_after", ["10", "3600", "9" * 400, "9" * 5000, "Fri, 15 Jan 2027 09:00:00 GMT"])
def test_a_wait_that_does_not_fit_the_deadline_is_not_begun(upstream, retry_after):
    upstream.usual_busy = httpx.Response(429, headers={"retry-after": retry_after})
    with pytest.raises(ProviderUnavailable):
        upstream.free_busy(deadline=10)
    assert upstream.time.sleeps == []
    assert len(upstream.asked(upstream.busy_path)) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_provider_that_stays_away_is_given_up_before_the_deadline(upstream, status):
    upstream.usual_busy = httpx.Response(status, text="<html>")
    with pytest.raises(ProviderUnavailable):
        upstream.free_busy(deadline=60)
    waits = upstream.time.sleeps
    assert 1 < len(waits) < 10
    assert upstream.time.elapsed < 60
    assert all(later > earlier for earlier, later in zip(waits, waits[2:], strict=False))


def test_two_clients_that_failed_together_do_not_come_back_together(upstream):
    waits = set()
    for _ in range(8):
        upstream.time.sleeps.clear()
        upstream.busy_replies.append(httpx.Response(503))
        upstream.free_busy(deadline=upstream.time.elapsed + 10)
        waits.update(upstream.time.sleeps)
    assert len(waits) > 1


TRANSPORT_ERRORS = [
    each
    for each in vars(httpx).values()
    if isinstance(each, type) and issubclass(each, (httpx.RequestError, httpx.InvalidURL, httpx.StreamError))
]


@pytest.mark.parametrize("kind", TRANSPORT_ERRORS, ids=lambda kind: kind.__name__)
def test_every_trouble_of_the_network_is_told_in_our_words(upstream, kind):
    arguments = (
        ()
        if kind in (httpx.StreamConsumed, httpx.StreamClosed, httpx.ResponseNotRead, httpx.RequestNotRead)
        else (CANARY,)
    )
    upstream.usual_busy = upstream.usual_tokens = kind(*arguments)
    for call in (upstream.free_busy, upstream.refresh, upstream.exchange):
        with pytest.raises(ProviderUnavailable) as caught:
            call()
        assert CANARY not in told(caught.value)


def test_a_connection_that_breaks_once_is_no_trouble(upstream):
    upstream.busy_replies.append(httpx.RemoteProtocolError("server disconnected"))
    assert upstream.free_busy() == []


def test_a_redirect_is_never_followed(upstream):
    upstream.usual_busy = httpx.Response(307, headers={"location": "https://elsewhere.example/"})
    with pytest.raises(ProviderUnavailable):
        upstream.free_busy()
    assert len(upstream.asked(upstream.busy_path)) == 1


class Slowly(httpx.SyncByteStream):
    """One byte a second."""

    def __init__(self, time: FakeTime, content: bytes) -> None:
        self._time = time
        self._content = content

    def __iter__(self):
        for byte in self._content:
            self._time.elapsed += 1
            yield bytes([byte])


def test_an_answer_that_trickles_is_given_up_at_the_deadline(upstream):
    upstream.usual_busy = lambda _: httpx.Response(200, stream=Slowly(upstream.time, b" " * 1000))
    with pytest.raises(ProviderUnavailable):
        upstream.free_busy(deadline=12)
    assert upstream.time.elapsed <= 13


def test_an_answer_that_never_ends_is_given_up(upstream):
    def endless():
        while True:
            yield b" " * 65536

    upstream.usual_busy = lambda _: httpx.Response(200, content=endless())
    with pytest.raises(ProviderUnavailable):
        upstream.free_busy()
    assert len(upstream.asked(upstream.busy_path)) == 1


@pytest.mark.parametrize(("deadline", "longest"), [(100, 8), (5, 5), (0.5, 0.5)])
def test_no_call_may_take_longer_than_eight_seconds_or_what_is_left(upstream, deadline, longest):
    upstream.free_busy(deadline=deadline)
    upstream.refresh(deadline=deadline)
    for request in upstream.requests:
        assert all(0 < seconds <= longest for seconds in request.extensions["timeout"].values())


def test_nobody_is_asked_once_the_deadline_is_over(upstream):
    for call in (upstream.free_busy, upstream.refresh):
        with pytest.raises(ProviderUnavailable):
            call(deadline=0)
    assert upstream.requests == []


def test_one_persons_cookies_never_travel_with_anothers_request(upstream):
    cookie = {"set-cookie": "session=ana; Path=/"}
    upstream.busy_replies.append(httpx.Response(503, headers=cookie))
    upstream.free_busy()
    upstream.free_busy()
    assert [request for request in upstream.requests if "cookie" in request.headers] == []


# --- What is never kept ----------------------------------------------------------------------------------------


def test_titles_places_and_messages_go_no_further_than_the_adapter(upstream, caplog):
    caplog.set_level(logging.DEBUG)
    messages = []
    upstream.usual_busy = upstream.periods(busy(NOW + HOUR, NOW + 2 * HOUR))
    periods = upstream.free_busy()
    assert periods == [busy(NOW + HOUR, NOW + 2 * HOUR)]
    assert all(type(each) is FreeBusyPeriod for each in periods)
    bodies = [
        httpx.Response(403, json=upstream.error("somethingNew")),
        httpx.Response(401, json=upstream.error("authError")),
        httpx.Response(429, json=upstream.error("tooMany"), headers={"retry-after": "99"}),
        httpx.Response(200, text=f"{CANARY} is not JSON"),
        upstream.times(CANARY, CANARY),
        *(httpx.Response(200, json=body) for body in upstream.unreadable()),
    ]
    for body in bodies:
        upstream.busy_replies.append(body)
        with pytest.raises(ProviderError) as caught:
            upstream.free_busy()
        messages.append(told(caught.value))
    assert CANARY not in "".join(messages)
    assert CANARY not in caplog.text


def test_secrets_and_addresses_are_in_no_message(upstream, caplog):
    caplog.set_level(logging.DEBUG)
    messages = []
    for answer in (upstream.dead_refresh_token, upstream.wrong_secret, {"error": upstream.email}):
        upstream.usual_tokens = httpx.Response(400, json=answer)
        for call in (upstream.refresh, upstream.exchange):
            with pytest.raises(ProviderError) as caught:
                call()
            messages.append(told(caught.value))
    for secret in ("secret-1", "refresh-1", "access-1", "code-1", "verifier-1", upstream.email):
        assert secret not in "".join(messages)
        assert secret not in caplog.text
