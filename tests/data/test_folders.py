from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from outgroup.data import from_folder, from_images
from outgroup.errors import InvalidDataError, InvalidParameterError


def skipped(samples) -> dict[str, str]:
    return {os.path.basename(item.path): item.reason for item in samples.skipped}


class TestOneFolderAClass:
    def test_the_first_folder_below_the_root_is_the_label(self, touch):
        root = touch("cat/2.jpg", "cat/deep/er/1.jpg", "dog/1.jpg")
        samples = from_folder(root)
        paths = ["cat/2.jpg", "cat/deep/er/1.jpg", "dog/1.jpg"]
        assert samples.sources == tuple(os.path.join(root, path) for path in paths)
        assert samples.labels == ("cat", "cat", "dog")
        assert samples.groups == (None, None, None)
        assert samples.origins == (root.name,) * 3
        assert samples.skipped == ()

    def test_paths_begin_as_the_root_was_given(self, touch, monkeypatch):
        root = touch("photos/cat/1.jpg")
        monkeypatch.chdir(root)
        assert from_folder("photos").sources == ("photos/cat/1.jpg",)
        assert from_folder("./photos").sources == ("./photos/cat/1.jpg",)
        (root / "link").symlink_to(root / "photos")
        assert from_folder("link").sources == ("link/cat/1.jpg",)
        monkeypatch.chdir(root / "photos")
        assert from_folder(".").origins == ("photos",)

    def test_every_file_is_taken_whatever_its_name(self, touch):
        root = touch("cat/1.jpg", "cat/notes.txt", "cat/no_ending")
        assert len(from_folder(root)) == 3

    def test_the_order_does_not_depend_on_the_disk(self, touch, monkeypatch):
        root = touch(*(f"{name}/{i}.jpg" for name in "cab" for i in (10, 9, 1)))
        expected = from_folder(root).sources
        assert list(expected) == sorted(expected)
        real = os.scandir

        class Backwards:
            def __init__(self, path):
                self.listing = real(path)

            def __enter__(self):
                return reversed(list(self.listing.__enter__()))

            def __exit__(self, *error):
                self.listing.__exit__(*error)

        monkeypatch.setattr(os, "scandir", Backwards)
        assert from_folder(root).sources == expected

    def test_hidden_and_system_files_are_listed_as_skipped(self, touch):
        names = [".DS_Store", "Thumbs.db", "desktop.ini", "._1.jpg"]
        root = touch("cat/1.jpg", *(f"cat/{name}" for name in names), "__MACOSX/cat/._2.jpg")
        samples = from_folder(root)
        assert len(samples) == 1
        assert skipped(samples) == dict.fromkeys([*names, "__MACOSX"], "a hidden or system file")

    def test_a_root_may_be_hidden(self, touch):
        assert len(from_folder(touch(".data/cat/1.jpg") / ".data")) == 1

    def test_files_beside_the_class_folders_are_listed_as_skipped(self, touch):
        samples = from_folder(touch("cat/1.jpg", "readme.txt"))
        assert skipped(samples) == {"readme.txt": "in no class folder"}

    def test_a_class_without_files_is_not_lost_silently(self, touch):
        root = touch("cat/1.jpg")
        (root / "dog" / "deep").mkdir(parents=True)
        assert skipped(from_folder(root)) == {"dog": "a class folder without files"}

    @pytest.mark.parametrize("name", ["other", "none", " cat ", "7", "Ähre"])
    def test_names_of_folders_are_kept_as_they_are(self, touch, name):
        assert from_folder(touch(f"{name}/1.jpg")).labels == (name,)

    def test_names_that_are_no_text_can_be_printed_as_labels(self, tmp_path):
        folder = os.path.join(os.fsencode(tmp_path), b"caf\xe9")
        os.mkdir(folder)
        open(os.path.join(folder, b"\xff.jpg"), "wb").close()
        samples = from_folder(tmp_path)
        assert samples.labels == ("caf\ufffd",)
        assert os.path.exists(samples.sources[0])

    def test_no_class_folders_shows_the_layout(self, touch):
        with pytest.raises(InvalidDataError, match=r"2 files directly in it(?s:.*)├── cat"):
            from_folder(touch("1.jpg", "2.jpg"))

    def test_an_empty_folder_shows_the_layout(self, tmp_path):
        with pytest.raises(InvalidDataError, match=r"no files\. It must look like this"):
            from_folder(tmp_path)

    def test_no_folder_at_all(self, touch):
        root = touch("file")
        for path in (root / "missing", root / "file"):
            with pytest.raises(InvalidParameterError, match="must be a folder that exists"):
                from_folder(path)


