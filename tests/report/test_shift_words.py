"""The sentences of a domain-shift report say what the numbers say, and no more."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from midog.metrics.bootstrap import Interval
from midog.report.shift_rows import cells_by_scanner, unseen_means
from midog.report.shift_words import (
    apart,
    basis,
    beyond_halves,
    confounding,
    saturated,
    strongest,
    summary,
    with_interval,
)
from midog.shift.result import Confounder, Pair, ShiftResult
from tests.report.shifts import (
    DISTANCES,
    NAMES,
    build_shift,
    part_of,
    result_of,
    with_holes,
    without_losses,
)

XR, S360, CS2 = NAMES[:3]


def with_gap(value: float, low: float, high: float) -> ShiftResult:
    result = build_shift()
    return replace(result, matrix=replace(result.matrix, gap=Interval(value, low, high)))


def test_a_figure_is_said_with_its_interval():
    assert with_interval(Interval(0.3, 0.2, 0.4), 0.95) == "0.300 (95\u00a0% interval 0.200–0.400)"
    assert (
        with_interval(Interval(0.3, math.nan, math.nan), 0.9)
        == "0.300 (90\u00a0% interval not known)"
    )


def test_the_summary_starts_with_what_a_change_of_scanner_costs():
    result = build_shift()
    matrix = result.matrix
    on, off, gap = (
        f"{each.value:.3f}" for each in (matrix.on_diagonal, matrix.off_diagonal, matrix.gap)
    )
    start = f"A model has F1 {on} on the scanner that it was trained on and {off} on others: "
    assert summary(result)[0].startswith(
        f"{start}the change of scanner costs {gap} (95\u00a0% interval "
    )


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (
            (0.3, 0.2, 0.4),
            "The interval lies above 0, so the choice of patients alone does not explain it",
        ),
        ((0.3, -0.1, 0.6), "The interval includes 0: these patients show neither a cost"),
        ((0.3, 0.0, 0.6), "The interval includes 0"),
        ((0.3, math.nan, math.nan), "Its certainty is not known"),
        (
            (-0.2, -0.3, -0.1),
            "no cost is seen, F1 is higher on others by 0.200 (95\u00a0% interval 0.100–0.300).",
        ),
        ((-0.2, -0.3, -0.1), "The interval lies below 0"),
    ],
)
def test_the_summary_is_honest_about_the_interval(gap, words):
    assert words in summary(with_gap(*gap))[0]


def test_without_models_of_one_scanner_the_drops_are_said():
    result = build_shift(single=False)
    first = summary(result)[0]
    drops = sorted(row.drop.value for row in result.matrix.rows)
    assert first.startswith(
        f"The models lose between {drops[0]:.3f} and {drops[-1]:.3f} of F1 on scanners that they"
    )
    assert "no interval includes 0" in first
    assert "No model of one scanner was tested" in first


def test_drops_whose_interval_is_not_known_are_counted():
    assert (
        "for 3 of 3 the interval includes 0 or is not known"
        in summary(build_shift(single=False, patients=1))[0]
    )


def test_one_model_alone_is_named():
    parts = {XR: part_of(8, 1, 1), S360: part_of(8, 1, 1), CS2: part_of(2, 5, 5)}
    first = summary(result_of([("m", (XR, S360), parts)], NAMES[:3]))[0]
    assert first.startswith(f"The model trained on {XR} and {S360} has F1 0.8")
    assert "on what it has not: a drop of" in first


def test_a_cost_that_cannot_be_said_is_not_said():
    assert summary(without_losses())[0].startswith("What a change of scanner costs is not known")


def test_the_hardest_scanner_is_the_one_with_the_lowest_unseen_f1():
    result = build_shift()
    means = unseen_means(result.matrix)
    assert min(means, key=lambda name: means[name][0]) == CS2
    assert means[CS2][1] == 2, "the two other models of one scanner; those without one are left out"
    hardest = summary(result)[1]
    assert hardest.startswith(
        f"Hardest is {CS2}: models that have not seen it have F1 {means[CS2][0]:.3f} there"
    )
    assert (
        f"against {means[XR][0]:.3f} on {XR}, the easiest. The model trained on {CS2} has 0.7"
        in hardest
    )


def test_of_several_models_of_the_hardest_scanner_the_mean_is_said_as_in_the_losses():
    good, bad = part_of(8, 2, 2), part_of(6, 2, 4)
    easy, hard = part_of(7, 3, 3), part_of(2, 6, 8)
    models = [
        ("x", (XR,), {XR: easy, S360: hard}),
        ("a", (S360,), {XR: easy, S360: good}),
        ("b", (S360,), {XR: easy, S360: bad}),
    ]
    result = result_of(models, NAMES[:2])
    own = [row.cells[S360].f1.value for row in result.matrix.rows[1:]]
    assert (
        f"The models trained on {S360} have {sum(own) / 2:.3f} there, mean of 2."
        in summary(result)[1]
    )
    (loss,) = [losse for losse in result.losses if losse.scanner == S360]
    unseen = result.matrix.rows[0].cells[S360].f1.value
    assert loss.from_native == pytest.approx(sum(own) / 2 - unseen), "the same mean"


def test_without_a_model_of_the_hardest_scanner_its_tissue_may_be_why():
    assert any(
        f"Without a model of {CS2} alone it is not known how much of that" in sentence
        for sentence in summary(with_holes())
    )


def test_no_scanner_is_hardest_among_equals():
    parts = {XR: part_of(5, 1, 1), S360: part_of(5, 1, 1)}
    result = result_of([("a", (XR,), parts), ("b", (S360,), parts)], NAMES[:2])
    assert not any("Hardest" in each for each in summary(result))


def test_few_figures_are_said_and_many_are_not():
    few = [each for each in summary(build_shift()) if each.startswith("Where the test is small")]
    assert few == [
        f"Where the test is small, F1 moves much by chance: {XR} (4 ROIs, 40 figures), {S360} (4"
        f" ROIs, 40 figures) and {CS2} (4 ROIs, 40 figures)."
    ]
    assert not any("small" in each for each in summary(build_shift(patients=12)))


def test_confounders_and_different_tests_are_said():
    one = Confounder("tumour", {XR: {"a": 1}, S360: {"b": 1}})
    result = build_shift(confounders=[one], same_test=False)
    said = summary(result)
    assert confounding(result) == "tumour differs between the scanners more than chance explains"
    assert f"In these data {confounding(result)}, so the gap is not the scanner's alone." in said
    assert any("not tested on the same ROIs" in each for each in said)
    assert not any(
        "chance explains" in each or "same ROIs" in each for each in summary(build_shift())
    )
    two = build_shift(confounders=[one, replace(one, column="species")])
    assert (
        confounding(two)
        == "tumour and species differ between the scanners more than chance explains"
    )


def with_pairs(*triples: tuple[float, float, float]) -> ShiftResult:
    """Pairs of scanners of their own, by their distance and those of the halves of the first and
    the second."""
    result = build_shift()
    pairs, within = [], {}
    for at, (distance, *halves) in enumerate(triples):
        names = f"a{at}", f"b{at}"
        pairs.append(Pair(*names, {"mmd": distance, "pad": math.nan}))
        within |= {
            name: {"mmd": half, "pad": 0.1} for name, half in zip(names, halves, strict=True)
        }
    return replace(result, pairs=tuple(pairs), within=within)


def test_a_pair_is_apart_if_it_exceeds_the_larger_of_the_baselines_of_its_scanners():
    result = with_pairs(
        (1.0, 0.5, 0.9), (1.0, 0.5, 1.1), (1.0, 1.1, 0.5), (1.0, 1.0, 0.0), (1.0, math.nan, 0.1)
    )
    assert beyond_halves(result, "mmd") == (
        1,
        4,
    ), "an equal one does not exceed; one without a baseline is not known"
    assert beyond_halves(result, "pad") == (0, 0)
    said = apart(result, {"mmd": "MMD²", "pad": "Proxy A-distance"})
    start = "Pairs that exceed the larger baseline of their two scanners: "
    assert said == f"{start}MMD² 1 of 4 (1 not known) and Proxy A-distance not known."
    assert apart(with_pairs((1.0, 0.5, 0.9)), {"mmd": "MMD²"}) == f"{start}MMD² 1 of 1."
    assert apart(with_pairs(), {"mmd": "MMD²"}) == ""


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([2.0, 1.95, 1.0], "1.95 or more in 2 of 3 pairs"),
        ([2.0, math.nan], "1.95 or more in 1 of 1 pair"),
        ([2.0, 1.94], ""),
        ([math.nan], ""),
        ([], ""),
    ],
)
def test_proxy_a_distances_are_saturated_where_most_are_as_good_as_2(values, words):
    assert saturated(values) == words


def test_what_a_column_rests_on():
    cells = cells_by_scanner(build_shift().matrix)
    assert basis(cells[XR]) == "4 ROIs, 40 figures"
    assert basis(cells_by_scanner(with_holes().matrix)[XR]) == "1 ROI, 4–6 figures"


def test_the_strongest_correlation_is_named_with_how_many_were_tried():
    result = build_shift()
    best = max(
        (abs(each.rho), name)
        for name, theirs in result.correlations.items()
        for each in theirs.values()
    )[1]
    said = strongest(result, {name: f"<{name}>" for name in DISTANCES})
    assert said.startswith(f"Strongest here: <{best}> with the ")
    assert "It is the best of 14 that were tried" in said
    assert strongest(without_losses(), {}).startswith("The pairs are too few, or too alike")


def test_an_interval_that_was_not_asked_for_is_not_blamed_on_the_patients():
    assert "No interval was requested" in summary(replace(build_shift(), resamples=0))[0]
