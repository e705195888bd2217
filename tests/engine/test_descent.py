"""How smoothly a training loss falls, and what counts as a spike."""

import pytest

from engine.descent import Fall, fall, peak


def logged(*values: float) -> list[tuple[float, float]]:
    return list(enumerate(values, start=1))


def test_a_loss_that_only_falls_has_no_roughness() -> None:
    assert fall(logged(4.0, 3.0, 2.0, 1.0)) == Fall(share=0.75, roughness=0.0)


def test_what_a_loss_climbs_makes_its_fall_less_smooth() -> None:
    found = fall(logged(4.0, 2.0, 3.0, 1.0))  # down 2 and 2, up 1
    assert found == Fall(share=0.75, roughness=0.25)
    assert found.smoothness == pytest.approx(0.5625)


def test_the_end_of_a_fall_is_the_mean_of_its_last_fifth() -> None:
    found = fall(logged(4.0, *[2.0] * 7, 1.0, 3.0))
    assert found is not None
    assert found.share == pytest.approx(0.5)


def test_a_loss_that_rose_is_below_every_one_that_fell() -> None:
    rose, fell = fall(logged(1.0, 1.5, 2.0)), fall(logged(1.0, 1.2, 0.99))
    assert rose is not None
    assert fell is not None
    assert rose.smoothness == -1.0 < fell.smoothness


def test_what_comes_after_the_asked_step_plays_no_part() -> None:
    assert fall(logged(4.0, 3.0, 2.0, 9.0), until=3) == fall(logged(4.0, 3.0, 2.0))


@pytest.mark.parametrize("values", [(), (4.0, 3.0), (4.0, float("nan"), 2.0), (4.0, float("inf"), 2.0)])
def test_too_few_losses_or_one_that_is_no_number_say_nothing(values: tuple[float, ...]) -> None:
    assert fall(logged(*values)) is None


def test_hard_rows_are_no_spike_but_a_rise_that_gentle_steps_do_not_have_is_one() -> None:
    gentle = logged(1.0, 3.0, 1.0)
    assert peak(logged(1.0, 3.0, 1.0), gentle, until=3) == 1.0
    assert peak(logged(1.0, 3.0, 2.0), gentle, until=3) == 2.0


def test_only_the_first_steps_can_be_spiky() -> None:
    assert peak(logged(1.0, 1.0, 9.0), logged(1.0, 1.0, 1.0), until=2) == 1.0
    assert peak(logged(1.0), logged(1.0), until=2) is None
