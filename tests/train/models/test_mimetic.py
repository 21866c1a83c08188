import pytest
import torch
from torch import Tensor

from train.models.mimetic import mimetic_query_key, mimetic_value_output, sine_positions


@pytest.fixture(autouse=True)
def same_draw() -> None:
    torch.manual_seed(8)


def mean_diagonal(matrix: Tensor) -> float:
    return float(matrix.diagonal().mean())


def rest(matrix: Tensor) -> float:
    """Root mean square of what is not on the diagonal."""
    off = matrix - torch.diag(matrix.diagonal())
    return float(off.square().sum().div(matrix.numel() - len(matrix)).sqrt())


def test_one_heads_query_and_key_multiply_to_a_multiple_of_one_plus_noise() -> None:
    query, key = mimetic_query_key(64, 1)
    product = query.T @ key
    assert mean_diagonal(product) == pytest.approx(0.7, abs=0.05)
    assert rest(product) == pytest.approx(0.7 / 64**0.5, rel=0.1)


def test_every_head_draws_for_itself_and_looks_at_tokens_like_its_own() -> None:
    query, key = mimetic_query_key(64, 4)
    assert query.shape == key.shape == (64, 64)
    products = [q.T @ k for q, k in zip(query.chunk(4), key.chunk(4), strict=True)]
    for product in products:
        assert torch.linalg.matrix_rank(product) == 16
        assert mean_diagonal(product) > 5 * abs(float(product.mean()))
        assert mean_diagonal(product) > 0.1
    assert not torch.allclose(products[0], products[1], atol=0.1)


def test_a_token_attends_to_its_like() -> None:
    query, key = mimetic_query_key(192, 3)
    tokens = torch.nn.functional.layer_norm(torch.randn(20, 192), (192,))
    for q, k in zip(query.chunk(3), key.chunk(3), strict=True):
        scores = (tokens @ q.T) @ (tokens @ k.T).T
        assert torch.equal(scores.argmax(dim=1), torch.arange(20))


def test_value_and_output_multiply_to_a_negative_multiple_of_one_plus_noise() -> None:
    value, output = mimetic_value_output(64)
    product = output @ value
    assert mean_diagonal(product) == pytest.approx(-0.4, abs=0.05)
    assert rest(product) == pytest.approx(0.4 / 64**0.5, rel=0.1)


def test_the_draw_follows_torchs_seed() -> None:
    first = mimetic_query_key(16, 2)
    torch.manual_seed(8)
    again = mimetic_query_key(16, 2)
    other = mimetic_query_key(16, 2)
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize(("grid", "dim"), [(1, 4), (3, 30), (14, 192)])
def test_positions_have_a_row_for_the_class_token_and_each_place(grid: int, dim: int) -> None:
    positions = sine_positions(grid, dim)
    assert positions.shape == (1, 1 + grid**2, dim)
    assert positions[0, 0].abs().max() == 0
    assert positions.abs().max() <= 1


def test_positions_are_the_waves_of_row_and_column() -> None:
    positions = sine_positions(3, 8)[0, 1:].unflatten(0, (3, 3))  # (row, column, dim)
    row, column = 2, 1
    angle = torch.tensor([1.0, 0.01])  # 10,000 ** -(0, 1/2): Attention Is All You Need, section 3.5
    expected = torch.cat(
        [(row * angle).sin(), (row * angle).cos(), (column * angle).sin(), (column * angle).cos()]
    )
    torch.testing.assert_close(positions[row, column], expected)
