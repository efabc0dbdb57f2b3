"""How long people shower and how strongly: quantiles of 300 measured showers.

Measured at one second in a household (WEUSEDTO, CC BY 4.0): flow above 5 mL/s, pauses of up to a
minute belong to the session, three litres at least. Length and flow hardly go together there (rank
correlation 0.04), so they are drawn apart.
"""

from __future__ import annotations

from collections.abc import Sequence

# the hundredth, then every twentieth, and the last but one hundredth
_SECONDS = (
    60, 91, 119, 128, 142, 156, 169, 183, 193, 216, 227,
    238, 263, 286, 310, 343, 387, 441, 490, 582, 876,
)  # fmt: skip
_LITRES_A_MINUTE = (
    2.49, 3.03, 3.53, 3.85, 4.09, 4.31, 4.60, 4.73, 4.90, 4.97, 5.07,
    5.20, 5.33, 5.40, 5.56, 5.68, 5.79, 5.95, 6.33, 6.92, 8.27,
)  # fmt: skip


def seconds(chance: float) -> float:
    """Return the length of a session that a share of ``chance`` is shorter than.

    >>> seconds(0.5)
    227.0
    """
    return _quantile(_SECONDS, chance)


def litres_a_minute(chance: float) -> float:
    """Return the flow of a session that a share of ``chance`` stays below.

    >>> litres_a_minute(0.5)
    5.07
    """
    return _quantile(_LITRES_A_MINUTE, chance)


def _quantile(table: Sequence[float], chance: float) -> float:
    at = chance * (len(table) - 1)
    low = min(int(at), len(table) - 2)
    return table[low] + (at - low) * (table[low + 1] - table[low])
