from __future__ import annotations

import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

import outgroup
from outgroup.errors import DataWarning
from outgroup.multi_input import Inputs, Numeric, Preset

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
        "MultiInputClassifier",
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


#: What predicting does without: libraries, and parts of the package that only training needs.
TRAINING = {
    *("onnx", "pandas", "rich", "scipy.optimize", "scipy.sparse", "sklearn", "torch", "typer"),
    *(
        f"outgroup.{name}"
        for name in (
            "classifier.fitting",
            "contamination",
            "data_checks",
            "estimator",
            "evaluation",
            "finetune",
            "mining",
            "pool",
            "selection",
            "synthetic",
        )
    ),
}


@pytest.mark.parametrize("name", ["trained", "labelled", "two_sided"])
def test_predicting_images_loads_no_training_code(
    name: str, request: pytest.FixtureRequest, new_pairs: Path, tmp_path: Path
) -> None:
    classifier: outgroup.ImageClassifier = request.getfixturevalue(name)
    loaded = modules_after(
        "import sys, outgroup\n"
        "model, image = sys.argv[1:]\n"
        "answer = outgroup.load(model).predict(image)\n"
        "assert answer.to_json(explain=True), answer.nearest",
        str(classifier.save(tmp_path / "model.outgroup")),
        str(new_pairs / "blue-red-100.png"),
    )
    assert "onnxruntime" in loaded
    assert not loaded & TRAINING
    assert "outgroup.multi_input" not in loaded


def test_predicting_rows_of_several_inputs_loads_no_training_code(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    inputs = Inputs(table=[Numeric("x")])
    preset = Preset((), "pool", (4,), epochs=1)
    rows = {"x": [0.1 * i + 5.0 * (i % 2) for i in range(40)]}
    classifier = outgroup.MultiInputClassifier(inputs, preset, progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        classifier.fit(rows, [i % 2 for i in range(40)])
    loaded = modules_after(
        "import sys, outgroup\n"
        "model = outgroup.load(sys.argv[1])\n"
        "assert model.predict({'x': [0.5]})[0].to_json(explain=True)",
        str(classifier.save(tmp_path / "rows.outgroup")),
    )
    assert not loaded & TRAINING
