"""Model folders: what is read from them, and what is refused."""

from __future__ import annotations

import json
import os

import pytest
from handmade import EDGE_LABELS, edge_weights, random_weights, write_folder

from radiobone.core.errors import ConfigError, ModelError, UsageError
from radiobone.core.hashing import sha256_file
from radiobone.segmentation import Segmenter, read_model

pytestmark = [pytest.mark.segment, pytest.mark.slow]


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "model", [random_weights(0, 5), random_weights(1, 5)], EDGE_LABELS, norm=True)


def change(folder, name, **new):
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **new}))


def change_setup(folder, **new):
    plans = json.loads((folder / "plans.json").read_text())
    plans["configurations"]["3d_fullres"].update(new)
    (folder / "plans.json").write_text(json.dumps(plans))


def test_a_folder_is_read_whole(folder):
    model = read_model(folder)
    assert model.configuration == "3d_fullres"
    assert model.labels == EDGE_LABELS
    assert model.patch == (16, 16, 16)
    assert model.spacing_mm == (1.0, 1.0, 1.0)
    assert [item.fold for item in model.checkpoints] == ["0", "1"]
    assert model.checkpoints[1].sha256 == sha256_file(folder / "fold_1/checkpoint_final.pth")
    assert (model.orientation, model.orientation_source) == ("LPS", "as radiobone.json says")


def test_folds_can_be_chosen_and_change_the_hash(folder):
    both, one = read_model(folder), read_model(folder, [1])
    assert [item.fold for item in one.checkpoints] == ["1"]
    assert both.sha256 != one.sha256
    assert read_model(folder, ["0", "1"]).sha256 == both.sha256
    assert read_model(folder, orientation="RAS").sha256 != both.sha256


def test_a_missing_fold_is_named(folder):
    with pytest.raises(ModelError, match=r"lacks a fold .*in folds 0, 1 .*fold_3/checkpoint_final.pth"):
        read_model(folder, [0, 3])


def test_a_fold_that_was_never_finished_is_not_passed_over(folder):
    (folder / "fold_1/checkpoint_final.pth").unlink()
    with pytest.raises(ModelError, match=r"lacks a fold .*in folds 0 .*fold_1/check.* do: name the folds"):
        read_model(folder)
    assert [item.fold for item in read_model(folder, [0]).checkpoints] == ["0"]
    (folder / "fold_1").rename(folder / "unfinished")
    assert [item.fold for item in read_model(folder).checkpoints] == ["0"]
    # A model of all scans stands for itself beside folds that were only begun.
    (folder / "fold_0").rename(folder / "fold_all")
    (folder / "fold_0").mkdir()
    assert [item.fold for item in read_model(folder).checkpoints] == ["all"]


def test_an_untrained_folder_is_refused(folder):
    for fold in (0, 1):
        (folder / f"fold_{fold}/checkpoint_final.pth").unlink()
    with pytest.raises(ModelError, match="holds no trained fold"):
        read_model(folder)


@pytest.mark.parametrize("name", ["dataset.json", "plans.json"])
def test_a_missing_or_damaged_file_is_named(folder, name):
    (folder / name).write_text("{")
    with pytest.raises(ModelError, match="not valid JSON"):
        read_model(folder)
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"lacks {name}"):
        read_model(folder)


def test_the_folder_above_a_model_is_told_where_it_is(folder):
    with pytest.raises(ModelError, match=f"do: give {folder}"):
        read_model(folder.parent)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ModelError, match="no model folder"):
        read_model(tmp_path / "nothing")


