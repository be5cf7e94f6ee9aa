import pandas as pd
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


def test_scans_without_masks_are_read_where_none_are_needed(tmp_path):
    path = write(
        tmp_path, "patient_id,scan_id,image,mask,series\n1,a,x,,largest\n1,b,y,m.nii,\n2,a,z,,thin bone \n"
    )
    scans = read_cohort(path, masks=False).unmasked_scans()
    assert [(scan.name, scan.image.name, scan.series) for scan in scans] == [
        ("patient 1, scan a", "x", "largest"),
        ("patient 1, scan b", "y", ""),
        ("patient 2, scan a", "z", "thin bone"),
    ]
    with pytest.raises(TableError, match=r"'mask' is empty.*or have masks made by `radiobone segment`"):
        read_cohort(path)
    path = write(tmp_path, "patient_id,image,repeat\n1,x,r1\n1,x,r2\n")
    (scan,) = read_cohort(path, masks=False).unmasked_scans()
    assert scan.scan_id == "1"
    with pytest.raises(TableError, match="column missing: 'image'"):
        read_cohort(write(tmp_path, "patient_id,mask\n1,m\n"), masks=False)


def test_windows_line_ends_and_byte_order_mark_are_read(tmp_path):
    path = write(tmp_path, "\ufeffpatient_id,image,mask\r\n0012,a.nii,b.nii\r\n")
    (scan,) = read_cohort(path).scans()
    assert (scan.patient_id, scan.mask.name, scan.scan_id) == ("0012", "b.nii", "1")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("patientid,image,mask\n1,a,b\n", "did you mean 'patientid'"),
        ("patient_id,image\n1,a\n", r"column missing: 'mask'.*radiobone segment.*the key segment"),
        ("patient_id,image,mask,Scan ID\n1,a,b,2\n", "looks like the key 'scan_id'"),
        ("patient_id,image,mask,Series\n1,a,b,largest\n", "looks like the key 'series'"),
        ("patient_id,image,mask\n1,a,b\n1,a,b\n", "2 rows share the same patient_id"),
        ("patient_id,image,mask\n1,a,b\n,c,d\n", "'patient_id' is empty"),
        ("patient_id,image,mask\n1,a,\n", "'mask' is empty"),
        ("patient_id;image;mask\n1;a;b\n", "not comma-separated"),
        ("patient_id,image,mask,mask\n1,a,b,c\n", "given twice"),
        ("patient_id,image,mask\n1,a,b,c\n", "longer than the header.*line 2 .*got: 4 cells"),
        ("patient_id,image,mask,age\n1,a,b,60\n\n2,c,d\n", "shorter than the header.*line 4 .*got: 3 cells"),
        ('patient_id,image,mask\n1,a,"b\n2,c,d\n', "cannot be read.*unexpected end"),
        ("patient_id,image,mask, mask\n1,a,b,c\n", "given twice"),
        ("patient_id,image,mask,\n1,a,b,\n", "column 4 has no name"),
        ("patient_id,image,mask\n", "no rows"),
        ("", "empty"),
    ],
)
def test_bad_tables_are_refused_with_the_reason(tmp_path, text, told):
    with pytest.raises(TableError, match=told):
        read_cohort(write(tmp_path, text))


def test_rows_are_named_by_their_line_in_the_file(tmp_path):
    path = write(tmp_path, 'patient_id,image,mask,note\n\n1,a,b,"two\nlines"\n,,,\n2,c,d,\n,x,y,z\n')
    with pytest.raises(TableError, match="line 7"):
        read_cohort(path)


def test_rows_without_text_are_skipped_and_the_others_keep_their_lines(tmp_path):
    cohort = read_cohort(write(tmp_path, "patient_id,image,mask\n1,a,b\n,,\n\n2,c,d\n , ,\n"))
    assert list(cohort.table["patient_id"]) == ["1", "2"]
    assert list(cohort.table.index) == [2, 5]


def test_spaces_round_column_names_do_not_belong_to_them(tmp_path):
    cohort = read_cohort(write(tmp_path, "patient_id , image,mask, T-score\n1,a,b, x \n"))
    assert list(cohort.table.columns) == ["patient_id", "scan_id", "image", "mask", "T-score"]
    assert cohort.table["T-score"].tolist() == [" x "], "cells stay as they are"


def test_text_beyond_ascii_is_read_and_another_encoding_is_refused(tmp_path):
    text = "patient_id,image,mask,Größe\nMüller,a,b,171\n"
    assert list(read_cohort(write(tmp_path, text)).table.columns)[-1] == "Größe"
    assert read_cohort(write(tmp_path, text)).scans()[0].patient_id == "Müller"
    path = tmp_path / "latin.csv"
    path.write_bytes("patient_id,image,mask\n1,a,b\nMüller,c,d\n".encode("latin-1"))
    with pytest.raises(TableError, match=r"not in UTF-8.*line 3 .*M\\xfcller.*save it again in UTF-8"):
        read_cohort(path)
    path.write_bytes(text.encode("utf-16"))
    with pytest.raises(TableError, match=r"not in UTF-8.*line 1 "):
        read_cohort(path)


def test_parquet_is_read_as_text(tmp_path):
    path = tmp_path / "cohort.parquet"
    table = pd.DataFrame({"patient_id": ["0012", "NA"], "image": "a", "mask": ["b", None], "age": [61, 62]})
    table.iloc[:1].to_parquet(path)
    assert read_cohort(path).table.to_numpy().tolist() == [["0012", "1", "a", "b", "61"]]
    table.iloc[[1, 0]].to_parquet(path)
    with pytest.raises(TableError, match=r"'mask' is empty.*row 1"):
        read_cohort(path)
    path.write_text("no parquet")
    with pytest.raises(TableError, match="not a Parquet file"):
        read_cohort(path)


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(TableError, match="not found"):
        read_cohort(tmp_path / "none.csv")


def test_two_scans_of_a_patient_need_scan_ids(tmp_path):
    path = write(tmp_path, "patient_id,scan_id,image,mask\n1,a,x,y\n1,b,x,y\n")
    assert [scan.scan_id for scan in read_cohort(path).scans()] == ["a", "b"]


def test_a_cell_that_is_no_number_is_named_with_its_row(tmp_path):
    path = write(tmp_path, 'patient_id,image,mask,bmd\n1,a,b,80.5\n2,c,d,"80,5"\n')
    table = read_cohort(path).table
    with pytest.raises(TableError, match=r"line 3: '80,5'"):
        numbers(table, "bmd", "cohort.csv")
    with pytest.raises(TableError, match=r"patient_id 2: '80,5'"):
        numbers(table.set_index("patient_id"), "bmd", "cohort.csv")
