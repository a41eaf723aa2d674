import pytest

from outgroup.backbones.imagenet_classes import (
    FAMILIES,
    find_classes,
    imagenet_class_names,
    imagenet_class_rows,
    search_classes,
)
from outgroup.errors import InvalidParameterError


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("Persian cat", 283),
        ("persian-cat", 283),
        ("PERSIAN_CAT", 283),
        ("tabby", 281),
        ("hotdog", 934),
        ("hot dogs", 934),
        ("n02123045", 281),
        ("281", 281),
        ("  giant panda ", 388),
    ],
)
def test_a_class_is_found_by_any_of_its_names(name: str, index: int) -> None:
    assert find_classes(name) == (index,)


def test_every_class_is_found_by_its_own_name_and_id() -> None:
    rows = imagenet_class_rows()
    for i, row in enumerate(rows):
        assert i in find_classes(row.name)
        assert find_classes(row.wordnet_id) == (i,)
    assert tuple(row.name for row in rows) == imagenet_class_names()


def test_a_name_of_two_classes_means_both() -> None:
    assert find_classes("missile") == (657, 744)


def test_families_hold_their_kind_and_no_other() -> None:
    text = {i: " ".join((row.name, *row.synonyms)) for i, row in enumerate(imagenet_class_rows())}
    assert len(find_classes("dog")) == 118
    for family, kinds in {
        "cat": ("cat", "Mau"),
        "bear": ("bear",),
        "elephant": ("elephant", "tusker"),
        "fox": ("fox",),
        "rabbit": ("rabbit", "hare", "Angora"),
        "shark": ("shark",),
        "snake": ("snake", "boa", "python", "cobra", "mamba", "viper"),
        "spider": ("spider", "tarantula", "widow"),
        "wolf": ("wolf",),
        "bus": ("bus",),
        "crab": ("crab",),
        "butterfly": ("butterfly",),
    }.items():
        for i in find_classes(family):
            assert any(kind in text[i] for kind in kinds), (family, text[i])
        assert family in FAMILIES


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("german sheperd", "Did you mean 'german shepherd'?"),
        ("giraffe", "named 'giraffe'. `outgroup backbones --classes WORD`"),
        ("giraffe", "outgroup train DIR --strategy imagenet"),
        ("terrier", "Names with 'terrier' in them: 'Maltese dog', 'toy terrier',"),
        ("terrier", "more."),
        ("crane", "134 'crane bird', 517 'construction crane'"),
        ("", "named ''"),
    ],
)
def test_a_name_that_is_none_is_refused_with_what_may_be_meant(name: str, said: str) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        find_classes(name)
    assert said in str(caught.value)


def test_a_search_takes_words_before_parts_of_words() -> None:
    found = dict(search_classes("cat"))
    assert found["cat"] == (281, 282, 283, 284, 285)
    assert "catamaran" not in found
    assert dict(search_classes("catamar")) == {"catamaran": (484,)}
    assert search_classes("qqqq") == []
