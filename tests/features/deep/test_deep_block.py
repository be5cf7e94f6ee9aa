"""The deep block: rows, failures, the resume store, bytes, manifest, weights of the command line."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from deep_phantoms import box_voi, scan

from radiobone.core import provenance
from radiobone.core.errors import CaseError, MissingExtraError, ModelError, UsageError
from radiobone.core.hashing import sha256_file
from radiobone.features.deep import block as block_module
from radiobone.features.deep import compute
from radiobone.features.deep.block import DeepBlock, deep_blocks
from radiobone.features.deep.compute import Network
from radiobone.features.deep.networks import build
from radiobone.features.deep.normalising import normalised
from radiobone.features.deep.params import DeepParams, read_deep_params
from radiobone.features.deep.patches import make_inputs
from radiobone.features.extraction import extract_cohort
from radiobone.features.request import make_request
from radiobone.tables.features import manifest_path, read_features

deep = pytest.mark.deep

SMALL = {"backbone": "resnet18", "weights": "random", "views": ["axial", "coronal"], "size": 32, "micro_batch": 4}


@pytest.fixture
def own(tmp_path):
    """Write a deep parameter file."""

    def write(name: str = "own", **keys: object) -> str:
        path = tmp_path / f"{name}.yaml"
        path.write_text(json.dumps({**SMALL, **keys}))
        return str(path)

    return write


def small_block(**keys: object) -> DeepBlock:
    return DeepBlock(DeepParams(**{**SMALL, **keys}), "own.yaml", device="cpu")


IMAGE = scan(np.random.default_rng(0).normal(200, 300, (20, 24, 28)).astype(np.int16))
VOIS = {
    "L1": box_voi(IMAGE),
    "L2": box_voi(IMAGE, (slice(2, 6), slice(3, 9), slice(4, 9))),
    "L3": box_voi(IMAGE, (slice(9, 15), slice(3, 9), slice(4, 20))),
    "tiny": box_voi(IMAGE, (slice(2, 3), slice(3, 5), slice(4, 9))),
}


@deep
class TestStream:
    def test_every_voi_has_its_values_whatever_others_are_there(self):
        block = small_block()
        found = dict(block.stream(IMAGE, VOIS))
        assert set(found) == set(VOIS)
        again = dict(block.stream(IMAGE, dict(reversed(VOIS.items()))))
        for key in ("L1", "L2", "L3"):
            assert list(found[key].features) == block.record.columns
            assert np.isfinite(list(found[key].features.values())).all()
            assert again[key] == found[key]
            assert dict(block.stream(IMAGE, {key: VOIS[key]}))[key] == found[key]
        assert found["L1"] != found["L2"]

    def test_a_voi_that_is_too_small_fails_alone(self):
        error = dict(small_block().stream(IMAGE, VOIS))["tiny"]
        assert isinstance(error, CaseError)
        assert str(error).startswith("the VOI is too small | where: own.yaml | got: 10 voxels")

    @pytest.mark.parametrize(("pooling", "pool"), [("mean", np.mean), ("max", np.max)])
    def test_slices_of_a_view_are_pooled(self, pooling, pool):
        block = small_block(slices="even", n_slices=3, slice_pooling=pooling, min_voxels=1)
        values = dict(block.stream(IMAGE, VOIS))
        # The tiny one fills one axial slice and two coronal ones.
        for key, counts in (("L1", (3, 3)), ("tiny", (1, 2))):
            inputs = make_inputs(IMAGE, VOIS[key], block.params)
            assert (inputs.views.count("axial"), inputs.views.count("coronal")) == counts
            pictures = enumerate(normalised(inputs.array, "imagenet"))
            vectors = [vector for _, vector in Network(block.params, None, "cpu", "").features(pictures)]
            wanted = [pool(vectors[: counts[0]], axis=0), pool(vectors[counts[0] :], axis=0)]
            assert np.allclose(list(values[key].features.values()), np.concatenate(wanted), rtol=1e-6)

    def test_features_that_are_not_finite_fail_their_voi(self, monkeypatch):
        honest = Network.run

        def spoilt(self, inputs):
            vectors = honest(self, inputs).copy()
            vectors[1, 7] = np.inf  # the coronal picture of the first VOI
            return vectors

        monkeypatch.setattr(Network, "run", spoilt)
        found = dict(small_block().stream(IMAGE, {"L1": VOIS["L1"]}))
        assert "not finite | where: own.yaml | got: 1 of 1024" in str(found["L1"])

    def test_too_little_memory_fails_what_is_left_and_keeps_what_is_done(self, monkeypatch):
        import torch

        honest, calls = compute.run_layer, []

        def full(net, inputs, layer):
            calls.append(len(inputs))
            if len(calls) > 1:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return honest(net, inputs, layer)

        monkeypatch.setattr(compute, "run_layer", full)
        found = dict(small_block(micro_batch=2).stream(IMAGE, VOIS))
        assert calls == [2, 2]
        assert isinstance(found["L1"], block_module.VoiValues)
        assert "micro_batch to 1" in str(found["L2"])
        assert "micro_batch to 1" in str(found["L3"])

    def test_scans_without_contrast_fail_only_where_it_is_needed(self):
        flat = scan(np.full((20, 24, 28), 100, np.int16))
        keys = {"backbone": "resnet10_3d", "views": ["volume"]}
        found = dict(small_block(**keys, normalisation="zscore").stream(flat, {"L1": box_voi(flat)}))
        assert "no contrast" in str(found["L1"])
        found = dict(small_block(**keys).stream(flat, {"L1": box_voi(flat)}))
        assert isinstance(found["L1"], block_module.VoiValues)


def extract(cohort, out: Path, *presets: str, params: str = "none", levels: str = "L1,L2", **options):
    request = make_request(params=params, deep=presets, device="cpu", levels=levels, scheme="verse")
    return extract_cohort(cohort.scans(), request, out, cohort=cohort, progress=False, **options)


def tamper(out: Path, beginning: str = "") -> int:
    """Add 1000 to every kept value of blocks of so many columns, to tell what was read back."""
    count = 0
    for path in Path(f"{out}.resume").rglob("*.json"):
        kept = json.loads(path.read_text())
        if isinstance(kept, dict) and "features" in kept:
            path.write_text(json.dumps(kept | {"features": [value + 1000 for value in kept["features"]]}))
            count += 1
    return count


def values(out: Path, column: str) -> list[float]:
    return read_features(out).table[column].tolist()


MEAN_HU, FIRST = "density_mean_hu", "deep-resnet18_random-axial_0000"


@deep
class TestStore:
    def test_deep_features_are_added_to_what_is_kept_and_the_other_way_round(self, make_cohort, own, tmp_path):
        cohort, out = make_cohort(["a"]), tmp_path / "features.csv"
        extract(cohort, out)
        assert tamper(out) == 2
        extract(cohort, out, own())
        assert min(values(out, MEAN_HU)) > 500, "density was taken from the store"
        assert max(values(out, FIRST)) < 500
        assert tamper(out) == 4
        other = own("other", layer="layer3", views=["sagittal"])
        extract(cohort, out, other, own())
        assert min(values(out, MEAN_HU)) > 1500
        assert min(values(out, FIRST)) > 500, "deep features were taken from the store"
        assert max(values(out, "deep-resnet18_random_layer3-sagittal_0000")) < 500

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "change", ["micro_batch", "window_hu", "seed", "torch", "monai", "device", "revision", "weights"]
    )
    def test_whatever_changes_values_computes_them_anew(self, own, monkeypatch, change, make_cohort, tmp_path):
        cohort, out = make_cohort(["a"]), tmp_path / "features.csv"
        extract(cohort, out, own(), levels="L1")
        tamper(out)
        extract(cohort, out, own(), levels="L1")
        assert values(out, FIRST)[0] > 500
        keys = {}
        if change in ("torch", "monai"):
            found = provenance.versions() | {change: "99"}
            monkeypatch.setattr(provenance, "versions", lambda: found)
        elif change == "device":
            # The name of a device that computes as the processor does.
            monkeypatch.setattr(block_module, "find_device", lambda name: "other")
            monkeypatch.setattr(DeepBlock, "_network", lambda self: Network(self.params, None, "cpu", ""))
            monkeypatch.setitem(provenance._ENGINE_PACKAGES, "torch-other", ("torch", "monai"))
        elif change == "revision":
            monkeypatch.setattr(block_module, "VALUES_REVISION", 99)
        elif change == "weights":
            effective = DeepParams.effective
            monkeypatch.setattr(DeepParams, "effective", lambda self: effective(self) | {"weights": "other"})
        else:
            keys = {change: {"micro_batch": 2, "window_hu": [0, 500], "seed": 3}[change]}
        extract(cohort, out, own(**keys), levels="L1")
        assert values(out, FIRST)[0] < 500

    def test_a_run_that_goes_on_gives_the_bytes_of_a_fresh_one(self, make_cohort, own, tmp_path):
        cohort, preset = make_cohort(["a", "b"]), own(micro_batch=3)
        extract(cohort, tmp_path / "fresh.csv", preset, resume=False)
        out = tmp_path / "features.csv"
        extract(make_cohort(["b"]), out, preset, levels="L2")
        extract(make_cohort(["a"]), out, levels="L1")
        extract(make_cohort(["b", "a"]), out, preset)
        assert out.read_bytes() == (tmp_path / "fresh.csv").read_bytes()

    @pytest.mark.slow
    def test_bytes_are_the_same_for_any_jobs_and_any_order_of_rows(self, make_cohort, own, tmp_path):
        names, preset = ["c", "a", "b"], own()
        extract(make_cohort(names), tmp_path / "one.csv", preset, jobs=1)
        extract(make_cohort(sorted(names)), tmp_path / "two.csv", preset, jobs=2)
        assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
        assert read_features(tmp_path / "two.csv").features[-1].startswith("deep-")


@deep
class TestManifest:
    def test_it_tells_of_network_weights_pictures_and_device(self, make_cohort, own, tmp_path):
        out = tmp_path / "features.csv"
        extract(make_cohort(["a"]), out, own())
        block = json.loads(manifest_path(out).read_text())["blocks"][1]
        assert block["name"] == "deep-resnet18_random-axial+coronal"
        assert block["engine"] == "torch-cpu"
        assert block["weights"] == {
            "label": "resnet18_random",
            "source": "drawn at random with seed 0; not pretrained",
        }
        parameters = block["parameters"]
        assert parameters["weights_sha256"] is None
        wanted = {
            "layer": "avgpool",
            "normalisation": "imagenet",
            "micro_batch": 4,
            "threads": 1,
            "window_hu": [-200.0, 800.0],
        }
        assert wanted.items() <= parameters.items()
        assert "weights" not in json.loads(manifest_path(out).read_text())["blocks"][0]
        assert read_features(out).manifest.blocks[1].weights["label"] == "resnet18_random"

    @pytest.mark.slow
    def test_weights_of_ones_own_are_known_by_their_hash(self, own, tmp_path):
        import torch

        torch.save(build("resnet18", seed=3).state_dict(), tmp_path / "mine.pth")
        preset = own(weights="file", normalisation="imagenet")
        (block,) = deep_blocks([preset], [str(tmp_path / "mine.pth")], "cpu")
        assert block.name == "deep-resnet18_file-axial+coronal"
        sha256 = sha256_file(tmp_path / "mine.pth")
        assert block.record.parameters["weights_sha256"] == sha256
        assert block.record.weights == {
            "label": "resnet18_file",
            "file": "mine.pth",
            "source": "a file of the user's own",
            "licence": "that of the file",
        }
        block.prepare(1)
        drawn = dict(small_block(seed=3).stream(IMAGE, {"L1": VOIS["L1"]}))["L1"]
        loaded = dict(block.stream(IMAGE, {"L1": VOIS["L1"]}))["L1"]
        assert list(loaded.features.values()) == list(drawn.features.values())
        asked = own(weights="file", normalisation="imagenet", weights_sha256=sha256)
        (same,) = deep_blocks([asked], [str(tmp_path / "mine.pth")], "cpu")
        assert same.record == block.record
        other = own(weights="file", normalisation="imagenet", weights_sha256="0" * 64)
        with pytest.raises(ModelError, match="another hash"):
            deep_blocks([other], [str(tmp_path / "mine.pth")], "cpu")[0].prepare(1)


@deep
class TestPrepare:
    @pytest.mark.slow
    def test_wrong_weights_are_told_before_any_scan(self, own, tmp_path):
        import torch

        torch.save(build("resnet34").state_dict(), tmp_path / "other.pth")
        preset = own(weights="file", normalisation="imagenet")
        (block,) = deep_blocks([preset], [str(tmp_path / "other.pth")], "cpu")
        with pytest.raises(ModelError, match=r"not those of resnet18.*set backbone"):
            block.prepare(1)

    @pytest.mark.parametrize("package", ["torch", "monai"])
    def test_what_is_missing_names_the_extra(self, monkeypatch, package):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(MissingExtraError, match=rf"'{package}' is needed.*radiobone\[deep\]"):
            small_block().prepare(1)

    def test_a_gpu_serves_one_worker(self, monkeypatch):
        monkeypatch.setattr(block_module, "find_device", lambda name: "cuda")
        with pytest.raises(UsageError, match=r"--jobs 2.*--jobs 1, or --device cpu"):
            small_block().prepare(2)

    def test_a_batch_that_does_not_fit_into_the_gpu_is_told_before_any_scan(self, monkeypatch):
        import torch

        def full(net, inputs, layer):
            raise torch.OutOfMemoryError("CUDA out of memory.")

        honest = Network.__init__

        def on_a_processor(self, params, weights, device, source):
            honest(self, params, weights, "cpu", source)

        monkeypatch.setattr(block_module, "find_device", lambda name: "cuda")
        monkeypatch.setattr(Network, "__init__", on_a_processor)
        monkeypatch.setattr(compute, "run_layer", full)
        with pytest.raises(UsageError, match=r"own.yaml.*micro_batch"):
            small_block().prepare(1)

    @pytest.mark.parametrize(
        ("place", "message"), [("_loaded", "CUDA out of memory."), ("run_layer", "CUDA error: no kernel image")]
    )
    def test_a_gpu_that_is_full_or_too_old_is_told_before_any_scan(self, monkeypatch, place, message):
        def fail(*_):
            raise RuntimeError(message)

        monkeypatch.setattr(block_module, "find_device", lambda name: "cuda")
        monkeypatch.setattr(compute, "_loaded", lambda *_: None)
        monkeypatch.setattr(compute, "steady", lambda device: contextlib.nullcontext())
        monkeypatch.setattr("torch.Tensor.to", lambda tensor, *_: tensor)
        monkeypatch.setattr(compute, place, fail)
        with pytest.raises(UsageError, match=rf"the GPU cannot run.*own.yaml.*{message}.*--device cpu"):
            small_block().prepare(1)


class TestRequest:
    def test_blocks_stand_in_their_order_with_names_of_their_own(self, own):
        presets = [own(), own("planes", views=["triplanar"])]
        names = [block.name for block in deep_blocks(presets)]
        assert names == ["deep-resnet18_random-axial+coronal", "deep-resnet18_random-triplanar"]

    def test_columns_of_one_name_are_refused(self, own):
        with pytest.raises(UsageError, match=r"same name.*deep-resnet18_random-coronal_0000 of .*own.*wide.yaml"):
            deep_blocks([own(), own("wide", views=["sagittal", "coronal"], window_hu=[0, 100])])

    def test_weights_go_to_the_network_of_their_label(self, tmp_path):
        presets = ["resnet50_imagenet", "resnet50_triplanar_imagenet", "resnet50_radimagenet", "resnet18_random"]
        files = ["resnet50_imagenet=a.pth", "resnet50_radimagenet=b=c.pt"]
        blocks = deep_blocks(presets, files)
        assert [block.weights_file for block in blocks] == [Path("a.pth"), Path("a.pth"), Path("b=c.pt"), None]
        assert deep_blocks(["resnet50_imagenet"], ["a.pth"])[0].weights_file == Path("a.pth")

    @pytest.mark.parametrize(
        ("presets", "weights", "message"),
        [
            (
                ["resnet50_imagenet", "resnet18_imagenet"],
                ["a.pth"],
                "not clear.*resnet18_imagenet, resnet50_imagenet",
            ),
            (["resnet50_imagenet"], ["resnet18_imagenet=a.pth"], "fit no network.*one of resnet50_imagenet"),
            (["resnet18_random"], ["a.pth"], "fit no network.*weights are read from a file"),
            (["resnet50_imagenet"], ["a.pth", "resnet50_imagenet=b.pth"], "given twice"),
        ],
    )
    def test_weights_of_nobody_are_refused(self, presets, weights, message):
        with pytest.raises(UsageError, match=message):
            deep_blocks(presets, weights)

    def test_weights_of_ones_own_have_to_be_given(self, own):
        with pytest.raises(UsageError, match=r"own.yaml.*--weights resnet18_file=FILE"):
            deep_blocks([own(weights="file", normalisation="zero_one")])

    def test_no_radiomics_leaves_density(self):
        request = make_request(params="none", deep=["resnet18_random"])
        assert [type(block).__name__ for block in request.blocks] == ["DensityBlock", "DeepBlock"]
        assert request.blocks[1].params == read_deep_params("resnet18_random")
