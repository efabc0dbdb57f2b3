"""Random numbers that are a pure function of a seed and a place in a sequence.

A twin drawn from these gives the same values whenever and however often it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_MASK = (1 << 64) - 1
_NORMAL = NormalDist()
T = TypeVar("T")
# the finaliser of SplitMix64: neighbouring indices give independent numbers
_STRIDE = 0x9E3779B97F4A7C15
_PARTS = 9007199254740992.0
_MIX = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
# Wichura's algorithm AS 241, PPND16: numerators and denominators of its three ranges
_CENTRAL, _NEAR = 0.425, 5.0
_CENTRE = (
    (
        2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
        4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
        1.3314166789178437745e2, 3.3871328727963666080e0,
    ),
    (
        5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
        2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
        4.2313330701600911252e1, 1.0,
    ),
)  # fmt: skip
_SIDE = (
    (
        7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
        1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
        4.63033784615654529590e0, 1.42343711074968357734e0,
    ),
    (
        1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
        1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
        2.05319162663775882187e0, 1.0,
    ),
)  # fmt: skip
_END = (
    (
        2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
        2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
        5.46378491116411436990e0, 6.65790464350110377720e0,
    ),
    (
        2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
        7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
        5.99832206555887937690e-1, 1.0,
    ),
)  # fmt: skip


def uniform(seed: int, index: int) -> float:
    """Return the number of 0 <= u < 1 that stands at ``index`` of the sequence ``seed``.

    >>> uniform(7, 1) == uniform(7, 1)
    True
    """
    mixed = (seed + index * _STRIDE) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * _MIX[0]) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * _MIX[1]) & _MASK
    return ((mixed ^ (mixed >> 31)) >> 11) / _PARTS


def normal(seed: int, index: int) -> float:
    """Return a number of the standard normal distribution, cut at about 8 sigma."""
    return _NORMAL.inv_cdf(uniform(seed, index) * (1 - 2e-15) + 1e-15)


def uniforms(seeds: NDArray[np.uint64], indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return :func:`uniform` of many seeds and indices, broadcast; seeds are taken modulo 2^64.

    >>> float(uniforms(np.array([7], np.uint64), np.array([3]))[0]) == uniform(7, 3)
    True
    """
    mixed = seeds + indices.astype(np.uint64) * np.uint64(_STRIDE)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(_MIX[0])
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(_MIX[1])
    share: NDArray[np.float64] = ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) / _PARTS
    return share


def normals(seeds: NDArray[np.uint64], indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return :func:`normal` of many seeds and indices, but for the last bit."""
    chance = uniforms(seeds, indices) * (1 - 2e-15) + 1e-15
    from_middle = chance - 0.5
    found: NDArray[np.float64] = from_middle * _ratio(_CENTRE, 0.180625 - from_middle * from_middle)
    (outside,) = np.nonzero(np.abs(from_middle) > _CENTRAL)
    tail = np.minimum(chance[outside], 1 - chance[outside])
    depth = np.sqrt(-np.log(tail))
    far = np.where(depth <= _NEAR, _ratio(_SIDE, depth - 1.6), _ratio(_END, depth - _NEAR))
    found[outside] = np.copysign(far, from_middle[outside])
    return found


def _ratio(
    tables: tuple[Sequence[float], Sequence[float]], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the quotient of two polynomials whose coefficients stand from the highest down."""
    over, under = np.full(len(at), tables[0][0]), np.full(len(at), tables[1][0])
    for upper, lower in zip(tables[0][1:], tables[1][1:], strict=True):
        over = over * at + upper
        under = under * at + lower
    quotient: NDArray[np.float64] = over / under
    return quotient


class Dice:
    """The numbers of one sequence, one after the other."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._thrown = 0

    def throw(self) -> float:
        """Return the next number of 0 <= u < 1."""
        self._thrown += 1
        return uniform(self._seed, self._thrown)

    def between(self, low: float, high: float) -> float:
        """Return a number of low <= x < high."""
        return low + (high - low) * self.throw()

    def pick(self, among: Sequence[T]) -> T:
        """Return one of them."""
        return among[int(len(among) * self.throw())]
