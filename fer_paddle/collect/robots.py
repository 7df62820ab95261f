"""robots.txt: what a site lets a crawler fetch.

Source: RFC 9309; Crawl-delay is not in it, but many sites write it. Python's urllib.robotparser takes the first rule
that fits instead of the longest, and knows no `*` and `$`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

MAX_BYTES = 500 * 1024  # RFC 9309, section 2.5: at least that much is read
MAX_DELAY_SECONDS = 60.0


@dataclass(frozen=True)
class Rules:
    """The rules of one site for one crawler.

    Attributes:
        rules: Pairs (path pattern, allowed).
        delay_seconds: Seconds the site asks for between two requests, at most MAX_DELAY_SECONDS.
    """

    rules: tuple[tuple[str, bool], ...] = ()
    delay_seconds: float = 0.0

    def allow(self, path: str) -> bool:
        """Tells whether a path with its query may be fetched: the longest pattern wins, Allow in a tie."""
        path = _normal(path)
        fitting = [(len(pattern), allowed) for pattern, allowed in self.rules if _fits(pattern, path)]
        return path == "/robots.txt" or max(fitting, default=(0, True))[1]


ALLOW_ALL = Rules()


def parse_robots(text: str, agent: str) -> Rules:
    """Reads robots.txt for one crawler.

    Args:
        text: The file, at most MAX_BYTES of it.
        agent: The crawler's product token, such as `fer_paddle`.

    Returns:
        The rules of all groups that name the token; where none does, of all groups for `*`.
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    agents: list[str] = []
    in_rules = False
    for line in text.lstrip("\ufeff").splitlines():
        key, colon, value = line.split("#", 1)[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if not colon:
            continue
        if key == "user-agent":
            agents, in_rules = ([] if in_rules else agents), False
            agents.append(re.match(r"\*|[\w-]*", value.lower()).group())
            groups.setdefault(agents[-1], [])
        elif key in ("allow", "disallow", "crawl-delay"):
            in_rules = True
            for name in agents:
                groups[name].append((key, value))
    lines = groups.get(agent.lower(), groups.get("*", []))
    # An empty Disallow forbids nothing.
    rules = tuple((_normal(value), key == "allow") for key, value in lines if key != "crawl-delay" and value)
    return Rules(rules, max((_delay(value) for key, value in lines if key == "crawl-delay"), default=0.0))


def _delay(value: str) -> float:
    return min(float(value), MAX_DELAY_SECONDS) if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", value) else 0.0


def _normal(path: str) -> str:
    """Writes every character one way, so that `/a%3cd`, `/a%3Cd` and `/a<d` are equal; `%2F` stays apart from `/`."""
    kept = re.sub(r"%(2f|2a|24|25)", lambda match: f"%25{match.group(1).upper()}", path, flags=re.IGNORECASE)
    return quote(unquote(kept), safe="/*$?&=:;,+!~'()@%") or "/"


def _fits(pattern: str, path: str) -> bool:
    """Matches from the path's start; `*` is any text, `$` at the end its end. Linear, unlike a regular expression."""
    at_end = pattern.endswith("$")
    first, *pieces = (pattern[:-1] if at_end else pattern).split("*")
    if not path.startswith(first):
        return False
    place = len(first)
    if not pieces:
        return not at_end or place == len(path)
    last = pieces.pop() if at_end else ""
    for piece in pieces:
        found = path.find(piece, place)
        if found < 0:
            return False
        place = found + len(piece)
    return len(path) - len(last) >= place and path.endswith(last)
