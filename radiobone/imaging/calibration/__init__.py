"""HU to bone mineral density (vBMD): by rods in the scan, by an equation of the scanner, or by fat and muscle."""

from radiobone.imaging.calibration.calibrate import Given, calibrate
from radiobone.imaging.calibration.fitting import Calibration, Point
from radiobone.imaging.calibration.settings import CalibrationSettings, read_calibration

__all__ = ["Calibration", "CalibrationSettings", "Given", "Point", "calibrate", "read_calibration"]
