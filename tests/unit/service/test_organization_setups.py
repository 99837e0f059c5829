import pytest

from freebusy.domain.account import Disconnected, Grant, ProviderName
from freebusy.domain.errors import (
    AuthorizationRefused,
    CalendarUnreadable,
    MailboxUnknown,
    MailboxWithoutCalendar,
    ProviderMisconfigured,
    ProviderUnavailable,
    StorageUnavailable,
    TokenError,
)
from freebusy.domain.organization_setup import SETUP_LIFETIME, ProofRecord
from freebusy.domain.service_account import MANAGE_ACCOUNTS, MANAGE_RESOURCES
from freebusy.service.organization_setups import Locked
from tests.administrators import ADA, EMPLOYEE, MAX, Office, Tab
from tests.fakes.service_accounts import FakeServiceAccounts
from tests.fakes.tokens import FakeTokens
from tests.fakes.vaults import FakeVault
from tests.trips import CHALLENGE, OTHER_APP, PUBLIC_URL, VERIFIER


@pytest.fixture
def office():
    return Office()


class TestOnceTheAdministratorHasLetUsIn:
    @pytest.mark.parametrize("who", [ADA, MAX], ids=["Google", "Microsoft"])
    def test_the_application_gets_a_code_for_a_service_account(self, office, who):
        tab = office.tab(who)
        office.delegate(who)
        answer = office.connected(tab)
        assert answer | {"code": ""} == {"code": "", "state": "s t&te", "iss": PUBLIC_URL}
        issued = office.redeem(answer["code"])
        assert issued.scope == MANAGE_ACCOUNTS
        assert issued.profile is None
        connected = office.service_account(issued.sub)
        assert (connected.client_id, connected.organization) == ("app", who.organization)
        assert (connected.administrator, connected.delegated_scope) == (who.identity, "free_busy_write")
        assert connected.connected

    def test_the_token_of_all_mailboxes_is_kept_sealed_for_it(self, office):
        tab = office.tab()
        office.delegate(ADA)
        sub = office.sub_of(office.connected(tab)["code"])
        sealed = office.service_account(sub).sealed_credential
        credential = FakeVault().unseal(sealed, client_id="app", profile_id=sub)
        assert credential.access_token == "token 1 of example.com"
        assert office.workspaces.credentials == ["ada@example.com"]

    def test_only_whether_the_next_hour_can_be_read_is_asked_of_the_administrators_own_mailbox(self, office):
        office.delegate(ADA)
        office.connected(office.tab())
        assert office.workspaces.alone == ["ada@example.com"]

    def test_what_was_asked_for_is_what_the_code_buys(self, office):
        tab = office.tab(scope=f"{MANAGE_RESOURCES} {MANAGE_ACCOUNTS}", delegated_scope="free_busy")
        office.delegate(ADA)
        issued = office.redeem(office.connected(tab)["code"])
        assert issued.scope == f"{MANAGE_RESOURCES} {MANAGE_ACCOUNTS}"
        assert office.service_account(issued.sub).delegated_scope == "free_busy"

    def test_the_code_is_the_applications_own(self, office):
        tab = office.tab()
        office.delegate(ADA)
        code = office.connected(tab)["code"]
        with pytest.raises(TokenError, match="unknown"):
            office.redeem(code, OTHER_APP)
        assert office.redeem(code)

    def test_the_code_takes_the_proof_that_the_application_announced(self, office):
        """RFC 7636: otherwise a client that uses PKCE everywhere would get a code that it cannot redeem."""
        tab = office.tab(code_challenge=CHALLENGE, code_challenge_method="S256")
        office.delegate(ADA)
        code = office.connected(tab)["code"]
        with pytest.raises(TokenError, match="code_verifier"):
            office.redeem(code)
        assert office.redeem(code, code_verifier=VERIFIER)

    def test_each_application_has_a_service_account_of_its_own(self, office):
        office.delegate(ADA)
        mine = office.sub_of(office.connected(office.tab())["code"])
        theirs = office.sub_of(office.connected(office.tab(client_id="other-app"))["code"])
        assert mine != theirs

    def test_connecting_again_is_the_same_service_account_whoever_does_it(self, office):
        office.delegate(ADA)
        sub = office.sub_of(office.connected(office.tab())["code"])
        office.accounts.add_grant(sub, Grant("g", MANAGE_ACCOUNTS, office.clock()))
        office.accounts.service_accounts.disconnect(sub, because=Disconnected.WITHDRAWN, now=office.clock())
        office.workspaces.kept["eve@example.com"] = []
        assert office.sub_of(office.connected(office.tab(EMPLOYEE))["code"]) == sub
        connected = office.service_account(sub)
        assert connected.connected
        assert connected.administrator == EMPLOYEE.identity
        assert connected.sealed_credential
        assert list(connected.grants) == ["g"]


