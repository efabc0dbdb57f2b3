"""Is this the answer to that question? Modbus TCP frames, pure."""

from __future__ import annotations

_HEADER = 7
_LONGEST = 254
_READS = (1, 2, 3, 4)


def fault_of(asked: bytes, heard: bytes) -> str | None:
    """Say what is wrong with the bytes heard so far after the frame ``asked``; None when nothing.

    Frames with another transaction id are late answers to older questions: they are skipped, not
    judged. An incomplete frame is waited for.

    >>> fault_of(bytes.fromhex("000100000006010300000001"), bytes.fromhex("0001000000050103020007"))
    >>> fault_of(bytes.fromhex("000100000006010300000001"), b"HTTP/1.1 400")
    'protocol id 21584 instead of 0'
    """
    while len(heard) > _HEADER:
        protocol, length = int.from_bytes(heard[2:4], "big"), int.from_bytes(heard[4:6], "big")
        if protocol:
            return f"protocol id {protocol} instead of 0"
        if not 3 <= length <= _LONGEST:  # noqa: PLR2004 - unit id, function and one byte at least
            return f"a frame of {length} bytes"
        if len(heard) < 6 + length:
            return None
        if heard[:2] == asked[:2]:
            return _mismatch(asked, heard[: 6 + length])
        heard = heard[6 + length :]
    return None


def _mismatch(asked: bytes, answer: bytes) -> str | None:
    """Compare unit id, function and size of a complete answer with its question."""
    function = asked[7]
    if answer[6] != asked[6]:
        return f"unit id {answer[6]} answered for {asked[6]}"
    if answer[7] == function | 0x80:
        return None
    if answer[7] != function:
        return f"function {answer[7]} answered for {function}"
    if function not in _READS:
        return None if answer[8:10] == asked[8:10] else "the echo of a write names another address"
    count = int.from_bytes(asked[10:12], "big")
    size = count * 2 if function in (3, 4) else (count + 7) // 8
    if answer[8] != size or len(answer) != _HEADER + 2 + size:
        return f"{len(answer) - _HEADER - 2} bytes where {size} were asked"
    return None