class TestLinks:
    def test_they_are_followed_but_not_resolved(self, touch):
        root = touch("elsewhere/1.jpg", "photos/cat/2.jpg")
        (root / "photos" / "dog").symlink_to(root / "elsewhere")
        samples = from_folder(root / "photos")
        assert samples.labels == ("cat", "dog")
        assert samples.sources[1] == str(root / "photos" / "dog" / "1.jpg")

    def test_loops_end(self, touch):
        root = touch("cat/1.jpg")
        (root / "cat" / "up").symlink_to(root)
        (root / "cat" / "self").symlink_to(root / "cat")
        samples = from_folder(root)
        assert len(samples) == 1
        assert skipped(samples) == {
            "up": f"the same folder as {root}",
            "self": f"the same folder as {root / 'cat'}",
        }

    def test_a_link_in_one_class_does_not_empty_another(self, touch):
        root = touch("cat/1.jpg", "dog/puppies/2.jpg")
        (root / "cat" / "friends").symlink_to(root / "dog")
        (root / "ant").symlink_to(root / "dog" / "puppies")
        samples = from_folder(root)
        assert samples.labels == ("cat", "dog")
        assert set(skipped(samples)) == {"friends", "ant"}

    def test_links_that_lead_nowhere_are_left_to_the_decoder(self, touch):
        root = touch("cat/1.jpg")
        (root / "cat" / "gone").symlink_to(root / "nothing")
        (root / "cat" / "loop").symlink_to(root / "cat" / "loop")
        assert len(from_folder(root)) == 3


def test_a_folder_that_can_t_be_listed_is_skipped_with_the_reason(touch, monkeypatch):
    root = touch("cat/1.jpg", "cat/secret/2.jpg", "dog/3.jpg")
    real = os.scandir

    def refuse(path):
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert skipped(from_folder(root)) == {"secret": "can't be listed: Permission denied"}


class TestImagesOfOneKind:
    def test_a_folder_with_the_origin_of_each_image(self, touch):
        root = touch("web/a/1.jpg", "web/2.jpg", "3.jpg")
        samples = from_images(root)
        assert samples.sources == tuple(
            str(root / p) for p in ("3.jpg", "web/2.jpg", "web/a/1.jpg")
        )
        assert samples.labels == (None,) * 3
        assert samples.origins == (root.name, "web", "web")

    def test_a_label_for_all(self, touch):
        assert from_images(touch("1.jpg", "2.jpg"), label="cat").labels == ("cat", "cat")

    def test_many_of_any_kind_in_the_order_given(self, touch):
        root = touch("pool/b.jpg", "pool/a.jpg", "c.jpg")
        image = Image.new("L", (2, 2))
        array = np.zeros((2, 2), np.uint8)
        samples = from_images([root / "c.jpg", image, str(root / "pool"), array, b"bytes"])
        names = [os.path.basename(s) if isinstance(s, str) else s for s in samples.sources]
        assert names == ["c.jpg", image, "a.jpg", "b.jpg", array, b"bytes"]
        assert samples.origins == (root.name, "memory", "pool", "pool", "memory", "memory")

    @pytest.mark.parametrize(
        "one", [b"bytes", Image.new("L", (2, 2)), np.zeros((2, 2), np.uint8), "missing.jpg"]
    )
    def test_one_is_enough(self, one):
        samples = from_images(one)
        assert len(samples) == 1
        assert samples.sources[0] is one or samples.sources[0] == one

    def test_an_array_of_images(self):
        samples = from_images(np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3))
        assert [source.shape for source in samples.sources] == [(3, 4, 3)] * 2

    def test_an_array_of_paths_gives_plain_strings(self):
        samples = from_images(np.array(["a.jpg", "b.jpg"]))
        assert [type(source) for source in samples.sources] == [str, str]

    def test_a_named_file_is_taken_even_if_hidden(self, touch):
        assert len(from_images([touch(".hidden.jpg") / ".hidden.jpg"])) == 1

    def test_a_folder_without_files_is_named(self, touch):
        root = touch("empty/.hidden")
        with pytest.raises(
            InvalidDataError, match=r"empty' has no files in it, apart from 1 hidden"
        ):
            from_images([root / "empty"])
        (root / "void").mkdir()
        with pytest.raises(InvalidDataError, match=r"no files in it\. Give a folder with images"):
            from_images(root / "void")

    def test_nothing(self):
        with pytest.raises(InvalidDataError, match="at least one image"):
            from_images([])
        with pytest.raises(InvalidParameterError, match="got NoneType"):
            from_images(None)


def test_ten_thousand_files_take_no_time(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(5000):
            os.close(os.open(tmp_path / name / f"{i}.jpg", os.O_CREAT))
    assert len(from_folder(tmp_path)) == 10_000