class Harmful:
    """Runs a command when it is unpickled the usual way."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_weights_that_would_run_code_are_refused_and_not_run(folder, tmp_path, zipped):
    import torch

    checkpoint = {
        "network_weights": {},
        "init_args": {"configuration": "3d_fullres"},
        "more": Harmful(tmp_path / "x"),
    }
    torch.save(checkpoint, folder / "fold_0/checkpoint_final.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelError, match=r"not safe to load|cannot be read"):
        read_model(folder)
    assert not (tmp_path / "x").exists()


def test_a_truncated_checkpoint_is_refused(folder):
    path = folder / "fold_0/checkpoint_final.pth"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ModelError, match="cannot be read"):
        read_model(folder)


def test_weights_of_another_network_are_refused(folder):
    other = write_folder(folder.parent / "other", [random_weights(0, 5, (4, 8))], EDGE_LABELS, norm=True)
    with pytest.raises(ModelError, match=r"do not fit the network .*'nnUNetTrainer'"):
        Segmenter(read_model(other), device="cpu")


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "torch.nn", "torch.load", "torch.nn.Linear;x"])
def test_plans_that_name_other_classes_are_refused(folder, name):
    plans = json.loads((folder / "plans.json").read_text())
    architecture = plans["configurations"]["3d_fullres"]["architecture"]
    architecture["arch_kwargs"]["conv_op"] = name
    change_setup(folder, architecture=architecture)
    with pytest.raises(ModelError, match="no part of a network"):
        Segmenter(read_model(folder), device="cpu")


def test_a_second_stage_and_several_images_are_refused(folder):
    change_setup(folder, previous_stage="3d_lowres")
    with pytest.raises(ModelError, match="second stage"):
        read_model(folder)
    change(folder, "dataset.json", channel_names={"0": "CT", "1": "PET"})
    with pytest.raises(ModelError, match="more than one image"):
        read_model(folder)


@pytest.mark.parametrize("labels", [{"L1": 20, "L2": 21}, {"L1": 1, "L2": 1}, {}])
def test_labels_that_are_not_the_networks_outputs_are_refused(folder, labels):
    change(folder, "dataset.json", labels={"background": 0, **labels})
    with pytest.raises(ModelError, match=r"labels do not count from 1 .*dataset\.json"):
        read_model(folder)


def test_a_label_that_was_ignored_in_training_is_no_output(tmp_path):
    labels = {"L1": 1, "L2": 2, "ignore": 3}
    model = read_model(write_folder(tmp_path / "m", [random_weights(0, 3)], labels, norm=True))
    assert (dict(model.labels), model.n_outputs) == ({"L1": 1, "L2": 2}, 3)
    regions = {"whole": [1, 2], "core": 2, "ignore": 3}
    folder = write_folder(tmp_path / "regions", [random_weights(0, 2)], regions, norm=True)
    change(folder, "dataset.json", regions_class_order=[1, 2])
    assert dict(read_model(folder).labels) == {"whole": 1, "core": 2}
    assert read_model(folder).n_outputs == 2


def test_unknown_resampling_and_normalisation_are_refused(folder):
    from handmade import lopsided

    change_setup(folder, resampling_fn_data="resample_by_magic")
    with pytest.raises(ModelError, match="resample in a way"):
        Segmenter(read_model(folder), device="cpu").predict(lopsided())
    change_setup(folder, resampling_fn_data="resample_data_or_seg_to_shape", normalization_schemes=["Magic"])
    with pytest.raises(ModelError, match="normalise in a way"):
        Segmenter(read_model(folder), device="cpu").predict(lopsided())


def test_the_order_of_axes_is_found_in_this_sequence(folder):
    assert read_model(folder, orientation="pir").orientation == "PIR"
    (folder / "radiobone.json").unlink()
    plain = read_model(folder)
    assert plain.orientation == "RAS"
    assert plain.orientation_source.startswith("assumed")
    change(folder, "plans.json", image_reader_writer="NibabelIOWithReorient")
    assert read_model(folder).orientation_source == "as nnU-Net's reader NibabelIOWithReorient turns images"


def test_wrong_notes_and_orders_are_refused(folder):
    with pytest.raises(UsageError, match="no order of axes"):
        read_model(folder, orientation="RRR")
    (folder / "radiobone.json").write_text('{"orientation": "XYZ"}')
    with pytest.raises(ConfigError, match="no order of axes"):
        read_model(folder)


def test_nothing_of_the_trainers_is_imported(folder):
    import subprocess
    import sys

    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from radiobone.segmentation import Segmenter, read_model\n"
        f"Segmenter(read_model(Path({str(folder)!r})), device='cpu')\n"
        "print([name for name in sys.modules if name.startswith(('timm', 'torchvision', 'nnunetv2.training'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n", "something was imported, or nnU-Net printed"


def test_one_set_of_weights_is_read_once(tmp_path):
    model = read_model(write_folder(tmp_path / "m", [edge_weights()], EDGE_LABELS))
    names = [name for name in model.weights[0] if "stages.0.0.convs.0" in name and name.endswith("weight")]
    assert len(names) > 2
    assert len({model.weights[0][name].data_ptr() for name in names if "encoder" in name}) <= 2
