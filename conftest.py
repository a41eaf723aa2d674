"""What is not collected: scripts with environments of their own; torch's modules without it."""

from importlib.util import find_spec

collect_ignore_glob = ["tests/environments/*"]
if find_spec("torch") is None:
    collect_ignore_glob.append("src/outgroup/finetune/*")
