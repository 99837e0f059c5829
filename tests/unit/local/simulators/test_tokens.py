"""Codes, tokens and identities, as each provider issues, checks and withdraws them."""

import base64
import time
from itertools import pairwise

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from local.simulators.grants import CODE_LIFETIME, CodeExpired, Consent, Grants

FREE_BUSY_SCOPE = "https://www.googleapis.com/auth/calendar.freebusy"


def claims(id_token, keys):
    """Of an id_token whose signature is good."""
    return jwt.decode(id_token, KeySet.import_key_set(keys), algorithms=["RS256"]).claims


def google_claims(google, id_token):
    return claims(id_token, google.get("/oauth2/v3/certs").json())


def microsoft_claims(microsoft, id_token):
    return claims(id_token, microsoft.get("/organizations/discovery/v2.0/keys").json())


def test_a_code_buys_tokens_once(provider):
    code = provider.sent_back(sim_user="ana@example.com")["code"]

    first, second = provider.exchange(code), provider.exchange(code)

    assert first.status_code == 200
    assert first.json()["token_type"] == "Bearer"
    assert first.json()["expires_in"] == 3600
    assert first.headers["cache-control"].startswith("no-")
    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")


def test_a_code_is_spent_by_a_wrong_verifier_too(provider):
    code = provider.sent_back(sim_user="ana@example.com")["code"]

    provider.exchange(code, code_verifier="w" * 43)

    assert provider.exchange(code).json()["error"] == "invalid_grant"


def test_a_code_lives_ten_minutes():
    now = 1000.0
    grants = Grants(clock=lambda: now)
    consent = Consent("ana@example.com", ("openid",), offline=False, redirect_uri="http://a.example")
    grants.issue_code(consent, "early")
    grants.issue_code(consent, "late")

    now += CODE_LIFETIME - 1
    assert grants.redeem_code("early") == consent
    now += 1
    with pytest.raises(CodeExpired):
        grants.redeem_code("late")


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        pytest.param({"code": "4/0Anever-issued"}, 400, "invalid_grant", id="a code that was never issued"),
        pytest.param({"redirect_uri": "http://a.example"}, 400, "redirect_uri_mismatch", id="another redirect URI"),
        pytest.param({"redirect_uri": None}, 400, "redirect_uri_mismatch", id="no redirect URI"),
        pytest.param({"code_verifier": "w" * 43}, 400, "invalid_grant", id="another verifier"),
        pytest.param({"code_verifier": None}, 400, "invalid_grant", id="no verifier"),
        pytest.param({"client_id": "somebody-else"}, 401, "invalid_client", id="another client"),
        pytest.param({"client_secret": "guessed"}, 401, "invalid_client", id="another secret"),
        pytest.param({"client_secret": None}, 400, "invalid_request", id="no secret"),
        pytest.param({"client_id": None}, 400, "invalid_request", id="no client"),
        pytest.param({"code": None}, 400, "invalid_request", id="no code"),
        pytest.param({"code_verifier": ["a", "b"]}, 400, "invalid_request", id="a parameter twice"),
        pytest.param({"grant_type": "password"}, 400, "unsupported_grant_type", id="another grant"),
        pytest.param({"grant_type": None}, 400, "invalid_request", id="no grant type"),
    ],
)
def test_google_checks_the_exchange(google, changed, status, error):
    form = {"code": google.sent_back(sim_user="ana@example.com")["code"], "grant_type": "authorization_code"}

    answer = google.token(
        **{"redirect_uri": google.query["redirect_uri"], "code_verifier": "v" * 43, **form, **changed}
    )

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["error_description"]


