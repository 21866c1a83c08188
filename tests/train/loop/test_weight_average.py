import pytest
import torch
from torch import nn

from train.loop.weight_average import exponential_average, in_place, mean_of_weights


def number(value: float) -> nn.Module:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, value)
    return model


def weight(model: nn.Module) -> float:
    return float(model.get_parameter("weight").detach())


def test_the_exponential_average_is_its_formula_with_warm_up() -> None:
    model = number(1.0)
    average = exponential_average(model, 0.7, 2)
    values = [1.0, 2.0, -1.0, 5.0, 4.0] + [3.0] * 20
    expected = values[0]  # the first update copies
    for updates, value in enumerate(values):
        nn.init.constant_(model.get_parameter("weight"), value)
        average.update_parameters(model)
        if updates:
            kept = min(0.7**2, (1 + updates) / (10 + updates))
            expected = kept * expected + (1 - kept) * value
        assert weight(average.module) == pytest.approx(expected, rel=1e-5)


def test_the_mean_counts_all_alike() -> None:
    model = number(0.0)
    average = mean_of_weights(model)
    for value in (1.0, 2.0, 6.0):
        nn.init.constant_(model.get_parameter("weight"), value)
        average.update_parameters(model)
    assert weight(average.module) == pytest.approx(3.0)
    assert weight(model) == 6.0


def test_statistics_of_batch_norm_are_averaged_and_counters_copied() -> None:
    model = nn.BatchNorm1d(1)
    average = exponential_average(model, 0.0, 1)  # forgets at once, but for the warm-up
    for value in (1.0, 3.0):
        model.get_buffer("running_mean").fill_(value)
        model.get_buffer("num_batches_tracked").fill_(int(10 * value))
        average.update_parameters(model)
    assert float(average.module.get_buffer("running_mean")) == 3.0
    half = mean_of_weights(model)
    for value in (1.0, 3.0):
        model.get_buffer("running_mean").fill_(value)
        model.get_buffer("num_batches_tracked").fill_(int(10 * value))
        half.update_parameters(model)
    assert float(half.module.get_buffer("running_mean")) == 2.0
    assert int(half.module.get_buffer("num_batches_tracked")) == 30


def test_in_place_lends_the_weights_and_gives_the_own_ones_back() -> None:
    model = number(1.0)
    average = mean_of_weights(model)
    average.update_parameters(model)
    nn.init.constant_(model.get_parameter("weight"), 7.0)
    with in_place(average, model):
        assert weight(model) == 1.0
    assert weight(model) == 7.0
    assert weight(average.module) == 1.0
    with in_place(None, model):
        assert weight(model) == 7.0


def test_it_goes_on_from_a_saved_state() -> None:
    model = number(1.0)
    first, second = (exponential_average(model, 0.99, 1) for _ in range(2))
    for value in (1.0, 2.0, 3.0):
        nn.init.constant_(model.get_parameter("weight"), value)
        first.update_parameters(model)
    second.load_state_dict(first.state_dict())
    nn.init.constant_(model.get_parameter("weight"), 9.0)
    for average in (first, second):
        average.update_parameters(model)
    assert torch.equal(first.module.get_parameter("weight"), second.module.get_parameter("weight"))
