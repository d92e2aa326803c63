"""
Messages as chats take them: texts from outside call nobody and make no links, and what is too long is cut. Pure.

An error may quote a name that somebody chose: `<!channel>` in it would wake up everybody.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_NOTHING = "\u200b"
"""A space without width: what stands on both sides of it is no mark of the chat any more, and looks as before."""

_SLACK = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_MARKDOWN = re.compile(r"([\\`*_~|<>\[\]()#])")
_CALL = re.compile(r"(?<![\w.+-])@(?=\w)")
_TAG = re.compile(r"<(?=[!@#/:\w&])")
_LINK = re.compile(r"\](?=[(\[:])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """How one kind of chat takes text."""

    escape: Callable[[str], str]
    longest: int | None
    """Characters of one message; None where it takes whatever comes."""

    def fit(self, text: str, *, room: int | None, link: str | None) -> str:
        """Escape a text, and cut it where it has more than ``room`` characters then; ``link`` leads to the whole."""
        whole = self.escape(text)
        if room is None or len(whole) <= room:
            return whole
        tail = self.escape(_tail(link))
        kept = text[: max(0, room - len(tail))]
        while kept and len(self.escape(kept)) + len(tail) > room:
            kept = kept[: len(kept) - max(1, (len(self.escape(kept)) + len(tail) - room) // 6)]
        return (self.escape(kept.rstrip()) + tail)[:room]


def _tail(link: str | None) -> str:
    return "\n… cut" if link is None else f"\n… cut; the whole: {link}"


def slack(text: str) -> str:
    """
    Return text as Slack shows it: what stands between `<` and `>` would call people, channels, groups, or be a link.

    >>> slack("a & <!channel> <@U123> <https://example.org|here> @here")
    'a &amp; &lt;!channel&gt; &lt;@\\u200bU123&gt; &lt;https://example.org|here&gt; @\\u200bhere'
    """
    return _LINK.sub(f"]{_NOTHING}", _without_calls(text.translate(_SLACK)))


def discord(text: str) -> str:
    r"""
    Return text as Discord shows it: without its Markdown, and without calls, that no backslash hides.

    >>> discord("@everyone *a* [b](c) <@&1>")
    '@\u200beveryone \\*a\\* \\[b\\]\\(c\\) \\<@\u200b&1\\>'
    """
    return _MARKDOWN.sub(r"\\\1", re.sub(r"@(?=[\w!&])", f"@{_NOTHING}", text))


def other(text: str) -> str:
    """
    Return text for a chat that nobody knows here: most take `@name`, `<tag>` or `[a](link)`; mail addresses stay.

    >>> other("@all <at>ann</at> [a](b) ops@example.org <1 s")
    '@\\u200ball <\\u200bat>ann<\\u200b/at> [a]\\u200b(b) ops@example.org <\\u200b1 s'
    """
    return _LINK.sub(f"]{_NOTHING}", _TAG.sub(f"<{_NOTHING}", _without_calls(text)))


def _without_calls(text: str) -> str:
    return _CALL.sub(f"@{_NOTHING}", text)


def _plain(text: str) -> str:
    return text


SLACK = Chat(escape=slack, longest=3000)  # one block; a text may have 40,000
DISCORD = Chat(escape=discord, longest=2000)
OTHER = Chat(escape=other, longest=None)
NONE = Chat(escape=_plain, longest=None)
"""No chat: a mail, a pager."""
