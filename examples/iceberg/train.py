"""Train on Kaggle's Statoil/C-CORE ``train.json``, or on a file that simulate.py wrote.

python train.py train.json ice.outgroup
python train.py train.json ice.outgroup --preset two-branch --no-ablation
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from outgroup import MultiInputClassifier
from outgroup.multi_input import PRESETS, Inputs

SPEC = Path(__file__).parent / "inputs.json"


def train(data: Path, preset: str | None = None, seed: int = 0) -> MultiInputClassifier:
    """Learn from a file like ``train.json``, as inputs.json says.

    Chips of one scene have one angle, and are kept together. Each chip of an unknown angle ("na")
    is a group of its own.
    """
    spec = json.loads(SPEC.read_text())
    inputs = Inputs.from_dict({key: spec[key] for key in ("images", "table", "fusion")})
    model = MultiInputClassifier(inputs, preset or spec["preset"], spec["target"], seed=seed)
    return model.fit(data, spec["label"], spec["groups"], id=spec["id"], names=spec["names"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, save, and print figures of held-out rows."""
    parser = argparse.ArgumentParser(description="Icebergs and ships: train, save, and compare.")
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--preset", choices=[*PRESETS], help="instead of that of inputs.json")
    parser.add_argument("--no-ablation", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    model = train(given.data, given.preset, given.seed)
    counts = ", ".join(f"{n} {name}s" for name, n in model.report.class_counts.items())
    print(f"Learned from {counts}.")
    print(model.certificate.sentence)
    model.save(given.out)
    print(f"Saved {given.out}.")
    if not given.no_ablation:
        print("What each side of the inputs is worth, on rows that were held out:")
        print(model.ablation())


if __name__ == "__main__":
    main()
