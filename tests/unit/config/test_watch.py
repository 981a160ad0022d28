"""A change is noticed once, whichever way it was made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pointsman.config.findings import ConfigRefused, SourceFile
from pointsman.config.load import load
from pointsman.config.source_file import digest_of
from pointsman.config.watch import ConfigWatch


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    main, part = tmp_path / "main.yaml", tmp_path / "part.yaml"
    main.write_text("include: [part.yaml]\n")
    part.write_text("model_list: []\n")
    return main, part


def settled(watch: ConfigWatch) -> ConfigWatch:
    """Past the time in which contents are compared although nothing else changed."""
    for _ in range(10):
        assert not watch.changed()
    return watch


def watching(main: Path) -> ConfigWatch:
    return ConfigWatch(load(main, {}).sources)


def test_nothing_changes_while_nothing_changes(files: tuple[Path, Path]) -> None:
    assert settled(watching(files[0])).files == files


@pytest.mark.parametrize("index", [0, 1])
def test_a_change_of_any_file_is_told_once(files: tuple[Path, Path], index: int) -> None:
    watch = settled(watching(files[0]))
    files[index].write_text("model_list: [] # more\n")
    assert watch.changed()
    settled(watch)


def test_changes_of_two_files_at_once_are_one(files: tuple[Path, Path]) -> None:
    watch = settled(watching(files[0]))
    files[0].write_text("a: 1\n")
    files[1].write_text("b: 1\n")
    assert watch.changed()
    settled(watch)


def test_a_change_between_reading_and_the_first_look_is_told(files: tuple[Path, Path]) -> None:
    sources = load(files[0], {}).sources
    files[1].write_text("model_list: [] # more\n")
    assert ConfigWatch(sources).changed()


def test_touching_a_file_without_changing_it_is_no_change(files: tuple[Path, Path]) -> None:
    watch = settled(watching(files[0]))
    os.utime(files[0], ns=(1, 1))
    settled(watch)


def test_a_file_moved_into_its_place_is_a_change_even_with_equal_time_and_size(files: tuple[Path, Path]) -> None:
    watch = settled(watching(files[0]))
    found = files[1].stat()
    fresh = files[1].with_name("fresh")
    fresh.write_text("model_list: {}\n")
    os.utime(fresh, ns=(found.st_atime_ns, found.st_mtime_ns))
    fresh.replace(files[1])
    assert watch.changed()


def test_a_second_write_that_leaves_the_stamp_as_it_was_is_noticed_soon_after_the_first(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pointsman.config.watch._stamp", lambda path: (1, 1, 1, 1))
    watch = watching(files[0])
    assert not watch.changed()
    files[1].write_text("model_list: {}\n")
    assert watch.changed()


def test_a_link_that_is_pointed_elsewhere_is_a_change(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"x: {name}\n")
    link = tmp_path / "c.yaml"
    link.symlink_to("one")
    watch = settled(ConfigWatch([SourceFile(link, digest_of(link.read_bytes()))]))
    other = tmp_path / "other"
    other.symlink_to("two")
    other.replace(link)
    assert watch.changed()


def test_a_file_that_goes_and_comes_back_changes_twice(files: tuple[Path, Path]) -> None:
    watch = settled(watching(files[0]))
    files[1].unlink()
    assert watch.changed()
    settled(watch)
    files[1].write_text("model_list: []\n")
    assert watch.changed()


def test_a_refused_configuration_is_watched_until_it_is_mended(files: tuple[Path, Path]) -> None:
    files[1].unlink()
    with pytest.raises(ConfigRefused) as caught:
        load(files[0], {})
    watch = ConfigWatch(())
    assert not watch.changed()
    watch.follow(caught.value.sources)
    settled(watch)
    files[1].write_text("model_list: []\n")
    assert watch.changed()
