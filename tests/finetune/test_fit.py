"""`ImageClassifier` with a tuned network: the same contract, and a threshold that knows nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs torch")

from PIL import Image  # noqa: E402

from outgroup import ImageClassifier, Pool, load  # noqa: E402
from outgroup.backbones import get_backbone  # noqa: E402
from outgroup.classifier.tuner import Targets  # noqa: E402
from outgroup.data import Samples, from_arrays  # noqa: E402
from outgroup.errors import BackboneError, InvalidDataError, InvalidParameterError  # noqa: E402
from outgroup.finetune import FineTune  # noqa: E402
from outgroup.finetune.plan import Plan  # noqa: E402
from outgroup.finetune.splitting import TUNED, UNSEEN, WATCHED, split  # noqa: E402
from outgroup.finetune.tuning import choose_rows  # noqa: E402
from outgroup.images import Preprocessing  # noqa: E402

PREPROCESSING = Preprocessing(resize=16, crop=16)


def tuner(**options: object) -> FineTune:
    """What tunes a small network of its own, the same each time."""
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


def test_the_threshold_rests_on_images_that_the_network_has_not_seen(
    tuned: ImageClassifier,
) -> None:
    info = tuned.contents.training.options["finetune"]
    assert tuned.report is not None
    for name in ("blue", "green", "red"):
        seen = info["tuned_on"][name] + info["watched"][name]
        assert seen in (12, 13)
        assert tuned.report.class_counts[name] == 25  # all teach what says "other"
    n_unseen = 75 - sum(info["tuned_on"].values()) - sum(info["watched"].values())
    assert tuned.certificate.promises[0].n == n_unseen
    assert len(tuned.contents.model.known_scores) == n_unseen
    n_seen = info["n_others_tuned_on"] + info["n_others_watched"]
    assert tuned.certificate.promises[1].n == 24 - n_seen
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


def test_a_second_fit_starts_from_the_network_as_it_was_given(
    quick: str, make_folder: Callable[..., Path], tmp_path: Path
) -> None:
    photos = make_folder(tmp_path / "photos", ["blue", "red"], 8)
    odds = make_folder(tmp_path / "odds", ["grey"], 8)
    clf = ImageClassifier(strategy="sigmoid", backbone=quick, cache=False, finetune=tuner())
    digests = [clf.fit(photos, other=odds).contents.backbone.digest for _ in range(2)]
    assert digests[0] == digests[1]


def test_copies_groups_and_kinds_of_negatives_stay_on_one_side() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (20, 20, 3), dtype=np.uint8) for _ in range(60)]
    images[1] = images[0]
    labels = ["a"] * 20 + ["b"] * 20 + [None] * 20
    groups = [None] * 20 + [str(i // 2) for i in range(20)] + [None] * 20
    origins = ["photos"] * 40 + [f"kind {i % 5}" for i in range(20)]
    samples = Samples(images, labels, groups, origins)
    chosen = choose_rows(samples, Targets.one_class(labels), ["x"] * 60, Plan(), seed=0)
    part = dict(zip(chosen.rows, chosen.parts, strict=True))
    assert part[0] == part[1]
    assert all(part[i] == part[i + 1] for i in range(20, 40, 2))
    for kind in range(5):
        assert len({part[i] for i in range(40 + kind, 60, 5)}) == 1
    assert {TUNED, WATCHED, UNSEEN} == set(part.values())


def test_what_cannot_be_read_or_has_two_labels_is_not_tuned_on() -> None:
    images = [np.full((9, 9, 3), i, np.uint8) for i in range(40)]
    images[3] = images[25]
    samples = Samples(
        [*images, b"no image"], ["a"] * 20 + [None] * 20 + ["a"], [None] * 41, ["x"] * 41
    )
    chosen = choose_rows(samples, Targets.one_class(samples.labels), ["x"] * 41, Plan(), seed=0)
    assert sorted(set(range(41)) - set(chosen.rows)) == [3, 25, 40]


@pytest.mark.parametrize("hold_out", [2, 3, 5])
def test_one_in_so_many_is_held_out_of_each_class(hold_out: int) -> None:
    labels = ["a"] * 60 + ["b"] * 30 + [None] * 90
    where = ["x"] * 180
    parts = split(labels, where, where, [None] * 180, hold_out)
    for rows in (slice(0, 60), slice(60, 90), slice(90, 180)):
        unseen = np.mean(parts[rows] == UNSEEN)
        assert unseen == pytest.approx(1 / hold_out)
        assert (parts[rows] == WATCHED).sum() == round((1 - unseen) * len(parts[rows]) / 5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::outgroup.errors.DataWarning")  # the kinds are much alike
def test_new_known_images_are_rejected_as_often_as_is_said(quick: str) -> None:
    """Over seeds: a network that overfits, and a threshold from the half that was kept from it."""
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
def test_a_network_stays_tuned_where_that_is_better(quick: str) -> None:
    """The quick network sees mean colours, and so no texture."""
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
    assert clf.certificate.promises[0].n == 160 - n_seen
    assert "the tuned network is kept" in info["sentence"]


def test_a_network_stays_as_it_came_where_tuning_shows_nothing(
    quick: str, photos: Path, odds: Path, new: Path, tmp_path: Path
) -> None:
    """Mean colours are all there is to see."""
    finetune = tuner(only_if_better=True, resume=False, epochs=1)
    clf = ImageClassifier(backbone=quick, cache=False, finetune=finetune).fit(photos, other=odds)
    info = clf.contents.training.options["finetune"]
    assert not info["kept"]
    assert "it stays as it came" in info["sentence"]
    assert clf.contents.backbone.name == quick
    plain = ImageClassifier(backbone=quick, cache=False).fit(photos, other=odds)
    assert clf.certificate == plain.certificate  # and all is as without tuning
    again = load(clf.save(tmp_path / "m.outgroup"))
    np.testing.assert_array_equal(again.predict(new).other_score, plain.predict(new).other_score)

    from outgroup.classifier.refitting import training_set_of

    assert training_set_of(again, photos, odds)[1]


def noisy_pictures(
    n: int, seed: int, kinds: tuple[int, ...] = (0, 1), noise: float = 45
) -> tuple[np.ndarray, list[str]]:
    """Weak textures in strong noise, so that there is much to overfit."""
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


def test_classes_by_names_are_not_tuned_for() -> None:
    with pytest.raises(InvalidParameterError, match="'finetune' parameter must be None with 'map'"):
        ImageClassifier(finetune=tuner(), map={"cat": "cat"})


def test_what_is_no_fine_tune_is_refused() -> None:
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
        ({"unfreeze": "first"}, "'unfreeze' parameter must be one of 'last', 'half', 'all'"),
        ({"objective": "hinge"}, "'objective' parameter must be one of"),
        ({"objective": "focal-softmax,gamma=-1"}, "'gamma' parameter must be a number from 0 up"),
        ({"objective": "focal-softmax,alpha=2"}, "'alpha' parameter must be a number between"),
        ({"objective": "focal-sigmoid,beta=1"}, "has the options gamma and alpha"),
        ({"objective": "focal-sigmoid,gamma"}, "has the options gamma and alpha"),
        ({"objective": "sigmoid,gamma=1"}, "has no option"),
        ({"augment": "mixup"}, "'augment' parameter must be a sequence of names"),
        ({"augment": ["blur"]}, "'augment' parameter must be one of"),
        ({"balance": "undersample"}, "'balance' parameter must be one of"),
        ({"epochs": 0}, "'epochs' parameter must be a whole number from 1 up"),
        ({"hold_out": 1}, "'hold_out' parameter must be a whole number from 2 up"),
        ({"ratio": 0}, "'ratio' parameter must be a number above 0"),
        ({"learning_rate": "high"}, "'learning_rate' parameter must be a number"),
        ({"network": "resnet18"}, "'network' parameter must be 'timm:NAME'"),
        ({"network": object()}, "'preprocessing' parameter must be a Preprocessing"),
        ({"preprocessing": PREPROCESSING}, "and None without"),
    ],
)
def test_options_that_can_not_be_meant_are_refused(options: dict, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        FineTune(**options)


def test_a_network_without_timm_says_what_to_install() -> None:
    pytest.importorskip("torch")
    try:
        import timm  # noqa: F401
    except ImportError:
        from outgroup.finetune.foreign import network_from_timm

        with pytest.raises(BackboneError, match="pip install timm"):
            network_from_timm("resnet18")
    else:
        pytest.skip("timm is installed")


def test_a_timm_that_can_not_be_imported_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from outgroup.finetune.foreign import network_from_timm

    (tmp_path / "timm.py").write_text("raise RuntimeError('operator torchvision::nms is missing')")
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BackboneError, match=r"can't be imported: operator torchvision::nms"):
        network_from_timm("resnet18")


def test_a_module_that_gives_no_vector_is_refused() -> None:
    from outgroup.finetune.foreign import ModuleNetwork

    with pytest.raises(BackboneError, match="one vector, or one map of features"):
        ModuleNetwork(torch.nn.Flatten(0), PREPROCESSING)
    with pytest.raises(BackboneError, match="can't be run on an image of 16 pixels"):
        ModuleNetwork(torch.nn.Linear(3, 3000), PREPROCESSING)


def test_what_looks_like_a_class_in_the_pool_is_not_tuned_on(
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
    assert [p.n for p in clf.certificate.promises] == [40 - known, clf.report.n_others - others]


def test_negatives_come_from_a_pool_and_suspects_in_it_do_not(
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


def test_a_tuned_model_is_not_learned_anew_from_images_it_was_tuned_on(
    tuned: ImageClassifier, photos: Path, odds: Path
) -> None:
    from outgroup.classifier.refitting import training_set_of

    data, same = training_set_of(tuned)
    assert same
    assert data.tuned
    assert tuned.report is not None
    assert len(data.y) == sum(tuned.report.class_counts.values()) + tuned.report.n_others
    with pytest.raises(InvalidParameterError, match="whose network was tuned"):
        training_set_of(tuned, photos, odds)
