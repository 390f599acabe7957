"""What the exports of Facebook, Instagram and Threads share: text, labels, ids, owners, audiences.

Meta writes each byte of UTF-8 as a character of its own (`caf\\u00c3\\u00a9` for café), and it
writes labels in the member's language, so that values are told by what they look like. Reference:
platform-formats.md, sections A.2 to A.4 and E.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from msgspec import Struct

from sayso.content.events import AccountUpdate
from sayso.content.record import LONGEST_ID, normalise_text
from sayso.sources.fields import age_band, object_in, objects_in

UNKNOWN_ACTOR: Final = "reaction of an unknown account"
_DEEPEST: Final = 8
_HANDLE: Final = re.compile(r"[A-Za-z0-9._]{1,50}")
_LINK: Final = re.compile(r"https?://\S+")
_TAG: Final = re.compile(r"(?<![\w&/#])#(\w*[^\W\d_]\w*)")
_MENTION: Final = re.compile(r"(?<![\w.@/])@([A-Za-z0-9_](?:[A-Za-z0-9_.]{0,28}[A-Za-z0-9_])?)")
# What the member's own words are labelled, in the languages that Meta's exports mostly come in.
_WORDS: Final = re.compile(
    r"message|text|caption|comment|bericht|tekst|bijschrift|opmerking|reactie|nachricht|beitragstext|"
    r"bildunterschrift|kommentar|mensaje|texto|comentario|légende|commentaire|texte|messaggio|testo|"
    r"didascalia|commento|mensagem|legenda|comentário|wiadomość|komentarz|mesaj|metin|yorum|"
    r"сообщение|текст|комментарий|подпись|tin nhắn|văn bản|bình luận|chú thích|消息|讯息|訊息|文字|"
    r"内容|內容|说明文字|說明文字|评论|留言|評論|メッセージ|テキスト|キャプション|コメント|메시지|텍스트|댓글",
    re.IGNORECASE,
)


class Label(Struct, frozen=True):
    """One labelled value of a row; `name` is in the member's language, `at` is as it was given."""

    name: str = ""
    text: str = ""
    href: str = ""
    at: object = None
    nested: bool = False
    media: tuple[dict[str, Any], ...] = ()

    @property
    def link(self) -> str:
        """The address it gives, if any."""
        match = _LINK.match(self.href) or _LINK.fullmatch(self.text)
        return match[0] if match else ""

    @property
    def handle(self) -> str:
        """The account name that it may be, in lower case, else ''."""
        return self.text.lower() if _HANDLE.fullmatch(self.text) else ""


class Owner(Struct, frozen=True):
    """Whose export it is, as far as it says so.

    `names` are the names shown for them, `is_private` is None where nothing tells, and `opened_at`
    is when the account was last made public.
    """

    account: str = ""
    names: frozenset[str] = frozenset()
    handle: str = ""
    age_band: str = ""
    is_private: bool | None = None
    opened_at: datetime | None = None

    def audience(self, at: datetime | None) -> str:
        """Return who sees what was posted on their account then."""
        if self.is_private is None:
            return "unknown"
        if self.is_private:
            return "followers"
        is_doubtful = self.opened_at is not None and (at is None or at < self.opened_at)
        return "unknown" if is_doubtful else "public"

    def told(self, service: str) -> Iterator[AccountUpdate]:
        """Yield what is known of the account, if it is known."""
        if self.account:
            state = "private" if self.is_private else ""
            yield AccountUpdate(
                self.account, service, handle=self.handle, age_band=self.age_band, state=state
            )


class Seen:
    """What was met before, kept as hashes."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def add(self, *parts: str) -> bool:
        """Note something; return whether it had been noted before."""
        key = hash(parts)
        if key in self._hashes:
            return True
        self._hashes.add(key)
        return False

    def __contains__(self, parts: tuple[str, ...]) -> bool:
        return hash(parts) in self._hashes

    def __len__(self) -> int:
        return len(self._hashes)


def repaired(text: str) -> str:
    """Undo, once, that each byte of UTF-8 was written as a character; leave other text alone."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def words(value: object) -> str:
    """Return a text, repaired and in plain form; '' for everything that is none."""
    return _plain(value) if isinstance(value, str) else ""


@lru_cache(32)
def _plain(text: str) -> str:
    # A caption stands in two places of its row, a name in many rows.
    return normalise_text(repaired(text))


