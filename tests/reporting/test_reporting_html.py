"""HTML and PNG by hand: nothing of a user's text becomes markup, and pictures come back as they were."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest

from radiobone.reporting.html import Html, escaped, join, tag
from radiobone.reporting.png import contour_png, data_uri, grey_png

NASTY = "<script>alert('x')</script> & \"quoted\""


def test_text_is_escaped_as_content_and_in_attributes():
    made = tag("p", NASTY, title=NASTY)
    assert made.count("<") == made.count(">") == 2
    assert "&lt;script&gt;" in made
    assert 'title="&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &quot;quoted&quot;"' in made


def test_only_what_was_made_here_goes_in_as_it_is():
    inner = tag("b", "a")
    assert tag("p", inner, "<b>") == "<p><b>a</b>&lt;b&gt;</p>"
    assert isinstance(join(inner, "x"), Html)
    # A part of HTML, or HTML put together by hand, is text again.
    assert escaped(inner[:3]) == "&lt;b&gt;"
    assert escaped(f"{inner}!") == "&lt;b&gt;a&lt;/b&gt;!"


def test_characters_that_no_page_can_hold_are_replaced():
    made = escaped("a\x00b\udc80c\x1b[31m\td")
    assert made.encode("utf-8").decode("utf-8") == made
    assert made == "a\ufffdb\ufffdc\ufffd[31m\td"
    assert escaped("a\x9bb\u202ec\u2066d") == "a\ufffdb\ufffdc\ufffdd", "no text turns what follows it round"


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (tag("img", src="a", alt=""), '<img src="a" alt="">'),
        (tag("input", checked=True, hidden=False, id=None), "<input checked>"),
        (tag("a", "x", class_="c", aria_current="page"), '<a class="c" aria-current="page">x</a>'),
        (tag("li", data_rank=0), '<li data-rank="0"></li>'),
    ],
)
def test_elements(made, expected):
    assert made == expected


def read(png: bytes) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGBA"))


def test_greys_come_back_but_for_their_last_bit():
    array = np.random.default_rng(0).integers(0, 256, (17, 23)).astype(np.uint8)
    found = read(grey_png(array))
    assert found.shape == (17, 23, 4)
    assert np.array_equal(found[..., 0], array & 0xFE)
    assert (found[..., 3] == 255).all()


def test_contours_stand_on_nothing():
    index = np.zeros((9, 7), np.uint8)
    index[2, 3], index[4, 5] = 1, 2
    found = read(contour_png(index, [(230, 159, 0), (86, 180, 233)]))
    assert tuple(found[2, 3]) == (230, 159, 0, 255)
    assert tuple(found[4, 5]) == (86, 180, 233, 255)
    assert (found[index == 0][:, 3] == 0).all()


def test_an_address_holds_all_of_the_file():
    png = grey_png(np.zeros((2, 2), np.uint8))
    kind, _, content = data_uri(png).partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(content) == png
