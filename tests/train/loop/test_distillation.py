import numpy as np
import torch
from numpy.typing import NDArray

from edge_infer.contract import LABELS
from train.loop.distillation import Guide, Teachers, distillation_loss
from train.models import create_model
from train.recipe import Distillation


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def test_the_loss_is_the_papers_formula() -> None:
    generator = np.random.default_rng(0)
    student, teacher = generator.normal(0, 2, (2, 5, 4))
    temperature, share, on_labels = 3.0, 0.3, 1.7
    given = distillation_loss(
        torch.tensor(student, dtype=torch.float32),
        torch.tensor(teacher, dtype=torch.float32),
        torch.tensor(on_labels),
        Distillation(temperature=temperature, logit_weight=share),
    )
    soft_teacher, soft_student = softmax(teacher / temperature), softmax(student / temperature)
    divergence = (soft_teacher * np.log(soft_teacher / soft_student)).sum(axis=1).mean()
    expected = (1 - share) * on_labels + share * temperature**2 * divergence
    np.testing.assert_allclose(float(given), expected, rtol=1e-5)


def test_a_student_that_answers_as_the_teacher_pays_for_the_labels_only() -> None:
    logits = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    loss = distillation_loss(logits, logits, torch.tensor(2.0), Distillation(logit_weight=0.25))
    torch.testing.assert_close(loss, torch.tensor(1.5))


def test_the_gradient_pulls_the_student_to_the_teacher() -> None:
    student = torch.zeros(1, 4, requires_grad=True)
    teacher = torch.tensor([[5.0, 0.0, 0.0, 0.0]])
    distillation_loss(student, teacher, torch.tensor(0.0), Distillation()).backward()
    assert student.grad is not None
    assert float(student.grad[0, 0]) < 0 < float(student.grad[0, 1])


def test_the_guide_measures_the_angle_between_features() -> None:
    guide = Guide(3, 3)
    with torch.no_grad():
        guide.projection.weight.copy_(torch.eye(3)[:, :, None, None])
        guide.projection.bias.zero_()  # type: ignore[union-attr]
    features = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(guide(features, 7 * features), torch.tensor(0.0), rtol=0, atol=1e-6)
    torch.testing.assert_close(guide(features, -features), torch.tensor(2.0), rtol=0, atol=1e-6)


def test_the_guide_pools_to_the_teachers_map_and_projects_to_its_width() -> None:
    guide = Guide(5, 7)
    student = torch.randn(2, 5, 8, 8)
    loss = guide(student, torch.randn(2, 7, 2, 2))
    assert loss.shape == ()
    assert 0 <= float(loss.detach()) <= 2
    loss.backward()
    assert guide.projection.weight.grad is not None


def test_several_teachers_answer_with_the_mean_of_their_logits_and_the_features_of_the_first() -> (
    None
):
    models = [create_model("cvt_test", len(LABELS)).eval() for _ in range(2)]
    pixel_values = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    teachers = Teachers(models, [32, 32])
    features, logits = teachers(pixel_values)
    with torch.no_grad():
        one, other = (model(pixel_values).logits for model in models)
        torch.testing.assert_close(features, models[0].forward_features(pixel_values))
    assert not torch.equal(one, other)
    torch.testing.assert_close(logits, (one + other) / 2)
    assert teachers.feature_dim == models[0].feature_dim
    assert not logits.requires_grad
    assert not any(weight.requires_grad for weight in teachers.parameters())


def test_a_teacher_sees_the_views_at_the_size_that_it_learnt_at() -> None:
    model = create_model("cvt_test", len(LABELS)).eval()
    small = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    enlarged = torch.nn.functional.interpolate(small, (64, 64), mode="bilinear", antialias=True)
    features, logits = Teachers([model], [64])(small)
    with torch.no_grad():
        torch.testing.assert_close(features, model.forward_features(enlarged))
        torch.testing.assert_close(logits, model(enlarged).logits)
        assert not torch.allclose(logits, model(small).logits)
