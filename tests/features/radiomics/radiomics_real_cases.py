"""The real scans on which engines are compared: the tests and the benchmark of parity share them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from radiobone.imaging import Image, Mask


@dataclass(frozen=True)
class RealCase:
    """A VOI of a real scan.

    Parameters
    ----------
    name : str
        Data set and label.
    image, mask : str
        Files below the folder of shared data.
    label : int
        The VOI's label.
    """

    name: str
    image: str
    mask: str
    label: int = 1

    @property
    def data_set(self) -> str:
        """What the table of parity calls it."""
        return self.name.split()[0]

    def load(self, folder: Path) -> tuple[Image, Mask]:
        """Read the whole scan, and the VOI on its grid."""
        image = read(folder / self.image)
        return image, Mask(read(folder / self.mask).array, image.geometry).select(self.label)


def read(path: Path) -> Image:
    import SimpleITK as sitk

    return Image.from_sitk(sitk.ReadImage(str(path)))


def _labels(name: str, image: str, mask: str, labels: tuple[int, ...]) -> list[RealCase]:
    return [RealCase(f"{name} {label}", f"spine/{image}", f"spine/{mask}", label) for label in labels]


CASES = [
    *_labels(
        "totalseg",
        "totalseg_example/ct.nii.gz",
        "totalseg_example/vertebrae_ts_labels.nii.gz",
        tuple(range(26, 34)),
    ),
    *_labels(
        "totalseg-bodies", "totalseg_example/ct.nii.gz", "totalseg_example/vertebrae_body_disc.nii.gz", (1, 2)
    ),
    *_labels(
        "verse012",
        "verse012/sub-verse012_ct.nii.gz",
        "verse012/sub-verse012_seg-vert_msk.nii.gz",
        tuple(range(17, 23)),
    ),
    *_labels(
        "tptbox",
        "tptbox_l3/sub-ct_label-22_ct.nii.gz",
        "tptbox_l3/sub-ct_seg-vert_label-22_msk.nii.gz",
        (21, 22, 23),
    ),
    *_labels(
        "tptbox-parts",
        "tptbox_l3/sub-ct_label-22_ct.nii.gz",
        "tptbox_l3/sub-ct_seg-subreg_label-22_msk.nii.gz",
        (49, 50),
    ),
    *(
        RealCase(f"sts {patient}", f"sts/STS_{patient}/CT_image.nii.gz", f"sts/STS_{patient}/CT_mask.nii.gz")
        for patient in ("002", "003", "008")
    ),
    *(
        RealCase(f"pyradiomics {name}", f"pyradiomics/{name}_image.nrrd", f"pyradiomics/{name}_label.nrrd")
        for name in ("brain1", "breast1", "lung1")
    ),
    *(
        RealCase(f"ibsi {name}", f"ibsi/ibsi1_{name}/image/phantom.nii.gz", f"ibsi/ibsi1_{name}/mask/mask.nii.gz")
        for name in ("digital_phantom", "ct_phantom")
    ),
]
