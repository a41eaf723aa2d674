from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

import outgroup

HEAVY = {
    "PIL",
    "fastapi",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "ray",
    "rich",
    "scipy",
    "sklearn",
    "torch",
    "typer",
}


def modules_after(code: str, *arguments: str) -> set[str]:
    """Names of the modules that a new process has loaded after running the code."""
    code += "\nimport sys; print('modules:', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split("modules:")[1].split())


def test_import_loads_nothing_heavy() -> None:
    loaded = modules_after("import outgroup")
    assert "outgroup" in loaded
    assert not loaded & HEAVY


def test_import_takes_little_longer_than_python_itself() -> None:
    def seconds(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - start

    # Best of several, and not at once: what else the machine does passes.
    bare, with_import = (
        min(seconds(code) for _ in range(5)) for code in ("pass", "import outgroup")
    )
    assert with_import - bare < 0.3


def test_public_surface_is_frozen() -> None:
    assert outgroup.__all__ == [
        "ImageClassifier",
        "MultiLabelOpenSetClassifier",
        "MultiOutputOpenSetClassifier",
        "OpenSetClassifier",
        "Pool",
        "Prediction",
        "Predictions",
        "__version__",
        "load",
        "mine",
    ]
    for name in outgroup.__all__:
        assert getattr(outgroup, name) is not None
        assert name in dir(outgroup)
    assert outgroup.__version__.count(".") == 2


def test_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'outgroup' has no attribute 'Classifier'"):
        outgroup.Classifier  # noqa: B018


def test_predicting_labels_loads_no_training_code(
    labelled: outgroup.ImageClassifier, new_pairs: Path, tmp_path: Path
) -> None:
    loaded = modules_after(
        "import sys, outgroup\n"
        "model, image = sys.argv[1:]\n"
        "assert outgroup.load(model).predict(image).labels == ['blue', 'red']",
        str(labelled.save(tmp_path / "labels.outgroup")),
        str(new_pairs / "blue-red-100.png"),
    )
    assert not loaded & {"sklearn", "onnx", "scipy.optimize", "scipy.sparse", "pandas", "typer"}


def test_predicting_loads_no_training_code(model_file: Path, new: Path) -> None:
    image = next((new / "red").iterdir())
    loaded = modules_after(
        "import sys, outgroup\n"
        "model, image = sys.argv[1:]\n"
        "assert outgroup.load(model).predict(image).label == 'red'",
        str(model_file),
        str(image),
    )
    assert "onnxruntime" in loaded
    unwanted = {"sklearn", "onnx", "scipy.optimize", "scipy.sparse", "pandas", "typer", "torch"}
    assert not loaded & unwanted
