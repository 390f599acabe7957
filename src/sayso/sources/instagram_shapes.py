"""The rows of Instagram's exports (and of Threads', which are alike) as one plain shape.

Labels are in the member's language, so values are told by what they look like and, where that is
not enough, by what they are called in the languages that are known. Reference:
platform-formats.md, section A.4.
"""

import re
from typing import Any, Final

from sayso.content.events import Interaction
from sayso.sources import meta
from sayso.sources.fields import moment, objects_in, text_in
from sayso.sources.items import Item, Rejected, Skipped
from sayso.sources.meta import Label, Owner, labels, spoken, words
from sayso.sources.meta_files import Picture, subtitles_of
from sayso.sources.meta_posts import Piece

_POST: Final = re.compile(r"/(p|reels?|tv|stories|post|t)/")
_OWNER: Final = re.compile(
    r"owner|author|username|eigenaar|auteur|inhaber|eigentümer|besitzer|urheber|autor|propri|propiet|"
    r"titolare|dueñ|владел|автор|作者|所有者|擁有者|拥有者|소유자|작성자|sahib|właściciel|tác giả",
    re.IGNORECASE,
)
_USERNAME: Final = re.compile(
    r"user ?name|gebruikersnaam|benutzername|nutzername|nom d.utilisateur|nombre de usuario|"
    r"nome utente|nome de (usuário|utilizador)|brugernavn|brukernavn|användarnamn|käyttäjänimi|"
    r"nazwa użytkownika|uživatelské jméno|kullanıcı adı|имя пользователя|ім.я користувача|"
    r"nama pengguna|tên người dùng|اسم المستخدم|用户名|用戶名稱|使用者名稱|"
    r"ユーザーネーム|사용자 이름",
    re.IGNORECASE,
)
_PRIVATE: Final = re.compile(
    r"priv|prywat|soukrom|приват|закрыт|gizli|riêng tư|私密|私人|不公開|非公開|비공개|خاص",
    re.IGNORECASE,
)
_YES: Final = frozenset(
    "true yes waar ja wahr oui sí si sim sì vrai 是 はい 예 да evet tak".split()
)
_NO: Final = frozenset(
    "false no onwaar nee falsch nein non não faux 否 いいえ 아니요 нет hayır nie".split()
)
_DAY: Final = re.compile(r"(19|20)\d\d-\d\d-\d\d", re.ASCII)


def post(row: dict[str, Any], kind: str) -> Piece:
    """Return what a row of posts, reels, stories or archived posts holds.

    The caption of a single medium stands with the medium, that of several with the post.
    """
    found = labels(row) if "label_values" in row else []
    media = [*objects_in(row, "media"), *(medium for label in found for medium in label.media)]
    if isinstance(row.get("uri"), str):
        media.insert(0, row)
    pictures = tuple(map(_picture, media))
    text: str | None = words(row.get("title"))
    if not text and found and not any(picture.caption for picture in pictures):
        text = spoken(found)
    stamps = (each.get("creation_timestamp") for each in (row, *media))
    return Piece(
        surface=kind if kind in ("story", "reel") else "post",
        text=text,
        at=row.get("timestamp") or next(filter(None, stamps), None),
        pictures=pictures,
        is_on_profile=kind != "story",
    )


def old_post(row: dict[str, Any], kind: str) -> Piece:
    """Return what a row of media.json holds, as it was before 2021: {caption, taken_at, path}."""
    text = words(row.get("caption"))
    pictures = (Picture(text_in(row, "path"), text),)
    return Piece(kind, text, row.get("taken_at"), pictures=pictures, is_on_profile=kind != "story")


def comment(row: dict[str, Any]) -> Piece:
    """Return what a row of comments holds; the media that was commented on is not its own."""
    if isinstance(old := row.get("list"), list):  # [time, text, owner of the media]
        return Piece("comment", words(old[1]) if len(old) > 1 else "", old[0] if old else None)
    found = labels(row)
    at = next((label.at for label in found if label.at), row.get("timestamp"))
    return Piece("comment", _comment(row, found), at)


def _comment(row: dict[str, Any], found: list[Label]) -> str:
    """Tell a comment from the name of who owns what was commented on.

    In all shapes that were seen the comment comes first.
    """
    plain = [each for each in found if each.text and not each.nested and not each.link]
    owner = words(row.get("media_owner")).lower()
    texts = [each for each in plain if not _OWNER.search(each.name) and each.text != owner]
    sentences = [each for each in texts if not each.handle]
    return next((each.text for each in (sentences if len(sentences) == 1 else texts)), "")


def reaction(
    row: dict[str, Any], verb: str, service: str, owner: Owner, file: str, where: str
) -> Item:
    """Return what a row of likes or views tells."""
    at, target = _target(row, service)
    if not meta.is_id(target):
        return Rejected(file, where, "a reaction without what it is to")
    if not owner.account:
        return Skipped(meta.UNKNOWN_ACTOR)
    return Interaction(owner.account, verb, target, at=moment(at)[0])


def _target(row: dict[str, Any], service: str) -> tuple[object, str]:
    if isinstance(old := row.get("list"), list):  # [time, …, account]
        found = [Label(text=words(old[-1]) if len(old) > 1 else "")]
        at = old[0] if old else None
    else:
        found = labels(row)
        at = next((label.at for label in found if label.at), row.get("timestamp"))
    links = [label.link for label in found if label.link]
    link = next(filter(_POST.search, links), links[0] if links else "")
    names = (each.handle for each in (Label(text=words(row.get("title"))), *found))
    name = next(filter(None, names), "")
    return at, link or (f"{service}:{name}" if name else "")


def owner_of(found: list[Label], host: str, user: str, opened: list[object] | None) -> Owner:
    """Return the owner that a profile's labelled values tell of.

    Args:
        found: the labelled values.
        host: of the accounts.
        user: whom the export is called after.
        opened: when the account's privacy was changed; None if that cannot be read.
    """
    handles = (each.handle for each in found if _USERNAME.fullmatch(each.name))
    account = meta.account(host, next(filter(None, handles), user))
    days = {each.text for each in found if _DAY.fullmatch(each.text)}
    is_private = _is_private(found)
    moments = [moment(at)[0] for at in opened or ()]
    if opened is None or None in moments:
        is_private = is_private or None
    return Owner(
        account,
        age_band=meta.band(days.pop()) if len(days) == 1 else "unknown" if days else "",
        is_private=is_private,
        opened_at=max(filter(None, moments), default=None),
    )


def _is_private(found: list[Label]) -> bool | None:
    """Whether the account is private; None unless exactly one value says so plainly."""
    told = {each.text.strip().lower() for each in found if _PRIVATE.search(each.name)}
    if len(told) != 1:
        return None
    word = told.pop()
    return True if word in _YES else False if word in _NO else None


def _picture(medium: dict[str, Any]) -> Picture:
    return Picture(text_in(medium, "uri"), words(medium.get("title")), subtitles_of(medium))
