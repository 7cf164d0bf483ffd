"""Words for people, in the two languages that the ledger speaks."""

from typing import Literal, NamedTuple

Language = Literal["zh", "en"]


class Text(NamedTuple):
    """One sentence, said in Chinese and in English."""

    zh: str
    en: str

    def said_in(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


def shown(value: object, limit: int = 40) -> str:
    """What was got, quoted and cut short, so that a message is one line that can be written whatever was sent."""
    try:
        text = " ".join(str(value).split())
    except ValueError:
        # Python writes no whole number of more than 4,300 digits.
        text = "…"
    text = text.encode("utf-8", "replace").decode()
    return f"“{text[:limit]}…”" if len(text) > limit else f"“{text}”"