@pytest.mark.parametrize(
    ("changed", "status", "error", "code"),
    [
        pytest.param({"code": "never-issued"}, 400, "invalid_grant", 9002313, id="a code that was never issued"),
        pytest.param({"redirect_uri": "http://a.example"}, 400, "invalid_client", 500112, id="another redirect URI"),
        pytest.param({"code_verifier": "w" * 43}, 400, "invalid_grant", 501481, id="another verifier"),
        pytest.param({"code_verifier": None}, 400, "invalid_grant", 501481, id="no verifier"),
        pytest.param({"client_id": "somebody-else"}, 400, "unauthorized_client", 700016, id="another client"),
        pytest.param({"client_secret": "guessed"}, 401, "invalid_client", 7000215, id="another secret"),
        pytest.param({"client_secret": None}, 401, "invalid_client", 7000218, id="no secret"),
        pytest.param({"code": None}, 400, "invalid_request", 900144, id="no code"),
        pytest.param({"code_verifier": ["a", "b"]}, 400, "invalid_request", 9000411, id="a parameter twice"),
        pytest.param({"grant_type": "password"}, 400, "unsupported_grant_type", 70003, id="another grant"),
    ],
)
def test_microsoft_checks_the_exchange(microsoft, changed, status, error, code):
    form = {"code": microsoft.sent_back(sim_user="ana@example.com")["code"], "grant_type": "authorization_code"}

    answer = microsoft.token(
        **{"redirect_uri": microsoft.query["redirect_uri"], "code_verifier": "v" * 43, **form, **changed}
    )

    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert body.keys() >= {"timestamp", "trace_id", "correlation_id"}


def test_a_replayed_code_has_its_own_number_at_microsoft(microsoft):
    code = microsoft.sent_back(sim_user="ana@example.com")["code"]
    microsoft.exchange(code)

    assert microsoft.exchange(code).json()["error_codes"] == [54005]


def test_a_code_without_a_challenge_needs_no_verifier(provider):
    code = provider.sent_back(sim_user="ana@example.com", code_challenge=None, code_challenge_method=None)["code"]

    assert provider.exchange(code, code_verifier=None).status_code == 200


def test_a_challenge_without_a_method_is_plain(provider):
    code = provider.sent_back(sim_user="ana@example.com", code_challenge="p" * 43, code_challenge_method=None)["code"]

    assert provider.exchange(code, code_verifier="p" * 43).status_code == 200


def test_the_client_may_use_basic_authentication(provider):
    code = provider.sent_back(sim_user="ana@example.com")["code"]
    secret = base64.b64encode(":".join(provider.client.values()).encode()).decode()
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": provider.query["redirect_uri"],
        "code_verifier": "v" * 43,
    }

    answer = provider.post(provider.token_path, data=form, headers={"Authorization": f"Basic {secret}"})

    assert answer.status_code == 200


def test_the_token_endpoint_takes_forms_only(provider):
    answer = provider.post(provider.token_path, json={**provider.client, "grant_type": "refresh_token"})

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


# Google's habits with refresh tokens.


def test_google_gives_a_refresh_token_at_the_first_consent_only(google):
    assert "refresh_token" in google.connect("ana@example.com")
    assert "refresh_token" not in google.connect("ana@example.com")
    assert "refresh_token" in google.connect("ben@example.com")


def test_google_gives_another_one_when_the_screen_was_forced(google):
    google.connect("ana@example.com")

    assert "refresh_token" in google.connect("ana@example.com", prompt="consent")


@pytest.mark.parametrize("access_type", [None, "online"])
def test_google_gives_none_without_offline_access(google, access_type):
    assert "refresh_token" not in google.connect("ana@example.com", access_type=access_type, prompt="consent")


def test_google_does_not_rotate_refresh_tokens(google):
    refresh_token = google.connect("ana@example.com")["refresh_token"]

    answers = [google.refresh(refresh_token).json() for _ in range(2)]

    assert all("refresh_token" not in answer for answer in answers)
    assert answers[0]["access_token"] != answers[1]["access_token"]
    assert FREE_BUSY_SCOPE in answers[0]["scope"].split()


def test_google_spells_out_the_scopes_it_granted(google):
    assert google.connect("ana@example.com")["scope"].split() == [
        "openid",
        "https://www.googleapis.com/auth/userinfo.email",
        FREE_BUSY_SCOPE,
    ]


# Microsoft's habits.


def test_microsoft_gives_a_new_refresh_token_each_time_and_keeps_the_old_ones_good(microsoft):
    tokens = [microsoft.connect("ana@example.com")["refresh_token"]]
    tokens.append(microsoft.refresh(tokens[-1]).json()["refresh_token"])
    tokens.append(microsoft.refresh(tokens[-1]).json()["refresh_token"])

    assert all(one != other for one, other in pairwise(tokens))
    assert all(microsoft.refresh(token).status_code == 200 for token in tokens)


