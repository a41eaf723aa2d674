"""What ``outgroup train`` makes of small images: thresholds, guarantees, decisions, reports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import command_surface as surface
from command_data import KNOWN, QUICK, SECOND, World
from command_surface import learned, run

FACTS = surface.Facts("command_train")


@pytest.mark.parametrize("fact", FACTS)
def test_train_is_as_recorded(fact: str, tmp_path: Path) -> None:
    FACTS.check(fact, tmp_path)


@FACTS
def a_folder_with_the_bundled_network(_: World, out: Path) -> Any:
    return learned(out, "photos", "--strategy", "blend", "--backbone", "efficientnet-lite0")


@FACTS
def a_folder_of_classes(_: World, out: Path) -> Any:
    return learned(out, "photos")


@FACTS
def a_folder_with_negatives(_: World, out: Path) -> Any:
    return learned(out, "photos", "--other", "other")


@FACTS
def a_single_class(_: World, out: Path) -> Any:
    (out / "one").mkdir()
    (out / "one" / "circle").symlink_to(Path("photos/circle").resolve(), target_is_directory=True)
    return learned(out, out / "one", "--other", "other/bar")


@FACTS
def a_table_with_groups_negatives_and_rows_without_a_label(_: World, out: Path) -> Any:
    return learned(out, "photos.csv", "--strategy", "sigmoid")


@FACTS
def a_table_with_sources_that_are_held_out_whole(_: World, out: Path) -> Any:
    root = Path("photos").resolve().parent
    rows = ["path,label,source"]
    for kind in KNOWN:
        rows += [f"{root}/photos/{kind}/{i:03d}.png,{kind},camera {i % 2}" for i in range(14)]
    rows += [f"{root}/other/bar/{i:03d}.png,,site {i // 2}" for i in range(10)]
    rows += [f"{root}/other/cross/{i:03d}.png,,site {i // 2 + 5}" for i in range(10)]
    (out / "table.csv").write_text("\n".join(rows) + "\n", "utf-8")
    return learned(out, out / "table.csv", "--strategy", "blend")


@FACTS
def another_seed_and_several_folders_of_negatives(_: World, out: Path) -> Any:
    given = ("--other", "other/bar", "--other", "other/cross", "--seed", 7)
    return learned(out, "photos", *given, "--strategy", "other-class")


@FACTS
def a_folder_of_random_images_with_hidden_positives(_: World, out: Path) -> Any:
    given = ("photos", "--pool", "random", "--strategy", "blend")
    page = out / "page.html"
    found = learned(out, *given, "--suspects", page)
    return found | {"has_page": page.stat().st_size > 0}


@FACTS
def suspects_that_are_kept(_: World, out: Path) -> Any:
    given = ("--other", "other", "--pool", "random", "--strategy", "sigmoid", "--keep-suspects")
    return learned(out, "photos", *given)


@FACTS
def a_pool_on_disk(_: World, out: Path) -> Any:
    assert run("pool", "build", out / "pool", "random", "--backbone", QUICK).code == 0
    return learned(out, "photos", "--pool", out / "pool", "--strategy", "one-class")


@FACTS
def a_pool_seen_by_another_network(_: World, out: Path) -> Any:
    assert run("pool", "build", out / "pool", "random", "--backbone", QUICK).code == 0
    assert run("pool", "embed", out / "pool", "--backbone", SECOND).code == 0
    given = ("--pool", out / "pool", "--strategy", "blend", "--backbone", SECOND)
    return learned(out, "photos", *given)


@FACTS
def strategies_with_detectors_behind_a_colon(_: World, out: Path) -> Any:
    names = ("softmax", "softmax:energy", "detector", "detector:knn")
    return {name: learned(out, "photos", "--strategy", name) for name in names}


@FACTS
def strategies_that_learn_from_negatives(_: World, out: Path) -> Any:
    names = ("outlier-exposure", "positive-unlabelled", "one-class", "two-votes")
    return {name: learned(out, "photos", "--other", "other", "--strategy", name) for name in names}


@FACTS
def a_head_with_options_and_layers(_: World, out: Path) -> Any:
    given = ("--strategy", "sigmoid", "--head", "focal-sigmoid,gamma=1", "--layers", "last,logits")
    return learned(out, "photos", "--other", "other", *given)


@FACTS
def a_budget_for_known_images(_: World, out: Path) -> Any:
    given = ("--max-known-rejected", 0.2, "--confidence", 0.9, "--strategy", "sigmoid")
    return learned(out, "photos", *given)


@FACTS
def a_budget_for_negatives(_: World, out: Path) -> Any:
    given = ("--other", "other", "--max-other-accepted", 0.3, "--strategy", "blend")
    return learned(out, "photos", *given)


@FACTS
def labels_in_one_column(_: World, out: Path) -> Any:
    return learned(out, "pairs/lists.csv", "--multi-label", new="new_pairs/images")


@FACTS
def labels_in_a_column_each_and_negatives(_: World, out: Path) -> Any:
    given = ("--multi-label", "--other", "other", "--strategy", "sigmoid")
    columns = [part for kind in KNOWN for part in ("--label-column", kind)]
    return learned(out, "pairs/marks.csv", *given, *columns, new="new_pairs/images")


@FACTS
def labels_by_the_popular_recipe(_: World, out: Path) -> Any:
    given = ("--multi-label", "--strategy", "sigmoid-0.95")
    return learned(out, "pairs/lists.csv", *given, new="new_pairs/images")


@FACTS
def a_class_in_each_of_two_columns(_: World, out: Path) -> Any:
    given = ("--multi-output", "--label-column", "left", "--label-column", "right")
    return learned(out, "pairs/sides.csv", *given, "--strategy", "sigmoid", new="new_pairs/images")


@FACTS
def names_of_imagenet_without_an_image(_: World, out: Path) -> Any:
    given = ("--map", "traffic=traffic light,street sign", "--map", "ball=soccer ball")
    return learned(out, *given, "--backbone", "efficientnet-lite0")


@FACTS
def names_of_imagenet_calibrated_with_images(_: World, out: Path) -> Any:
    names = {"circle": "soccer ball,golf ball", "square": "envelope,pillow", "triangle": "tent"}
    given = [part for name, means in names.items() for part in ("--map", f"{name}={means}")]
    return learned(out, "photos", *given, "--backbone", "efficientnet-lite0")


@FACTS
def files_that_are_left_out(_: World, out: Path) -> Any:
    return learned(out, "left_out", "--strategy", "softmax")


@FACTS
def paths_of_training_images_are_kept_unless_refused(_: World, out: Path) -> Any:
    found = {}
    for option in ((), ("--no-paths",)):
        learned(out, "photos", "--strategy", "softmax", *option)
        given = (out / "model.outgroup", "new/circle/100.png", "--json", "--explain")
        (line,) = run("predict", *given).lines
        found[" ".join(option)] = [one["path"] for one in line["nearest"]]
    return found


@FACTS
def nothing_but_the_model_is_written(world: World, out: Path) -> Any:
    def there() -> list[Path]:
        return sorted(path for path in world.path.rglob("*") if world.cache not in path.parents)

    before = there()
    learned(out, "photos", "--strategy", "softmax", "--no-cache")
    assert there() == before
    return sorted(path.name for path in out.iterdir())
