"""Matrix Lie groups, each with to_algebra, exp, inverse, contains and sample."""

from sigfeat.nn.groups._base import Group
from sigfeat.nn.groups.general_linear import GeneralLinear
from sigfeat.nn.groups.hyperbolic import Hyperbolic
from sigfeat.nn.groups.special_euclidean import SpecialEuclidean
from sigfeat.nn.groups.special_orthogonal import SpecialOrthogonal
from sigfeat.nn.groups.special_unitary import SpecialUnitary
from sigfeat.nn.groups.symplectic import Symplectic
from sigfeat.nn.groups.unipotent import Unipotent
from sigfeat.nn.groups.unitary import Unitary

GROUPS: dict[str, type[Group]] = {
    group.name: group
    for group in (
        SpecialOrthogonal,
        SpecialEuclidean,
        Symplectic,
        Unitary,
        SpecialUnitary,
        Hyperbolic,
        GeneralLinear,
        Unipotent,
    )
}

__all__ = ["GROUPS", "Group"]
