"""Commands that ask a gateway which runs: how it is found and asked, and how answers are shown."""
