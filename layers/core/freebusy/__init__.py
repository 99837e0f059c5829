"""Free/Busy Connect: calendars connected for free/busy only, behind the Cronofy HTTP protocol."""
