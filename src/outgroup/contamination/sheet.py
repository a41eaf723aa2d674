"""A page of suspects for a yes or no: each beside the known images that it is nearest to.

One file, pictures included, that needs no server: answers are noted in the page, and come out of it
as a table with the columns ``path`` and ``label``, in which an empty label means *none of them*, as
in every table of this package.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from html import escape

from outgroup.calibration.certificate import percent
from outgroup.contamination.suspects import Suspect
from outgroup.errors import PoolError, UnreadableImageError
from outgroup.images import ImageSource, decode
from outgroup.neighbours import Neighbour

#: Suspects on a page, at most: a browser has to hold all their pictures.
LIMIT = 500

#: Sides of a suspect's picture and of those it is nearest to, in pixels.
LARGE, SMALL, QUALITY = 200, 120, 80

#: Finds the image of a suspect or of a known image; None where there is none to show.
Finder = Callable[["Suspect | Neighbour"], "ImageSource | None"]


def picture_of(image: Suspect | Neighbour) -> ImageSource | None:
    """Return the image of a suspect or of a known image; None where there is none to show.

    >>> picture_of(Suspect(0, "cat", 0.4, (), "pool/1.jpg"))
    'pool/1.jpg'
    """
    if isinstance(image, Suspect) and image.load is not None:
        return image.load()
    return image.path


def suspect_sheet(
    suspects: Sequence[Suspect],
    title: str = "Do these show one of your classes?",
    said: str = "",
    find: Finder = picture_of,
) -> str:
    """Return a page with suspects, in the order given.

    Parameters
    ----------
    suspects : sequence of Suspect
        The first `LIMIT` are shown; the page says how many more there are.
    title : str
        Heading.
    said : str
        A sentence below it.
    find : callable
        Returns the image of a suspect or of a known image, as `picture_of` does.

    Returns
    -------
    str
        An HTML document. Images that can't be read are named, and not shown.

    Examples
    --------
    >>> page = suspect_sheet([Suspect(0, "cat", 0.4, (), "pool/1.jpg")])
    >>> page.startswith("<!doctype html>"), "pool/1.jpg" in page
    (True, True)
    """
    return "".join(_page(suspects, title, said, find))


def _page(suspects: Sequence[Suspect], title: str, said: str, find: Finder) -> Iterator[str]:
    yield f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{_text(title)}</title>\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<style>{STYLE}</style>\n<header><h1>{_text(title)}</h1>\n<p>{_text(said)}</p>\n"
    hidden = len(suspects) - LIMIT
    if hidden > 0:
        yield f"<p>{LIMIT:,} of {len(suspects):,} are shown, the most certain first.</p>\n"
    yield '<div class="bar"><output id="count"></output>\n<button id="save">Save answers</button>'
    yield "</div></header>\n<main>\n"
    pictures: dict[str | None, str] = {}  # a known image is often near to many suspects
    for suspect in suspects[:LIMIT]:
        where = suspect.path or f"row {suspect.row}"
        share = percent(suspect.score)
        yield f'<article data-path="{_text(where)}" data-label="{_text(suspect.label)}">\n'
        yield _picture(partial(find, suspect), LARGE, where)
        yield f"<div><h2>{_text(suspect.label)}?</h2>\n"
        yield f'<p class="path">{_text(where)}</p>\n'
        yield f"<p>More like it than {share} of your known images of {_text(suspect.label)}. "
        yield 'The nearest known images, and how far they are:</p>\n<div class="near">\n'
        for neighbour in suspect.nearest:
            name = neighbour.path or f"row {neighbour.row}"
            if name not in pictures:
                pictures[name] = _picture(partial(find, neighbour), SMALL, name)
            yield f"<figure>{pictures[name]}<figcaption>{_text(neighbour.label or 'other')} "
            yield f"{neighbour.distance:.2f}</figcaption></figure>\n"
        yield '</div>\n<div class="ask"><button data-answer="yes">Yes</button>'
        yield '<button data-answer="no">No, none of them</button></div></div></article>\n'
    yield f"</main>\n<script>{SCRIPT}</script></html>\n"


def _picture(find: Callable[[], ImageSource | None], side: int, name: str) -> str:
    """Return an image element with the picture in it."""
    try:
        source = find()
        if source is None:
            return f'<div class="none" style="width:{side}px">no picture</div>'
        image = decode(source, min_side=side)
    except (UnreadableImageError, PoolError) as error:
        return f'<div class="none" style="width:{side}px">{_text(str(error))}</div>'
    small = image.copy()
    small.thumbnail((side, side))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=QUALITY)
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return (
        f'<img src="data:image/jpeg;base64,{data}" width="{small.width}" '
        f'height="{small.height}" alt="{_text(name)}">'
    )


def _text(words: str) -> str:
    """Escape text; what no page can hold, as bytes of a file name that are no text, becomes ?."""
    return escape("".join(char if char.isprintable() else "?" for char in words))


STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --yes: #2a6f97; --no: #777 }
body { margin: 0; font: 15px/1.45 system-ui, sans-serif }
header { position: sticky; top: 0; padding: .8rem 1.2rem; background: Canvas; z-index: 1;
  border-bottom: 1px solid var(--line) }
h1 { font-size: 1.2rem; margin: 0 } header p { margin: .2rem 0; max-width: 75ch }
.bar { display: flex; gap: 1rem; align-items: center; margin-top: .4rem }
main { display: grid; gap: 1rem; padding: 1.2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(30rem, 100%), 1fr)) }
article { display: grid; grid-template-columns: 200px 1fr; gap: 1rem; padding: 1rem;
  border: 1px solid var(--line); border-radius: 8px }
article > div { min-width: 0 }
article[data-answer=yes] { outline: 2px solid var(--yes) }
article[data-answer=no] { opacity: .55 }
h2 { margin: 0; font-size: 1.1rem } p { margin: .2rem 0 }
.path { font: 12px ui-monospace, monospace; overflow-wrap: anywhere; opacity: .7 }
img { border-radius: 4px; object-fit: contain; background: var(--soft) }
article > img { align-self: start; justify-self: center }
.near { display: flex; flex-wrap: wrap; gap: .4rem; margin: .3rem 0 }
figure { margin: 0; width: 56px }
figcaption { font-size: 11px; line-height: 1.2; overflow-wrap: anywhere; opacity: .8 }
.near img, .near .none { height: 56px; width: 56px !important; object-fit: cover; min-height: 0 }
.none { display: grid; place-items: center; min-height: 96px; overflow: hidden;
  background: var(--soft); border-radius: 4px; font-size: 11px; text-align: center; flex: none }
button { font: inherit; padding: .25rem .9rem; border: 1px solid var(--line); border-radius: 6px;
  background: var(--soft); color: inherit; cursor: pointer; margin-right: .5rem }
article[data-answer=yes] [data-answer=yes] { background: var(--yes); color: #fff }
article[data-answer=no] [data-answer=no] { background: var(--no); color: #fff }
"""

SCRIPT = """
const cards = [...document.querySelectorAll("article")];
const answered = () => cards.filter(card => card.dataset.answer);
const show = () => {
  document.getElementById("count").textContent = `${answered().length} of ${cards.length} answered`;
};
document.querySelector("main").addEventListener("click", event => {
  const answer = event.target.dataset.answer, card = event.target.closest("article");
  if (event.target.tagName !== "BUTTON" || !answer) return;
  if (card.dataset.answer === answer) delete card.dataset.answer;
  else card.dataset.answer = answer;
  show();
});
const cell = text => `"${text.replaceAll('"', '""')}"`;
document.getElementById("save").addEventListener("click", () => {
  const rows = answered().map(card =>
    `${cell(card.dataset.path)},${card.dataset.answer === "yes" ? cell(card.dataset.label) : ""}`);
  const file = new Blob([["path,label", ...rows].join("\\n") + "\\n"], { type: "text/csv" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = "answers.csv";
  link.click();
  URL.revokeObjectURL(link.href);
});
show();
"""
