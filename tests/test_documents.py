"""The documents say what is true: examples run, figures are measured, versions agree."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import outgroup
from outgroup import Pool

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """Return the code blocks of the README in one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the folders that the README's examples speak of."""
    root = tmp_path_factory.mktemp("readme")
    rng = np.random.default_rng(0)
    shapes = {
        "photos/disc": "ellipse",
        "photos/square": "rectangle",
        "new_photos/disc": "ellipse",
        "new_photos/square": "rectangle",
        "lookalikes/line": "line",
        "elephants": "arc",
    }
    for name, shape in shapes.items():
        (root / name).mkdir(parents=True)
        for i in range(30):
            image = Image.new("RGB", (120, 90), tuple(rng.integers(150, 256, 3).tolist()))
            x, y = (int(v) for v in rng.integers(5, 40, 2))
            extra = {"start": 0, "end": 200} if shape == "arc" else {}
            box = [x, y, x + 45, y + 45]
            ink = tuple(rng.integers(0, 100, 3).tolist())
            getattr(ImageDraw.Draw(image), shape)(box, fill=ink, **extra)
            image.save(root / name / f"{i}.png")
    for name in ("odds_and_ends", "selfies", "inbox"):
        (root / name).mkdir()
        for i in range(20):
            noise = rng.integers(0, 256, (60, 60, 3), dtype=np.uint8)
            Image.fromarray(noise).save(root / name / f"{i}.png")
    Image.open(root / "photos/disc/0.png").save(root / "new.jpg")
    for name in ("photos", "new_photos"):
        rows = [f"{f.relative_to(root)},{f.parent.name}" for f in (root / name).rglob("*.png")]
        (root / f"{name}_both").mkdir()
        discs, squares = (sorted((root / name / kind).iterdir()) for kind in ("disc", "square"))
        for i, (disc, square) in enumerate(zip(discs, squares, strict=True)):
            both = Image.new("RGB", (120, 180))
            both.paste(Image.open(disc), (0, 0))
            both.paste(Image.open(square), (0, 90))
            both.save(root / f"{name}_both" / f"{i}.png")
            rows.append(f"{name}_both/{i}.png,disc|square")
        (root / f"{name}.csv").write_text("\n".join(["path,label", *rows]) + "\n", "utf-8")
    return root


def test_the_commands_of_the_readme_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from outgroup.cli import app

    monkeypatch.chdir(folder)
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("outgroup ")]
    told = "train predict evaluate train predict train predict evaluate pool pool pool train"
    assert [command[0] for command in commands] == [*told.split(), "compare", "train"]
    for command in commands:
        assert app(command, standalone_mode=False) in (None, 0)
    printed = capsys.readouterr().out
    assert "Unknown images" in printed
    assert "macro F1" in printed


def test_the_python_examples_of_the_readme_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    rng = np.random.default_rng(0)
    kind = np.repeat([0, 1, 2], [60, 60, 80])
    rows = rng.normal(size=(200, 8)) + 6 * np.eye(8)[kind]
    names = {
        "X": rows[kind < 2],
        "y": ["cat"] * 60 + ["dog"] * 60,
        "negatives": rows[kind == 2],
        "X_new": rng.normal(size=(3, 8)),
        "batches": [(np.zeros((4, 64, 64, 3), np.uint8), np.array([0, 1, 1, 0]))],
    }
    Pool.create("pool").add("odds_and_ends")
    examples = blocks("python")
    assert len(examples) == 4
    for example in examples:
        exec(compile(example, "README.md", "exec"), names)
    assert names["sample"].counts == {"near": 10, "far": 8, "synthetic": 2}
    assert names["x"].shape == (8, 64, 64, 3)
    assert names["y"].tolist() == [0, 1, 1, 0, 2, 2, 2, 2]
    assert set(names["p"].labels) <= {"disc", "square"}
    assert set(names["p"].thresholds) == {"disc", "square"}


def test_the_guarantees_of_the_readme_are_those_of_the_results() -> None:
    folder = ROOT / "benchmarks" / "results"
    if not folder.exists():
        pytest.skip("the benchmarks are not part of a source distribution")
    text = " ".join(README.replace("\n>", "\n").split())
    zoo = json.loads((folder / "zoo.json").read_text("utf-8"))
    assert zoo["results"][0]["certificate"] in text
    found = json.loads((folder / "certificates.json").read_text("utf-8"))["all"]
    said = (
        f"In {found['data_sets']:,} simulated data sets {100 * found['share_broken']:.1f} % of the "
        f"guarantees about known images were broken, and {100 * found['other_share_broken']:.1f} % "
        "of those about negatives"
    )
    assert said in text


def test_the_set_up_commands_are_where_ci_looks_for_them() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert sum(line.startswith("pip install . && ") for line in lines) == 1
    assert sum(line.startswith("pip install -c constraints.txt ") for line in lines) == 1


def test_changelog_and_package_agree_on_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    latest = re.search(r"^## \[([^\]]+)\]", changelog, flags=re.MULTILINE)
    assert latest is not None
    assert latest[1] == outgroup.__version__
    assert f'version = "{outgroup.__version__}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_every_method_says_what_it_is_and_where_it_comes_from() -> None:
    from outgroup.detectors import DETECTORS
    from outgroup.heads import HEADS
    from outgroup.strategies import LABEL_STRATEGIES, STRATEGIES
    from outgroup.synthetic import GENERATORS

    for name, generator in GENERATORS:
        assert generator.name == name
        assert generator.summary
        assert generator.reference
    for registry in (STRATEGIES, LABEL_STRATEGIES, HEADS, DETECTORS):
        for name, cls in registry:  # type: ignore[attr-defined]
            assert cls.name == name
            assert cls.summary
            assert cls.reference
            assert "References" in (cls.__doc__ or "") or name == "blend"
