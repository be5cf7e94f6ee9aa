"""Every feature of PyRadiomics: family, name, unit and meaning, in PyRadiomics' own (alphabetical) order.

Units are written for an image in HU. ``HU`` becomes the unit of the image that a feature is computed on
(see `columns`); texture features are computed on grey levels, which are counted from 1 and have no unit.
The definitions are those of PyRadiomics 3.0.1 and, where it follows it, of the Image Biomarker
Standardisation Initiative (IBSI, doi:10.1148/radiol.2020191145).
"""

from __future__ import annotations

FEATURES: dict[str, dict[str, tuple[str, str]]] = {
    "firstorder": {
        "10Percentile": ("HU", "value below which a tenth of the voxels lie"),
        "90Percentile": ("HU", "value below which nine tenths of the voxels lie"),
        "Energy": ("HU²", "sum of squared values, after adding voxelArrayShift; grows with the VOI"),
        "Entropy": ("bit", "disorder of the histogram of grey levels"),
        "InterquartileRange": ("HU", "distance of the 75th from the 25th percentile"),
        "Kurtosis": ("1", "weight of the histogram's tails; 3 for a normal distribution"),
        "Maximum": ("HU", "largest value"),
        "MeanAbsoluteDeviation": ("HU", "mean distance from the mean"),
        "Mean": ("HU", "mean value"),
        "Median": ("HU", "median value"),
        "Minimum": ("HU", "smallest value"),
        "Range": ("HU", "largest less smallest value"),
        "RobustMeanAbsoluteDeviation": ("HU", "mean distance from the mean, between the 10th and 90th percentile"),
        "RootMeanSquared": ("HU", "root of the mean squared value, after adding voxelArrayShift"),
        "Skewness": ("1", "asymmetry of the histogram; positive with a long tail of high values"),
        "StandardDeviation": ("HU", "spread about the mean (off by default: the root of Variance)"),
        "TotalEnergy": ("HU²·mm³", "Energy times the volume of a voxel"),
        "Uniformity": ("1", "sum of squared shares of the grey levels; 1 if there is only one"),
        "Variance": ("HU²", "mean squared distance from the mean"),
    },
    "glcm": {
        "Autocorrelation": ("1", "mean product of neighbouring grey levels: coarse and bright is high"),
        "ClusterProminence": ("1", "fourth-power asymmetry of neighbour sums about their mean"),
        "ClusterShade": ("1", "third-power asymmetry of neighbour sums about their mean"),
        "ClusterTendency": ("1", "variance of neighbour sums: groups of similar grey levels"),
        "Contrast": ("1", "mean squared difference of neighbouring grey levels"),
        "Correlation": ("1", "linear dependence of neighbouring grey levels, -1 to 1"),
        "DifferenceAverage": ("1", "mean absolute difference of neighbouring grey levels"),
        "DifferenceEntropy": ("bit", "disorder of the differences of neighbouring grey levels"),
        "DifferenceVariance": ("1", "variance of the differences of neighbouring grey levels"),
        "Id": ("1", "inverse difference: near 1 where neighbours are alike"),
        "Idm": ("1", "inverse squared difference: near 1 where neighbours are alike"),
        "Idmn": ("1", "Idm with differences divided by the number of grey levels"),
        "Idn": ("1", "Id with differences divided by the number of grey levels"),
        "Imc1": ("1", "first measure of the information that a voxel holds on its neighbour, -1 to 0"),
        "Imc2": ("1", "second measure of the information that a voxel holds on its neighbour, 0 to 1"),
        "InverseVariance": ("1", "inverse squared difference, over unequal neighbours only"),
        "JointAverage": ("1", "mean grey level of the pairs of neighbours"),
        "JointEnergy": ("1", "sum of squared pair probabilities: few frequent pairs are high"),
        "JointEntropy": ("bit", "disorder of the pairs of neighbours"),
        "MCC": ("1", "maximal correlation coefficient: complexity of the dependence, 0 to 1"),
        "MaximumProbability": ("1", "share of the most frequent pair of neighbours"),
        "SumAverage": ("1", "mean sum of neighbouring grey levels (twice JointAverage if symmetrical)"),
        "SumEntropy": ("bit", "disorder of the sums of neighbouring grey levels"),
        "SumSquares": ("1", "variance of the grey levels of the pairs of neighbours"),
    },
    "gldm": {
        "DependenceEntropy": ("bit", "disorder of grey levels and numbers of like neighbours"),
        "DependenceNonUniformity": ("1", "how unevenly numbers of like neighbours occur; grows with the VOI"),
        "DependenceNonUniformityNormalized": ("1", "DependenceNonUniformity as a share of the voxels"),
        "DependenceVariance": ("1", "variance of the number of like neighbours"),
        "GrayLevelNonUniformity": ("1", "how unevenly grey levels occur; grows with the VOI"),
        "GrayLevelVariance": ("1", "variance of the grey levels"),
        "HighGrayLevelEmphasis": ("1", "mean squared grey level"),
        "LargeDependenceEmphasis": ("1", "mean squared number of like neighbours: smooth is high"),
        "LargeDependenceHighGrayLevelEmphasis": ("1", "smooth regions of high grey levels"),
        "LargeDependenceLowGrayLevelEmphasis": ("1", "smooth regions of low grey levels"),
        "LowGrayLevelEmphasis": ("1", "mean inverse squared grey level"),
        "SmallDependenceEmphasis": ("1", "mean inverse squared number of like neighbours: rough is high"),
        "SmallDependenceHighGrayLevelEmphasis": ("1", "rough regions of high grey levels"),
        "SmallDependenceLowGrayLevelEmphasis": ("1", "rough regions of low grey levels"),
    },
    "glrlm": {
        "GrayLevelNonUniformity": ("1", "how unevenly runs spread over grey levels; grows with the VOI"),
        "GrayLevelNonUniformityNormalized": ("1", "GrayLevelNonUniformity as a share of the runs"),
        "GrayLevelVariance": ("1", "variance of the grey levels of runs"),
        "HighGrayLevelRunEmphasis": ("1", "mean squared grey level of runs"),
        "LongRunEmphasis": ("1", "mean squared run length: coarse is high"),
        "LongRunHighGrayLevelEmphasis": ("1", "long runs of high grey levels"),
        "LongRunLowGrayLevelEmphasis": ("1", "long runs of low grey levels"),
        "LowGrayLevelRunEmphasis": ("1", "mean inverse squared grey level of runs"),
        "RunEntropy": ("bit", "disorder of grey levels and run lengths"),
        "RunLengthNonUniformity": ("1", "how unevenly run lengths occur; grows with the VOI"),
        "RunLengthNonUniformityNormalized": ("1", "RunLengthNonUniformity as a share of the runs"),
        "RunPercentage": ("1", "number of runs for each voxel: fine is high"),
        "RunVariance": ("1", "variance of the run lengths"),
        "ShortRunEmphasis": ("1", "mean inverse squared run length: fine is high"),
        "ShortRunHighGrayLevelEmphasis": ("1", "short runs of high grey levels"),
        "ShortRunLowGrayLevelEmphasis": ("1", "short runs of low grey levels"),
    },
    "glszm": {
        "GrayLevelNonUniformity": ("1", "how unevenly zones spread over grey levels; grows with the VOI"),
        "GrayLevelNonUniformityNormalized": ("1", "GrayLevelNonUniformity as a share of the zones"),
        "GrayLevelVariance": ("1", "variance of the grey levels of zones"),
        "HighGrayLevelZoneEmphasis": ("1", "mean squared grey level of zones"),
        "LargeAreaEmphasis": ("1", "mean squared zone size in voxels: coarse is high"),
        "LargeAreaHighGrayLevelEmphasis": ("1", "large zones of high grey levels"),
        "LargeAreaLowGrayLevelEmphasis": ("1", "large zones of low grey levels"),
        "LowGrayLevelZoneEmphasis": ("1", "mean inverse squared grey level of zones"),
        "SizeZoneNonUniformity": ("1", "how unevenly zone sizes occur; grows with the VOI"),
        "SizeZoneNonUniformityNormalized": ("1", "SizeZoneNonUniformity as a share of the zones"),
        "SmallAreaEmphasis": ("1", "mean inverse squared zone size: fine is high"),
        "SmallAreaHighGrayLevelEmphasis": ("1", "small zones of high grey levels"),
        "SmallAreaLowGrayLevelEmphasis": ("1", "small zones of low grey levels"),
        "ZoneEntropy": ("bit", "disorder of grey levels and zone sizes"),
        "ZonePercentage": ("1", "number of zones for each voxel: fine is high"),
        "ZoneVariance": ("1", "variance of the zone sizes"),
    },
    "ngtdm": {
        "Busyness": ("1", "rapid changes of grey level between neighbours"),
        "Coarseness": ("1", "inverse of the mean difference from the neighbourhood: coarse is high"),
        "Complexity": ("1", "many and rapid changes of grey level"),
        "Contrast": ("1", "spread of grey levels times their local change"),
        "Strength": ("1", "large differences between slowly changing grey levels"),
    },
    "shape": {
        "Compactness1": ("1", "volume against surface, largest for a sphere (off by default: see Sphericity)"),
        "Compactness2": ("1", "third power of Sphericity (off by default)"),
        "Elongation": ("1", "middle against longest axis; 1 if the two are equal"),
        "Flatness": ("1", "shortest against longest axis; 0 for a flat VOI"),
        "LeastAxisLength": ("mm", "shortest axis of the ellipsoid with the same spread"),
        "MajorAxisLength": ("mm", "longest axis of the ellipsoid with the same spread"),
        "Maximum2DDiameterColumn": ("mm", "longest distance on the surface within a plane across image axis y"),
        "Maximum2DDiameterRow": ("mm", "longest distance on the surface within a plane across image axis x"),
        "Maximum2DDiameterSlice": ("mm", "longest distance on the surface within a plane across image axis z"),
        "Maximum3DDiameter": ("mm", "longest distance of two points on the surface"),
        "MeshVolume": ("mm³", "volume inside the triangle mesh of the surface"),
        "MinorAxisLength": ("mm", "middle axis of the ellipsoid with the same spread"),
        "SphericalDisproportion": ("1", "inverse of Sphericity (off by default)"),
        "Sphericity": ("1", "surface of a sphere of the same volume against the surface; 1 for a sphere"),
        "SurfaceArea": ("mm²", "area of the triangle mesh of the surface"),
        "SurfaceVolumeRatio": ("1/mm", "surface divided by volume"),
        "VoxelVolume": ("mm³", "number of voxels times the volume of one"),
    },
    "shape2D": {
        "Elongation": ("1", "shorter against longer axis; 1 for a circle"),
        "MajorAxisLength": ("mm", "longer axis of the ellipse with the same spread"),
        "MaximumDiameter": ("mm", "longest distance of two points on the outline"),
        "MeshSurface": ("mm²", "area inside the outline"),
        "MinorAxisLength": ("mm", "shorter axis of the ellipse with the same spread"),
        "Perimeter": ("mm", "length of the outline"),
        "PerimeterSurfaceRatio": ("1/mm", "length of the outline divided by the area"),
        "PixelSurface": ("mm²", "number of pixels times the area of one"),
        "SphericalDisproportion": ("1", "inverse of Sphericity (off by default)"),
        "Sphericity": ("1", "outline of a circle of the same area against the outline; 1 for a circle"),
    },
}

OFF_BY_DEFAULT = {
    "firstorder": {"StandardDeviation"},
    "shape": {"Compactness1", "Compactness2", "SphericalDisproportion"},
    "shape2D": {"SphericalDisproportion"},
}
"""Features that PyRadiomics computes only where a file names them."""

WITHOUT_VALUE = {
    "glcm": {"Dissimilarity", "Homogeneity1", "Homogeneity2", "SumVariance"},
    "gldm": {"DependencePercentage", "GrayLevelNonUniformityNormalized"},
}
"""Names that PyRadiomics still accepts in a file and gives no column for."""


def default_features(family: str) -> tuple[str, ...]:
    """Return the features that PyRadiomics computes for a family where a file names none.

    Parameters
    ----------
    family : str
        A key of `FEATURES`, such as ``glcm``.
    """
    return tuple(name for name in FEATURES[family] if name not in OFF_BY_DEFAULT.get(family, ()))
