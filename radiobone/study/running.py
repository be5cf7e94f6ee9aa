"""One command from scans to results: masks and extraction where a recipe asks for it, then the study on tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from radiobone.core.errors import UsageError
from radiobone.core.hashing import sha256_json
from radiobone.features.deep.block import VALUES_REVISION, DeepBlock
from radiobone.features.extraction import ExtractionSummary, extract_cohort
from radiobone.features.request import ExtractionRequest, make_request
from radiobone.study.blocks import read_external
from radiobone.study.journal import Journal, Say, files_of, state_of
from radiobone.study.recipe import Recipe
from radiobone.study.recipe.extraction import DENSITY
from radiobone.study.recipe.images import MoreVoi, VoiChoice
from radiobone.study.segmenting import segment_missing
from radiobone.study.training import Study, train
from radiobone.study.volumes import check_networks, cut_volumes
from radiobone.tables.cohort import Cohort, read_cohort
from radiobone.tables.features import FeatureTable, read_features

Extracted = dict[str, ExtractionSummary]


def run_study(
    recipe: Recipe,
    cohort_path: Path,
    out: Path,
    *,
    features: Mapping[str, Path] | None = None,
    jobs: int = 1,
    progress: bool = True,
    say: Say = lambda text: None,
) -> tuple[Study, Extracted]:
    """Run a whole study, or what is left of it.

    Parameters
    ----------
    recipe : Recipe
        The study.
    cohort_path : Path
        The cohort table.
    out : Path
        Folder for everything: masks, feature tables, results, figures, the model, and ``steps.json``.
    features : mapping of str to Path, optional
        Feature tables that are finished, by the name of their VOI (the main or external one under ``""``): these
        are not extracted.
    jobs : int, default 1
        Worker processes; -1 is one for each core.
    progress : bool, default True
        Show progress bars.
    say : callable, optional
        Called with one line of text about each step.

    Returns
    -------
    study : Study
        The folder and the content of its ``results.json``.
    extracted : dict of str to ExtractionSummary
        What became of the scans, for each table that was extracted in this call.

    Raises
    ------
    UsageError
        If the recipe needs a table that neither a step nor the user brings, or tables do not fit it.
    """
    check_networks(recipe)
    given = dict(features or {})
    needs_scans = [name for name in recipe.vois if name not in given]
    of_volumes = [arm for arm in recipe.all_arms if arm.volumes is not None]
    cohort = read_study_cohort(recipe, cohort_path, images=bool(needs_scans or of_volumes))
    masks = None
    if (needs_scans or of_volumes) and recipe.segment is not None:
        made = segment_missing(recipe, cohort, out, progress=progress, say=say)
        cohort, masks = made.cohort, made.record
    tables = {name: read_table(recipe, path) for name, path in given.items()}
    extracted: Extracted = {}
    for name in needs_scans:
        path, summary = _extract(recipe, name, cohort, out, jobs, progress, say)
        tables[name] = read_features(path)
        if summary is not None:
            extracted[name] = summary
    if recipe.external is not None and "" not in tables:
        raise UsageError(
            "the recipe learns from a feature table made elsewhere, and none is given",
            where=recipe.name,
            expected="--features TABLE",
        )
    stacks = {}
    for arm in of_volumes:
        request = replace(make_study_request(recipe), blocks=())
        stacks[arm.name] = cut_volumes(recipe, arm, request, cohort, out, jobs=jobs, progress=progress, say=say)
    study = train(recipe, tables, cohort, out, stacks=stacks, masks=masks, jobs=jobs, progress=progress, say=say)
    return study, extracted


def read_study_cohort(recipe: Recipe, path: Path, *, images: bool = False) -> Cohort:
    """Read a cohort table by the names that a recipe gives.

    Parameters
    ----------
    recipe : Recipe
        Says how rows are patients.
    path : Path
        The table.
    images : bool, default False
        Whether images are needed, and masks, unless the recipe makes those that are missing.

    Returns
    -------
    Cohort
        The table.
    """
    patient = None if recipe.cohort.rows == "patients" else recipe.cohort.patient
    return read_cohort(path, images=images, masks=recipe.segment is None, patient=patient)


def read_table(recipe: Recipe, path: Path) -> FeatureTable:
    """Read a feature table, radiobone's own or one from elsewhere, as the recipe says.

    Parameters
    ----------
    recipe : Recipe
        The study.
    path : Path
        The table.

    Returns
    -------
    FeatureTable
        The long table.
    """
    return read_features(path) if recipe.external is None else read_external(recipe, path)


def make_study_request(recipe: Recipe, name: str = "") -> ExtractionRequest:
    """Say what is extracted for one of a recipe's VOIs.

    Parameters
    ----------
    recipe : Recipe
        The study.
    name : str, default ""
        The VOI; the main one has no name.

    Returns
    -------
    ExtractionRequest
        As ``radiobone extract`` makes it.
    """
    voi: VoiChoice = recipe.vois[name]
    assert recipe.extraction is not None
    density_only = isinstance(voi, MoreVoi) and voi.features == "density"
    extraction = recipe.extraction
    request = make_request(
        params=extraction.params,
        engine=extraction.engine,
        deep=() if density_only else extraction.deep,
        weights=() if density_only else [f"{label}={file}" for label, file in extraction.weights.items()],
        device=extraction.device,
        voi=voi.recipe,
        options=voi.options,
        levels=voi.levels,
        scheme=voi.scheme,
        missing=voi.missing_levels,
        align=extraction.align,
        calibration=extraction.calibration,
    )
    if not density_only:
        return request
    return replace(request, blocks=tuple(block for block in request.blocks if block.record.name == DENSITY))


def _extract(
    recipe: Recipe, name: str, cohort: Cohort, out: Path, jobs: int, progress: bool, say: Say
) -> tuple[Path, ExtractionSummary | None]:
    """Extract one VOI of every scan, unless that is done; scans that failed are tried again."""
    step = f"extract {name}".strip()
    path = out / (f"features.{name}.csv" if name else "features.csv")
    request = make_study_request(recipe, name)
    scans = cohort.scans(request.cohort_columns)
    journal = Journal(out)
    inputs = {
        "cohort": cohort.sha256,
        "files": state_of(
            (file for scan in scans for source in scan.files for file in files_of(source)), cohort.path.parent
        ),
        "settings": sha256_json([recipe.vois[name].model_dump(mode="json"), request.recipe.id, request.align]),
        "blocks": _blocks_sha256(recipe, request),
    }
    if recipe.extraction is not None:
        inputs |= recipe.extraction.file_hashes
    if recipe.segment is not None:
        inputs["masks"] = sha256_json([[Path(scan.scheme).name, scan.unsegmented] for scan in scans])
    if journal.done(step, inputs):
        say(f"{step}: done before, {path.name}")
        return path, None
    if path.exists() and not path.with_name(f"{path.name}.resume").is_dir():
        raise UsageError(
            "the study's folder holds a feature table that it did not extract",
            where=str(path),
            do="give it with --features, or choose another folder",
        )
    say(f"{step}: {len(scans)} scans to {path.name}")
    journal.begin()
    on_gpu = [block for block in request.blocks if isinstance(block, DeepBlock) and block.kind == "cuda"]
    if jobs != 1 and on_gpu:
        # Workers cannot share a GPU: they do what needs none, and what they keep is not computed again.
        rest = replace(request, blocks=tuple(block for block in request.blocks if block not in on_gpu))
        extract_cohort(scans, rest, path, cohort=cohort, jobs=jobs, progress=progress)
        say(f"{step}: deep features, by one worker with the GPU")
        jobs = 1
    summary = extract_cohort(scans, request, path, cohort=cohort, jobs=jobs, progress=progress)
    if not summary.failures:
        journal.note(step, inputs, [path])
    return path, summary


def _blocks_sha256(recipe: Recipe, request: ExtractionRequest) -> str:
    """Hash what is computed; of networks what the recipe says, so that a finished step needs none of them."""
    assert recipe.extraction is not None
    deep = recipe.extraction.deep_records()
    facts: list[object] = []
    for block in request.blocks:
        if isinstance(block, DeepBlock):
            facts.append([block.name, VALUES_REVISION, deep[block.name]])
        else:
            facts.append(block.record.model_dump(mode="json"))
    return sha256_json(facts)
