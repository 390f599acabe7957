"""What is said of AI in a form for machines: one parser a signal, one resolver over all of them.

Nothing here knows the rest of Sayso. A parser takes what was found (bytes, headers, decoded JSON)
and returns `Statement`s; nothing said is no statement. `resolve.verdict` combines them: any no
wins, what cannot be read is never a yes.

- headers and pages: `aipref`, `noai`, `tdmrep`, `gpc`; `headers` and `pages` take them apart
- robots.txt: `aipref`, `content_signals`, `bots`; its groups and paths: `robots`; `ai_txt`
- accounts: `atproto` (both lexicons), `activitypub` (actors, bio tags)
- pictures and documents: `media`, over `packets` (XMP in bytes), `xmp`, `markup`, `cawg` (C2PA)
- a file of any of these kinds: `files`; licences behind a reservation: `policies`
"""
