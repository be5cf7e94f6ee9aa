"""The synthetic demo cohort: patients, their anatomy, their CT scans, and the files of a study."""

from radiobone.study.demo.cohort import make_demo_cohort
from radiobone.study.demo.patients import Patient, simulate_patients

__all__ = ["Patient", "make_demo_cohort", "simulate_patients"]
