"""Runs what docs/training_loops.md and docs/mixing.md say of fastai, with fastai itself.

    python tests/environments/fastai_recipes.py --venv FOLDER

makes a virtual environment in FOLDER (once: a package index, some minutes, 2 GB with the CPU build
of torch), installs this project, fastai and torchvision there, takes the code out of the documents,
runs it on images made here and checks that the network learned, and learned from negatives. Without
``--venv`` the environment is the present one. Nothing else is downloaded: where a document asks for
weights of ImageNet, random ones take their place. That recipe learns from smaller images in smaller
batches than the document says, so that it takes minutes.

fastai needs torchvision, and there is no build of torchvision for the CPU build of torch that our
tests use. Its compiled operators are of object detection, which nothing here touches; where they
can't be loaded, two of them are declared, so that the Python part can be imported, and this is
said.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from recipes import COLOURS, NONE_OF_THEM, ROOT, code, in_own_environment, pictures, versions

VERSIONS = {"fastai": "2.8.12", "torch": "2.13.0", "torchvision": "0.28.0"}


def import_torchvision() -> str:
    """Import torchvision, without its operators if need be, and return what was done."""
    import torch

    try:
        import torchvision
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision  # noqa: F401

        import_torchvision.kept = library  # type: ignore[attr-defined]  # gone, so are the two
        return "its operators can't be loaded by this torch; two are declared in their place"
    return "whole"


def watch() -> list[tuple[bool, int, float]]:
    """Let every learner note of each batch whether it trains, its size and its loss; no bars."""
    from fastai.vision.all import Callback, Recorder, TrainEvalCallback, defaults

    seen: list[tuple[bool, int, float]] = []

    class Watcher(Callback):  # type: ignore[misc]
        order = 90  # after what changes the batch

        def after_loss(self) -> None:
            seen.append((self.training, len(self.x), float(self.loss.detach())))

    defaults.callbacks = [TrainEvalCallback, Recorder, Watcher]
    return seen


def check_batches(seen: list[tuple[bool, int, float]], size: int) -> None:
    """Check the sizes of batches, half of them negatives while training, and that loss falls."""
    training = [n for trains, n, _ in seen if trains]
    assert set(training) == {2 * size}, f"batches of training have {set(training)} images"
    validating = [n for trains, n, _ in seen if not trains]
    assert max(validating) <= size, f"batches of validation have up to {max(validating)} images"
    losses = [loss for trains, _, loss in seen if trains]
    first, last = np.mean(losses[:3]), np.mean(losses[-3:])
    assert last < 0.7 * first, f"the loss went from {first:.3f} to {last:.3f}"
    print(
        f"  batches: {2 * size} images while training, up to {max(validating)} while validating\n"
        f"  loss of training: {first:.3f} at first, {last:.3f} in the end"
    )


def a_loop_of_ones_own() -> None:
    """Run docs/training_loops.md: zero rows for negatives, and `from_outputs` in the end."""
    import torch
    from fastai.data.core import DataLoaders
    from fastai.data.load import DataLoader
    from fastai.torch_core import set_seed

    def tensors(colour: tuple[int, int, int], n: int, seed: int) -> Any:
        return torch.from_numpy(pictures(colour, n, seed, 8)).permute(0, 3, 1, 2) / 127.5 - 1

    def labelled(n: int, seed: int) -> Any:
        x = torch.cat([tensors(colour, n, seed) for colour in COLOURS.values()])
        y = torch.arange(len(COLOURS)).repeat_interleave(n)
        return torch.utils.data.TensorDataset(x, y)

    set_seed(0)
    body = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 16), torch.nn.ReLU())
    head = torch.nn.Linear(16, len(COLOURS))
    given: dict[str, Any] = {
        "body": body,
        "head": head,
        "dls": DataLoaders(
            DataLoader(labelled(32, 0), bs=8, shuffle=True), DataLoader(labelled(40, 1), bs=8)
        ),
        "negatives": tensors(NONE_OF_THEM, 64, 2),
        "names": np.array([*COLOURS]),
    }
    seen = watch()
    exec(code("training_loops.md", "fastai"), given)
    check_batches(seen, 8)

    right = given["logits"].argmax(1) == given["labels"]
    assert right.float().mean() > 0.9, "validation images are not told apart"
    known, unknown = (tensors(colour, 40, 3) for colour in (COLOURS["cat"], NONE_OF_THEM))
    body.eval(), head.eval()
    with torch.no_grad():
        features = [body(x) for x in (known, unknown)]
        logits = [head(x) for x in features]
    highest = [torch.sigmoid(x).amax(1) for x in logits]
    assert highest[1].max() < highest[0].min(), "some unknown image scores as high as a known one"
    clf = given["clf"]
    answers = [[*clf.predict(f, z)] for f, z in zip(features, logits, strict=True)]
    assert answers[0].count("cat") >= 32, "many new cats are rejected"
    assert answers[1] == [None] * 40, "an unknown image is given a class"
    assert "95 % confidence" in clf.certificate_.sentence
    print(
        f"  best score: known {highest[0].min():.2f} or more, unknown {highest[1].max():.2f} or"
        f" less\n  from_outputs: {clf.certificate_.sentence}"
    )


def a_class_for_other(folder: Path) -> None:
    """Run docs/mixing.md: negatives are one more class of fastai's own recipe."""
    import torchvision.models._api as models
    from fastai.vision.all import PILImage, set_seed
    from PIL import Image

    for name, colour in COLOURS.items():
        (folder / "photos" / name).mkdir(parents=True)
        for i, pixels in enumerate(pictures(colour, 100, 0, 48)):
            Image.fromarray(pixels).save(folder / "photos" / name / f"{i}.png")

    def random_weights(*_: Any, **__: Any) -> Any:
        import torchvision

        return torchvision.models.resnet34(weights=None).state_dict()

    set_seed(0)
    models.load_state_dict_from_url = random_weights
    given: dict[str, Any] = {"negatives": pictures(NONE_OF_THEM, 200, 1, 48)}
    seen = watch()
    text = code("mixing.md", "fastai-callback", "fastai-learner")
    assert "Resize(224)" in text
    exec(text.replace("Resize(224)", "Resize(32), bs=16"), given)
    check_batches(seen, 16)

    learn, other = given["learn"], given["dls"].c
    assert other == len(COLOURS)
    probabilities, labels = learn.get_preds()
    right = float((probabilities.argmax(1) == labels).float().mean())
    assert right > 0.9, f"{100 * right:.0f} % of the validation images get their class"
    new = [PILImage.create(x) for x in pictures(NONE_OF_THEM, 20, 3, 48)]
    unknown, _ = learn.get_preds(dl=learn.dls.test_dl(new))
    assert unknown[:, other].median() > probabilities[:, other].median()
    called = float((unknown.argmax(1) == other).float().mean())
    assert called > 0.9, f"{100 * called:.0f} % of unknown images are rejected"
    print(f"  classes right: {100 * right:.0f} %; unknown images rejected: {100 * called:.0f} %")


def main() -> None:
    if in_own_environment(__file__, __doc__, VERSIONS):
        return
    import os

    told = import_torchvision()
    print(f"{versions(VERSIONS)}\ntorchvision: {told}")
    print("in brackets, by fastai: epoch, losses, error rate, time")
    print("docs/training_loops.md")
    a_loop_of_ones_own()
    print("docs/mixing.md (random weights in place of ImageNet's, 32 pixels a side, batches of 16)")
    with tempfile.TemporaryDirectory() as temporary:
        os.chdir(temporary)
        a_class_for_other(Path(temporary))
        os.chdir(ROOT)
    print("Both recipes run, and what they train learns from negatives.")


if __name__ == "__main__":
    main()
