"""The examples of docs/ingest-api.md do what it says."""

import json
import re
import shutil
import subprocess

import pytest

from tests.conftest import ROOT
from tests.corpus.world import lines, post, texts

PAGE = ROOT / "docs" / "ingest-api.md"


@pytest.mark.skipif(not shutil.which("curl"), reason="the examples are written for curl")
def test_the_examples_work_as_they_stand(source, tmp_path):
    (tmp_path / "posts.jsonl").write_bytes(lines(post(1), post(2)))
    (block,) = re.findall(r"```bash\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    block = block.replace("https://ai.example", source.running.address)
    block = block.replace("curl ", "curl --silent --show-error --fail-with-body --max-time 20 ")
    examples = [part for part in re.split(r"(?m)^# .*$", block) if part.strip()]
    answers = []
    for example in examples:
        done = subprocess.run(
            ["bash", "-c", example],
            cwd=tmp_path,
            env={"KEY": source.key, "PATH": "/usr/bin:/bin:/usr/local/bin"},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        answers.append({name: n for name, n in json.loads(done.stdout).items() if n})
    assert answers == [
        {"read": 2, "stored": 2},
        {"read": 1, "stored": 1},
        {"read": 1, "accounts": 1},
        {"read": 1, "interactions": 1},
        {"read": 1, "deletions": 1},
    ]
    assert set(texts(source.running.workspace)) == {"post-1", "post-2"}