class TestWhileSomethingIsMissing:
    def test_the_administrator_sees_what_to_allow_and_nothing_is_connected(self, office):
        tab = office.tab()
        progress = office.progress(tab)
        assert (progress.access, progress.proof, progress.record) == ("delegation_missing", None, None)
        assert progress.application.name == "Scheduler"
        assert progress.delegation.client_id == "the client id of the deployment"
        assert progress.setup.administrator == ADA
        assert not office.accounts.service_accounts._kept
        assert not office.tokens._codes

    def test_it_can_be_looked_at_as_often_as_it_takes(self, office):
        tab = office.tab()
        for _ in range(3):
            office.clock.advance(3600)
            assert office.progress(tab).access == "delegation_missing"
        office.delegate(ADA)
        assert "code" in office.connected(tab)

    @pytest.mark.parametrize(
        "trouble",
        [
            MailboxUnknown(),
            MailboxWithoutCalendar(),
            CalendarUnreadable(),
            ProviderUnavailable(),
            ProviderMisconfigured(),
        ],
        ids=lambda trouble: trouble.reason,
    )
    def test_it_says_what_is_wrong_as_the_provider_tells_it(self, office, trouble):
        tab = office.tab()
        office.delegate(ADA)
        office.workspaces.trouble["ada@example.com"] = trouble
        assert office.progress(tab).access == trouble.reason
        del office.workspaces.trouble["ada@example.com"]
        assert "code" in office.connected(tab)

    def test_a_calendar_that_can_be_read_is_not_enough_without_a_token_for_all(self, office):
        tab = office.tab()
        office.delegate(ADA)
        office.workspaces.credential_trouble = ProviderUnavailable()
        assert office.progress(tab).access == "provider_unavailable"
        assert not office.accounts.service_accounts._kept

    def test_only_what_the_operator_must_mend_is_logged(self, office, caplog):
        tab = office.tab()
        office.progress(tab)
        assert not caplog.records
        office.delegate(ADA)
        office.workspaces.trouble["ada@example.com"] = ProviderMisconfigured("the key is wrong")
        office.progress(tab)
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert tab.handle not in caplog.text

    @pytest.mark.parametrize("trouble", [ProviderMisconfigured(), ProviderUnavailable()], ids=lambda each: each.reason)
    def test_without_our_own_registration_there_is_nothing_to_show_yet(self, office, trouble):
        tab = office.tab()
        office.workspaces.delegation_trouble = trouble
        with pytest.raises(AuthorizationRefused, match="setup_unavailable"):
            office.check(tab)
        del office.calendars[ProviderName.GOOGLE]
        with pytest.raises(AuthorizationRefused, match="setup_unavailable"):
            office.check(tab)
        office.calendars[ProviderName.GOOGLE] = office.workspaces
        office.workspaces.delegation_trouble = None
        assert office.progress(tab)


