"""The export of a cohort to nnU-Net's form: order of axes, labels, and what is refused. Needs no nnU-Net."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from radiobone.core.errors import TableError, UsageError
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.geometry import differences
from radiobone.imaging.orientation import orientation_of, turn_to
from radiobone.imaging.reading import read_image, read_mask
from radiobone.imaging.writing import write_image, write_mask
from radiobone.segmentation.cases import ExportRequest
from radiobone.segmentation.classes import label_of, plan_classes
from radiobone.segmentation.export import export_cohort, turned_geometry
from radiobone.tables.cohort import read_cohort


def pair(values=(20, 21), shape=(30, 12, 10), direction=None):
    """An image that is different in every voxel, and two vertebrae in a row from head (first) to foot."""
    geometry = Geometry(shape, (3.0, 2.0, 1.0), (5.0, -7.0, 11.0), *([direction] if direction else []))
    array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape) + 1
    labels = np.zeros(shape, dtype=np.uint8)
    for place, value in enumerate(values):
        top = shape[0] - 4 - place * 10
        labels[top - 6 : top, 2:9, 3:8] = value
    return Image(array, geometry), Mask(labels, geometry)


def cohort_of(folder, *pairs, extra=()):
    rows = ["patient_id,image,mask"]
    for number, (image, mask) in enumerate(pairs):
        write_image(image, folder / f"i{number}.nii.gz")
        write_mask(mask, folder / f"m{number}.nii.gz")
        rows.append(f"p{number},i{number}.nii.gz,m{number}.nii.gz")
    (folder / "cohort.csv").write_text("\n".join([*rows, *extra]) + "\n")
    return read_cohort(folder / "cohort.csv")


def export(cohort, folder, **request):
    exported = export_cohort(cohort, folder / "raw", ExportRequest(**request), progress=False)
    labels = [read_mask(folder / f"raw/labelsTr/{case.name}.nii.gz").array for case in exported.cases]
    return exported, labels


def test_the_form_is_nnunets(tmp_path):
    exported, labels = export(cohort_of(tmp_path, pair(), pair((21, 22))), tmp_path)
    content = json.loads((tmp_path / "raw/dataset.json").read_text())
    assert content["labels"] == {"background": 0, "vertebra": 1}
    assert content["channel_names"] == {"0": "CT"}
    assert content["numTraining"] == 2
    for case in ("case_0001", "case_0002"):
        files = content["dataset"][case]
        assert (tmp_path / "raw" / files["images"][0]).name == f"{case}_0000.nii.gz"
        assert (tmp_path / "raw" / files["label"]).is_file()
    assert [case.levels for case in exported.cases] == [{20: "L1", 21: "L2"}, {21: "L2", 22: "L3"}]
    np.testing.assert_array_equal(labels[0], pair()[1].array > 0)


def test_levels_get_values_from_head_to_foot_whatever_the_schemes(tmp_path):
    # TotalSegmentator: 31 is L1, 30 L2; VerSe: 21 is L2, 22 L3.
    cohort = cohort_of(tmp_path, pair((31, 30)), pair((21, 22)))
    exported, labels = export(cohort, tmp_path, labels="levels")
    assert exported.classes.labels == {"L1": 1, "L2": 2, "L3": 3}
    first, second = (pair()[1].array == value for value in (20, 21))
    np.testing.assert_array_equal(labels[0], first * 1 + second * 2)
    np.testing.assert_array_equal(labels[1], first * 2 + second * 3)


def orders():
    """All 48 straight directions, and an oblique one."""
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[list(order), range(3)] = signs
            yield tuple(matrix.ravel())
    cosine, sine = np.cos(0.3), np.sin(0.3)
    yield (cosine, -sine, 0.0, sine, cosine, 0.0, 0.0, 0.0, -1.0)


@pytest.mark.parametrize("direction", list(orders()))
def test_a_turned_grid_keeps_every_voxel_in_its_place(direction):
    image, _ = pair(shape=(6, 5, 4), direction=direction)
    turn = turn_to(image.geometry, "LPS")
    turned, geometry = turn.there(image.array), turned_geometry(image.geometry, turn)
    assert orientation_of(geometry) == "LPS"
    for value in (1, 7, 60, 120):
        old, new = (np.argwhere(array == value)[0] for array in (image.array, turned))
        np.testing.assert_allclose(geometry.world(new), image.geometry.world(old), atol=1e-9)


def test_exported_files_lie_where_the_scan_lay(tmp_path):
    flipped = (-1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0)
    image, mask = pair(direction=flipped)
    exported, _ = export(cohort_of(tmp_path, (image, mask)), tmp_path, scheme="verse")
    found = read_image(exported.folder / "imagesTr/case_0001_0000.nii.gz")
    labels = read_mask(exported.folder / "labelsTr/case_0001.nii.gz")
    assert orientation_of(found.geometry) == "LPS"
    assert not differences(found.geometry, labels.geometry)
    assert found.array.dtype == np.int16
    back = np.rint(image.geometry.index(found.geometry.world(np.argwhere(labels.array)))).astype(int)
    assert (mask.array[tuple(back.T)] > 0).all()
    np.testing.assert_array_equal(image.array[tuple(back.T)], found.array[labels.array > 0])
    assert labels.n_voxels == mask.n_voxels


def test_slices_beyond_all_labels_can_be_ignored(tmp_path):
    exported, (labels,) = export(cohort_of(tmp_path, pair()), tmp_path, unannotated="beyond")
    assert exported.classes.dataset_labels() == {"background": 0, "vertebra": 1, "ignore": 2}
    inside = np.zeros(30, dtype=bool)
    inside[10:26] = True  # from the foot of the lower to the head of the upper vertebra
    assert (labels[~inside] == 2).all()
    np.testing.assert_array_equal(labels[inside] == 1, pair()[1].array[inside] > 0)
    assert set(np.unique(labels[inside])) == {0, 1}


def test_a_value_of_the_masks_can_be_ignored(tmp_path):
    image, mask = pair()
    mask.array[:, 10:] = 255
    exported, (labels,) = export(cohort_of(tmp_path, (image, mask)), tmp_path, unannotated="255", labels="levels")
    assert exported.classes.ignore_value == 3
    np.testing.assert_array_equal(labels == 3, mask.array == 255)
    with pytest.raises(TableError, match="255"):
        export(cohort_of(tmp_path, (image, mask)), tmp_path, scheme="verse")


def test_nameless_masks_are_vertebrae_if_so_asked(tmp_path):
    cohort = cohort_of(tmp_path, pair((1, 1)))
    with pytest.raises(TableError, match=r"patient p0.*cannot be told"):
        export(cohort, tmp_path)
    exported, (labels,) = export(cohort, tmp_path, scheme="raw")
    assert exported.classes.labels == {"vertebra": 1}
    assert labels.sum() == pair()[1].n_voxels
    with pytest.raises(UsageError, match="values without names"):
        export(cohort, tmp_path, scheme="raw", labels="levels")


def test_the_sacrum_is_no_vertebra():
    assert label_of("vertebra", "S1") is None
    assert label_of("vertebra+sacrum", "S1") == label_of("vertebra+sacrum", "sacrum") == "sacrum"
    assert plan_classes("vertebra+sacrum", ["sacrum", "L5"], ignored=False).labels == {"vertebra": 1, "sacrum": 2}
    assert plan_classes("levels", ["sacrum", "L5", "rib"], ignored=True).dataset_labels() == {
        "background": 0, "L5": 1, "sacrum": 2, "ignore": 3,
    }  # fmt: skip
    with pytest.raises(UsageError, match="nothing to be learned as sacrum"):
        plan_classes("vertebra+sacrum", ["L5"], ignored=False)


def test_every_bad_row_is_named_with_its_file(tmp_path):
    image, mask = pair()
    moved = Mask(mask.array, Geometry(mask.array.shape, (3.0, 2.0, 1.0), (6.0, -7.0, 11.0)))
    unnamed = Mask(np.where(mask.array == 21, 99, mask.array).astype(np.uint8), mask.geometry)
    only_sacrum = Mask(np.where(mask.array > 0, 26, 0).astype(np.uint8), mask.geometry)
    pairs = [(image, mask), (image, moved), (image, unnamed), (image, only_sacrum)]
    cohort = cohort_of(tmp_path, *pairs, extra=["p4,i0.nii.gz,gone.nii.gz"])
    with pytest.raises(TableError) as caught:
        export(cohort, tmp_path, scheme="verse")
    told = str(caught.value)
    assert "4 of 5 scans cannot be learned from" in told
    assert "patient p1" in told
    assert "m1.nii.gz" in told
    assert "origin" in told
    assert "does not name" in told
    assert "99" in told
    assert "patient p3, scan 1: the mask holds nothing to be learned as vertebra" in told
    assert "gone.nii.gz" in told
    assert not (tmp_path / "raw").exists()
    exported, _ = export(
        cohort_of(tmp_path, (image, moved), (image, unnamed)),
        tmp_path, scheme="verse", align=True, unnamed="background",
    )  # fmt: skip
    assert exported.cases[1].levels == {20: "L1", 99: None}


def test_a_row_without_a_mask_is_refused(tmp_path):
    with pytest.raises(TableError, match=r"column 'mask' is empty .*line 3"):
        cohort_of(tmp_path, pair(), extra=["p9,i0.nii.gz,"])


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"labels": "bones"}, "no kind of labels"),
        ({"unannotated": "all"}, "not known which voxels"),
        ({"unannotated": "0"}, "not known which voxels"),
        ({"unnamed": "drop"}, "no use of unnamed labels"),
    ],
)
def test_a_request_without_meaning_is_refused(request_, words):
    with pytest.raises(UsageError, match=words):
        ExportRequest(**request_)
