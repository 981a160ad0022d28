from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Malformed
from pointsman.providers.ollama.context import (
    IDLE_SECONDS,
    MARGIN,
    ContextLimits,
    ContextNeed,
    ContextWindows,
    truncation_warning,
)

KEY = ("http://127.0.0.1:11434", "llama3.2")
BIG = ContextLimits(model=131_072)


def first(need: ContextNeed, limits: ContextLimits = BIG) -> int:
    return ContextWindows().choose(KEY, need, limits, 0.0)


def test_a_short_prompt_gets_the_smallest_step() -> None:
    assert first(ContextNeed(10)) == 4096


def test_five_and_six_thousand_tokens_get_the_same_window() -> None:
    assert first(ContextNeed(5000)) == first(ContextNeed(6000)) == 8192


@pytest.mark.parametrize(("prompt", "window"), [(2672, 8192), (2671, 4096), (6233, 8192), (6234, 16_384)])
def test_the_step_leaves_room_for_a_low_estimate_and_an_answer(prompt: int, window: int) -> None:
    assert first(ContextNeed(prompt)) == window


def test_the_clients_own_bound_on_the_answer_is_kept_free() -> None:
    assert first(ContextNeed(1000, output=8000)) == 16_384


def test_the_window_of_a_model_only_goes_up() -> None:
    windows = ContextWindows()
    sizes = [
        windows.choose(KEY, ContextNeed(prompt), BIG, float(at)) for at, prompt in enumerate([10, 6000, 10, 9000, 5])
    ]
    assert sizes == [4096, 8192, 8192, 16_384, 16_384]


def test_models_and_hosts_have_windows_of_their_own() -> None:
    windows = ContextWindows()
    windows.choose(KEY, ContextNeed(60_000), BIG, 0.0)
    assert windows.choose((KEY[0], "other"), ContextNeed(10), BIG, 0.0) == 4096
    assert windows.choose(("http://other", KEY[1]), ContextNeed(10), BIG, 0.0) == 4096


def test_what_the_host_has_loaded_is_used_when_it_suffices() -> None:
    windows = ContextWindows()
    windows.observe(KEY, 32_768, 0.0)
    assert windows.choose(KEY, ContextNeed(10), BIG, 1.0) == 32_768
    odd = ContextWindows()
    odd.observe(KEY, 5000, 0.0)
    assert odd.choose(KEY, ContextNeed(10), BIG, 1.0) == 5000
    assert odd.choose(KEY, ContextNeed(6000), BIG, 2.0) == 8192


def test_a_window_shrinks_only_once_the_model_is_gone_and_idle() -> None:
    windows = ContextWindows()
    windows.choose(KEY, ContextNeed(9000), BIG, 0.0)
    windows.observe(KEY, None, IDLE_SECONDS - 1)  # it may still be loading
    assert windows.choose(KEY, ContextNeed(10), BIG, 10.0) == 16_384
    windows.observe(KEY, 16_384, 10.0 + IDLE_SECONDS)  # still loaded
    assert windows.choose(KEY, ContextNeed(10), BIG, 11.0) == 16_384
    windows.observe(KEY, None, 11.0 + IDLE_SECONDS)
    assert windows.choose(KEY, ContextNeed(10), BIG, 100.0) == 4096


def test_the_modelfiles_own_window_is_kept_where_it_suffices() -> None:
    limits = ContextLimits(model=131_072, default=10_000)
    assert first(ContextNeed(10), limits) == 10_000
    assert first(ContextNeed(9000), limits) == 16_384


def test_the_clients_num_ctx_is_a_minimum() -> None:
    assert first(ContextNeed(10, at_least=20_000)) == 20_000
    assert first(ContextNeed(30_000, at_least=20_000)) == 65_536


def test_a_fixed_window_never_moves() -> None:
    limits = ContextLimits(model=131_072, fixed=6000)
    windows = ContextWindows()
    windows.observe(KEY, 32_768, 0.0)
    assert windows.choose(KEY, ContextNeed(10), limits, 0.0) == 6000
    with pytest.raises(Malformed, match=r"the limit is 6000 tokens, the num_ctx that the operator set"):
        windows.choose(KEY, ContextNeed(6001), limits, 0.0)


