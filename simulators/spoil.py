"""What a spoiled answer looks like in bytes, by fault; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from simulators.faults import Kind
from simulators.framing import Framing

_PIECE = 3  # bytes
_LAST_UNIT = 247
_OTHER_FUNCTION = {1: 2, 2: 1, 3: 4, 4: 3}

Spoil = Callable[[Framing, bytes, bytes], Sequence[bytes]]


def _miscounted(framing: Framing, frame: bytes, _junk: bytes) -> Sequence[bytes]:
    return [framing.miscounted(frame)]


def _of_another_unit(framing: Framing, frame: bytes, _junk: bytes) -> Sequence[bytes]:
    other = framing.unit_id(frame) % _LAST_UNIT + 1
    return [framing.rebuilt(frame, other, framing.pdu(frame))]


def _of_another_function(framing: Framing, frame: bytes, _junk: bytes) -> Sequence[bytes]:
    pdu = framing.pdu(frame)
    other = _OTHER_FUNCTION.get(pdu[0], 3)
    return [framing.rebuilt(frame, framing.unit_id(frame), bytes([other]) + pdu[1:])]


def _in_pieces(_framing: Framing, frame: bytes, _junk: bytes) -> Sequence[bytes]:
    return [frame[at : at + _PIECE] for at in range(0, len(frame), _PIECE)]


def _with_noise_inside(_framing: Framing, frame: bytes, junk: bytes) -> Sequence[bytes]:
    middle = len(frame) // 2
    return [frame[:middle] + junk + frame[middle:]]


SPOILED: Mapping[Kind, Spoil] = {
    "crc_error": _miscounted,
    "wrong_unit": _of_another_unit,
    "wrong_function": _of_another_function,
    "split_frame": _in_pieces,
    "garbage_before": lambda _framing, frame, junk: [junk + frame],
    "garbage_inside": _with_noise_inside,
    "garbage_after": lambda _framing, frame, junk: [frame + junk],
}
"""The pieces in which an answer arrives, from the framing, the right frame and some noise."""
