"""`ImageClassifier` and ``outgroup train --finetune``: a tuned network, and its threshold."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs torch")

from PIL import Image  # noqa: E402

from outgroup import ImageClassifier, Pool, load  # noqa: E402
from outgroup.backbones import get_backbone  # noqa: E402
from outgroup.cli import app  # noqa: E402
from outgroup.cli.train import fine_tune  # noqa: E402
from outgroup.data import from_arrays  # noqa: E402
from outgroup.errors import BackboneError, InvalidDataError, InvalidParameterError  # noqa: E402
from outgroup.finetune import FineTune  # noqa: E402
from outgroup.images import Preprocessing  # noqa: E402

PREPROCESSING = Preprocessing(resize=16, crop=16)


def tuner(**options: object) -> FineTune:
    """A `FineTune` of a small network with the same weights each time."""
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, stride=2), torch.nn.ReLU(), torch.nn.Conv2d(8, 12, 3, stride=2)
    )
    given = {"epochs": 2, "warm_up": 2, "unfreeze": "all", "learning_rate": 0.003}
    given |= {"only_if_better": False, **options}
    return FineTune(network=module, preprocessing=PREPROCESSING, **given)


@pytest.fixture(scope="module")
def tuned(quick: str, photos: Path, odds: Path) -> ImageClassifier:
    clf = ImageClassifier(strategy="sigmoid", backbone=quick, cache=False, finetune=tuner())
    return clf.fit(photos, other=odds)


def test_a_tuned_model_predicts_by_the_same_contract_from_its_file(
    tuned: ImageClassifier, new: Path, tmp_path: Path
) -> None:
    again = load(tuned.save(tmp_path / "tuned.outgroup"))
    assert again.contents.backbone.name == "tuned:Sequential"
    first, second = tuned.predict(new), again.predict(new)
    np.testing.assert_allclose(first.other_score, second.other_score, rtol=1e-5)
    assert first.labels == second.labels
    right = [a == Path(p).parent.name for a, p in zip(second.labels, second.paths, strict=True)]
    assert np.mean([r for r, p in zip(right, second.paths, strict=True) if "pink" not in p]) > 0.7


def test_the_threshold_comes_from_images_that_tuning_has_not_seen(
    tuned: ImageClassifier,
) -> None:
    info = tuned.contents.training.options["finetune"]
    assert tuned.report is not None
    for name in ("blue", "green", "red"):
        seen = info["tuned_on"][name] + info["watched"][name]
        assert seen in (12, 13)
        assert tuned.report.class_counts[name] == 25  # the strategy learns from all
    n_unseen = 75 - sum(info["tuned_on"].values()) - sum(info["watched"].values())
    assert tuned.certificate.guarantees[0].n == n_unseen
    assert len(tuned.contents.model.known_scores) == n_unseen
    n_seen = info["n_others_tuned_on"] + info["n_others_watched"]
    assert tuned.certificate.guarantees[1].n == 24 - n_seen
    assert tuned.report.n_others == 24


def test_the_file_says_how_the_network_was_tuned(tuned: ImageClassifier, tmp_path: Path) -> None:
    info = load(tuned.save(tmp_path / "m.outgroup")).contents.training.options["finetune"]
    assert info["plan"]["objective"] == "sigmoid"
    assert len(info["epochs"]) == 3
    assert "images that it has not seen" in info["sentence"]
    assert json.dumps(info)


def test_the_order_of_files_changes_nothing(
    quick: str, make_folder: Callable[..., Path], tmp_path: Path
) -> None:
    from outgroup.data import load_samples

    photos = load_samples(make_folder(tmp_path / "photos", ["blue", "red"], 12))
    odds = list(make_folder(tmp_path / "odds", ["grey", "pink"], 6).rglob("*.png"))
    models = []
    for seed in (0, 1):
        order = np.random.default_rng(seed).permutation(len(photos))
        clf = ImageClassifier(strategy="sigmoid", backbone=quick, cache=False, finetune=tuner())
        clf.fit(photos.subset(order.tolist()), other=sorted(odds, reverse=bool(seed)))
        models.append(clf.save(tmp_path / f"{seed}.outgroup", paths=False).read_bytes())
    assert models[0] == models[1]


def test_a_second_fit_starts_from_the_network_that_was_given(
    quick: str, make_folder: Callable[..., Path], tmp_path: Path
) -> None:
    photos = make_folder(tmp_path / "photos", ["blue", "red"], 8)
    odds = make_folder(tmp_path / "odds", ["grey"], 8)
    clf = ImageClassifier(strategy="sigmoid", backbone=quick, cache=False, finetune=tuner())
    digests = [clf.fit(photos, other=odds).contents.backbone.digest for _ in range(2)]
    assert digests[0] == digests[1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::outgroup.errors.DataWarning")  # the kinds are much alike
def test_new_known_images_are_rejected_as_often_as_allowed(quick: str) -> None:
    """Means over seeds, with a network that overfits."""
    rejected = []
    for seed in range(4):
        torch.manual_seed(0)
        module = torch.nn.Sequential(
            torch.nn.Conv2d(3, 32, 4, stride=2), torch.nn.ReLU(), torch.nn.Conv2d(32, 64, 3)
        )
        finetune = FineTune(
            network=module,
            preprocessing=PREPROCESSING,
            unfreeze="all",
            epochs=15,
            warm_up=1,
            learning_rate=0.003,
            decay=1.0,
            resume=False,
            only_if_better=False,
        )
        images, labels = noisy_pictures(160, seed)
        negatives, _ = noisy_pictures(60, seed, kinds=(2, 3))
        clf = ImageClassifier(
            strategy="detector", backbone=quick, cache=False, seed=seed, finetune=finetune
        )
        clf.fit(from_arrays(images, labels), other=list(negatives))
        new, _ = noisy_pictures(300, 100 + seed)
        rejected.append(np.mean([p.label is None for p in clf.predict(list(new))]))
    # 5 % are expected, with a standard deviation of some 2.4 % a seed
    assert 0.02 < np.mean(rejected) < 0.08


@pytest.mark.filterwarnings("ignore::outgroup.errors.DataWarning")  # the kinds are much alike
def test_a_better_tuned_network_is_kept(quick: str) -> None:
    """The quick network sees mean colours, no texture."""
    images, labels = noisy_pictures(160, seed=0, noise=20)
    negatives, _ = noisy_pictures(120, seed=0, kinds=(2, 3), noise=20)
    finetune = tuner(only_if_better=True, resume=False, epochs=5, decay=1.0)
    clf = ImageClassifier(strategy="sigmoid", backbone=quick, cache=False, finetune=finetune)
    clf.fit(from_arrays(images, labels), other=list(negatives))
    info = clf.contents.training.options["finetune"]
    assert info["kept"]
    assert info["accepted_after"] < info["accepted_before"]
    assert clf.contents.backbone.name == "tuned:Sequential"
    n_seen = sum(info["tuned_on"].values()) + sum(info["watched"].values())
    assert clf.certificate.guarantees[0].n == 160 - n_seen
    assert "the tuned network is kept" in info["sentence"]


def test_a_tuned_network_that_is_not_better_is_not_kept(
    quick: str, photos: Path, odds: Path, new: Path, tmp_path: Path
) -> None:
    """The classes differ in mean colour alone, which the quick network sees."""
    finetune = tuner(only_if_better=True, resume=False, epochs=1)
    clf = ImageClassifier(backbone=quick, cache=False, finetune=finetune).fit(photos, other=odds)
    info = clf.contents.training.options["finetune"]
    assert not info["kept"]
    assert "on the tuned one: it is not kept." in info["sentence"]
    assert clf.contents.backbone.name == quick
    plain = ImageClassifier(backbone=quick, cache=False).fit(photos, other=odds)
    assert clf.certificate == plain.certificate  # all is as without tuning
    again = load(clf.save(tmp_path / "m.outgroup"))
    np.testing.assert_array_equal(again.predict(new).other_score, plain.predict(new).other_score)

    from outgroup.mining.mining_run import training_set_of

    assert training_set_of(again, photos, odds)[1]


def noisy_pictures(
    n: int, seed: int, kinds: tuple[int, ...] = (0, 1), noise: float = 45
) -> tuple[np.ndarray, list[str]]:
    """Weak textures in strong noise, so that networks overfit."""
    rng = np.random.default_rng([seed, *kinds])
    textures = np.tile(np.random.default_rng(0).normal(0, 14, (4, 4, 4, 3)), (1, 4, 4, 1))
    kind = rng.choice(kinds, n)
    pixels = 128 + textures[kind] + rng.normal(0, noise, (n, 16, 16, 3))
    return pixels.clip(0, 255).astype(np.uint8), [f"class {k}" for k in kind]


def test_the_bundled_network_is_tuned_and_predicts_from_its_file(
    make_folder: Callable[..., Path], tmp_path: Path
) -> None:
    photos = make_folder(tmp_path / "photos", ["blue", "red"], 8)
    odds = make_folder(tmp_path / "odds", ["grey"], 8)
    finetune = FineTune(
        epochs=1, warm_up=1, batch=8, augment=["colour"], variants=1, only_if_better=False
    )
    clf = ImageClassifier(strategy="sigmoid", cache=False, finetune=finetune).fit(
        photos, other=odds
    )
    before = get_backbone("efficientnet-lite0")
    assert clf.contents.backbone.layers == before.layers
    assert clf.contents.backbone.digest != before.digest
    again = load(clf.save(tmp_path / "m.outgroup"))
    image = photos / "red" / "000.png"
    assert again.predict(image).other_score == pytest.approx(clf.predict(image).other_score)
    assert again.backbone == "efficientnet-lite0"


def test_classes_by_name_can_not_be_tuned() -> None:
    with pytest.raises(
        InvalidParameterError, match="`finetune`: must be None with `map`, got a FineTune"
    ):
        ImageClassifier(finetune=tuner(), map={"cat": "cat"})


def test_finetune_must_be_a_fine_tune() -> None:
    with pytest.raises(InvalidParameterError, match="must be a FineTune or None"):
        ImageClassifier(finetune=True)  # type: ignore[arg-type]


def test_negatives_are_needed(quick: str, photos: Path) -> None:
    with pytest.raises(InvalidDataError, match="Tuning the network needs negatives"):
        ImageClassifier(backbone=quick, cache=False, finetune=tuner()).fit(photos)


def test_too_few_images_of_a_class_are_named(quick: str, odds: Path, photos: Path) -> None:
    images = [np.asarray(Image.open(p)) for p in sorted((photos / "red").iterdir())]
    samples = from_arrays(images, ["red"] * 20 + ["crimson"] * 5)
    with pytest.raises(InvalidDataError, match="Class 'crimson' has 5 readable images"):
        ImageClassifier(backbone=quick, cache=False, finetune=tuner()).fit(samples, other=odds)


def test_a_network_that_is_an_onnx_file_can_not_be_tuned(
    quick: str, photos: Path, odds: Path
) -> None:
    with pytest.raises(BackboneError, match="ONNX file, which can't be tuned"):
        ImageClassifier(backbone=quick, cache=False, finetune=FineTune()).fit(photos, other=odds)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unfreeze": "first"}, "`unfreeze`: must be one of 'last', 'half', 'all'"),
        ({"objective": "hinge"}, "`objective`: must be one of"),
        ({"objective": "focal-softmax,gamma=-1"}, "`gamma`: must be a number of at least 0"),
        ({"objective": "focal-softmax,alpha=2"}, "`alpha`: must be a number between"),
        ({"objective": "focal-sigmoid,beta=1"}, "must be like 'focal-sigmoid,gamma=1,alpha=0.25'"),
        ({"objective": "focal-sigmoid,gamma"}, "must be like 'focal-sigmoid,gamma=1,alpha=0.25'"),
        ({"objective": "sigmoid,gamma=1"}, "must be 'sigmoid' without options"),
        ({"augment": "mixup"}, "`augment`: must be a sequence of names"),
        ({"augment": ["blur"]}, "`augment`: must be one of"),
        ({"balance": "undersample"}, "`balance`: must be one of"),
        ({"epochs": 0}, "`epochs`: must be a whole number of at least 1"),
        ({"hold_out": 1}, "`hold_out`: must be a whole number of at least 2"),
        ({"ratio": 0}, "`ratio`: must be a number above 0"),
        ({"learning_rate": "high"}, "`learning_rate`: must be a number"),
        ({"network": "resnet18"}, "`network`: must be 'timm:NAME'"),
        ({"network": object()}, "`preprocessing`: must be a Preprocessing"),
        ({"preprocessing": PREPROCESSING}, "and None without"),
    ],
)
def test_invalid_options_are_errors(options: dict, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        FineTune(**options)


def test_pool_images_like_a_class_are_not_tuned_on(
    quick: str, make_folder: Callable[..., Path], tmp_path: Path
) -> None:
    photos = make_folder(tmp_path / "photos", ["blue", "red"], 20)
    odds = make_folder(tmp_path / "odds", ["grey", "yellow"], 12)
    pool = make_folder(tmp_path / "pool", ["pink"], 24)
    for path in sorted((photos / "red").iterdir())[:6]:  # copies of known images
        (pool / f"copy {path.name}").write_bytes(path.read_bytes())
    clf = ImageClassifier(strategy="sigmoid", backbone=quick, cache=False, finetune=tuner())
    clf.fit(photos, other=odds, pool=pool)
    assert clf.report is not None
    assert clf.report.pool is not None
    assert len(clf.report.pool.copies) == 6
    info = clf.contents.training.options["finetune"]
    assert clf.report.n_others == 24 + 30 - clf.report.pool.n_set_aside
    assert sum(clf.report.class_counts.values()) == 40
    known = sum(info["tuned_on"].values()) + sum(info["watched"].values())
    others = info["n_others_tuned_on"] + info["n_others_watched"]
    assert [p.n for p in clf.certificate.guarantees] == [40 - known, clf.report.n_others - others]


def test_negatives_come_from_a_pool_without_its_suspects(
    quick: str, make_folder: Callable[..., Path], tmp_path: Path
) -> None:
    photos = make_folder(tmp_path / "photos", ["blue", "red"], 20)
    pool = Pool.create(tmp_path / "pool", quick)
    pool.add(str(make_folder(tmp_path / "odds", ["grey", "yellow", "pink"], 14)))
    pool.add(str(make_folder(tmp_path / "dirt", ["red"], 6, first=300)))
    fitted = []
    for _ in range(2):
        clf = ImageClassifier(strategy="sigmoid", backbone=quick, cache=False, finetune=tuner())
        fitted.append(clf.fit(photos, pool=pool))
        assert clf.report is not None
        assert clf.report.pool is not None
        assert clf.report.pool.n_set_aside >= 5
        assert clf.report.n_others == len(pool) - clf.report.pool.n_set_aside
    info = fitted[0].contents.training.options["finetune"]
    assert info["n_others_tuned_on"] >= 12
    assert fitted[0].contents.backbone.digest == fitted[1].contents.backbone.digest


def test_a_tuned_model_can_not_be_refitted_from_the_images_it_was_tuned_on(
    tuned: ImageClassifier, photos: Path, odds: Path
) -> None:
    from outgroup.mining.mining_run import training_set_of

    data, same = training_set_of(tuned)
    assert same
    assert data.tuned
    assert tuned.report is not None
    assert len(data.y) == sum(tuned.report.class_counts.values()) + tuned.report.n_others
    with pytest.raises(InvalidParameterError, match="whose network was tuned"):
        training_set_of(tuned, photos, odds)


@pytest.fixture(scope="module")
def folders(
    tmp_path_factory: pytest.TempPathFactory, make_folder: Callable[..., Path]
) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("tuning")
    return make_folder(root / "photos", ["blue", "red"], 8), make_folder(root / "odds", ["grey"], 8)


def test_the_command_tunes_a_network_whose_file_predicts_without_torch(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, odds = map(str, folders)
    out = tmp_path / "m.outgroup"
    options = ["--strategy", "sigmoid", "--no-cache", "--json", "--out", str(out)]
    tuned = [
        "--finetune",
        "--keep-tuned",
        "--epochs",
        "1",
        "--objective",
        "other-class",
        "--balance",
        "oversample",
    ]
    app(["train", photos, "--other", odds, *tuned, *options], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert told["backbone"] == "tuned:efficientnet-lite0"
    assert told["finetune"]["plan"]["objective"] == "other-class"
    assert told["finetune"]["plan"]["balance"] == "oversample"
    seen = {**told["finetune"]["tuned_on"]}, {**told["finetune"]["watched"]}
    n_unseen = sum(told["classes"].values()) - sum(sum(part.values()) for part in seen)
    assert told["certificate"]["guarantees"][0]["n"] == n_unseen
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import outgroup\n"
        "print(outgroup.load(sys.argv[1]).predict(sys.argv[2]).probabilities)"
    )
    image = str(folders[0] / "red" / "000.png")
    done = subprocess.run(
        [sys.executable, "-c", code, str(out), image], check=True, capture_output=True, text=True
    )
    assert "red" in done.stdout


def test_an_option_without_finetune_is_an_error() -> None:
    with pytest.raises(
        InvalidParameterError, match="Invalid `--unfreeze`: must be used with --finetune"
    ):
        fine_tune(False, unfreeze="half")
    with pytest.raises(
        InvalidParameterError, match="Invalid `--keep-tuned`: must be used with --finetune"
    ):
        fine_tune(False, keep_tuned=True)
    assert fine_tune(False, unfreeze=None) is None


def test_options_become_a_plan() -> None:
    assert fine_tune(True, keep_tuned=True) == FineTune(only_if_better=False)
    found = fine_tune(True, unfreeze="all", epochs=7, augment="colour,mixup", balance="none")
    assert found == FineTune(unfreeze="all", epochs=7, augment=["colour", "mixup"], balance=None)


def test_the_command_without_torch_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from outgroup.cli import main\n"
        "sys.argv = ['outgroup', 'train', 'photos', '--finetune', '--out', 'm.outgroup']\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert 'pip install "outgroup[torch]"' in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_importing_the_options_does_not_import_torch() -> None:
    code = "import sys, outgroup.finetune, outgroup.cli.train; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
