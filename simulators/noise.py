"""Random numbers that are a pure function of a seed and a place in a sequence.

A twin drawn from these gives the same values whenever and however often it is read.
"""

from __future__ import annotations

from statistics import NormalDist

_MASK = (1 << 64) - 1
_NORMAL = NormalDist()


def uniform(seed: int, index: int) -> float:
    """Return the number of 0 <= u < 1 that stands at ``index`` of the sequence ``seed``.

    >>> uniform(7, 1) == uniform(7, 1)
    True
    """
    # the finaliser of SplitMix64: neighbouring indices give independent numbers
    mixed = (seed + index * 0x9E3779B97F4A7C15) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((mixed ^ (mixed >> 31)) >> 11) / 9007199254740992.0


def normal(seed: int, index: int) -> float:
    """Return a number of the standard normal distribution, cut at about 8 sigma."""
    return _NORMAL.inv_cdf(uniform(seed, index) * (1 - 2e-15) + 1e-15)