def name_key(value: object) -> str:
    """Return a person's name in a form that two spellings of it share."""
    return " ".join(words(value).casefold().split())


def labels(row: dict[str, Any]) -> list[Label]:
    """Return the labelled values of a row in any of Meta's three dialects, in their order."""
    found: list[Label] = []
    for name, value in object_in(row, "string_map_data").items():
        if isinstance(value, dict):
            found.append(_label(value, words(name), False))
    for value in objects_in(row, "string_list_data"):
        found.append(_label(value, "", False))
    for value in objects_in(row, "label_values"):
        _gather(value, 0, found)
    return found


def _gather(value: dict[str, Any], depth: int, found: list[Label]) -> None:
    name = value.get("ent_field_name") or value.get("label") or value.get("title")
    found.append(_label(value, words(name), depth > 0))
    if depth < _DEEPEST:
        for child in (*objects_in(value, "dict"), *objects_in(value, "vec")):
            _gather(child, depth + 1, found)


def _label(value: dict[str, Any], name: str, nested: bool) -> Label:
    at = value.get("timestamp") or value.get("timestamp_value")
    media = tuple(objects_in(value, "media")) or tuple(filter(None, [object_in(value, "media")]))
    return Label(name, words(value.get("value")), words(value.get("href")), at, nested, media)


def spoken(found: Iterable[Label]) -> str | None:
    """Return the member's words among labelled values; None if they cannot be told apart."""
    plain = [each for each in found if each.text and not each.nested and not each.link]
    named = [each for each in plain if _WORDS.fullmatch(each.name)]
    texts = {each.text for each in named or plain}
    if len(texts) > 1:
        return None
    return texts.pop() if texts else ""


def account(service: str, user: object) -> str:
    """Return the account of a user name, '' if it is none."""
    is_name = isinstance(user, str) and _HANDLE.fullmatch(user)
    return f"acct:{user.lower()}@{service}" if is_name and isinstance(user, str) else ""


def combined(owners: list[Owner]) -> Owner:
    """Return the owner that several files tell of; what they contradict each other in is unknown.

    Of two privacy settings one is out of date, and nothing tells which.
    """
    if not owners:
        return Owner()
    first, names = owners[0], frozenset(name for owner in owners for name in owner.names)
    if len({owner.account for owner in owners}) > 1:
        return Owner()
    bands = {owner.age_band for owner in owners if owner.age_band}
    settings = {owner.is_private for owner in owners}
    opened = [owner.opened_at for owner in owners if owner.opened_at]
    return Owner(
        first.account,
        names,
        first.handle,
        "unknown" if len(bands) > 1 else "".join(bands),
        settings.pop() if len(settings) == 1 else None,
        max(opened, default=None),
    )


def band(born: str) -> str:
    """Return the age band of somebody born on this day (ISO 8601) as of today; '' for no day."""
    return age_band(born, datetime.now(UTC)) if born else ""


def record_id(service: str, owner: str, kind: str, at: datetime | None, text: str, uri: str) -> str:
    """Return the id of what Meta gives none: a hash of all that tells it apart.

    Of a medium's path only the name counts, without its ending: folders and picture formats
    change from export to export.
    """
    seconds = "" if at is None else str(int(at.timestamp()))
    parts = "\0".join((owner, kind, seconds, text, stem(uri)))
    return f"{service}:{blake2b(parts.encode(), digest_size=16).hexdigest()}"


def stem(uri: str) -> str:
    """Return the name in a path, without folders and ending."""
    name = uri.partition("?")[0].rpartition("/")[2]
    return name.rpartition(".")[0] or name


def told_once(text: str, captions: Iterable[str]) -> str:
    """Return a post's text; where it has none and all captions say the same, that is the text."""
    if text:
        return text
    told = set(captions) - {""}
    return told.pop() if len(told) == 1 else ""


def tags(text: str) -> tuple[str, ...]:
    """Return the hashtags of a text, without their signs, each once."""
    return tuple(dict.fromkeys(_TAG.findall(text))) if "#" in text else ()


def mentions(text: str, service: str) -> tuple[str, ...]:
    """Return the accounts that a text names, each once."""
    if "@" not in text:
        return ()
    return tuple(dict.fromkeys(f"acct:{name.lower()}@{service}" for name in _MENTION.findall(text)))


def is_id(text: str) -> bool:
    """Whether a text can be the object of a reaction."""
    return 0 < len(text) <= LONGEST_ID
