"""The steps of a study, in order: which keys of a recipe each reads, and which of them are built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from radiobone.core.errors import ConfigError


@dataclass(frozen=True)
class StudyStep:
    """One step of a study.

    Parameters
    ----------
    name : str
        Its name in ``steps.json`` and messages.
    keys : tuple of str
        The keys of a recipe that it reads; a change of another key does not redo it.
    after : tuple of str
        The steps whose results it reads.
    what : str
        What it does, for the user.
    built : bool
        False for a step that is known, so that recipes may be planned with it, and cannot be run yet.
    """

    name: str
    keys: tuple[str, ...]
    after: tuple[str, ...]
    what: str
    built: bool = True


_FEATURES = ("cohort", "voi", "more_vois", "extraction", "external")
# Who is analysed depends on the columns that the plan and the arms need, and on steps that fill gaps.
_LABELLED = (
    *_FEATURES, "label", "table", "clinical", "acquisition", "validation", "nodes", "steps", "arms",
)  # fmt: skip
_LEARNED = (
    *_LABELLED, "train_on", "model", "calibration", "operating_point", "decision", "primary",
)  # fmt: skip

STEPS: dict[str, StudyStep] = {
    step.name: step
    for step in (
        StudyStep("segment", ("cohort", "segment"), (), "masks of vertebrae from scans"),
        StudyStep("extract", _FEATURES, ("segment",), "features of every VOI"),
        StudyStep("deep", ("deep",), ("segment",), "deep features of every VOI", built=False),
        StudyStep("label", _LABELLED, ("extract", "deep"), "labels, exclusions, one row for each patient"),
        StudyStep("validate", (*_LEARNED, "evaluation"), ("label",), "every arm on the same folds"),
        StudyStep("fit", _LEARNED, ("label",), "the primary arm's procedure on all patients"),
        StudyStep("report", (), ("validate", "fit"), "tables and figures"),
    )
}


def register(step: StudyStep) -> None:
    """Add a step, or build one that was only known: how rooms bring theirs.

    Parameters
    ----------
    step : StudyStep
        The step; one of the same name is replaced.
    """
    STEPS[step.name] = step


def refuse_unbuilt(content: Mapping[str, object], where: str) -> None:
    """Refuse a recipe with a key that only a step which cannot be run yet would read.

    Parameters
    ----------
    content : mapping
        The recipe as its file has it.
    where : str
        The file, for the message.

    Raises
    ------
    ConfigError
        That names the keys.
    """
    found = [step for step in STEPS.values() if not step.built and any(key in content for key in step.keys)]
    if found:
        raise ConfigError(
            f"known, not built yet: {', '.join(step.name for step in found)}",
            where=f"{where}, {', '.join(key for step in found for key in step.keys if key in content)}",
            got="; ".join(f"{step.name}: {step.what}" for step in found),
            expected=f"keys of {', '.join(step.name for step in STEPS.values() if step.built)}",
            do="leave the key out, and give masks (cohort table) or features (--features) made elsewhere",
        )
