"""Text on a terminal: from elsewhere, or to be copied from there."""

from rich.text import Text

_CONTROLS = {
    code: chr(0x2400 + code) if code < 0x20 else "�"
    for code in (*range(0x20), 0x7F, *range(0x80, 0xA0))
    if chr(code) not in "\n\t"
}


def clean(text: str) -> str:
    """The text with a picture of each control character that would do something to a terminal."""
    return text.translate(_CONTROLS)


def copied(command: str) -> Text:
    """A command that is there to be copied: never broken over lines."""
    return Text(command, no_wrap=True, overflow="ignore")