def test_microsoft_gives_no_refresh_token_without_offline_access(microsoft):
    answer = microsoft.connect("ana@example.com", scope="openid Calendars.ReadBasic")

    assert "refresh_token" not in answer


def test_microsoft_names_what_was_granted_without_offline_access(microsoft):
    granted = microsoft.connect("ana@example.com")["scope"].split()

    assert granted == ["openid", "email", "profile", "Calendars.ReadBasic"]


def test_microsoft_refreshes_for_consented_scopes_only(microsoft):
    refresh_token = microsoft.connect("ana@example.com")["refresh_token"]

    good = microsoft.refresh(refresh_token, scope="https://graph.microsoft.com/Calendars.ReadBasic offline_access")
    bad = microsoft.refresh(refresh_token, scope="Calendars.ReadWrite")

    assert good.status_code == 200
    assert (bad.status_code, bad.json()["error"], bad.json()["error_codes"]) == (400, "invalid_grant", [65001])


# Consent that is not whole, and consent that is withdrawn.


def test_scopes_that_a_person_does_not_grant_are_missing_from_the_answer(provider):
    provider.put_person("ana@example.com", scopes_granted=["openid", "email"])

    granted = provider.connect("ana@example.com")["scope"]

    assert "openid" in granted
    assert "calendar" not in granted.lower()


def test_a_granted_scope_may_go_by_its_short_name(google):
    google.put_person("ana@example.com", scopes_granted=["calendar.freebusy"])

    assert FREE_BUSY_SCOPE in google.connect("ana@example.com")["scope"].split()


@pytest.mark.parametrize("withdraw", ["revoke", "forget"])
def test_withdrawn_consent_kills_every_token(provider, withdraw):
    tokens = provider.connect("ana@example.com")
    others = provider.connect("ben@example.com")
    code = provider.sent_back(sim_user="ana@example.com")["code"]

    if withdraw == "revoke":
        assert provider.post("/sim/users/ana@example.com/revoke").status_code == 204
    else:
        assert provider.delete("/sim/users/ana@example.com").status_code == 204

    dead = provider.refresh(tokens["refresh_token"])
    assert (dead.status_code, dead.json()["error"]) == (400, "invalid_grant")
    assert provider.exchange(code).json()["error"] == "invalid_grant"
    assert provider.refresh(others["refresh_token"]).status_code == 200


def test_consent_after_a_withdrawal_is_a_first_one_again(google):
    google.connect("ana@example.com")
    google.post("/sim/users/ana@example.com/revoke")

    assert "refresh_token" in google.connect("ana@example.com")


def test_changing_a_person_leaves_their_tokens_alone(provider):
    refresh_token = provider.connect("ana@example.com")["refresh_token"]

    provider.put_person("ana@example.com", zone="Europe/Paris")

    assert provider.refresh(refresh_token).status_code == 200


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_google_revokes_the_whole_grant_by_either_token(google, kind):
    tokens = google.connect("ana@example.com")

    assert google.post("/revoke", data={"token": tokens[kind]}).status_code == 200

    assert google.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    again = google.post("/revoke", data={"token": tokens[kind]})
    assert (again.status_code, again.json()["error"]) == (400, "invalid_token")


def test_access_tokens_live_as_long_as_the_person_says(provider):
    provider.put_person("ana@example.com", token_lifetime=120)

    assert provider.connect("ana@example.com")["expires_in"] == 120


# Identity.


def test_google_signs_who_it_is(google):
    told = google_claims(google, google.connect("ana.lima@example.com")["id_token"])

    assert told["iss"] == "https://accounts.google.com"
    assert told["aud"] == told["azp"] == "sim-google-client"
    assert told["nonce"] == "nonce of ours"
    assert (told["email"], told["email_verified"], told["hd"]) == ("ana.lima@example.com", True, "example.com")
    assert told["sub"].isdigit()
    assert len(told["sub"]) == 21
    assert told["iat"] <= time.time() < told["exp"]
    assert "name" not in told


def test_google_tells_the_name_for_the_scope_profile(google):
    tokens = google.connect("ana.lima@example.com", scope="openid email profile")

    assert google_claims(google, tokens["id_token"])["name"] == "Ana Lima"


