"""Google, Microsoft and everybody's mailbox on loopback, so that the whole service runs without them.

The simulators speak the providers' real paths and shapes and check what they are sent as the real ones do. What
they do not know: billing and quotas (but for the calls that a Microsoft mailbox takes at once), personal Microsoft
accounts (every Microsoft mailbox here is a work mailbox), calendars other than a person's main one. Organizations have
one domain and one administrator each, their calendars are either seen by all colleagues or by none, groups are not
expanded, and the Admin console, where delegation is set up, is the control surface.

``python -m local.simulators google --port 8081`` runs one as a process, ``running("google")`` in a thread, and
``mailbox_process.running_mailbox`` the mailbox. ``control`` says how people, faults and records of requests are
handled, ``mailbox`` how mail is.
"""

from local.simulators.process import running

__all__ = ["running"]
