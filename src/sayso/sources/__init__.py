"""Readers: each turns what a platform gives into items (`items.py`), streaming.

Where to look, and where to add:

- what a path is: `detect.py`; archives made safe: `archive.py`, `packed.py`; private messages told
  apart: `messages.py`; JSON of any size: `documents.py`; one object a line: `lines.py`; careful
  access to loose JSON: `fields.py`; HTML to text: `html.py`
- one platform a prefix: `meta*`, `facebook*`, `instagram*`, `threads`; `mastodon*`, `as2_*` and
  `activitystreams`; `bluesky*`, `car`, `jetstream*`; `x*`; `telegram`; `discourse*`; `reddit`
- Sayso's own lines: `jsonl.py` in, `jsonl_out.py` out
- what happens live: the seam `live.py`, addresses `feeds.py`, `*_stream.py` and `*_feed.py`;
  CloudEvents: `cloudevents.py`; HTTP signatures: `signatures.py`, `cavage.py`, `claims.py`
"""
