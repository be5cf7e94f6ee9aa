"""From a mask to named VOIs: which levels, which recipe, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from radiobone.core.batch import Outcome
from radiobone.core.config import nearest
from radiobone.core.errors import CaseError, GeometryError, UsageError, VoiError, one_line
from radiobone.imaging import Image, Mask
from radiobone.imaging.geometry import differences
from radiobone.tables.vertebrae import level_order, level_parts
from radiobone.voi.body import recognise_body_mask
from radiobone.voi.merging import merge_masks, merge_quality
from radiobone.voi.neighbours import Neighbourhood
from radiobone.voi.quality import VoiQuality, measure
from radiobone.voi.recipes import Recipe, Source, VoiOptions
from radiobone.voi.review import judge
from radiobone.voi.schemes import Scheme
from radiobone.voi.spine import Spine, centroid_mm, find_labels, take_label

Missing = Literal["fail", "skip", "first"]


@dataclass(frozen=True)
class VoiRequest:
    """Which VOIs are wanted.

    Parameters
    ----------
    scheme : Scheme
        What the labels of the mask mean.
    recipe : Recipe
        How a VOI is made from a label.
    levels : tuple of str, optional
        The levels wanted; by default all that the scheme names and the mask holds. A merged level
        (``T10+T11+T12``) is one VOI, and present only where all its parts are.
    missing : {"fail", "skip", "first"}, default "fail"
        What to do about a level that the mask does not hold: an outcome ``failed``, an outcome ``skipped``,
        or no outcome at all, since only the first level present is used ("T11 or T12").
    options : VoiOptions
        Options of the recipe.
    """

    scheme: Scheme
    recipe: Recipe
    levels: tuple[str, ...] | None = None
    missing: Missing = "fail"
    options: VoiOptions = field(default_factory=VoiOptions)

    def __post_init__(self) -> None:
        self.recipe.check(self.options)
        if self.levels == ():
            raise UsageError("no levels are asked for", expected="such as L1-L4")
        for level in (part for merged in self.levels or () for part in level_parts(merged)):
            if self.scheme.value(level) is None:
                known = ["label_1", "label_2"] if self.scheme.raw else list(self.scheme.labels.values())
                raise UsageError(
                    f"the label scheme {self.scheme.name} has no such level{nearest(level, known)}",
                    got=level,
                    expected="label_1, label_2 and so on" if self.scheme.raw else ", ".join(known),
                )

    @property
    def text(self) -> str:
        """The recipe with its options, such as ``trabecular@1(erosion_mm=3.0, ...)``."""
        return self.recipe.text(self.options)


@dataclass(frozen=True, eq=False)
class Voi:
    """One VOI, ready for extraction.

    Parameters
    ----------
    level : str
        Name of its level.
    recipe : str
        Its recipe with all options.
    mask : Mask
        The VOI, boolean, in its tight box on the image's grid.
    quality : VoiQuality
        Its quality columns.
    """

    level: str
    recipe: str
    mask: Mask
    quality: VoiQuality


def make_vois(
    image: Image | None, mask: Mask, request: VoiRequest, body_mask: Mask | None = None
) -> dict[str, Outcome[Voi]]:
    """Make the VOIs of one scan; one bad level never stops the others.

    Parameters
    ----------
    image : Image or None
        The scan. Without it nothing is said about HU.
    mask : Mask
        The label map on the image's grid.
    request : VoiRequest
        Which VOIs are wanted.
    body_mask : Mask, optional
        A mask of bodies on the same grid; its kind is recognised.

    Returns
    -------
    dict of str to Outcome
        An outcome for each level, from head to foot, then by name.

    Raises
    ------
    GeometryError
        If the masks do not lie on the image's grid.
    VoiError
        If the mask holds no label that the scheme names, or the body mask is of no known kind.
    """
    if image is not None and (different := differences(image.geometry, mask.geometry)):
        raise GeometryError("image and mask do not lie on the same grid", got="; ".join(different))
    boxes = find_labels(mask)
    present = {level: value for value in boxes if (level := request.scheme.level(value)) is not None}
    if not present:
        raise VoiError(
            "the mask holds no label that the scheme names" if boxes else "the mask is empty",
            where=f"label scheme {request.scheme.name}",
            got=f"labels {request.scheme.describe(list(boxes))}",
            do="name another scheme; raw takes any label",
        )
    labels = {level: take_label(mask, value, boxes[value]) for level, value in present.items()}
    spine = Spine({level: centroid_mm(label) for level, label in labels.items()})
    bodies = None if body_mask is None else recognise_body_mask(body_mask, mask)
    sources = {
        level: Source(level, value, labels[level], image, bodies, spine.towards_head(level))
        for level, value in present.items()
    }
    neighbourhood = Neighbourhood(sources, spine)
    outcomes: dict[str, Outcome[Voi]] = {}
    for level in _wanted(request, present):
        if not _holds(present, level):
            outcomes[level] = _absent(level, request, present)
            continue
        made = {part: _make(sources[part], request, neighbourhood) for part in level_parts(level)}
        outcomes[level] = _merge(level, made, image) if len(made) > 1 else made[level]
    return outcomes


def _wanted(request: VoiRequest, present: Mapping[str, int]) -> list[str]:
    """List the levels that get an outcome, in level order."""
    wanted = request.levels or tuple(present)
    if request.missing == "first":
        wanted = next(((level,) for level in wanted if _holds(present, level)), wanted[:1])
    return sorted(dict.fromkeys(wanted), key=level_order)


def _holds(present: Mapping[str, int], level: str) -> bool:
    return all(part in present for part in level_parts(level))


def _absent(level: str, request: VoiRequest, present: Mapping[str, int]) -> Outcome[Voi]:
    error = VoiError(
        "none of the levels is present" if request.missing == "first" else "label not present",
        where=f"level {level}",
        got=f"labels {request.scheme.describe(sorted(present.values()))}",
        expected=_expected(level, request),
    )
    return Outcome("skipped" if request.missing == "skip" else "failed", one_line(error))


def _expected(level: str, request: VoiRequest) -> str:
    levels = request.levels if request.missing == "first" and request.levels else (level,)
    merged = (level_parts(name) for name in levels)
    return " or ".join(
        " and ".join(f"{request.scheme.value(part)} ({part})" for part in parts) for parts in merged
    )


def _make(source: Source, request: VoiRequest, neighbourhood: Neighbourhood) -> Outcome[Voi]:
    """Make one VOI; what goes wrong with it is its outcome."""
    try:
        made = request.recipe.build(source, request.options)
    except CaseError as error:
        where = f"level {source.level} (label {source.value}), recipe {request.recipe.id}"
        placed = VoiError(error.what, where=where, got=error.got, expected=error.expected, do=error.do)
        return Outcome("failed", one_line(placed))
    quality = judge(measure(source, made, neighbourhood), made.warnings)
    return Outcome("ok", result=Voi(source.level, request.text, made.mask, quality))


def _merge(level: str, made: Mapping[str, Outcome[Voi]], image: Image | None) -> Outcome[Voi]:
    """Make one VOI of several; it fails with any of them, since a smaller VOI would be another one."""
    vois = {part: outcome.result for part, outcome in made.items() if outcome.result is not None}
    if len(vois) < len(made):
        reasons = (outcome.reason for outcome in made.values() if outcome.result is None)
        return Outcome("failed", f"merged level {level}: {'; '.join(reasons)}")
    mask = merge_masks([voi.mask for voi in vois.values()])
    quality = merge_quality({part: voi.quality for part, voi in vois.items()}, mask, image)
    return Outcome("ok", result=Voi(level, next(iter(vois.values())).recipe, mask, quality))
