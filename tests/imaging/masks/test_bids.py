"""BIDS names: the mask of each CT."""

import pytest

from radiobone.core.errors import UsageError
from radiobone.imaging.masks.bids import find_bids_scans, write_bids_cohort
from radiobone.tables.cohort import read_cohort


@pytest.fixture
def data_set(tmp_path):
    """Make empty files with the names of a VerSe release."""
    for name in (
        "rawdata/sub-a01/sub-a01_ct.nii.gz",
        "rawdata/sub-a02/sub-a02_split-x1_ct.nii.gz",
        "rawdata/sub-a02/sub-a02_split-x2_ct.nii.gz",
        "rawdata/sub-a03/sub-a03_dir-sag_ct.nii.gz",
        "derivatives/sub-a01/sub-a01_seg-vert_msk.nii.gz",
        "derivatives/sub-a01/sub-a01_seg-subreg_msk.nii.gz",
        "derivatives/sub-a01/sub-a01_seg-vb_ctd.json",
        "derivatives/sub-a02/sub-a02_split-x2_seg-vert_msk.nii.gz",
        "derivatives/sub-a03/sub-a03_dir-sag_desc-vertebrae_dseg.nii.gz",
    ):
        path = tmp_path / "verse" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "verse"


def test_masks_are_found_by_all_entities_of_a_name(data_set, tmp_path):
    scans = find_bids_scans(data_set)
    assert [(scan.patient_id, scan.scan_id) for scan in scans] == [
        ("a01", "1"), ("a02", "split-x1"), ("a02", "split-x2"), ("a03", "dir-sag"),
    ]  # fmt: skip
    assert [scan.mask and scan.mask.name for scan in scans] == [
        "sub-a01_seg-vert_msk.nii.gz",
        None,
        "sub-a02_split-x2_seg-vert_msk.nii.gz",
        "sub-a03_dir-sag_desc-vertebrae_dseg.nii.gz",
    ]
    write_bids_cohort(scans, tmp_path / "out" / "cohort.csv")
    cohort = read_cohort(tmp_path / "out" / "cohort.csv", masks=False)
    assert cohort.table["image"][2] == "../verse/rawdata/sub-a01/sub-a01_ct.nii.gz"
    assert [bool(mask) for mask in cohort.table["mask"]] == [True, False, True, True]
    assert [bool(mask) for mask in cohort.table["body_mask"]] == [True, False, False, False]


def test_a_table_with_columns_of_its_users_is_not_overwritten(data_set, tmp_path):
    scans, table = find_bids_scans(data_set), tmp_path / "cohort.csv"
    for _ in range(2):
        write_bids_cohort(scans, table)
    worked_on = table.read_text().replace("body_mask", "body_mask,bmd_mg_cm3", 1)
    table.write_text(worked_on)
    with pytest.raises(UsageError, match=r"another cohort stands there.*cohort\.csv"):
        write_bids_cohort(scans, table)
    assert table.read_text() == worked_on


def test_what_cannot_be_told_apart_is_refused(data_set):
    (data_set / "derivatives/sub-a03/sub-a03_dir-sag_seg-vert_msk.nii.gz").touch()
    with pytest.raises(UsageError, match=r"several masks fit one CT.*a03_dir-sag_ct"):
        find_bids_scans(data_set)
    with pytest.raises(UsageError, match=r"no CT.*got: 5 NIfTI files"):
        find_bids_scans(data_set / "derivatives")
