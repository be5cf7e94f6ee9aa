"""The deep block: features of a network for every VOI of a scan, as one more block of the feature table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import CaseError, EngineError, UsageError, one_line
from radiobone.core.extras import require
from radiobone.core.hashing import sha256_json
from radiobone.features.deep.columns import columns
from radiobone.features.deep.compute import Network, find_device, forget_networks
from radiobone.features.deep.normalising import normalised
from radiobone.features.deep.params import DeepParams, View, read_deep_params
from radiobone.features.deep.patches import make_inputs
from radiobone.features.deep.weights import WeightsFile, find_weights
from radiobone.features.deep.weights_registry import FILE, RANDOM, get_weights
from radiobone.features.radiomics.engine import VoiValues
from radiobone.imaging import Image, Mask
from radiobone.tables.features import BlockRecord

VALUES_REVISION = 1
"""Raised with every change of a number: of pictures, normalisation, folding or pooling."""

Tag = tuple[str, View, bool]
"""The VOI and the view of an input, and whether it is the last one of its VOI."""


@dataclass(frozen=True)
class DeepBlock:
    """Features of one network, as `features.blocks.Block` wants them.

    Weights are looked for once, where the record or `prepare` is first asked for, and workers are told where they
    lie.

    Parameters
    ----------
    params : DeepParams
        The parameter file.
    source : str
        Its name as the user gave it, for messages.
    weights_file : Path, optional
        File of the weights (``--weights``); by default they are looked for, and fetched.
    device : {"auto", "cpu", "cuda"}
        Where the network runs.
    """

    params: DeepParams
    source: str
    weights_file: Path | None = None
    device: str = "auto"

    @property
    def name(self) -> str:
        """Name of the block; see `DeepParams.block`."""
        return self.params.block

    @property
    def label(self) -> str:
        """Network and weights, such as ``resnet50_imagenet``; what ``--weights`` names them by."""
        return f"{self.params.backbone}_{self.params.weights}"

    @property
    def images(self) -> tuple[str, ...]:
        """None: nothing is discretised."""
        return ()

    @cached_property
    def weights(self) -> WeightsFile | None:
        """The file of the weights, its hash checked; None for random ones."""
        if self.params.weights == RANDOM:
            return None
        return find_weights(
            self.params.backbone, self.params.weights, self.weights_file, sha256=self.params.weights_sha256
        )

    @cached_property
    def kind(self) -> str:
        """The kind of device, ``cpu`` or ``cuda``."""
        return find_device(self.device)

    @cached_property
    def record(self) -> BlockRecord:
        """The effective parameters with the hash of the weights, their origin, the device and the columns.

        The device stands in the engine's name: results of each are kept for themselves, though they differ by
        rounding alone, so that a model that learned from one takes features of the other.
        """
        sha256 = None if self.weights is None else self.weights.sha256
        parameters = self.params.effective() | {"weights_sha256": sha256}
        return BlockRecord(
            name=self.name,
            engine=f"torch-{self.kind}",
            values_revision=VALUES_REVISION,
            parameters=parameters,
            parameters_sha256=sha256_json(parameters),
            columns=[column.name for column in columns(self.params)],
            weights=self._origin(),
        )

    def _origin(self) -> dict[str, str]:
        if self.params.weights == RANDOM:
            return {"label": self.label, "source": f"drawn at random with seed {self.params.seed}; not pretrained"}
        info = get_weights(self.params.backbone, self.params.weights)
        facts = {"source": info.source, "licence": info.licence, "citation": info.citation, "note": info.note}
        file = {"file": self.weights.path.name} if self.weights is not None else {}
        return {"label": self.label, **file, **{key: value for key, value in facts.items() if value}}

    def prepare(self, jobs: int) -> None:
        """Find the device and the weights, and load them once, so that whatever is wrong is told before any scan.

        Parameters
        ----------
        jobs : int
            How many workers there will be.

        Raises
        ------
        UsageError
            If a package, the device or the weights are missing or wrong, if several workers would share a GPU, or
            if it cannot run a batch.
        """
        require("torch", "deep")
        require("monai", "deep")
        if self.kind == "cuda" and jobs != 1:
            raise UsageError(
                "several workers cannot share the GPU: each would load networks of its own",
                got=f"--jobs {jobs}",
                expected="one worker",
                do="give --jobs 1, or --device cpu; or run with --jobs and without --deep first: what is kept of "
                "that run is not computed again",
            )
        if self.kind == "cuda":
            self._try_gpu()
        else:
            self._network()
        if jobs != 1:
            forget_networks()

    def _try_gpu(self) -> None:
        """Run one batch: a GPU that PyTorch finds may be too old for it, or full of what others compute."""
        try:
            self._network().run(np.zeros((1, self.params.n_channels, *self.params.sizes), dtype=np.float32))
        except EngineError as error:
            raise UsageError(
                error.what, where=error.where, got=error.got, expected=error.expected, do=error.do
            ) from None
        except RuntimeError as error:
            raise UsageError(
                "the GPU cannot run the network",
                where=self.source,
                got=one_line(error)[:200],
                expected="a GPU that this PyTorch is built for, with memory to spare",
                do="use --device cpu, or free the GPU, or install a PyTorch that is built for it",
            ) from error

    def _network(self) -> Network:
        return Network(self.params, self.weights, self.kind, self.source)

    def stream(self, image: Image, vois: Mapping[str, Mask]) -> Iterator[tuple[str, VoiValues | CaseError]]:
        """Show the network all VOIs of a scan, batch by batch; see `Block.stream`."""
        failed: dict[str, CaseError] = {}
        done: set[str] = set()
        vectors: list[tuple[View, NDArray[np.float32]]] = []
        try:
            for (key, view, last), vector in self._network().features(self._inputs(image, vois, failed)):
                vectors.append((view, vector))
                if last:
                    done.add(key)
                    yield key, self._values(vectors)
                    vectors = []
        except EngineError as error:
            # There is no memory for a batch: none for the next ones, either.
            failed |= {key: error for key in vois if key not in done and key not in failed}
        yield from failed.items()

    def _inputs(
        self, image: Image, vois: Mapping[str, Mask], failed: dict[str, CaseError]
    ) -> Iterator[tuple[Tag, NDArray[np.float32]]]:
        """Make the inputs of one VOI after the other, and note those of which there can be none."""
        for key, voi in vois.items():
            try:
                inputs = make_inputs(image, voi, self.params)
                arrays = normalised(inputs.array, self.params.input_normalisation)
            except CaseError as error:
                failed[key] = self._told(error)
                continue
            for number, (view, array) in enumerate(zip(inputs.views, arrays, strict=True), start=1):
                yield (key, view, number == len(arrays)), array

    def _told(self, error: CaseError) -> EngineError:
        where = self.source if error.where is None else f"{self.source}, {error.where}"
        return EngineError(error.what, where=where, got=error.got, expected=error.expected, do=error.do)

    def _values(self, vectors: Sequence[tuple[View, NDArray[np.float32]]]) -> VoiValues | CaseError:
        """Pool the features of each view's slices, and give them the names of their columns."""
        pool = np.max if self.params.slice_pooling == "max" else np.mean
        pooled = [
            pool([vector.astype(np.float64) for seen, vector in vectors if seen == view], axis=0)
            for view in self.params.views
        ]
        values = np.concatenate(pooled)
        n_bad = int((~np.isfinite(values)).sum())
        if n_bad:
            return EngineError(
                "the network gives features that are not finite",
                where=self.source,
                got=f"{n_bad} of {len(values)}",
                expected="finite numbers",
                do="check the weights and their normalisation: values grew too large on the way through",
            )
        return VoiValues(dict(zip(self.record.columns, values.tolist(), strict=True)))


