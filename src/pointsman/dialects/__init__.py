"""One folder per wire language, pure functions only; each translates to and from the vocabulary of ``core``."""
