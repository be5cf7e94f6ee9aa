"""The patients of the synthetic cohort: from age and sex to BMD, and from BMD to what a CT shows of it.

No images are made here. Each number is either from the paper named beside it or an *assumption*: a
plausible value that was chosen so that the classes overlap as they do in published cohorts.

A patient's numbers depend on the seed and the patient's own index only, so that the first 60
patients of 60 and of 2,000 are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from radiobone.core.errors import UsageError
from radiobone.tables.labels import BoneClass, bmd_class

Sex = Literal["F", "M"]

CLASSES: tuple[BoneClass, ...] = ("osteoporosis", "osteopenia", "normal")

# Assumption: a clinical CT population over 45 years, more women than men.
FEMALE_SHARE = 0.6
AGE_MEAN_YEARS = 65.0
AGE_SD_YEARS = 10.0
AGE_RANGE_YEARS = (45.0, 88.0)

# Jang et al., Radiology 2019;291:360: L1 falls from 226 HU below 30 years by 2.5 HU a year. At the
# 1.25 HU for each mg/cm³ below this is 180 mg/cm³ and 2.0 a year; the difference of the sexes round
# 2.0 is an assumption.
PEAK_AGE_YEARS = 25.0
PEAK_BMD_MG_CM3 = 180.0
LOSS_MG_CM3_PER_YEAR: dict[Sex, float] = {"F": 2.2, "M": 1.8}
# Zhang et al. 2020, doi 10.3760/cma.j.issn.2095-7041.2020.01.001: 32 to 36 mg/cm³ in men, at L2 to L4.
BMD_SD_MG_CM3 = 33.0
# Assumption: the range that the generator admits; beyond it lie rare diseases.
BMD_RANGE_MG_CM3 = (20.0, 220.0)

# Assumption, rounded from published calibrations at 120 kVp (0.75 to 0.8 mg/cm³ for each HU).
HU_PER_MG_CM3 = 1.25
# Assumption: marrow fat, contrast medium, table height and months between CT and QCT, in mg/cm³. It
# makes HU explain about 60 % of the variance of BMD between patients.
HU_SCATTER_MG_CM3 = 30.0

# Assumptions about texture. With bone loss, trabeculae vanish in patches (more heterogeneous),
# marrow spaces merge (coarser), and horizontal struts go before vertical ones (more anisotropic):
# the last follows Thomsen et al., Bone 2013;57:47, and all sizes at CT resolution are assumed.
# Each is at the median for `TEXTURE_BMD_MG_CM3`, and rises by a factor exp(slope) for each
# `TEXTURE_BMD_STEP_MG_CM3` that is lost, with a log-normal scatter of its own.
TEXTURE_BMD_MG_CM3 = 100.0
TEXTURE_BMD_STEP_MG_CM3 = 35.0
TEXTURE_SD_HU, TEXTURE_SD_SLOPE, TEXTURE_SD_SCATTER = 34.0, 0.19, 0.24
TEXTURE_LENGTH_MM, TEXTURE_LENGTH_SLOPE, TEXTURE_LENGTH_SCATTER = 1.5, 0.14, 0.19
TEXTURE_ANISOTROPY, TEXTURE_ANISOTROPY_SLOPE, TEXTURE_ANISOTROPY_SCATTER = 1.4, 0.08, 0.12


@dataclass(frozen=True)
class Scanner:
    """A scanner and its protocol, the same for each of its patients.

    Parameters
    ----------
    name : str
        An invented name.
    kvp : int
        Tube voltage in kV.
    slice_thickness_mm : float
        Thickness and distance of the slices.
    hu_gain, hu_offset : float
        Trabecular HU = gain x (HU at 120 kVp) + offset.
    noise_sd_hu : float
        SD of the image noise in soft tissue.
    noise_length_px : float
        In-plane correlation of the noise (sigma of a Gaussian, in pixels); a soft kernel has more.
    axis_signs : tuple of int
        World direction (L, P, S positive) of the image axes x, y and z: how the scanner's files are stored.
    """

    name: str
    kvp: int
    slice_thickness_mm: float
    hu_gain: float
    hu_offset: float
    noise_sd_hu: float
    noise_length_px: float
    axis_signs: tuple[int, int, int]


# The gain at 100 kVp: L1 means of 148 HU at 100 kVp and 141 HU at 120 kVp in 16,747 abdominal scans
# (AAPM 2026, "Normalization of trabecular bone attenuation across kVp values"). All else is assumed.
SCANNERS: tuple[Scanner, ...] = (
    Scanner("synthetic_a", 120, 1.5, 1.00, 0.0, 18.0, 0.7, (1, 1, 1)),
    Scanner("synthetic_b", 120, 2.0, 1.00, 5.0, 14.0, 0.9, (-1, -1, 1)),
    Scanner("synthetic_c", 100, 1.5, 1.05, -3.0, 20.0, 0.6, (1, 1, -1)),
)
SCANNER_SHARES = (0.5, 0.3, 0.2)


@dataclass(frozen=True)
class Patient:
    """One synthetic patient; the last four fields are what an ideal reading of the CT would give.

    Parameters
    ----------
    index : int
        Place in the cohort, from 0.
    age_years : float
        Age, to a tenth.
    sex : {"F", "M"}
        Sex.
    bmd_mg_cm3 : float
        Lumbar trabecular BMD by QCT, from another scan, to a tenth.
    scanner : Scanner
        Where the CT was taken; independent of BMD.
    trabecular_hu : float
        Mean HU of trabecular bone.
    texture_sd_hu : float
        SD of the trabecular pattern, without image noise.
    texture_length_mm : float
        Correlation length of the pattern across the body's axis (sigma of a Gaussian).
    texture_anisotropy : float
        Ratio of the correlation length along the body's axis to that across it.
    """

    index: int
    age_years: float
    sex: Sex
    bmd_mg_cm3: float
    scanner: Scanner
    trabecular_hu: float
    texture_sd_hu: float
    texture_length_mm: float
    texture_anisotropy: float

    @property
    def patient_id(self) -> str:
        """Name in every table: ``demo_001`` and so on."""
        return f"demo_{self.index + 1:03d}"

    @property
    def demo_class(self) -> BoneClass:
        """Class by BMD; 80 and 120 mg/cm³ both count as osteopenia."""
        return bmd_class(self.bmd_mg_cm3)


def simulate_patients(n: int, seed: int = 0) -> tuple[Patient, ...]:
    """Simulate patients at the level of features, without images.

    Each three patients in a row hold one of each class, in random order: the design of a study that
    recruits its classes equally.

    Parameters
    ----------
    n : int
        Number of patients, at least 1.
    seed : int, default 0
        Not negative.

    Returns
    -------
    tuple of Patient
        In the order of their index.

    Raises
    ------
    UsageError
        If ``n`` or ``seed`` is out of range.
    """
    if n < 1 or seed < 0:
        raise UsageError(
            "no such demo cohort", got=f"{n} patients, seed {seed}", expected="at least 1 patient, seed at least 0"
        )
    return tuple(_patient(index, seed) for index in range(n))


def _patient(index: int, seed: int) -> Patient:
    block, place = divmod(index, len(CLASSES))
    # The streams of blocks and of patients are told apart by the number in the middle.
    order = np.random.default_rng([seed, 0, block]).permutation(len(CLASSES))
    rng = np.random.default_rng([seed, 1, index])
    age, sex, bmd = _person(rng, CLASSES[order[place]])
    scanner = SCANNERS[rng.choice(len(SCANNERS), p=SCANNER_SHARES)]
    hu_at_120_kvp = HU_PER_MG_CM3 * (bmd + rng.normal(0.0, HU_SCATTER_MG_CM3))
    loss = (TEXTURE_BMD_MG_CM3 - bmd) / TEXTURE_BMD_STEP_MG_CM3
    return Patient(
        index=index,
        age_years=age,
        sex=sex,
        bmd_mg_cm3=bmd,
        scanner=scanner,
        trabecular_hu=scanner.hu_gain * hu_at_120_kvp + scanner.hu_offset,
        texture_sd_hu=TEXTURE_SD_HU * _factor(rng, loss, TEXTURE_SD_SLOPE, TEXTURE_SD_SCATTER),
        texture_length_mm=TEXTURE_LENGTH_MM * _factor(rng, loss, TEXTURE_LENGTH_SLOPE, TEXTURE_LENGTH_SCATTER),
        texture_anisotropy=TEXTURE_ANISOTROPY
        * _factor(rng, loss, TEXTURE_ANISOTROPY_SLOPE, TEXTURE_ANISOTROPY_SCATTER),
    )


def _person(rng: np.random.Generator, wanted: BoneClass) -> tuple[float, Sex, float]:
    """Draw age, sex and BMD from the population until the BMD is of the wanted class."""
    while True:
        sex: Sex = "F" if rng.random() < FEMALE_SHARE else "M"
        age = round(float(np.clip(rng.normal(AGE_MEAN_YEARS, AGE_SD_YEARS), *AGE_RANGE_YEARS)), 1)
        expected = PEAK_BMD_MG_CM3 - LOSS_MG_CM3_PER_YEAR[sex] * (age - PEAK_AGE_YEARS)
        bmd = round(float(rng.normal(expected, BMD_SD_MG_CM3)), 1)
        low, high = BMD_RANGE_MG_CM3
        if low <= bmd <= high and bmd_class(bmd) == wanted:
            return age, sex, bmd


def _factor(rng: np.random.Generator, loss: float, slope: float, scatter: float) -> float:
    return float(np.exp(slope * loss + rng.normal(0.0, scatter)))
