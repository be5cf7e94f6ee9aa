"""The newer recipes on the shared spines; their contours were looked at on pictures in three planes."""

from __future__ import annotations

import numpy as np
import pytest

from radiobone.core.errors import VoiError
from radiobone.imaging import Geometry, Mask
from radiobone.imaging.pictures import sagittal
from radiobone.imaging.reading import read_image, read_mask
from radiobone.voi import VoiRequest, detect_scheme, find_recipe, make_vois, read_options
from radiobone.voi.axes import VertebraAxes
from radiobone.voi.canal import across
from radiobone.voi.frame import BACK, frame_body, set_upright
from radiobone.voi.source import Source
from radiobone.voi.spine import Spine, centroid_mm, find_labels, take_label

pytestmark = [pytest.mark.shared_data, pytest.mark.slow]

FILES = {
    "totalseg": ("totalseg_example/ct.nii.gz", "totalseg_example/vertebrae_ts_labels.nii.gz"),
    "verse012": ("verse012/sub-verse012_ct.nii.gz", "verse012/sub-verse012_seg-vert_msk.nii.gz"),
    "tptbox": ("tptbox_l3/sub-ct_label-22_ct.nii.gz", "tptbox_l3/sub-ct_seg-vert_label-22_msk.nii.gz"),
    "masks_only": (None, "masks_only/sub-verse004_seg-vert_msk.nii.gz"),
}

VALUES = {  # recipe and options: scan, level: ml, HU
    "trabecular_published": {
        ("totalseg", "L1"): (15.58, 108), ("totalseg", "L3"): (16.69, 116), ("totalseg", "L5"): (22.73, 131),
        ("verse012", "T12"): (11.72, 121), ("verse012", "L1"): (7.49, 156), ("tptbox", "L3"): (16.32, 51.5),
    },
    "cylinder": {
        ("totalseg", "L1"): (3.89, 146), ("totalseg", "L3"): (4.72, 112), ("totalseg", "L5"): (4.81, 116),
        ("verse012", "T12"): (2.81, 138), ("verse012", "L1"): (2.48, 163), ("tptbox", "L3"): (3.45, 52.6),
    },
    "cylinder height_mm=9": {("totalseg", "L3"): (2.97, 110), ("tptbox", "L3"): (2.58, 57.5)},
    "ellipsoid": {
        ("totalseg", "L3"): (2.83, 112), ("verse012", "T12"): (1.89, 157), ("tptbox", "L3"): (2.35, 54.1),
    },
    "slice_mid region=trabecular": {
        ("totalseg", "L3"): (3.48, 100), ("verse012", "T12"): (0.69, 145), ("tptbox", "L3"): (1.35, 57.8),
    },
    "slices": {("totalseg", "L3"): (14.39, 150), ("verse012", "T12"): (3.63, 163), ("tptbox", "L3"): (6.11, 90.2)},
}  # fmt: skip

SIZES_MM = {  # width, depth, height of the body
    ("totalseg", "L1"): (42.5, 37.0, 24.5), ("totalseg", "L3"): (42.2, 39.2, 27.0),
    ("verse012", "T12"): (39.0, 29.2, 25.5), ("verse012", "L1"): (45.0, 36.0, 15.2),  # L1 has collapsed
    ("tptbox", "L3"): (45.0, 33.0, 24.0),
    ("masks_only", "L1"): (46.5, 34.2, 9.2), ("masks_only", "L4"): (44.0, 32.0, 25.0),
}  # fmt: skip


@pytest.fixture(scope="module")
def scans(shared_data):
    found = {}
    for name, (image, mask) in FILES.items():
        folder = shared_data / "spine"
        found[name] = (read_image(folder / image) if image else None, read_mask(folder / mask))
    return found


@pytest.fixture(scope="module")
def frames(scans):
    """Every body that has a frame, by scan and level, with the direction of its spine, and why others lack one."""
    found, refused = {}, {}
    for name, (_, mask) in scans.items():
        scheme, _ = detect_scheme(mask)
        labels = {scheme.level(value): take_label(mask, value, box) for value, box in find_labels(mask).items()}
        spine = Spine({level: centroid_mm(label) for level, label in labels.items()})
        for level in spine.levels:
            towards = spine.towards_head(level)
            try:
                found[name, level] = (frame_body(Source(level, 1, labels[level], None, None, towards)), towards)
            except VoiError as error:
                refused[name, level] = error.what
    return found, refused


def degrees(one, other) -> float:
    return float(np.degrees(np.arccos(np.clip(one @ other, -1.0, 1.0))))


@pytest.mark.parametrize("recipe", VALUES)
def test_volumes_and_hu(scans, recipe):
    name, *options = recipe.split()
    for (scan, level), (volume_ml, mean_hu) in VALUES[recipe].items():
        image, mask = scans[scan]
        request = VoiRequest(detect_scheme(mask)[0], find_recipe(name), (level,), options=read_options(options))
        quality = make_vois(image, mask, request)[level].result.quality
        assert quality.qc_volume_voi_ml == pytest.approx(volume_ml, rel=0.03), (scan, level)
        assert quality.qc_mean_hu == pytest.approx(mean_hu, abs=3), (scan, level)