class TestProvingADomain:
    @pytest.fixture
    def office(self):
        return Office(prove_domains=True)

    def test_takes_the_delegation_and_the_record(self, office):
        tab = office.tab()
        progress = office.progress(tab)
        assert (progress.access, progress.proof) == ("delegation_missing", "record_missing")
        assert progress.record == ProofRecord.of("app", ADA)
        office.publish(ADA)
        assert (office.progress(tab).access, office.progress(tab).proof) == ("delegation_missing", None)
        office.delegate(ADA)
        assert "code" in office.connected(tab)

    def test_an_employee_of_a_delegated_organization_cannot_connect_it(self, office):
        """To an application of their own choice, with the delegation that another application needed."""
        office.delegate(ADA)
        office.publish(ADA)
        assert "code" in office.connected(office.tab())
        office.workspaces.kept["eve@example.com"] = []
        progress = office.progress(office.tab(EMPLOYEE, client_id="other-app"))
        assert (progress.access, progress.proof) == (None, "record_differs")

    def test_a_record_for_another_application_proves_nothing(self, office):
        office.delegate(ADA)
        office.publish(ADA, client_id="other-app")
        assert office.progress(office.tab()).proof == "record_differs"
        office.publish(ADA)
        assert "code" in office.connected(office.tab()), "several records may stand side by side"

    @pytest.mark.parametrize(
        ("texts", "proof"),
        [
            pytest.param((), "record_missing", id="nothing there"),
            pytest.param(("v=spf1 -all",), "record_missing", id="something else"),
            pytest.param(("freebusy-connect=",), "record_differs", id="half of it"),
            pytest.param((f"{ProofRecord.of('app', ADA).value}x",), "record_differs", id="more than it"),
            pytest.param((ProofRecord.of("app", ADA).value.upper(),), "record_missing", id="in other letters"),
        ],
    )
    def test_only_the_record_itself_counts(self, office, texts, proof):
        tab = office.tab()
        office.delegate(ADA)
        office.records.kept[ProofRecord.of("app", ADA).name] = texts
        assert office.progress(tab).proof == proof

    def test_while_the_dns_does_not_answer_nothing_is_proven(self, office):
        tab = office.tab()
        office.delegate(ADA)
        office.publish(ADA)
        office.records.trouble = ProviderUnavailable()
        assert office.progress(tab).proof == "records_unavailable"

    def test_is_not_needed_where_the_provider_says_who_is_an_administrator(self, office):
        office.records.trouble = ProviderUnavailable()
        tab = office.tab(MAX)
        assert office.progress(tab).record is None
        office.delegate(MAX)
        assert "code" in office.connected(tab)


class TestMicrosoftsMailboxes:
    @pytest.fixture
    def tab(self, office):
        return office.tab(MAX)

    @pytest.mark.parametrize("answer", [MailboxUnknown(), MailboxWithoutCalendar()], ids=lambda each: each.reason)
    def test_an_administrator_without_one_was_let_in_all_the_same(self, office, tab, answer):
        office.delegate(MAX)
        office.tenants.kept.clear()
        office.tenants.trouble["max@work.example"] = answer
        assert "code" in office.connected(tab)

    def test_but_not_before(self, office, tab):
        office.tenants.kept.clear()
        assert office.progress(tab).access == "delegation_missing"

    def test_at_google_an_administrator_needs_one(self, office):
        tab = office.tab()
        office.delegate(ADA)
        office.workspaces.kept.clear()
        assert office.progress(tab).access == "mailbox_unknown"

    def test_another_can_be_looked_at_instead(self, office, tab):
        """Access that was narrowed may leave the administrator's own out."""
        office.delegate(MAX)
        office.tenants.kept["room@work.example"] = []
        assert "code" in office.connected(tab, mailbox="room@work.example")
        assert office.tenants.alone == ["room@work.example"]

    @pytest.mark.parametrize("mailbox", ["nobody@work.example", "x", "a b@work.example", "a@b/../c", "@", "x" * 3000])
    def test_one_that_does_not_exist_proves_nothing(self, office, tab, mailbox):
        office.delegate(MAX)
        progress = office.progress(tab, mailbox=mailbox)
        assert (progress.access, progress.mailbox) == ("mailbox_unknown", mailbox)

    def test_what_is_no_address_is_not_asked_about(self, office, tab):
        office.progress(tab, mailbox="../../me?x=@example.com")
        assert not office.tenants.alone

    def test_at_google_nobody_elses_is_looked_at(self, office):
        tab = office.tab()
        assert office.progress(tab, mailbox="boss@example.com").mailbox is None
        assert office.workspaces.alone == ["ada@example.com"]


