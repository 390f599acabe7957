"""Discourse forums: JSON of the API, bodies of webhooks, and back-ups (see `discourse_dump`).

Of JSON: topics (/t/<id>.json, /t/<id>/posts.json), lists of posts (/posts.json), single posts, and
webhooks ({"post": …}), in any number of files. What they lack about topics and categories may be
told by other files beside them: topic lists, categories.json, site.json. Reference:
platform-formats.md, section D.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from sayso.sources import discourse_dump
from sayso.sources.archive import Member, Tree
from sayso.sources.discourse_post import PRIVATE, Forum, items
from sayso.sources.documents import Document, UnreadableError, outline
from sayso.sources.fields import object_in, objects_in
from sayso.sources.items import Item, Rejected

# Of a post with a long text only the first keys are seen.
_OF_POSTS: Final = {"post_number", "topic_id", "avatar_template"}
_LISTS: Final = ("latest_posts", "private_posts")
_HINT: Final = re.compile(
    rb'"(post_stream|latest_posts|private_posts|cooked|read_restricted|topic_list)"'
)
# A post's picture lies at its forum's host; other links in a post may lead anywhere.
_HOST: Final = re.compile(
    rb'"avatar_template"\s*:\s*"[^"]*/user_avatar/([\w.-]+)/|'
    rb'"(?:post|topic)_url"\s*:\s*"https?://([\w.:-]+)/'
)
_HOST_NAME: Final = re.compile(r"[\w-]+(\.[\w-]+)+", re.ASCII)
# What back-ups and copies have behind the forum's name.
_ENDING: Final = re.compile(
    r"(-\d{4}-\d\d-\d\d-\d{6}.*|\.(tar\.gz|tgz|tar|zip|json|sql|sql\.gz))$", re.IGNORECASE
)


def claims(tree: Tree) -> bool:
    """Whether a tree has posts of a Discourse forum."""
    return any(
        _shape(member) not in ("", "facts") or discourse_dump.is_dump(member)
        for member in tree.members
    )


def read(tree: Tree) -> Iterator[Item]:
    """Read the posts of a tree; topics and categories first, wherever they stand."""
    name = _ENDING.sub("", tree.name).lower() or "forum"
    shapes = {member.name: shape for member in tree.members if (shape := _shape(member))}
    documents = [member for member in tree.members if member.name in shapes]
    hosts = _hosts(documents, name)
    forums = {host: Forum(host) for host in hosts.values()}
    for member in documents:
        _take_facts(member, forums[hosts[member.name]])
    for member in documents:
        if (shape := shapes[member.name]) != "facts":
            yield from _posts(member, shape, forums[hosts[member.name]])
    for member in filter(discourse_dump.is_dump, tree.members):
        yield from discourse_dump.read(member, name)


def _shape(member: Member) -> str:
    """Tell what a document holds by its first keys; '' if it is not Discourse's."""
    if member.is_media or not _HINT.search(member.head):
        return ""
    seen = outline(member.head)
    keys = set(seen.keys)
    shapes = {
        "list": seen.root == "[" and _are_of_a_post(set(seen.first)),
        "topic": "post_stream" in keys,
        "posts": bool(keys & set(_LISTS)),
        "webhook": seen.keys[:1] == ("post",) and b'"cooked"' in member.head,
        "post": _are_of_a_post(keys),
        "facts": bool(keys & {"category_list", "categories", "category", "topic_list"}),
    }
    return next((shape for shape, fits in shapes.items() if fits), "")


def _are_of_a_post(keys: set[str]) -> bool:
    return keys >= {"username", "cooked"} and bool(keys & _OF_POSTS)


def _hosts(documents: list[Member], name: str) -> dict[str, str]:
    """Tell each document's forum: by itself, by its folder, by the others', else by the name."""
    told = {member.name: _host(member) for member in documents}
    only = set(filter(None, told.values()))
    rest = only.pop() if len(only) == 1 else name
    return {path: host or rest for path, host in told.items()}


def _host(member: Member) -> str:
    if match := _HOST.search(member.head):
        return (match[1] or match[2]).decode("ascii", "replace").lower()
    folders = [folder for folder in member.name.split("/")[:-1] if _HOST_NAME.fullmatch(folder)]
    return folders[-1].lower() if folders else ""


def _take_facts(member: Member, forum: Forum) -> None:
    """Note what a document says of topics and categories, without its posts."""
    with member.open() as stream:
        document = Document(stream, member.name)
        if document.kind() != "{":
            return
        topic: dict[str, Any] = {}
        is_topic = False
        for key in document.entries():
            match key:
                case "post_stream":
                    is_topic = True
                    document.skip()
                case "id" | "archetype" | "category_id" | "title" | "visible" | "deleted_at":
                    topic[key] = _value(document)
                case "category_list" | "topic_list" | "categories" | "category":
                    _take_list({key: _value(document)}, forum)
                case _:
                    document.skip()
        document.end()
    if is_topic:
        forum.add_topic(topic)


def _take_list(fields: dict[str, Any], forum: Forum) -> None:
    lists = (fields, object_in(fields, "category_list"), {"categories": [fields.get("category")]})
    for category in (each for one in lists for each in objects_in(one, "categories")):
        forum.add_category(category)
    for topic in objects_in(object_in(fields, "topic_list"), "topics"):
        forum.add_topic(topic)


def _posts(member: Member, shape: str, forum: Forum) -> Iterator[Item]:
    """Read the posts of a document, each as it comes."""
    with member.open() as stream:
        document = Document(stream, member.name)
        match shape:
            case "list":
                yield from _each(document, forum, member.name)
            case "post":
                yield from _one(document, forum, member.name)
            case _:
                for key in document.entries():
                    yield from _part(document, key, forum, member.name)
        document.end()


def _part(document: Document, key: str, forum: Forum, file: str) -> Iterator[Item]:
    kind = document.kind()
    if key in _LISTS and kind == "[":
        yield from _each(document, forum, file, PRIVATE if key == "private_posts" else "")
    elif key == "post" and kind == "{":
        yield from _one(document, forum, file)
    elif key == "post_stream" and kind == "{":
        for part in document.entries():
            if part == "posts" and document.kind() == "[":
                yield from _each(document, forum, file)
            else:
                document.skip()
    else:
        document.skip()


def _each(document: Document, forum: Forum, file: str, archetype: str = "") -> Iterator[Item]:
    for _ in document.elements():
        yield from _one(document, forum, file, archetype)


def _one(document: Document, forum: Forum, file: str, archetype: str = "") -> Iterator[Item]:
    where = document.where
    try:
        post = document.value()
    except UnreadableError as error:
        yield Rejected(file, error.where, error.reason)
        return
    if not isinstance(post, dict):
        yield Rejected(file, where, "expected a post")
        return
    yield from items(post | {"archetype": archetype} if archetype else post, forum, file, where)


def _value(document: Document) -> object:
    """Take a fact; one that is no Unicode is not known."""
    try:
        return document.value()
    except UnreadableError:
        return None
