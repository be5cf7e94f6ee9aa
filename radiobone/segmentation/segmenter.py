"""One model, loaded once, and masks of any number of scans."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.batch import progress_bar
from radiobone.core.errors import ImageError, UsageError, one_line
from radiobone.core.extras import require
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.orientation import AS_IS, head_axis, orientation_of, turn_to
from radiobone.imaging.volumes import Box
from radiobone.segmentation.decoding import Decoder
from radiobone.segmentation.labels import AUTO, Values, choose_values, names_levels
from radiobone.segmentation.memory import Forecast, check_memory, forecast, memory_limit
from radiobone.segmentation.model import Model
from radiobone.segmentation.network import build_networks
from radiobone.segmentation.normalising import needs_whole, normaliser
from radiobone.segmentation.resampling import Axes, Shape, Spacing, plan_axes, resample_image
from radiobone.segmentation.tiles import Passes, Sums, Windows, pad, place_windows, slide

if TYPE_CHECKING:
    import torch


logger = logging.getLogger(__name__)


class Segmenter:
    """A model that is ready to predict.

    Parameters
    ----------
    model : Model
        From `read_model`.
    device : str, default "auto"
        ``cpu``, ``cuda``, ``cuda:1``; ``auto`` takes a GPU if there is one.
    step_size : float, default 0.5
        Greatest distance of two windows as a share of a window. 1 is fastest, and worst at windows' borders.
    mirroring : bool, default True
        Also predict on mirrored windows along the axes that the model learned mirrored, and average: slower by 2
        for each axis. Never along the spine if the model tells levels apart.
    scheme : str or Path, default "auto"
        Which values levels get in masks: ``auto`` is VerSe's, else TotalSegmentator's, if it has a value for every
        label, else ``model``, the model's own values.
    memory_limit_gb : float, optional
        A scan that would need more memory (10⁹ bytes) is refused, with the estimate. By default what this process
        can have on this machine.
    threads : int, optional
        Of the processor; by default all that this process may use.

    Raises
    ------
    UsageError
        If an option is not valid, the GPU asked for is absent, or the scheme lacks a label.
    ModelError
        If the network cannot be built.

    Notes
    -----
    Without nnU-Net's worker processes, temporary files and prints. Masks equal those of nnU-Net's own predictor
    but for voxels at which two classes are equal to within half precision, in which nnU-Net sums.
    """

    def __init__(
        self,
        model: Model,
        *,
        device: str = "auto",
        step_size: float = 0.5,
        mirroring: bool = True,
        scheme: str | Path = AUTO,
        memory_limit_gb: float | None = None,
        threads: int | None = None,
    ) -> None:
        if not 0.0 < step_size <= 1.0:
            raise UsageError("no step of windows", got=step_size, expected="above 0, up to 1")
        self.model = model
        self.device = find_device(device)
        self.step_size = step_size
        self.mirroring = mirroring
        self.values: Values = choose_values(model.labels, scheme)
        self.memory_limit_gb = memory_limit_gb
        self._threads = threads or len(_processors())
        self._networks = build_networks(model, self.device)

    def predict(self, image: Image, *, progress: bool = False) -> Mask:
        """Segment a scan.

        Parameters
        ----------
        image : Image
            HU on any grid.
        progress : bool, default False
            Show a bar of the windows, if standard error is a terminal.

        Returns
        -------
        Mask
            On the image's own grid, the very same `Geometry`; all background if the model finds nothing. A note
            tells if memory was short.

        Raises
        ------
        ImageError
            If the image is empty, would need more memory than the limit or the GPU has, or the network's outputs
            are not finite.
        """
        import torch

        view = self._turned(image.array, image.geometry)
        box = _filled(view)
        axes = self._axes(image.geometry, box)
        windows = place_windows(axes.new, self.model.patch, self.step_size)
        sums = self._sums(image, windows)
        with _threads(self._threads), progress_bar("segmenting", windows.count, progress) as advance:
            try:
                data = self._prepare(view[box], axes, windows)
                labels = self._decode(image.geometry, box, axes, data, windows, sums, advance)
            except torch.cuda.OutOfMemoryError as error:
                raise ImageError(
                    "the GPU has too little memory for one window of this model",
                    got=f"{self.device}: {one_line(error)[:200]}",
                    expected=f"room for {' x '.join(map(str, self.model.patch))} voxels",
                    do="use --device cpu, or a larger GPU",
                ) from None
        return Mask(self.values.apply(labels), image.geometry, notes=_notes(sums))

    def forecast(self, image: Image) -> Forecast:
        """Say how much memory `predict` will take for an image.

        Parameters
        ----------
        image : Image
            The scan.

        Returns
        -------
        Forecast
            An upper estimate for the machine's memory, not the GPU's.
        """
        box = _filled(self._turned(image.array, image.geometry))
        windows = place_windows(self._axes(image.geometry, box).new, self.model.patch, self.step_size)
        return self._forecast(image, windows, 4)

    @property
    def models(self) -> tuple[Model, ...]:
        """The one model."""
        return (self.model,)

    @property
    def settings(self) -> dict[str, object]:
        """All that masks depend on beside the model and the image, for keys and manifests."""
        return {
            "step_size": self.step_size,
            "mirroring": self.mirroring,
            "device": self.device.type,
            "values": {str(old): new for old, new in self.values.changed.items()},
        }

    def _order(self, geometry: Geometry) -> tuple[str, tuple[int, ...]]:
        """Return the order of axes that the model sees, and the axes of its windows to be mirrored."""
        order = self.model.orientation
        seen = orientation_of(geometry) if order == AS_IS else order
        spine = self.model.transpose.index(head_axis(seen))
        levels = names_levels(self.model.labels)
        mirrored = tuple(axis for axis in self.model.mirror_axes if not (levels and axis == spine))
        return order, mirrored if self.mirroring else ()

    def _turned(self, array: NDArray[Any], geometry: Geometry) -> NDArray[Any]:
        """Return a view of an array in the network's order of axes."""
        return turn_to(geometry, self.model.orientation).there(array).transpose(self.model.transpose)

    def _spacing(self, geometry: Geometry) -> tuple[Spacing, Spacing]:
        """Return voxel sizes of the image and of the network, in the network's order of axes."""
        turned = turn_to(geometry, self.model.orientation).values(geometry.spacing_mm)
        first, second, third = (turned[axis] for axis in self.model.transpose)
        own = (first, second, third)
        target = [wanted or given for wanted, given in zip(self.model.spacing_mm, own, strict=True)]
        return own, (target[0], target[1], target[2])

    def _axes(self, geometry: Geometry, box: Box) -> Axes:
        from nnunetv2.preprocessing.resampling.default_resampling import compute_new_shape

        spacing, target = self._spacing(geometry)
        old = _shape(part.stop - part.start for part in box)
        new = _shape(max(1, int(size)) for size in compute_new_shape(old, spacing, target))
        setup = self.model.setup.configuration
        name, options = setup["resampling_fn_data"], setup["resampling_fn_data_kwargs"]
        return plan_axes(name, options, old, new, spacing, target)

    def _back(self, geometry: Geometry, axes: Axes) -> Axes:
        spacing, target = self._spacing(geometry)
        setup = self.model.setup.configuration
        name, options = setup["resampling_fn_probabilities"], setup["resampling_fn_probabilities_kwargs"]
        return plan_axes(name, options, axes.new, axes.old, target, spacing)

    def _forecast(self, image: Image, windows: Windows, output_bytes: int) -> Forecast:
        return forecast(
            image_bytes=image.array.nbytes,
            voxels=image.array.size,
            network_shape=windows.image,
            patch=windows.size,
            at_once=windows.at_once * self._workers(windows),
            n_outputs=self.model.n_outputs,
            output_bytes=output_bytes,
            architecture=self.model.setup.network_arch_init_kwargs,
            weights_bytes=sum(part.nbytes for net in self._networks for part in net.parameters()),
            normalised_whole=needs_whole(self.model),
            on_gpu=self.device.type == "cuda",
        )

    def _sums(self, image: Image, windows: Windows) -> Sums:
        """Choose how outputs are summed: in single precision, or in half if memory is short."""
        import torch

        limit = memory_limit(self.memory_limit_gb)
        if self._forecast(image, windows, 4).total <= limit:
            return Sums(self.device, torch.float32)
        size = " x ".join(map(str, image.geometry.shape[::-1]))
        check_memory(self._forecast(image, windows, 2), limit, f"image of {size} voxels")
        return Sums(self.device, torch.float16)

    def _workers(self, windows: Windows) -> int:
        """Return how many windows are worked on side by side.

        Small windows are too little work for several threads each, which then mostly wait for each other.
        """
        return self._threads if self.device.type == "cpu" and windows.at_once > 1 else 1

    def _prepare(self, view: NDArray[Any], axes: Axes, windows: Windows) -> torch.Tensor:
        """Return the image on the network's grid, normalised, and padded to a window by the mean."""
        import torch

        source, normalise = normaliser(self.model, view)
        data = torch.zeros(windows.image)
        resample_image(source, normalise, axes, self.device, data[pad(axes.new, windows)])
        return data

    def _decode(
        self,
        geometry: Geometry,
        box: Box,
        axes: Axes,
        data: torch.Tensor,
        windows: Windows,
        sums: Sums,
        advance: Callable[[], None],
    ) -> NDArray[np.uint8 | np.uint16]:
        """Return the model's labels on the image's grid."""
        import torch

        _, mirrored = self._order(geometry)
        workers = self._workers(windows)
        passes = Passes(self._networks, self.model.n_outputs, mirrored, self.device, workers)
        back = self._back(geometry, axes)
        highest = max(self.model.labels.values())
        labels = np.zeros(geometry.shape, dtype=np.uint8 if highest < 256 else np.uint16)

        def decide(place: torch.device) -> None:
            decoder = Decoder(back, self.model.regions, self._turned(labels, geometry)[box])
            slabs = slide(data, windows, passes, Sums(place, sums.dtype), advance)
            _decide(decoder, slabs, pad(axes.new, windows))

        try:
            decide(sums.device)
            return labels
        except torch.cuda.OutOfMemoryError as error:
            logger.info("the GPU has too little memory: %s", one_line(error))
        # Only the sums grow with the image: where a GPU is too small for them, the machine's memory holds them.
        torch.cuda.empty_cache()
        labels[...] = 0
        decide(torch.device("cpu"))
        return labels


