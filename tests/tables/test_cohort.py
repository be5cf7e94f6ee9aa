import pytest

from radiobone.core.errors import TableError
from radiobone.tables.cohort import read_cohort
from radiobone.tables.reading import numbers


def write(tmp_path, text, **options):
    path = tmp_path / "cohort.csv"
    path.write_text(text, encoding="utf-8", newline="", **options)
    return path


def test_identifiers_stay_text_whatever_they_look_like(tmp_path):
    path = write(tmp_path, "patient_id,image,mask,age\n0012,a.nii,b.nii,61\nNA,c.nii,d.nii,\n1e3,e.nii,f.nii,NA\n")
    cohort = read_cohort(path)
    assert [scan.patient_id for scan in cohort.scans()] == ["0012", "NA", "1e3"]
    assert cohort.scans()[0].image == tmp_path / "a.nii"
    assert list(numbers(cohort.table, "age", "x").isna()) == [False, True, True]


def test_windows_line_ends_and_byte_order_mark_are_read(tmp_path):
    path = write(tmp_path, "\ufeffpatient_id,image,mask\r\n0012,a.nii,b.nii\r\n")
    (scan,) = read_cohort(path).scans()
    assert (scan.patient_id, scan.mask.name, scan.scan_id) == ("0012", "b.nii", "1")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("patientid,image,mask\n1,a,b\n", "did you mean 'patientid'"),
        ("patient_id,image\n1,a\n", "column missing: 'mask'"),
        ("patient_id,image,mask,Scan ID\n1,a,b,2\n", "looks like the key 'scan_id'"),
        ("patient_id,image,mask\n1,a,b\n1,a,b\n", "2 rows share the same patient_id"),
        ("patient_id,image,mask\n1,a,b\n,c,d\n", "'patient_id' is empty"),
        ("patient_id,image,mask\n1,a,\n", "'mask' is empty"),
        ("patient_id;image;mask\n1;a;b\n", "not comma-separated"),
        ("patient_id,image,mask,mask\n1,a,b,c\n", "given twice"),
        ("patient_id,image,mask\n1,a,b,c\n", "cannot be read"),
        ("patient_id,image,mask\n", "no rows"),
        ("", "empty"),
    ],
)
def test_bad_tables_are_refused_with_the_reason(tmp_path, text, told):
    with pytest.raises(TableError, match=told):
        read_cohort(write(tmp_path, text))


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(TableError, match="not found"):
        read_cohort(tmp_path / "none.csv")


def test_two_scans_of_a_patient_need_scan_ids(tmp_path):
    path = write(tmp_path, "patient_id,scan_id,image,mask\n1,a,x,y\n1,b,x,y\n")
    assert [scan.scan_id for scan in read_cohort(path).scans()] == ["a", "b"]


def test_a_cell_that_is_no_number_is_named_with_its_row(tmp_path):
    path = write(tmp_path, 'patient_id,image,mask,bmd\n1,a,b,80.5\n2,c,d,"80,5"\n')
    with pytest.raises(TableError, match=r"row 3: '80,5'"):
        numbers(read_cohort(path).table, "bmd", "cohort.csv")
