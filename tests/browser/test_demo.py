"""The demo front end, used as people use it: from nothing to a meeting that is answered."""

import re

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import newcomer
from tests.chromium import DESKTOP, IN_CHROMIUM, PHONE, WCAG_22_AA, violations

pytestmark = IN_CHROMIUM


@pytest.fixture
def together(visitor, kim, lee):
    """Kim and Lee are connected, and next week is shown."""
    visitor.open()
    visitor.connect("google", kim)
    visitor.connect("microsoft", lee)
    visitor.next_week()
    return visitor


def lee_of(visitor):
    return visitor.page.get_by_role("listitem").filter(has_text="Lee").first


def book(visitor, title="Planning", hours="10:00–11:00"):
    visitor.start("Tuesday", hours).click()
    visitor.page.get_by_label("What is it about?").fill(title)
    visitor.button("Book and invite").click()


def open_letter(visitor, whose, subject):
    inbox(visitor).get_by_role("button", name=re.compile(whose)).click()
    inbox(visitor).get_by_role("button", name=re.compile(subject)).first.click()


def inbox(visitor):
    return visitor.page.get_by_role("region", name="Inbox")


def meetings(visitor):
    return visitor.page.get_by_role("region", name="Meetings")


def propose(visitor, comment, hour):
    visitor.button("Propose another time").click()
    start = visitor.page.get_by_label("Start")
    start.fill(f"{start.input_value().partition('T')[0]}T{hour}")
    visitor.page.get_by_label("Comment").fill(comment)
    visitor.button("Send proposal").click()


# --- Connecting -------------------------------------------------------------------------------------------------------


def test_made_up_people_are_connected_without_typing_anything(visitor):
    visitor.open()
    visitor.sees("made-up people with full calendars wait at their sign-in pages")
    visitor.go_to_consent_of("google")
    visitor.page.get_by_label("ana.silva@example.com").check()
    visitor.allow()
    visitor.sees("ana.silva@example.com is connected.")
    visitor.go_to_consent_of("microsoft")
    visitor.page.get_by_label("ben.okafor@contoso.example").check()
    visitor.allow()
    visitor.next_week()
    expect(visitor.page.locator(".area").first).to_be_visible()
    visitor.page.locator(".start.free").first.hover()
    visitor.sees("Everybody is free: ana.silva@example.com and Ben Okafor.")


@pytest.mark.parametrize("provider", ["google", "microsoft"])
def test_who_refuses_is_not_connected_and_reads_why(visitor, provider):
    visitor.open()
    visitor.go_to_consent_of(provider)
    visitor.button("Deny").click()
    visitor.sees("Nobody was connected: the person did not agree at the consent screen.")
    expect(visitor.link("Connect a calendar")).to_be_visible()


def test_who_unticks_the_calendar_is_not_connected_and_reads_why(visitor, kim):
    visitor.open()
    visitor.go_to_consent_of("google")
    visitor.page.get_by_role("checkbox").uncheck()
    visitor.sign_in(kim)
    visitor.allow()
    visitor.sees("Nobody was connected: the calendar permission was not ticked at the consent screen")


def test_who_disconnects_is_no_longer_shown(together, lee):
    together.button("Disconnect Lee").click()
    together.page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    together.sees("is disconnected.")
    expect(together.button("Disconnect Lee")).to_have_count(0)
    expect(together.page.get_by_text("Connect a second calendar")).to_be_visible()


def test_a_calendar_that_lapsed_is_told_never_free_and_connected_again(together, stack, kim):
    httpx.post(f"{stack['google']}/sim/users/{kim}/revoke").raise_for_status()
    together.page.reload()
    together.next_week()
    together.sees("The calendar is no longer connected.")
    together.start("Tuesday", "10:00–11:00").hover()
    together.sees(f"{kim} cannot be read, and never counts as free then.")
    with together.page.context.expect_page() as opened:
        together.link("Connect it again").click()
    opened.value.get_by_label("Somebody else").fill(kim)
    opened.value.get_by_role("button", name="Allow").click()
    expect(opened.value.get_by_role("heading", name="Your calendar is connected again")).to_be_visible()
    together.page.reload()
    together.next_week()
    together.start("Tuesday", "10:00–11:00").hover()
    together.sees("Everybody is free:")


# --- The week ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        ("10:00–11:00", "Everybody is free: {kim} and Lee"),
        ("09:30–10:30", "{kim} is busy 09:00–10:00. Lee 2 is free."),
        ("12:30–13:30", "Lee 2 is busy 12:00–13:00. {kim} is free."),
        ("17:30–18:30", "A meeting then would end at 18:30, after the hours shown."),
    ],
)
def test_pointing_at_a_time_says_who_is_free_and_what_keeps_the_others(together, kim, lee, hours, text):
    together.start("Tuesday", hours).hover()
    name = lee.partition("@")[0].replace(".", " ").capitalize()
    together.sees(text.format(kim=kim).replace("Lee 2", name))


