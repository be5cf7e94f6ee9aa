"""How masks are made, as the command line and study recipes give it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

from radiobone.core.errors import RadioboneWarning
from radiobone.segmentation.cascade import Cascade
from radiobone.segmentation.labels import AUTO, MODEL, instance_label
from radiobone.segmentation.model import model_files, read_model
from radiobone.segmentation.segmenter import Segmenter


@dataclass(frozen=True)
class SegmentOptions:
    """A model, and how it is used.

    Parameters
    ----------
    model : Path
        Model folder, as `read_model` takes it.
    coarse : Path, optional
        Model folder of a first pass that finds the spine's box.
    margin_mm : float, default 20.0
        With ``coarse``: how far beyond the coarse mask to look.
    folds : tuple of str, optional
        Folds of the model to be averaged; by default all numbered ones.
    scheme : str, default "auto"
        Values of levels in masks: ``auto``, ``model``, or a label scheme by its name or file.
    orientation : str, optional
        Order of axes of the files that the model learned from; by default as the model says, else RAS.
    device : str, default "auto"
        ``auto``, ``cpu``, ``cuda`` or ``cuda:<number>``.
    step_size : float, default 0.5
        Distance of windows as a share of one.
    mirroring : bool, default True
        Average over mirrored windows, if the model learned so.
    memory_limit_gb : float, optional
        A scan that would need more is refused; by default what is free.
    threads : int, optional
        Of the processor; by default all.
    """

    model: Path
    coarse: Path | None = None
    margin_mm: float = 20.0
    folds: tuple[str, ...] | None = None
    scheme: str = AUTO
    orientation: str | None = None
    device: str = "auto"
    step_size: float = 0.5
    mirroring: bool = True
    memory_limit_gb: float | None = None
    threads: int | None = None

    @property
    def files(self) -> list[Path]:
        """Every file of the models that masks depend on.

        Raises
        ------
        ModelError
            If one is missing.
        """
        coarse = [] if self.coarse is None else model_files(self.coarse)
        return [*coarse, *model_files(self.model, self.folds)]


def make_predictor(options: SegmentOptions) -> Segmenter | Cascade:
    """Load the model, or both of them.

    Parameters
    ----------
    options : SegmentOptions
        Which, and how.

    Returns
    -------
    Segmenter or Cascade
        Ready for any number of scans.

    Raises
    ------
    ModelError
        If a model cannot be used.
    UsageError
        If an option is not valid, or an extra is missing.

    Warns
    -----
    RadioboneWarning
        If nothing says to which order of axes images are to be turned.
    """
    fine = _load(options)
    if options.coarse is None:
        return fine
    coarse = _load(replace(options, model=options.coarse, folds=None, scheme=MODEL))
    return Cascade(coarse, fine, options.margin_mm)


def _load(options: SegmentOptions) -> Segmenter:
    found = read_model(options.model, options.folds, orientation=options.orientation)
    if found.is_order_assumed:
        message = (
            f"the model {found.folder.name} does not say in which order of axes it saw its images; "
            f"{found.orientation} is assumed. Look at the first masks; if they are wrong or mirrored, name the "
            "order (orientation)"
        )
        warnings.warn(message, RadioboneWarning, stacklevel=2)
    return Segmenter(
        found,
        device=options.device,
        step_size=options.step_size,
        mirroring=options.mirroring,
        # Where levels are counted, the scheme is for what they are named, not for the one label.
        scheme=MODEL if instance_label(found.labels) else options.scheme,
        memory_limit_gb=options.memory_limit_gb,
        threads=options.threads,
    )
