"""DICOM CT: series found among other files, sorted, checked, and read in HU."""

from radiobone.imaging.dicom.acquisition import ACQUISITION_COLUMNS, Acquisition
from radiobone.imaging.dicom.choice import LARGEST, SeriesChoice
from radiobone.imaging.dicom.headers import Header, is_dicom, read_header
from radiobone.imaging.dicom.import_tables import ImportSummary
from radiobone.imaging.dicom.importing import import_archive
from radiobone.imaging.dicom.judging import ImportOptions
from radiobone.imaging.dicom.series import Series, find_series
from radiobone.imaging.dicom.volume import read_series, series_files

__all__ = [
    "ACQUISITION_COLUMNS",
    "LARGEST",
    "Acquisition",
    "Header",
    "ImportOptions",
    "ImportSummary",
    "Series",
    "SeriesChoice",
    "find_series",
    "import_archive",
    "is_dicom",
    "read_header",
    "read_series",
    "series_files",
]
