"""The demo front end of the laptop stack: a small application that finds and books time with connected people.

It is a client like any other. Whatever it knows of calendars comes over the public API through the official Python
SDK of the protocol, unmodified; the browser talks to this server alone. Two things are possible only here, because
providers and mail are simulated: it gives a few made-up people their calendars (``made_up``), and it shows
everybody's inbox (``inbox``).

| module | what it is about |
| --- | --- |
| ``people`` | connected people, through the SDK |
| ``week``, ``bands`` | the time that is shown, and what is in it |
| ``meetings`` | booking, moving, cancelling |
| ``picture`` | everything that the page shows, put together |
| ``sessions``, ``site`` | the web application |
| ``static`` | the page: HTML, CSS and ES modules, served as they are |
"""
