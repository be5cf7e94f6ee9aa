"""How arms of several parts become estimators."""

import pytest

from radiobone.learning import FlatClassifier, HierarchicalClassifier, LateFusionClassifier
from radiobone.learning.selection.blocks import BlockSelector
from radiobone.study.procedure import Columns, procedure
from radiobone.study.recipe import read_recipe
from radiobone.study.recipe.design import ArmChoice, OperatingPoint

COLUMNS = Columns(parts={"radiomics": ["a", "b"], "density": ["c"]})


def built(fusion, **arm):
    recipe = read_recipe("two_level_osteoporosis_first")
    point = OperatingPoint(rule="sensitivity", at_least=0.9)
    recipe = recipe.model_copy(update={"operating_point": point})
    chosen = ArmChoice(name="both", blocks=("radiomics", "density"), fusion=fusion, **arm)
    return procedure(recipe, chosen, columns=COLUMNS)


@pytest.mark.parametrize(
    ("fusion", "method"), [("late", "mean"), ("late_weighted", "weighted"), ("late_stacked", "stacked")]
)
def test_the_operating_point_of_late_fusion_is_that_of_the_fused_probability(fusion, method):
    tree = built(fusion)
    assert isinstance(tree, HierarchicalClassifier)
    fused = tree.estimator
    assert isinstance(fused, LateFusionClassifier)
    assert fused.method == method
    assert fused.operating_point == ("sensitivity", 0.9)
    assert {name: part[0] for name, part in fused.parts.items()} == COLUMNS.parts
    assert [part.operating_point for _, part in fused.parts.values()] == [None, None]


def test_blocks_and_single_models_have_it_themselves():
    blockwise = built("blockwise").estimator
    assert isinstance(blockwise.selection, BlockSelector)
    assert blockwise.operating_point == ("sensitivity", 0.9)
    flat = built("early", flat=True)
    assert isinstance(flat, FlatClassifier)