def test_the_week_stays_where_it_is_however_much_there_is_to_say(together):
    together.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    together.button("Tue").click()
    places = []
    for hours in ("17:30–18:30", "09:00–10:00", "10:00–11:00"):
        together.start("Tuesday", hours).focus()
        places.append(together.page.locator(".day.chosen").evaluate("day => day.offsetTop"))
    assert len(set(places)) == 1


def test_no_news_moves_the_week(together):
    week = together.page.get_by_role("region", name="Week of")
    with_news = week.bounding_box()
    together.button("Close").click()
    expect(together.button("Close")).to_have_count(0)
    assert week.bounding_box() == with_news


def test_bad_news_is_over_when_the_service_answers_again(together):
    together.button("Close").click()
    trouble = {"error": "The service cannot be reached. Please try again."}
    together.page.route("**/api/week?*", lambda route: route.fulfill(status=502, json=trouble))
    with together.expecting("502"):
        together.page.get_by_label("Meeting of").select_option("2 hours")
        together.sees(trouble["error"])
    together.page.unroute("**/api/week?*")
    together.page.get_by_label("Meeting of").select_option("30 minutes")
    expect(together.page.get_by_text(trouble["error"])).to_have_count(0)


def test_a_week_without_shared_time_says_what_can_be_done(visitor, stack):
    visitor.open()
    visitor.connect("google", newcomer(stack, "google", "max", "example.com", (-96, 144)))
    visitor.next_week()
    visitor.sees("No time of this week suits everybody who is ticked. Try another week, a shorter meeting")


def test_who_need_not_come_does_not_keep_the_others(together, lee):
    noon = together.start("Tuesday", "12:00–13:00")
    expect(noon).to_have_attribute("aria-disabled", "true")
    together.page.get_by_role("checkbox", name="Lee").uncheck()
    expect(noon).to_have_attribute("aria-disabled", "false")


def test_a_longer_meeting_needs_longer_time(together):
    one = together.start("Tuesday", "11:00–12:00")
    expect(one).to_have_attribute("aria-disabled", "false")
    together.page.get_by_label("Meeting of").select_option("2 hours")
    expect(together.start("Tuesday", "11:00–13:00")).to_have_attribute("aria-disabled", "true")


def test_on_a_phone_there_is_one_day_at_a_time_and_nothing_sticks_out(together):
    together.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    expect(together.start("Tuesday", "10:00–11:00")).to_be_hidden()
    together.button("Tue").click()
    expect(together.start("Tuesday", "10:00–11:00")).to_be_visible()
    assert together.page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


# --- Meetings ---------------------------------------------------------------------------------------------------------


def test_a_meeting_is_booked_invites_by_mail_and_is_accepted(together, kim):
    book(together, "Quarterly planning")
    expect(together.start("Tuesday", "10:00–11:00")).to_have_attribute("aria-disabled", "true")
    expect(meetings(together).get_by_text("has not answered yet")).to_have_count(2)
    open_letter(together, kim, "Invitation: Quarterly planning")
    letter = together.page.frame_locator("iframe")
    expect(letter.get_by_role("heading", name="Quarterly planning")).to_be_visible()
    expect(letter.get_by_text("Demo Planner invites you")).to_be_visible()
    together.button("Accept").click()
    expect(meetings(together).get_by_text(f"{kim} accepted")).to_be_visible()
    expect(inbox(together).get_by_text("You accepted.")).to_be_visible()
    together.start("Tuesday", "10:00–11:00").hover()
    together.sees(f"{kim} has “Quarterly planning” 10:00–11:00.")


def test_who_declines_is_free_again(visitor, kim):
    visitor.open()
    visitor.connect("google", kim)
    visitor.next_week()
    book(visitor)
    ten = visitor.start("Tuesday", "10:00–11:00")
    expect(ten).to_have_attribute("aria-disabled", "true")
    open_letter(visitor, kim, "Invitation: Planning")
    visitor.button("Decline").click()
    expect(meetings(visitor).get_by_text(f"{kim} declined")).to_be_visible()
    expect(ten).to_have_attribute("aria-disabled", "false")


