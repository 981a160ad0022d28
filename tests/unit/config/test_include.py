"""Several files become one configuration, and every finding still names the file it is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.config.findings import ConfigRefused
from pointsman.config.include import FILES_MAX
from pointsman.config.load import load

ENTRY = "model_list: [{{model_name: {0}, litellm_params: {{model: openai/{0}}}}}]\n"


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names(path: Path) -> list[str]:
    return [entry.model_name for entry in load(path, {}).settings.model_list]


def refusal(path: Path) -> ConfigRefused:
    with pytest.raises(ConfigRefused) as caught:
        load(path, {})
    return caught.value


def test_lists_are_joined_in_order(tmp_path: Path) -> None:
    main = put(tmp_path, "main.yaml", "include: [a.yaml, b.yaml]\n" + ENTRY.format("m"))
    put(tmp_path, "a.yaml", ENTRY.format("a"))
    put(tmp_path, "b.yaml", ENTRY.format("b"))
    assert names(main) == ["m", "a", "b"]
    assert [source.path.name for source in load(main, {}).sources] == ["main.yaml", "a.yaml", "b.yaml"]


def test_one_name_need_not_be_a_list(tmp_path: Path) -> None:
    put(tmp_path, "a.yaml", ENTRY.format("a"))
    assert names(put(tmp_path, "main.yaml", "include: a.yaml\n")) == ["a"]


def test_sections_are_joined_key_by_key_and_the_included_file_wins(tmp_path: Path) -> None:
    main = put(tmp_path, "main.yaml", "include: [a.yaml]\nlitellm_settings: {drop_params: true, json_logs: true}\n")
    put(tmp_path, "a.yaml", "litellm_settings: {drop_params: false, request_timeout: 5}\n")
    loaded = load(main, {})
    settings = loaded.settings.litellm_settings
    assert (settings.drop_params, settings.json_logs, settings.request_timeout) == (False, True, 5)
    (warning,) = loaded.warnings
    assert str(warning) == (
        f"{main}:2:33: litellm_settings.drop_params: is overruled by {tmp_path / 'a.yaml'}:1:33, as included files win."
    )


def test_nested_names_are_relative_to_the_main_file_or_to_their_own(tmp_path: Path) -> None:
    main = put(tmp_path, "main.yaml", "include: [sub/a.yaml]\n")
    put(tmp_path, "sub/a.yaml", "include: [b.yaml, sub/c.yaml]\n")
    put(tmp_path, "sub/b.yaml", ENTRY.format("b"))
    put(tmp_path, "sub/c.yaml", ENTRY.format("c"))
    assert names(main) == ["b", "c"]


def test_a_finding_names_the_included_file(tmp_path: Path) -> None:
    main = put(tmp_path, "main.yaml", "include: [a.yaml]\n")
    included = put(tmp_path, "a.yaml", "\nlitellm_settings: {drop_params: 7}\n")
    assert str(refusal(main)).startswith(f"{included}:2:33: litellm_settings.drop_params: ")


def test_a_circle_is_refused_where_it_closes(tmp_path: Path) -> None:
    main = put(tmp_path, "main.yaml", "include: [a.yaml]\n")
    put(tmp_path, "a.yaml", "x: 1\ninclude:\n- main.yaml\n")
    assert str(refusal(main)) == (
        f"{tmp_path / 'a.yaml'}:3:3: include: the files include one another in a circle: main.yaml → a.yaml → main.yaml"
    )
    itself = put(tmp_path, "self.yaml", "include: [./self.yaml]\n")
    assert "in a circle" in str(refusal(itself))


def test_a_file_included_twice_is_read_once_and_told(tmp_path: Path) -> None:
    main = put(tmp_path, "main.yaml", "include: [a.yaml, ./a.yaml]\n")
    put(tmp_path, "a.yaml", ENTRY.format("a"))
    loaded = load(main, {})
    assert len(loaded.settings.model_list) == 1
    assert "read only once" in loaded.warnings[0].message


def test_a_missing_file_is_refused_and_waited_for(tmp_path: Path) -> None:
    main = put(tmp_path, "main.yaml", "model_list: []\ninclude: [gone.yaml]\n")
    error = refusal(main)
    assert str(error) == f"{main}:2:11: include: there is no file gone.yaml. It was looked for in {tmp_path}."
    assert [(source.path.name, source.digest is None) for source in error.sources] == [
        ("main.yaml", False),
        ("gone.yaml", True),
    ]


def test_where_a_missing_file_was_looked_for_is_told_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "main.yaml", "include: [gone.yaml]\n")
    monkeypatch.chdir(tmp_path)
    assert str(refusal(Path("main.yaml"))).endswith(f"It was looked for in {tmp_path}.")


def test_a_broken_included_file_is_among_the_sources(tmp_path: Path) -> None:
    main = put(tmp_path, "main.yaml", "include: [a.yaml]\n")
    put(tmp_path, "a.yaml", "a: [\n")
    assert [source.path.name for source in refusal(main).sources] == ["main.yaml", "a.yaml"]
    (tmp_path / "a.yaml").write_bytes(b"\xff")
    assert [source.path.name for source in refusal(main).sources] == ["main.yaml", "a.yaml"]


@pytest.mark.parametrize("value", ["5", "[[a]]", "{a: b}", "['']", "[5]"])
def test_what_is_no_list_of_names_is_refused(tmp_path: Path, value: str) -> None:
    assert "expected a list of file names" in str(refusal(put(tmp_path, "main.yaml", f"include: {value}\n")))


def test_an_impossible_name_is_a_missing_file(tmp_path: Path) -> None:
    assert "there is no file" in str(refusal(put(tmp_path, "main.yaml", f"include: [{'x' * 5000}]\n")))


def test_the_number_of_files_is_bounded(tmp_path: Path) -> None:
    for number in range(FILES_MAX):
        put(tmp_path, f"{number}.yaml", f"include: [{number + 1}.yaml]\n")
    last = put(tmp_path, f"{FILES_MAX}.yaml", "model_list: []\n")
    assert f"at most {FILES_MAX} files" in str(refusal(tmp_path / "0.yaml"))
    put(tmp_path, f"{FILES_MAX - 1}.yaml", "model_list: []\n")
    last.unlink()
    assert len(load(tmp_path / "0.yaml", {}).sources) == FILES_MAX
