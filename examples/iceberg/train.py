"""Train on Kaggle's Statoil/C-CORE ``train.json``, or on a file that simulate.py wrote.

python train.py train.json ice.outgroup
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from outgroup.inputs import Inputs, MultiInputClassifier


def main(data: Path, out: Path) -> None:
    """Train, save, and print what was held out."""
    spec = json.loads((Path(__file__).parent / "inputs.json").read_text())
    records = json.loads(data.read_text())
    names = {int(key): name for key, name in spec["names"].items()}
    inputs = Inputs.from_dict({key: spec[key] for key in ("images", "table", "fusion")})
    model = MultiInputClassifier(inputs, spec["preset"], spec["target"])
    labels = [names[record["is_iceberg"]] for record in records]
    # Chips of one scene have one angle: kept together, they can't tell on each other. Chips of an
    # unknown angle ("na") stand for themselves.
    model.fit(records, labels, groups=spec["groups"], id=spec["id"])
    print(model.model.certificate.sentence)
    print(model.ablation())
    model.save(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
