"""What an air-to-water heat pump makes of the air outside and the water it heats.

The coefficients are those that hplib fitted to the certified on-off units of the Keymark list (its
generic on-off air-to-water pump, MIT): linear in the two temperatures. Such units are what stands
on dormitory roofs.
"""

from __future__ import annotations

_COP_AIR = 39.57443144442313 - 39.47841130516772
_COP_WATER = -0.0626901085506294
_COP = 5.7889021477579545
_POWER_AIR = 27.54692229675633 - 27.54277707624971
_POWER_WATER = 0.012707871918157343
_POWER = 0.3629461029123583
_LEAST_COP = 1.0  # below that the fit means nothing; an electric heater does as well
_RATED = (7.0, 45.0)  # air and water at which a plant's heat is rated


def cop(air: float, water: float) -> float:
    """Return the heat that one unit of electricity moves, into water of this temperature.

    >>> round(cop(7, 45), 2)
    3.64
    """
    return max(_COP_AIR * air + _COP_WATER * water + _COP, _LEAST_COP)


def heat_share(air: float, water: float) -> float:
    """Return the heat that a pump gives, as a share of what it is rated for.

    >>> heat_share(7, 45)
    1.0
    """
    return _heat(air, water) / _heat(*_RATED)


def _heat(air: float, water: float) -> float:
    power = _POWER_AIR * air + _POWER_WATER * water + _POWER
    return power * cop(air, water)
