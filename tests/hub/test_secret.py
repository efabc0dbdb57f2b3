"""The secret: made once, read by nobody else, one key per purpose, nothing forged."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.clock import RealClock
from hub.ports import StartError
from hub.secret import Secret, hkdf, kept_secret

SECRET = Secret("a" * 43)


def test_keys_are_derived_as_the_standard_says() -> None:
    """RFC 5869, test case 1, its first 32 bytes."""
    root, salt, info = b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA))
    wanted = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
    assert hkdf(root, salt, info).hex() == wanted


def test_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "var" / "secret"
    first = kept_secret(file, RealClock())
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["secret"]
    assert kept_secret(file, RealClock()).key("x") == first.key("x")
    assert kept_secret(tmp_path / "other", RealClock()).key("x") != first.key("x")


def test_a_secret_that_others_can_read_or_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    kept_secret(file, RealClock())
    file.chmod(0o640)
    with pytest.raises(StartError, match="chmod 600"):
        kept_secret(file, RealClock())
    file.chmod(0o600)
    file.write_text("short\n")
    with pytest.raises(StartError, match="too short"):
        kept_secret(file, RealClock())


def test_a_token_opens_for_its_purpose_only() -> None:
    token = SECRET.signed("label", "dorm-07/器")
    assert SECRET.opened("label", token) == "dorm-07/器"
    assert SECRET.opened("link", token) is None
    assert Secret("b" * 43).opened("label", token) is None


def test_no_other_word_opens() -> None:
    token = SECRET.signed("label", "dorm-07/shower-2-03")
    changed = [
        token[:at] + ("A" if letter != "A" else "B") + token[at + 1 :]
        for at, letter in enumerate(token)
    ]
    more = ["", ".", "é.ü", token + "=", token + ".", token.replace(".", ""), token.split(".")[0]]
    assert [word for word in (*changed, *more) if SECRET.opened("label", word) is not None] == []
