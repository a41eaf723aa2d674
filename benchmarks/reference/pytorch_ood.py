"""Scores of pytorch-ood's detectors on seeded arrays, for our tests to be compared with.

    python benchmarks/reference/pytorch_ood.py --venv FOLDER

makes a virtual environment in FOLDER (once), installs pytorch-ood there and writes
``tests/detectors/golden/pytorch_ood.json``: seed, shapes, versions, and what each detector says of
the rows of `inputs`. The inputs themselves are made again from the seed by the tests.

pytorch-ood needs torchvision, for image transforms, data sets and networks, none of which its
detectors on arrays touch. torchvision's wheels load compiled operators that a CPU build of torch
does not have (``operator torchvision::nms does not exist``), and the CUDA builds take gigabytes. So
torchvision is not installed at all: an empty stand-in takes its place, any name of which is an
empty class. The detectors below then run as they are published. What is fitted is fitted by them;
all arrays are float64 but where pytorch-ood itself goes down to float32 (ViM, fDBD, NCI, NNGuide).
"""

import argparse
import importlib.abc
import importlib.machinery
import json
import runpy
import subprocess
import sys
import types
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
GOLDEN = HERE.parents[1] / "tests" / "detectors" / "golden" / "pytorch_ood.json"
VERSION = "0.4.0"
NEEDED = ["torch==2.13.0", "numpy", "scipy", "scikit-learn", "pandas", "pillow", "tqdm"]


class Empty(types.ModuleType):
    """A module in which every name is an empty class."""

    __path__ = ()

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class Stand(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports torchvision and all within it as `Empty`."""

    def find_spec(self, name, path=None, target=None):
        """Find torchvision and what is in it."""
        if name.split(".")[0] != "torchvision":
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        """Make an empty module."""
        return Empty(spec.name)

    def exec_module(self, module) -> None:
        """Nothing is in it."""


def scores() -> dict[str, object]:
    """Run the detectors, and return their scores by the names that they have here."""
    sys.meta_path.insert(0, Stand())
    sys.path[:] = [p for p in sys.path if Path(p or ".").resolve() != HERE]  # its name is ours
    import numpy as np
    import torch
    from pytorch_ood import detector as d

    seed, arrays = inputs_of()
    t = {name: torch.as_tensor(values) for name, values in arrays.items()}
    head = torch.nn.Linear(*arrays["weights"].T.shape).double()
    single = torch.nn.Linear(*arrays["weights"].T.shape)
    for layer in (head, single):
        layer.weight.data.copy_(t["weights"])
        layer.bias.data.copy_(t["bias"])

    def unit(rows: torch.Tensor) -> torch.Tensor:
        return rows / rows.norm(dim=1, keepdim=True)

    def pooled(rows: torch.Tensor) -> torch.Tensor:
        return rows[:, :, None, None]

    def above(logits: torch.Tensor) -> torch.Tensor:
        return logits - logits.min(dim=1, keepdim=True).values

    def read(maps: torch.Tensor) -> torch.Tensor:
        return head(maps.flatten(1))

    known, y, rows, logits = t["known"], t["y"], t["rows"], t["logits"]
    small_known, small_rows = known.float(), rows.float()
    vim = d.ViM(None, d=5, w=single.weight, b=single.bias).fit_features(known, y)
    react = d.ReAct(None, read, percentile=0.9).fit_feature_maps(pooled(known), y)
    openmax = d.OpenMax(None, tailsize=20, alpha=3).fit_logits(above(t["known_logits"]), y)
    found = {
        "msp": d.MaxSoftmax(None).predict_logits(logits),
        "max-logit": d.MaxLogit(None).predict_logits(logits),
        "energy": d.EnergyBased.score(logits),
        "entropy": d.Entropy(None).predict_logits(logits),
        "gen": d.GEN(None, gamma=0.1).predict_logits(logits),
        "kl-matching": d.KLMatching(None).fit_logits(t["known_logits"]).predict_logits(logits),
        "openmax": openmax.predict_logits(above(logits)),
        "mahalanobis": _in_float64(d.Mahalanobis(None).fit_features, known, y)(rows),
        "relative-mahalanobis": _in_float64(d.RMD(None).fit_features, unit(known), y)(unit(rows)),
        "knn": d.KNN(None, k=5).fit_features(known, y).predict_features(rows),
        "vim": vim.predict_features(rows),
        "react": react.predict_feature_maps(pooled(rows)),
        "ash-b": d.ASH(None, read, "ash-b", 0.65).predict_feature_maps(pooled(rows)),
        "ash-s": d.ASH(None, read, "ash-s", 0.65).predict_feature_maps(pooled(rows)),
        "scale": d.SCALE(None, read, 0.85).predict_feature_maps(pooled(rows)),
        "fdbd": d.fDBD(None, single).fit_features(small_known).predict_features(small_rows),
        "nnguide": d.NNGuide(None, single, k=10)
        .fit_features(small_known, y)
        .predict_features(small_rows),
        "nci": d.NCI(None, single, alpha=0.001)
        .fit_features(small_known)
        .predict_features(small_rows),
    }
    return {
        "seed": seed,
        "shapes": {name: list(values.shape) for name, values in arrays.items()},
        "versions": {
            "pytorch-ood": VERSION,
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "vim_alpha": vim.alpha,
        "openmax_tails": [
            [float(tail.min_val), float(tail.c), float(tail.scale)]
            for _, tail in sorted(openmax._openmax.distributions.items())
        ],
        "react_cut": react.threshold,
        "scores": {name: values.double().tolist() for name, values in found.items()},
    }


def _in_float64(fit, rows, y):
    """Fit what makes arrays of the default type where that is double, and return its scorer."""
    import torch

    torch.set_default_dtype(torch.float64)
    fitted = fit(rows, y)
    torch.set_default_dtype(torch.float32)
    return fitted.predict_features


def inputs_of():
    """Return the arrays of `inputs`, which lies beside the result."""
    names = runpy.run_path(str(GOLDEN.parent / "inputs.py"))
    return names["SEED"], names["inputs"]()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--venv", type=Path, help="folder of the virtual environment")
    venv_folder = parser.parse_args().venv
    if venv_folder is None:
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps(scores(), indent=1) + "\n", "utf-8")
        return
    python = venv_folder / "bin" / "python"
    if not python.exists():
        venv.create(venv_folder, with_pip=True)
        pip = [python, "-m", "pip", "install", "-q"]
        subprocess.run([*pip, *NEEDED], check=True)
        subprocess.run([*pip, "--no-deps", f"pytorch-ood=={VERSION}"], check=True)
    subprocess.run([python, __file__], check=True)


if __name__ == "__main__":
    main()