def turned(volume, order, flips):
    """Return an image or mask stored in another order and direction of its axes, each voxel where it was."""
    old = volume.geometry
    array = np.ascontiguousarray(np.transpose(volume.full() if isinstance(volume, Mask) else volume.array, order))
    ways = [-1 if flip else 1 for flip in flips]
    start = np.zeros(3, dtype=int)
    for axis, flip in zip(order, flips, strict=True):
        start[axis] = old.shape[axis] - 1 if flip else 0
    axes = np.stack([way * old.axes[axis] for way, axis in zip(ways, order, strict=True)])
    geometry = Geometry(
        array.shape,
        tuple(old.spacing_mm[axis] for axis in order),
        tuple(float(value) for value in old.world(start)),
        tuple(float(value) for value in axes[::-1].T.ravel()),
    )
    return type(volume)(array[tuple(slice(None, None, way) for way in ways)].copy(), geometry)


@pytest.mark.parametrize("recipe", ["label", "body", "trabecular", "field_of_view scale=1.2", *VALUES])
def test_same_voxels_in_any_order_of_axes(scans, recipe):
    # All 48 orders and directions were tried once on three spines, and gave these very voxels.
    order, flips = (1, 2, 0), (True, False, True)
    image, mask = scans["totalseg"]
    name, *options = recipe.split()
    request = VoiRequest(detect_scheme(mask)[0], find_recipe(name), ("L3",), options=read_options(options))
    expected = make_vois(image, mask, request)["L3"].result.mask
    found = make_vois(turned(image, order, flips), turned(mask, order, flips), request)["L3"].result.mask
    np.testing.assert_array_equal(found.full(), turned(expected, order, flips).full())


def test_every_whole_vertebra_has_a_frame_and_a_cut_body_none(frames):
    found, refused = frames
    assert refused == {
        ("totalseg", "T11"): "no spinal canal found in this label, so its body cannot be told from its arch",
        **dict.fromkeys(
            [("totalseg", "T12"), ("tptbox", "L2"), ("tptbox", "L4")],
            "the body reaches the image border, so its axes and size are not known",
        ),
    }
    assert len(found) == 22
    for key, size_mm in SIZES_MM.items():
        assert found[key][0].frame.size_mm == pytest.approx(size_mm, abs=0.8), key
    told = {key: framed.warnings for key, (framed, _) in found.items() if framed.warnings}
    assert told == {
        ("totalseg", "S1"): ("no two end plates found: the axis of the body is that of its canal",),
        **dict.fromkeys(
            [("verse012", "L2"), ("verse012", "L3")],
            ("axes may lean, since the label reaches the image border",),
        ),
    }


def test_upright_axis_does_not_depend_on_the_canal(frames):
    for key, (framed, towards) in frames[0].items():
        if key == ("totalseg", "S1"):
            continue
        head = towards / np.linalg.norm(towards)
        back = across(BACK, head)
        start = VertebraAxes(centroid_mm(framed.body.mask), np.cross(back, head), back, head)
        alone = set_upright(framed.body.mask, start)
        assert degrees(alone.axes.head, framed.frame.axes.head) < 1.2, key
        assert degrees(framed.frame.axes.head, head) < 16, key


@pytest.mark.parametrize(("scan", "level"), [("verse012", "T11"), ("tptbox", "L3"), ("masks_only", "L4")])
def test_a_cut_arch_hardly_moves_the_frame(scans, frames, scan, level):
    framed, towards = frames[0][scan, level]
    mask = scans[scan][1]
    scheme, _ = detect_scheme(mask)
    value = scheme.value(level)
    label = take_label(mask, value, find_labels(mask)[value])
    index = np.argwhere(label.array)
    left, back, _ = framed.frame.axes.coordinates(label.geometry.world(index + label.offset)).T
    width, depth, _ = framed.frame.size_mm / 2
    for kept in (back < depth + 20, back < depth + 16, left < width + 2):
        array = np.zeros(label.array.shape, dtype=bool)
        array[tuple(index[kept].T)] = True
        cut = frame_body(Source(level, 1, Mask(array, label.geometry, label.offset), None, None, towards)).frame
        assert degrees(cut.axes.head, framed.frame.axes.head) < 1.0
        assert degrees(cut.axes.back, framed.frame.axes.back) < 9.0
        assert np.linalg.norm(cut.axes.origin_mm - framed.frame.axes.origin_mm) < 1.2


def test_merged_levels_of_a_study(scans):
    image, mask = scans["verse012"]
    request = VoiRequest(detect_scheme(mask)[0], find_recipe("trabecular"), ("T10+T11+T12", "T9+T10"))
    outcomes = make_vois(image, mask, request)
    merged = outcomes["T10+T11+T12"].result
    assert merged.quality.qc_volume_voi_ml == pytest.approx(10.28 + 12.26 + 15.54, rel=0.02)
    assert merged.quality.qc_mean_hu == pytest.approx(135.2, abs=3)
    assert image.array[merged.mask.full()].mean() == pytest.approx(merged.quality.qc_mean_hu)
    assert outcomes["T9+T10"].status == "failed"


def test_picture_of_a_real_spine(scans, frames):
    image, mask = scans["totalseg"]
    middles = {
        level: framed.frame.axes.origin_mm
        for (scan, level), (framed, _) in frames[0].items()
        if scan == "totalseg"
    }
    request = VoiRequest(detect_scheme(mask)[0], find_recipe("ellipsoid"), ("L1", "L2", "L3"))
    masks = {level: outcome.result.mask for level, outcome in make_vois(image, mask, request).items()}
    picture = sagittal(image, masks, middles)
    rows = [picture.labels[level][0] for level in ("L1", "L2", "L3", "L4", "L5", "S1")]
    assert rows == sorted(rows)
    for level in masks:
        contour = np.argwhere((picture.array == picture.colours[level]).all(axis=-1))
        assert contour.mean(axis=0) == pytest.approx(picture.labels[level], abs=3)