def test_a_proposal_is_shown_and_taken_up_and_everybody_is_asked_anew(together):
    book(together)
    open_letter(together, "Lee", "Invitation: Planning")
    propose(together, "After lunch?", "16:00")
    expect(inbox(together).get_by_text("You proposed another time.")).to_be_visible()
    expect(meetings(together).get_by_text("After lunch?")).to_be_visible()
    expect(meetings(together).get_by_text(re.compile("proposes Tue.*16:00–17:00"))).to_be_visible()
    together.button("Move the meeting there").click()
    expect(meetings(together).get_by_text(re.compile("^Tue.*16:00–17:00"))).to_be_visible()
    expect(together.start("Tuesday", "10:00–11:00")).to_have_attribute("aria-disabled", "false")
    expect(together.start("Tuesday", "16:00–17:00")).to_have_attribute("aria-disabled", "true")
    expect(inbox(together).get_by_text("A later message replaces this one.")).to_be_visible()
    open_letter(together, "Lee", "16:00")
    expect(inbox(together).get_by_text("Will you come?")).to_be_visible()


def test_a_cancelled_meeting_frees_everybody_and_leaves_their_calendars(together, kim):
    book(together)
    open_letter(together, kim, "Invitation: Planning")
    together.button("Cancel meeting Planning").click()
    together.page.get_by_role("dialog").get_by_role("button", name="Cancel meeting").click()
    expect(together.start("Tuesday", "10:00–11:00")).to_have_attribute("aria-disabled", "false")
    open_letter(together, kim, "Cancelled: Planning")
    expect(inbox(together).get_by_text("Cancelled: it is out of your calendar.")).to_be_visible()


# --- For everybody ----------------------------------------------------------------------------------------------------


def test_all_of_it_works_with_the_keyboard_alone(visitor, kim):
    visitor.open()
    visitor.tab_to(visitor.link("Connect a calendar"))
    visitor.press("Enter")
    visitor.tab_to(visitor.link("Connect Google Calendar"))
    visitor.press("Enter")
    visitor.tab_to(visitor.page.get_by_label("Somebody else"))
    visitor.type(kim)
    visitor.press("Enter")
    visitor.sees(f"{kim} is connected.")
    visitor.next_week(lambda button: (visitor.tab_to(button), visitor.press("Enter")))
    visitor.tab_to(visitor.page.locator('.start[tabindex="0"]'))
    visitor.press("Home")
    visitor.press_until("ArrowRight", "Tuesday")
    visitor.press_until("ArrowDown", "09:00–10:00")
    visitor.sees(f"{kim} is busy 09:00–10:00.")
    visitor.press_until("ArrowDown", "10:00–11:00")
    visitor.press("Enter")
    visitor.type("Coffee")
    visitor.press("Enter")
    visitor.sees("Coffee is booked.")
    expect(visitor.start("Tuesday", "10:00–11:00")).to_have_attribute("aria-disabled", "true")
    expect(visitor.page.locator(".ghost:visible")).to_have_count(0)
    visitor.tab_to(inbox(visitor).get_by_role("button", name=re.compile("Invitation: Coffee")))
    visitor.press("Enter")
    visitor.tab_to(visitor.button("Accept"))
    visitor.press("Enter")
    expect(meetings(visitor).get_by_text(f"{kim} accepted")).to_be_visible()
    expect(visitor.button("Accept")).to_be_focused()
    visitor.tab_to(visitor.button(f"Disconnect {kim}"))
    visitor.press("Enter")
    visitor.press("Enter")
    visitor.sees(f"{kim} is disconnected.")


def test_axe_finds_nothing_on_any_page(visitor, kim, lee):
    def check(rules=None):
        for width, height in (DESKTOP, PHONE):
            visitor.page.set_viewport_size({"width": width, "height": height})
            for scheme in ("light", "dark"):
                visitor.page.emulate_media(color_scheme=scheme)
                assert violations(visitor.page, rules) == []

    visitor.open()
    expect(visitor.link("Connect a calendar")).to_be_visible()
    check()
    visitor.link("Connect a calendar").click()
    check()
    visitor.link("Connect Google Calendar").click()
    check()
    visitor.sign_in(kim)
    visitor.allow()
    visitor.connect("microsoft", lee)
    visitor.next_week()
    visitor.button("Tue").click()
    visitor.start("Tuesday", "09:00–10:00").hover()
    check()
    visitor.start("Tuesday", "10:00–11:00").click()
    check()
    visitor.button("Book and invite").click()
    open_letter(visitor, "Lee", "Invitation")
    check()
    visitor.button("Propose another time").click()
    check()
    visitor.button("Back").click()
    propose(visitor, "Later?", "16:00")
    expect(visitor.button("Move the meeting there")).to_be_visible()
    check()
    visitor.button("Cancel meeting Planning").click()
    check()
    visitor.button("Back").click()
    letter = visitor.page.request.get(f"{visitor.stack['demo']}{visitor.page.locator('iframe').get_attribute('src')}")
    visitor.page.goto("about:blank")  # In its own frame the letter may run no scripts, not even those of axe.
    visitor.page.set_content(letter.text())
    check(WCAG_22_AA)  # Mail has no landmarks: it is shown inside of a page that has.