def deep_blocks(
    presets: Sequence[str], weights: Sequence[str] = (), device: str = "auto"
) -> tuple[DeepBlock, ...]:
    """Make the deep blocks of a run.

    Parameters
    ----------
    presets : sequence of str
        Deep parameter files: presets' names, or paths.
    weights : sequence of str
        Files of weights, each as ``FILE``, if there is one network alone that takes a file, or as ``LABEL=FILE``
        with the network and its weights for a label, such as ``resnet50_radimagenet=/data/ResNet50.pt``.
    device : {"auto", "cpu", "cuda"}
        Where networks run.

    Raises
    ------
    UsageError
        If a file is not valid, two of them give columns of the same name, or weights fit no network of the run.
    """
    read = [(str(source), read_deep_params(source)) for source in presets]
    forbid_same_columns(read)
    labels = {f"{params.backbone}_{params.weights}" for _, params in read if params.weights != RANDOM}
    files = dict(_labelled(text, labels) for text in weights)
    if len(files) < len(weights):
        raise UsageError("weights of one network are given twice", got=", ".join(weights))
    blocks = [
        DeepBlock(params, source, files.get(f"{params.backbone}_{params.weights}"), device)
        for source, params in read
    ]
    for block in blocks:
        if block.params.weights == FILE and block.weights_file is None:
            raise UsageError(
                "the parameter file wants weights of your own, and none are given",
                where=block.source,
                do=f"give --weights {block.label}=FILE (in a recipe: extraction.weights)",
            )
    return tuple(blocks)


def _labelled(text: str, labels: set[str]) -> tuple[str, Path]:
    """Read ``[LABEL=]FILE``."""
    label, equals, file = text.partition("=")
    if equals and label in labels:
        return label, Path(file)
    if not equals and len(labels) == 1:
        return next(iter(labels)), Path(text)
    unclear = not equals and labels
    raise UsageError(
        "it is not clear whose weights these are" if unclear else "weights fit no network of this run",
        got=f"--weights {text}",
        expected=f"LABEL=FILE with one of {', '.join(sorted(labels))}"
        if labels
        else "a parameter file (--deep) whose weights are read from a file",
    )


def forbid_same_columns(presets: Sequence[tuple[str, DeepParams]]) -> None:
    """Refuse two parameter files that differ in what their columns do not tell, such as their windows.

    Parameters
    ----------
    presets : sequence of (str, DeepParams)
        Each as the user named it, and what it says.

    Raises
    ------
    UsageError
        If two of them give columns of the same name.
    """
    seen: dict[str, str] = {}
    for source, params in presets:
        for view in params.views:
            name = f"deep-{params.name}-{view}"
            if name in seen:
                raise UsageError(
                    "two deep parameter files give columns of the same name",
                    got=f"{name}_0000 of {seen[name]} and of {source}",
                    expected="other networks, weights, layers or views",
                    do="extract them into two tables",
                )
            seen[name] = source
