"""What a VOI recipe works on, and what it makes."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import VoiError
from radiobone.imaging import Image, Mask
from radiobone.voi.axes import VertebraAxes, find_axes
from radiobone.voi.body import BodyMask

Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class Source:
    """What a recipe works on: one level of one scan.

    Parameters
    ----------
    level : str
        Name of the level.
    value : int
        Its label value.
    label : Mask
        The label, boolean, in its tight box.
    image : Image or None
        The scan on the same grid, if there is one.
    body_mask : BodyMask or None
        A mask that tells bodies from arches, if there is one.
    towards_head : ndarray of shape (3,)
        Direction of the spine at this level, in the world.
    """

    level: str
    value: int
    label: Mask
    image: Image | None
    body_mask: BodyMask | None
    towards_head: NDArray[np.float64]
    _found: dict[object, object] = field(default_factory=dict, init=False, repr=False)

    def once(self, find: Callable[[Source], Found]) -> Found:
        """Return what a function finds in this level; recipes and quality share it, and it is sought only once.

        Parameters
        ----------
        find : callable
            A function of this level alone, known by its identity.

        Returns
        -------
        object
            What it returned when it was first asked.

        Raises
        ------
        VoiError
            If the function found nothing; the error is kept, too.
        """
        if find not in self._found:
            try:
                self._found[find] = find(self)
            except VoiError as error:
                # A copy, since the traceback of the error holds this level and its image in a circle.
                self._found[find] = copy(error)
        found = self._found[find]
        if isinstance(found, VoiError):
            raise copy(found)
        return cast(Found, found)

    def axes(self) -> VertebraAxes:
        """Return the axes of the whole vertebra.

        Returns
        -------
        VertebraAxes
            As :func:`radiobone.voi.axes.find_axes` finds them.

        Raises
        ------
        VoiError
            If they are not found.
        """
        return self.once(_find_axes)


@dataclass(frozen=True, eq=False)
class Made:
    """A VOI as a recipe made it.

    Parameters
    ----------
    mask : Mask
        The VOI, boolean, in its tight box.
    body_source : str, default ""
        Where the body came from: ``cut``, or the kind of body mask; empty if the recipe needs none.
    warnings : tuple of str
        What a user should look at.
    """

    mask: Mask
    body_source: str = ""
    warnings: tuple[str, ...] = ()


def _find_axes(source: Source) -> VertebraAxes:
    return find_axes(source.label, source.towards_head)