def test_public_mail_has_no_workspace(google):
    assert "hd" not in google_claims(google, google.connect("ana@gmail.com")["id_token"])


def test_google_tells_the_same_at_userinfo(google):
    tokens = google.connect("ana@example.com")

    told = google.get("/v1/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})

    assert told.json()["sub"] == google_claims(google, tokens["id_token"])["sub"]
    assert told.json()["email"] == "ana@example.com"
    assert google.get("/v1/userinfo", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_microsoft_signs_who_it_is(microsoft):
    told = microsoft_claims(microsoft, microsoft.connect("ana.lima@example.com")["id_token"])

    assert told["iss"] == f"https://login.microsoftonline.com/{told['tid']}/v2.0"
    assert told["aud"] == "sim-microsoft-client"
    assert told["nonce"] == "nonce of ours"
    assert (told["email"], told["preferred_username"]) == ("ana.lima@example.com", "ana.lima@example.com")
    assert told["name"] == "Ana Lima"
    assert {"oid", "sub", "nbf"} <= told.keys()
    assert told["iat"] <= time.time() < told["exp"]
    assert "email_verified" not in told


def test_microsoft_tells_no_more_than_the_scopes_say(microsoft):
    tokens = microsoft.connect("ana@example.com", scope="openid")

    assert not {"oid", "name", "preferred_username", "email"} & microsoft_claims(microsoft, tokens["id_token"]).keys()


def test_colleagues_share_a_tenant(microsoft):
    ana, ben, eve = (
        microsoft_claims(microsoft, microsoft.connect(email)["id_token"])
        for email in ("ana@example.com", "ben@example.com", "eve@example.org")
    )

    assert ana["tid"] == ben["tid"] != eve["tid"]
    assert len({person["oid"] for person in (ana, ben, eve)}) == 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("google", {"sub": "182270490180929435453"}),
        (
            "microsoft",
            {"tid": "ebc7bab7-6e12-4943-b46a-5799d531ee01", "oid": "b58171ea-8731-44ad-bcb3-04000f5ae184"},
        ),
    ],
)
def test_a_person_has_the_same_identifiers_in_every_run(name, expected, request):
    provider = request.getfixturevalue(name)
    read = {"google": google_claims, "microsoft": microsoft_claims}[name]

    told = read(provider, provider.connect("ana@example.com")["id_token"])

    assert {key: told[key] for key in expected} == expected


def test_without_openid_there_is_no_id_token(provider):
    scope = provider.query["scope"].replace("openid ", "")

    assert "id_token" not in provider.connect("ana@example.com", scope=scope)


# Metadata.


def test_google_publishes_itself(google):
    told = google.get("/.well-known/openid-configuration").json()

    assert told["issuer"] == "https://accounts.google.com"
    assert told["token_endpoint"] == f"{google.base_url}/token".replace("//token", "/token")
    assert google.get(told["jwks_uri"]).json()["keys"][0]["alg"] == "RS256"


def test_the_keys_are_public_keys_only(provider):
    path = {"google": "/oauth2/v3/certs", "microsoft": "/common/discovery/v2.0/keys"}
    [key] = provider.get(path["google" if provider.token_path == "/token" else "microsoft"]).json()["keys"]

    assert key["use"] == "sig"
    assert not {"d", "p", "q", "dp", "dq", "qi"} & key.keys()


def test_the_issuer_of_many_tenants_is_a_template(microsoft):
    told = microsoft.get("/organizations/v2.0/.well-known/openid-configuration").json()

    assert told["issuer"] == "https://login.microsoftonline.com/{tenantid}/v2.0"
    [key] = microsoft.get(told["jwks_uri"]).json()["keys"]
    assert "alg" not in key


def test_a_tenant_has_its_own_issuer(microsoft):
    tenant = microsoft_claims(microsoft, microsoft.connect("ana@example.com")["id_token"])["tid"]

    for name in ("example.com", tenant):
        told = microsoft.get(f"/{name}/v2.0/.well-known/openid-configuration").json()
        assert told["issuer"] == f"https://login.microsoftonline.com/{tenant}/v2.0"
