"""The steps of a study, in order, and which keys of a recipe each reads."""

from __future__ import annotations

from dataclasses import dataclass


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
    """

    name: str
    keys: tuple[str, ...]
    after: tuple[str, ...]
    what: str


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
        StudyStep("label", _LABELLED, ("extract",), "labels, exclusions, one row for each patient"),
        StudyStep("validate", (*_LEARNED, "evaluation"), ("label",), "every arm on the same folds"),
        StudyStep("fit", _LEARNED, ("label",), "the primary arm's procedure on all patients"),
        StudyStep("report", (), ("validate", "fit"), "tables and figures"),
    )
}