def test_the_operators_cap_bounds_what_others_loaded_and_the_modelfiles_default() -> None:
    limits = ContextLimits(model=131_072, cap=8192, default=32_768)
    windows = ContextWindows()
    windows.observe(KEY, 65_536, 0.0)
    assert windows.choose(KEY, ContextNeed(10), limits, 0.0) == 8192


def test_a_model_of_unknown_length_gets_what_is_needed() -> None:
    assert first(ContextNeed(500_000), ContextLimits()) == 1_048_576


def test_a_window_in_no_step_of_ours_is_capped_by_the_models_length() -> None:
    assert first(ContextNeed(30_000), ContextLimits(model=40_960)) == 40_960


def test_what_cannot_fit_is_refused_with_both_numbers_and_whose_limit_it_is() -> None:
    with pytest.raises(Malformed) as raised:
        first(ContextNeed(6000), ContextLimits(model=4096))
    error = raised.value
    assert (error.status, error.code, error.param) == (400, "context_length_exceeded", "messages")
    assert "6001 tokens" in error.message
    assert "4096 tokens, the model's context length" in error.message
    assert "estimated" in error.message
    with pytest.raises(Malformed, match=r"about 4000 of the prompt \(estimated\) and 200 for the answer"):
        first(ContextNeed(4000, output=200), ContextLimits(model=4096))
    with pytest.raises(Malformed, match="num_ctx_max that the operator set"):
        first(ContextNeed(9000), ContextLimits(model=131_072, cap=8192))


def test_the_margin_alone_never_refuses() -> None:
    assert first(ContextNeed(4095), ContextLimits(model=4096)) == 4096
    with pytest.raises(Malformed):
        first(ContextNeed(4096), ContextLimits(model=4096))


def test_a_num_ctx_over_the_limit_is_refused_by_name() -> None:
    with pytest.raises(Malformed) as raised:
        first(ContextNeed(10, at_least=200_000))
    assert raised.value.param == "num_ctx"
    assert "200000" in raised.value.message
    assert "131072" in raised.value.message


def test_what_is_remembered_is_bounded() -> None:
    windows = ContextWindows()
    for number in range(5000):
        windows.choose(("host", str(number)), ContextNeed(9000), BIG, 0.0)
    assert windows.current(("host", "0")) == 0
    assert windows.current(("host", "4999")) == 16_384


@given(
    st.integers(1, 300_000),
    st.none() | st.integers(1, 50_000),
    st.none() | st.integers(1, 300_000),
    st.none() | st.integers(1, 300_000),
    st.none() | st.integers(1, 300_000),
)
def test_a_window_holds_the_request_and_keeps_every_bound(
    prompt: int, output: int | None, model: int | None, cap: int | None, loaded: int | None
) -> None:
    windows = ContextWindows()
    windows.observe(KEY, loaded, 0.0)
    need = ContextNeed(prompt, output=output)
    limits = ContextLimits(model=model, cap=cap)
    try:
        size = windows.choose(KEY, need, limits, 1.0)
    except Malformed:
        assert limits.largest is not None
        assert need.total > limits.largest
        return
    assert size >= need.total
    assert size >= prompt * MARGIN or size == limits.largest
    assert limits.largest is None or size <= limits.largest
    assert windows.choose(KEY, need, limits, 2.0) == size == windows.current(KEY)


def test_a_full_window_is_suspicious() -> None:
    assert "4096" in (truncation_warning(4096, 3000, 4096) or "")
    assert truncation_warning(4096, 3000, 4090)


def test_far_fewer_tokens_counted_than_sent_are_suspicious() -> None:
    warning = truncation_warning(8192, 6000, 2048)
    assert warning is not None
    assert "2048" in warning
    assert "6000" in warning


@pytest.mark.parametrize(("estimated", "counted"), [(6000, 0), (6000, 3000), (500, 20), (6000, 5900), (3000, 4000)])
def test_a_plausible_count_or_none_is_not(estimated: int, counted: int) -> None:
    assert truncation_warning(8192, estimated, counted) is None