def _decide(decoder: Decoder, slabs: Iterator[tuple[int, torch.Tensor]], inside: Box) -> None:
    """Decide all slabs, without the padding around the image."""
    for start, outputs in slabs:
        begin, end = max(start, inside[0].start), min(start + outputs.shape[1], inside[0].stop)
        if begin < end:
            part = outputs[:, begin - start : end - start, inside[1], inside[2]]
            decoder.take(begin - inside[0].start, part)


def _notes(sums: Sums) -> tuple[str, ...]:
    import torch

    short = sums.dtype != torch.float32
    return ("outputs summed in half precision, for want of memory: single voxels may differ",) if short else ()


def find_device(name: str) -> torch.device:
    """Return the device of a name, or refuse one that is absent.

    Parameters
    ----------
    name : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:<number>``.

    Raises
    ------
    UsageError
        If the GPU asked for is not there.
    """
    require("torch", "segment")
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if count else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdecimal()) or (kind == "cpu" and number):
        raise UsageError("no device of this name", got=name, expected="auto, cpu, cuda or cuda:<number>")
    if kind == "cuda" and int(number or 0) >= count:
        raise UsageError(
            "the GPU asked for is absent",
            got=f"{name}; {count} GPUs that torch {torch.__version__} can use",
            expected="a CUDA device, its driver, and a build of torch for CUDA",
            do="use --device cpu (or auto), or install torch for CUDA",
        )
    return torch.device(name)


def _filled(view: NDArray[Any]) -> Box:
    """Return the box of all that is not 0, to which nnU-Net crops."""
    shadow = np.zeros(view.shape[1:], dtype=bool)
    filled = []
    for number, plane in enumerate(view):
        found = plane != 0
        if found.any():
            filled.append(number)
            shadow |= found
    if not filled:
        raise ImageError("the image is empty", got="0 in all voxels", expected="a CT in HU")
    spans = (filled, np.flatnonzero(shadow.any(axis=1)), np.flatnonzero(shadow.any(axis=0)))
    z, y, x = (slice(int(span[0]), int(span[-1]) + 1) for span in spans)
    return z, y, x


def _shape(sizes: Any) -> Shape:
    first, second, third = sizes
    return first, second, third


def _processors() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let torch use so many threads inside the block: a batch holds libraries at one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
