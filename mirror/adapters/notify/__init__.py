"""Ways to tell people who do not look: mail, a webhook, a command of the administrator's."""
