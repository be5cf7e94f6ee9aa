"""The training of a tiny network on synthetic spines, and all that its folder is good for."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import io
import json
import math
import os
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic_spines import STEP_MM, TINY, synthetic_scan, write_cohort

from radiobone.cli import segment_train
from radiobone.cli.app import run
from radiobone.core.errors import ConfigError, ModelError, TableError, UsageError
from radiobone.imaging.reading import read_image, read_mask
from radiobone.segmentation import Segmenter, TrainingRequest, name_levels, parse_anchor, read_model, train_model
from radiobone.segmentation import trainer as trainer_module
from radiobone.segmentation.cases import ExportRequest, classes_of, survey_cohort
from radiobone.segmentation.judging import HeldOut, judge_fold, read_held_out
from radiobone.segmentation.planning import PlanChanges, read_changes
from radiobone.segmentation.trainer import Schedule
from radiobone.segmentation.training_request import held_out
from radiobone.tables.cohort import read_cohort
from radiobone.voi.schemes import VERSE

pytestmark = [pytest.mark.segment, pytest.mark.slow]


def dice(one, two):
    return 2 * np.count_nonzero(one & two) / (np.count_nonzero(one) + np.count_nonzero(two))


def request_of(epochs=1, iterations=1, **options):
    return TrainingRequest(
        changes=PlanChanges(**TINY), schedule=Schedule(epochs, iterations, validation_iterations=1), **options
    )


@pytest.fixture(autouse=True)
def one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def quickly(cohort, out, request=None, **options):
    return train_model(read_cohort(cohort), out, request or request_of(), device="cpu", progress=False, **options)


def test_vertebrae_of_new_scans_are_found_and_named_by_their_order(trained):
    segmenter = Segmenter(read_model(trained.folder), device="cpu", threads=1)
    for seed, lowest in ((100, "L5"), (101, "T12"), (102, "L3")):
        image, truth = synthetic_scan(seed, 5, lowest)
        mask = segmenter.predict(image)
        assert dice(mask.array > 0, truth.array > 0) > 0.85
        named = name_levels(mask, parse_anchor(f"lowest={lowest}"))
        assert [VERSE.value(level) for level in named.levels] == truth.labels()
        for value in truth.labels():
            assert dice(named.mask.array == value, truth.array == value) > 0.8


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_nnunets_own_predictor_takes_the_folder(trained):
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    image, _ = synthetic_scan(100, 5, "L5")
    with contextlib.redirect_stdout(io.StringIO()):
        predictor = nnUNetPredictor(
            device=torch.device("cpu"), allow_tqdm=False, perform_everything_on_device=False
        )
        predictor.initialize_from_trained_model_folder(str(trained.folder), ("all",))
        properties = {"spacing": list(image.geometry.spacing_mm)}
        found = predictor.predict_single_npy_array(image.array[None].astype(np.float32), properties)
    own = Segmenter(read_model(trained.folder), device="cpu", threads=1, scheme="model").predict(image)
    assert dice(found > 0, own.array > 0) > 0.995  # nnU-Net sums in half precision


def test_the_folder_says_how_it_was_trained(trained):
    model = read_model(trained.folder)
    assert (model.orientation, model.orientation_source) == ("LPS", "as radiobone.json says")
    assert model.labels == {"vertebra": 1}
    assert model.patch == (32, 32, 32)
    assert model.spacing_mm == (3.0, 3.0, 3.0)
    assert model.mirror_axes == (2,)
    assert model.trainer == "nnUNetTrainer"
    names = sorted(path.relative_to(trained.folder).as_posix() for path in trained.folder.rglob("*"))
    assert names == [
        "dataset.json", "dataset_fingerprint.json", "fold_all", "fold_all/checkpoint_final.pth",
        "fold_all/training.csv", "fold_all/training.log", "plans.json", "radiobone.json", "training.manifest.json",
        "training.png",
    ]  # fmt: skip
    curves = pd.read_csv(trained.folder / "fold_all/training.csv")
    assert list(curves["epoch"]) == list(range(1, 9))
    assert curves["train_loss"].iloc[-1] < curves["train_loss"].iloc[0] - 0.4
    manifest = json.loads((trained.folder / "training.manifest.json").read_text())
    assert manifest["folds"][0]["epochs"] == 8
    pairs = [(read_image(scan.image), read_mask(scan.mask)) for scan in read_cohort(trained.cohort).scans()]
    means = [image.array[mask.array > 0].mean() for image, mask in pairs]
    fingerprint = json.loads((trained.folder / "dataset_fingerprint.json").read_text())
    found = fingerprint["foreground_intensity_properties_per_channel"]["0"]
    assert found["mean"] == pytest.approx(np.mean(means), abs=0.5)  # every case counts as much as any other
    assert manifest["n_patients"] == 6
    notes = json.loads((trained.folder / "radiobone.json").read_text())
    assert (notes["labels"], notes["mirror_axes"]) == ({"vertebra": 1}, [2])
    assert "nnunetv2" in notes["versions"]
    told = "".join(path.read_text() for path in trained.folder.rglob("*.*") if path.suffix in (".json", ".log"))
    assert "p00" not in told
    assert os.uname().nodename not in told
    cases = pd.read_csv(trained.folder.with_name("model.cases.csv"))
    assert list(cases["patient_id"]) == [f"p0{number}" for number in range(6)]


def test_from_images_to_features(trained, tmp_path, capsys):
    """CT to mask to levels (counted from each scan's anchor) to VOIs to features, by the command line."""
    cohort = write_cohort(tmp_path, 2, first_seed=200)
    out = tmp_path / "segmented"
    arguments = ["--model", str(trained.folder), "--device", "cpu", "--threads", "1"]
    assert run(["segment", "--cohort", str(cohort), "-o", str(out), *arguments]) == 0
    assert "--scheme verse" in capsys.readouterr().out
    table = pd.read_csv(out / "cohort.csv", dtype=str)
    features = tmp_path / "features.csv"
    code = run(
        [
            "extract", "--cohort", str(out / "cohort.csv"), "-o", str(features), "--voi", "trabecular",
            "--scheme", "verse", "--params", "original", "--erosion-mm", "2",
        ]
    )  # fmt: skip
    assert code == 0
    found = pd.read_csv(features)
    assert (found["status"] == "ok").all()
    for seed, row in zip((200, 201), table.itertuples(), strict=True):
        truth = read_mask(tmp_path / f"mask_{seed}.nii.gz")
        mask = read_mask(out / row.mask)
        assert mask.labels() == truth.labels()
        of_scan = found[found["patient_id"] == f"p{seed}"]
        assert sorted(of_scan["level"]) == sorted(VERSE.level(value) for value in truth.labels())
    assert found["original_firstorder_Mean"].between(80, 260).all()


def test_a_stopped_training_goes_on(spines, tmp_path, monkeypatch):
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    monkeypatch.setattr(trainer_module, "SAVE_EVERY", 1)
    stop_at = [2]

    class Stopped(nnUNetTrainer):
        def on_epoch_start(self):
            if self.current_epoch == stop_at[0]:
                raise KeyboardInterrupt
            super().on_epoch_start()

    monkeypatch.setenv("nnUNet_n_proc_DA", "0")  # planning would take it for a number of threads
    before = dict(os.environ)
    with pytest.raises(KeyboardInterrupt):
        quickly(spines, tmp_path / "model", request_of(epochs=4), trainer=Stopped)
    assert dict(os.environ) == before
    fold = tmp_path / "model/fold_all"
    first = (fold / "training.csv").read_text()
    assert len(first.splitlines()) == 3
    assert (fold / "checkpoint_latest.pth").is_file()
    with pytest.raises(ModelError, match="no trained fold"):
        read_model(tmp_path / "model")
    (prepared,) = (tmp_path / "model").glob("training-*/prepared.json")
    made = prepared.stat().st_mtime_ns
    (fold / ".part-killed.pth").write_bytes(b"half")
    stop_at[0] = 3
    with pytest.raises(KeyboardInterrupt):
        quickly(spines, tmp_path / "model", request_of(epochs=4), trainer=Stopped)
    assert prepared.stat().st_mtime_ns == made
    assert (fold / "training.csv").read_text().startswith(first)
    whole = (fold / "checkpoint_latest.pth").read_bytes()
    (fold / "checkpoint_latest.pth").write_bytes(whole[: len(whole) // 2])
    stop_at[0] = 9
    with pytest.raises(ModelError, match=r"cannot be read .*checkpoint_latest"):
        quickly(spines, tmp_path / "model", request_of(epochs=4), trainer=Stopped)
    (fold / "checkpoint_latest.pth").write_bytes(whole)
    summary = quickly(spines, tmp_path / "model", request_of(epochs=4), trainer=Stopped)
    assert summary.folds[0].epochs == 4
    assert sorted(path.name for path in fold.iterdir()) == ["checkpoint_final.pth", "training.csv", "training.log"]
    assert not prepared.parent.exists()
    assert read_model(tmp_path / "model").trainer == "Stopped"


def test_folds_are_added_one_by_one_and_trainings_never_mixed(spines, tmp_path, capsys):
    out = tmp_path / "model"
    request = request_of(n_folds=3, export=ExportRequest(labels="levels", unannotated="beyond"))
    assert quickly(spines, out, request, folds=[1]).kept == ()
    first = (out / "fold_1/checkpoint_final.pth").stat().st_mtime_ns
    summary = quickly(spines, out, request, folds=[0, 1])
    assert summary.kept == ("1",)
    assert str(tmp_path) not in (out / "fold_0/training.log").read_text()
    assert {name: (item.n_scans, item.n_failed) for name, item in summary.held_out.items()} == {
        "0": (2, 0), "1": (2, 0),
    }  # fmt: skip
    judged = {"0": HeldOut(0.8125, 3, 1), "1": HeldOut(None, 2, 2)}
    segment_train._show(dataclasses.replace(summary, held_out=judged))
    told = capsys.readouterr().out
    assert "mean Dice of 2 held-out scans 0.812, 1 held-out scan could not be segmented" in told
    assert ", 2 held-out scans could not be segmented (fold_1/held_out.csv) (trained before)" in told
    held = pd.read_csv(tmp_path / "model.cases.csv")
    judged = pd.read_csv(out / "fold_0/held_out.csv")
    assert set(judged["case"]) == set(held.loc[held["held_out_in_fold"] == 0, "case"])
    assert (out / "fold_1/checkpoint_final.pth").stat().st_mtime_ns == first
    with pytest.raises(UsageError, match=r"trained otherwise .*other scans, settings"):
        quickly(spines, out, request_of(n_folds=3))
    model = read_model(out)
    assert [item.fold for item in model.checkpoints] == ["0", "1"]
    # Left and right only: a spine that is mirrored from head to foot would have its levels in the wrong order.
    assert model.mirror_axes == (2,)
    assert list(model.labels)[-2:] == ["L4", "L5"]
    assert "ignore" in json.loads((out / "dataset.json").read_text())["labels"]
    mask = Segmenter(model, device="cpu", threads=1, step_size=1.0).predict(synthetic_scan(1)[0])
    assert set(mask.labels()) <= set(VERSE.labels)


def test_a_fold_is_judged_on_whole_scans(trained, tmp_path):
    cohort = read_cohort(write_cohort(tmp_path, 2, first_seed=300))
    for unannotated in ("background", "beyond"):
        request = ExportRequest(unannotated=unannotated)
        cases = survey_cohort(cohort, request, progress=False)
        path = judge_fold(trained.folder, "all", cases, classes_of(cases, request), request, device="cpu")
        table = pd.read_csv(path)
        path.unlink()
        assert list(table["case"]) == ["case_0001", "case_0002"]
        assert (table["dice"] > 0.85).all()
        for case, volume in zip(cases, table["true_ml"], strict=True):
            assert read_mask(case.scan.mask).volume_ml == pytest.approx(volume, abs=0.001)
    (tmp_path / "ct_300.nii.gz").unlink()
    table = pd.read_csv(judge_fold(trained.folder, "all", cases, classes_of(cases, request), request))
    told = read_held_out(trained.folder, "all")
    assert told == HeldOut(pytest.approx(table["dice"][1], abs=1e-5), n_scans=2, n_failed=1)
    (trained.folder / "fold_all/held_out.csv").unlink()
    assert "file not found" in table["reason"][0]
    assert table["dice"][1] > 0.85


def test_patients_stay_whole_in_folds(spines):
    cohort = read_cohort(spines)
    doubled = survey_cohort(cohort, ExportRequest(), progress=False) * 2
    folds = held_out(doubled, 3, seed=1)
    patients = [{case.scan.patient_id for case in fold} for fold in folds]
    assert sorted(len(fold) for fold in folds) == [4, 4, 4]
    assert not patients[0] & patients[1] | patients[0] & patients[2] | patients[1] & patients[2]
    assert held_out(doubled, 3, seed=2) != folds


def test_the_trainer_and_its_mirroring_are_as_asked_for(spines, tmp_path):
    import torch
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    class Adam(nnUNetTrainer):
        def configure_optimizers(self):
            optimizer = torch.optim.Adam(self.network.parameters(), 1e-3)
            return optimizer, torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)

    work = tmp_path / "elsewhere"
    (work / "raw").mkdir(parents=True)
    request = request_of(mirror=("x", "y", "z"))
    quickly(spines, tmp_path / "model", request, trainer=Adam, work=work, keep_work=True)
    model = read_model(tmp_path / "model")
    assert (model.trainer, model.mirror_axes) == ("Adam", (0, 1, 2))
    assert len(list(work.glob("training-*/preprocessed/*/*/*_seg.b2nd"))) == 6
    quickly(spines, tmp_path / "model", request, trainer=Adam, work=work)
    assert [path.name for path in work.iterdir()] == ["raw"]  # what was there before stays
    content = torch.load(tmp_path / "model/fold_all/checkpoint_final.pth", weights_only=False)
    assert "betas" in content["optimizer_state"]["param_groups"][0]


def test_a_network_with_other_axes_is_mirrored_along_the_same_side(spines, tmp_path):
    """Thick slices from left to right: nnU-Net puts that axis first, and would turn windows round it all the way.

    Half a turn there and a mirrored back is a spine that is mirrored from head to foot.
    """
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    turned = []

    class Noting(nnUNetTrainer):
        def get_training_transforms(self, patch_size, rotation, *others, **options):
            turned.append((np.rad2deg(rotation).round().tolist(), others[2]))
            return super().get_training_transforms(patch_size, rotation, *others, **options)

    changes = PlanChanges(**{**TINY, "spacing_mm": (3.0, 3.0, 6.0), "patch": (32, 32, 8)})
    request = request_of(export=ExportRequest(labels="levels"), mirror=("x", "y"))
    quickly(spines, tmp_path / "model", dataclasses.replace(request, changes=changes), trainer=Noting)
    model = read_model(tmp_path / "model")
    assert model.transpose == (2, 0, 1)
    assert (model.patch, model.spacing_mm) == ((8, 32, 32), (6.0, 3.0, 3.0))
    assert model.mirror_axes == (0, 2)
    assert json.loads((tmp_path / "model/radiobone.json").read_text())["mirror_axes"] == [1, 2]
    assert turned == [([-30.0, 30.0], True)]  # flat windows


@pytest.mark.parametrize(
    ("axes", "patch", "mirror", "degrees"),
    [
        ((0, 1, 2), (8, 32, 32), (1, 2), 180),  # axial windows, turned round the spine
        ((2, 0, 1), (8, 32, 32), (1, 2), 30),
        ((1, 0, 2), (32, 32), (2,), 30),  # coronal slices
        ((0, 1, 2), (32, 32), (2,), 180),
        ((2, 0, 1), (8, 32, 32), (0, 1, 2), 180),
    ],
)
def test_spines_are_turned_upside_down_only_where_they_may_be_mirrored(axes, patch, mirror, degrees):
    class Setup:
        patch_size = patch

    class Base:
        configuration_manager = Setup

        def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self):
            return (-math.pi, math.pi), len(patch) == 3, list(patch), tuple(range(len(patch)))

    rotation, *_ = trainer_module._trainer_class(
        Base, mirror, axes
    )().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
    assert np.rad2deg(rotation).round().tolist() == [-degrees, degrees]


def test_folds_may_be_trained_side_by_side(spines, tmp_path):
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    request = request_of(n_folds=3)
    started = []

    class Beside(nnUNetTrainer):
        def on_train_start(self):
            super().on_train_start()
            if not started:
                started.append(self.fold)
                train(1)

    def train(fold):
        return quickly(spines, tmp_path / "model", request, folds=[fold], trainer=Beside, judge=False)

    train(0)
    assert [item.fold for item in read_model(tmp_path / "model").checkpoints] == ["0", "1"]
    assert not list(tmp_path.glob("model/training-*"))


def test_a_training_that_diverges_is_told_and_frees_its_memory(spines, tmp_path, monkeypatch):
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    networks = []

    class Diverging(nnUNetTrainer):
        def train_step(self, batch):
            networks.append(weakref.ref(self.network))
            super().train_step(batch)
            return {"loss": np.array(np.nan)}

    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    gc.disable()
    try:
        summary = quickly(spines, Path(), trainer=Diverging)
    finally:
        gc.enable()
    assert networks[0]() is None
    assert math.isnan(summary.folds[0].train_loss)
    manifest = json.loads((tmp_path / "here/training.manifest.json").read_text())
    assert manifest["folds"][0]["train_loss"] is None
    assert (tmp_path / "here.cases.csv").is_file()


def test_the_same_seed_gives_the_same_weights(spines, tmp_path):
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    for name in ("one", "two"):
        quickly(spines, tmp_path / name, request_of(iterations=2))
    one, two = (read_model(tmp_path / name).weights[0] for name in ("one", "two"))
    assert all((one[key] == two[key]).all() for key in one)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_what_cannot_be_trained_is_refused_before_anything_is_written(spines, tmp_path):
    out = tmp_path / "model"
    with pytest.raises(UsageError, match="mirrored from head to foot"):
        request_of(mirror=("x", "z"), export=ExportRequest(labels="levels"))
    with pytest.raises(UsageError, match="no axes for mirroring"):
        request_of(mirror=("left",))
    with pytest.raises(TableError, match=r"too few patients for the folds .*6 patients, 7 folds"):
        quickly(spines, out, request_of(n_folds=7), folds=[0])
    with pytest.raises(UsageError, match=r"no such fold .*5 .*0 to 4"):
        quickly(spines, out, folds=[5])
    with pytest.raises(UsageError, match="no such configuration"):
        request_of(configuration="3d_highres")
    with pytest.raises(UsageError, match=r"plans no such configuration .*3d_lowres .*2d, 3d_fullres"):
        quickly(spines, out, request_of(configuration="3d_lowres"))
    with pytest.raises(UsageError, match=r"no number of validation iterations .*0"):
        Schedule(validation_iterations=0)
    with pytest.raises(UsageError, match=r"no seed .*-1"):
        Schedule(seed=-1)
    crooked = dataclasses.replace(request_of(), changes=PlanChanges(**{**TINY, "patch": (18, 32, 32)}))
    with pytest.raises(UsageError, match=r"does not fit the network's stages .*patch \[18, 32, 32\]"):
        quickly(spines, out, crooked)
    (tmp_path / "bad.yaml").write_text("features: [8]\npach: [1, 2, 3]\n")
    with pytest.raises(ConfigError, match=r"pach: unknown key \(did you mean 'patch'\?\)"):
        read_changes(tmp_path / "bad.yaml")
    assert not list(tmp_path.glob("model/*"))


@pytest.mark.parametrize(
    ("text", "expected"), [("3", (3, 3, 3)), ("2.5", (2.5, 2.5, 2.5)), ("[6, 3, 3.5]", (6, 3, 3.5))]
)
def test_a_voxel_size_is_read_alike_from_file_and_command_line(tmp_path, text, expected):
    path = tmp_path / "changes.yaml"
    path.write_text(f"spacing_mm: {text}\nbatch_size: 2\n")
    assert read_changes(path).spacing_mm == expected
    assert segment_train._changes(None, text.strip("[]")).spacing_mm == expected
    assert segment_train._changes(path, "1") == PlanChanges(spacing_mm=(1.0, 1.0, 1.0), batch_size=2)
    for wrong in ("0", "[3, 3]", "true", "three"):
        path.write_text(f"spacing_mm: {wrong}\n")
        with pytest.raises(ConfigError, match="spacing_mm"):
            read_changes(path)


def test_a_gpu_that_is_absent_is_told(spines, tmp_path, capsys):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    code = run(["segment-train", "--cohort", str(spines), "-o", str(tmp_path / "m"), "--device", "cuda"])
    assert code == 2
    assert "the GPU asked for is absent" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_the_steps_of_synthetic_spines_are_even():
    image, truth = synthetic_scan(3, 4, "L4")
    heights = [image.geometry.world(np.argwhere(truth.array == value))[:, 2].mean() for value in truth.labels()]
    np.testing.assert_allclose(np.diff(heights), -STEP_MM, atol=2.0)
    means = [image.array[truth.array == value].mean() for value in truth.labels()]
    assert np.ptp(means) < 25  # HU tell no level from another
