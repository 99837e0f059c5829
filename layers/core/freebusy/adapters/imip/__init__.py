"""Invitations as e-mail (iMIP, RFC 6047): from a managed event to the bytes of one message for one attendee."""