class TestWhoseSetupItIs:
    @pytest.mark.parametrize("secret", ["", "another browser's"])
    def test_an_address_that_leaked_is_of_no_use(self, office, secret):
        tab = office.tab()
        office.delegate(ADA)
        assert office.check(tab, secret=secret) == Locked()
        assert not office.workspaces.alone, "nobody was asked"
        assert "code" in office.connected(tab)

    def test_a_browser_that_kept_nothing_is_shown_nothing(self, office):
        tab = office.tab()
        outcome = office.desk.check(tab.handle, browser_secret=None, mailbox=None, public_url=PUBLIC_URL, now=0)
        assert outcome == Locked()

    def test_a_cookie_of_another_setup_does_not_fit(self, office):
        mine, theirs = office.tab(), office.tab(EMPLOYEE)
        assert office.check(mine, secret=theirs.secret) == Locked()

    @pytest.mark.parametrize("handle", ["", "unknown", "\0", "\ud800", "x" * 9000])
    def test_one_that_never_was_is_over(self, office, handle):
        with pytest.raises(AuthorizationRefused, match="setup_over"):
            office.check(Tab(handle, "secret"))

    def test_it_lasts_for_seven_days(self, office):
        tab = office.tab()
        office.clock.advance(SETUP_LIFETIME - 1)
        assert office.progress(tab)
        office.clock.advance(1)
        with pytest.raises(AuthorizationRefused, match="setup_over"):
            office.check(tab)

    def test_it_is_over_once_the_organization_is_connected(self, office):
        tab = office.tab()
        office.delegate(ADA)
        office.connected(tab)
        with pytest.raises(AuthorizationRefused, match="setup_over"):
            office.check(tab)
        assert len(office.tokens._codes) == 1


class TestTwoTabs:
    def test_of_two_that_look_at_once_one_gets_the_code(self, office, monkeypatch):
        tab = office.tab()
        office.delegate(ADA)
        own = office.workspaces.own_free_busy
        answers = []

        def meanwhile(*args, **more):
            monkeypatch.setattr(office.workspaces, "own_free_busy", own)
            answers.append(office.connected(tab))
            return own(*args, **more)

        monkeypatch.setattr(office.workspaces, "own_free_busy", meanwhile)
        with pytest.raises(AuthorizationRefused, match="setup_over"):
            office.check(tab)
        (answer,) = answers
        assert office.service_account(office.redeem(answer["code"]).sub).connected
        assert len(office.accounts.service_accounts._kept) == 1

    def test_a_browser_that_lost_the_setup_meanwhile_gets_no_code(self, office, monkeypatch):
        tab = office.tab()
        office.delegate(ADA)
        own = office.workspaces.own_free_busy

        def meanwhile(*args, **more):
            again = office.trips.sign_in_again(tab.handle, public_url=PUBLIC_URL, now=office.clock())
            office.sign_in(again, ADA)
            return own(*args, **more)

        monkeypatch.setattr(office.workspaces, "own_free_busy", meanwhile)
        with pytest.raises(AuthorizationRefused, match="setup_over"):
            office.check(tab)


class TestApplications:
    """Seven days are long enough for an application to change."""

    def test_one_that_is_gone_gets_nothing(self, office):
        tab = office.tab()
        office.delegate(ADA)
        office.applications._applications.pop("app")
        with pytest.raises(AuthorizationRefused, match="unknown_application"):
            office.check(tab)
        assert not office.accounts.service_accounts._kept

    def test_nobody_is_sent_to_an_address_that_was_taken_back(self, office):
        tab = office.tab()
        office.delegate(ADA)
        before = office.applications.find("app")
        office.applications.change(before, before._replace(redirect_uris=("https://app.example/new",)))
        with pytest.raises(AuthorizationRefused, match="unregistered_redirect_uri"):
            office.check(tab)


@pytest.mark.parametrize(
    ("store", "method"),
    [(FakeServiceAccounts, "connect"), (FakeServiceAccounts, "renew"), (FakeTokens, "save_code")],
)
def test_what_cannot_be_stored_can_be_tried_again(office, monkeypatch, store, method):
    def throttled(*_, **__):
        raise StorageUnavailable("throttled")

    tab = office.tab()
    office.delegate(ADA)
    with monkeypatch.context() as patch:
        patch.setattr(store, method, throttled)
        with pytest.raises(StorageUnavailable):
            office.check(tab)
    assert "code" in office.connected(tab)
