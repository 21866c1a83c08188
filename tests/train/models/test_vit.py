"""The hand-written ViT against transformers' and torch's own, with the same weights."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import ViTConfig, ViTModel

from edge_infer.errors import UnknownModel
from train.models import create_model
from train.models.output import standardize
from train.models.vit import Block, VisionTransformer

# Compared in float64, where 1e-5 is far above rounding and a wrong formula far above 1e-5. In float32 six blocks of the
# default width add up to 1e-5 by the order of their sums alone.
TOLERANCE = 1e-5

SIZES: dict[str, tuple[int, dict[str, Any]]] = {
    "one block": (16, {"patch_size": 8, "dim": 8, "depth": 1, "num_heads": 1, "mlp_ratio": 1.0}),
    "patch 16": (48, {"patch_size": 16, "dim": 24, "depth": 2, "num_heads": 3}),
    "width not divisible by 4": (40, {"patch_size": 8, "dim": 30, "depth": 3, "num_heads": 5}),
    "narrow feed-forward": (
        64,
        {"patch_size": 16, "dim": 64, "depth": 4, "mlp_ratio": 1.5, "num_heads": 2},
    ),
    "shipped recipe": (112, {}),
}


@pytest.fixture(params=list(SIZES))
def sized(request: pytest.FixtureRequest) -> VisionTransformer:
    image_size, sizes = SIZES[request.param]
    torch.manual_seed(3)
    return small_vit(image_size, **sizes)


def small_vit(image_size: int = 32, **sizes: Any) -> VisionTransformer:
    model = create_model("vit", 4, image_size=image_size, sizes=sizes)
    assert isinstance(model, VisionTransformer)
    return model.eval()


def disturb(model: nn.Module, seed: int = 4) -> None:
    """Give every weight, bias and position a random value, as if trained: at first all biases are 0."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter += noise * (0.3 if parameter.dim() == 1 else parameter.shape[-1] ** -0.5)


def images(model: VisionTransformer, n: int = 2) -> Tensor:
    side = model.grid * model.patch_size
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(5))


def last_hidden_state(model: VisionTransformer, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
    """Return all tokens after the last norm, (B, 1 + h*w, dim), and the logits."""
    seen: list[Tensor] = []
    handle = model.norm.register_forward_hook(lambda _module, _given, output: seen.append(output))
    with handle, torch.inference_mode():
        logits = model(pixel_values).logits
    return seen[0], logits


def transformers_twin(model: VisionTransformer) -> Any:
    """transformers' ViT with eager attention and the same weights.

    Its parameters have other names in each major version, but one order: query, key, value, output projection, the two
    layers of the feed-forward part; norm before, norm after.
    """
    config = ViTConfig(
        image_size=model.grid * model.patch_size,
        patch_size=model.patch_size,
        hidden_size=model.feature_dim,
        num_hidden_layers=len(model.blocks),
        num_attention_heads=model.blocks[0].attention.num_heads,
        intermediate_size=model.blocks[0].mlp[0].out_features,
        hidden_act="gelu",
        layer_norm_eps=1e-6,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        attn_implementation="eager",
    )
    twin = ViTModel(config, add_pooling_layer=False).to(model.positions.dtype).eval()
    embeddings, convolution = twin.embeddings, twin.embeddings.patch_embeddings.projection
    layers = next(module for module in twin.modules() if isinstance(module, nn.ModuleList))
    with torch.no_grad():
        embeddings.cls_token.copy_(model.cls_token)
        embeddings.position_embeddings.copy_(model.positions)
        convolution.weight.copy_(model.patch_embedding.weight.view_as(convolution.weight))
        convolution.bias.copy_(model.patch_embedding.bias)
        for block, layer in zip(model.blocks, layers, strict=True):
            linears = [part for part in layer.modules() if isinstance(part, nn.Linear)]
            weights = (*block.attention.qkv.weight.chunk(3), block.attention.projection.weight)
            biases = (*block.attention.qkv.bias.chunk(3), block.attention.projection.bias)
            weights += (block.mlp[0].weight, block.mlp[2].weight)
            biases += (block.mlp[0].bias, block.mlp[2].bias)
            for linear, weight, bias in zip(linears, weights, biases, strict=True):
                linear.weight.copy_(weight)
                linear.bias.copy_(bias)
            norms = [part for part in layer.modules() if isinstance(part, nn.LayerNorm)]
            for norm, own in zip(norms, (block.norm_attention, block.norm_mlp), strict=True):
                norm.load_state_dict(own.state_dict())
        twin.layernorm.load_state_dict(model.norm.state_dict())
    return twin


@pytest.mark.parametrize("weights", ["first", "disturbed"])
def test_it_computes_what_transformers_vit_computes(sized: VisionTransformer, weights: str) -> None:
    if weights == "disturbed":
        disturb(sized)
    sized.double()
    pixel_values = images(sized).double()
    tokens, logits = last_hidden_state(sized, pixel_values)
    with torch.inference_mode():
        reference = transformers_twin(sized)(standardize(pixel_values)).last_hidden_state
        pooled = reference[:, 0] + reference[:, 1:].mean(dim=1)
        expected = sized.classifier(pooled)
    torch.testing.assert_close(tokens, reference, rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(logits, expected, rtol=0, atol=TOLERANCE)
    assert float(logits.std()) > 0.01, "answers that are all alike would agree with anything"


def test_a_block_computes_what_torchs_encoder_layer_computes() -> None:
    block = Block(24, num_heads=3, mlp_ratio=2.0, drop_path=0.5).eval()
    disturb(block)
    layer = nn.TransformerEncoderLayer(
        24,
        3,
        dim_feedforward=48,
        dropout=0.0,
        activation="gelu",
        layer_norm_eps=1e-6,
        batch_first=True,
        norm_first=True,
    )
    names = {
        "self_attn.in_proj_": "attention.qkv.",
        "self_attn.out_proj.": "attention.projection.",
        "linear1.": "mlp.0.",
        "linear2.": "mlp.2.",
        "norm1.": "norm_attention.",
        "norm2.": "norm_mlp.",
    }
    own = block.state_dict()
    layer.load_state_dict(
        {
            f"{its}{part}": own[f"{ours}{part}"]
            for its, ours in names.items()
            for part in ("weight", "bias")
        }
    )
    tokens = torch.randn(2, 7, 24, generator=torch.Generator().manual_seed(6))
    torch.testing.assert_close(block(tokens), layer(tokens), rtol=0, atol=TOLERANCE)


def shuffled_patches(pixel_values: Tensor, patch: int) -> Tensor:
    """Reverse the order of the patches, without changing them."""
    turned = pixel_values.unflatten(3, (-1, patch)).unflatten(2, (-1, patch))  # (B, C, h, p, w, p)
    return turned.flip(2, 4).flatten(4).flatten(2, 3)


def test_the_answer_depends_on_where_a_patch_lies_and_only_through_the_positions() -> None:
    model = small_vit(32, dim=24, depth=2)
    disturb(model)
    pixel_values = images(model)
    moved = shuffled_patches(pixel_values, model.patch_size)
    assert torch.equal(shuffled_patches(moved, model.patch_size), pixel_values)
    _, here = last_hidden_state(model, pixel_values)
    _, there = last_hidden_state(model, moved)
    assert float((here - there).abs().max()) > 1e-2
    with torch.no_grad():
        model.positions.zero_()
    _, here = last_hidden_state(model, pixel_values)
    _, there = last_hidden_state(model, moved)
    torch.testing.assert_close(here, there, rtol=0, atol=TOLERANCE)


def test_each_place_begins_with_a_position_of_its_own() -> None:
    positions = small_vit(64, dim=48, depth=1).positions[0].detach()
    assert positions[0].abs().max() == 0, "the class token lies nowhere"
    distances = torch.cdist(positions, positions) + 10 * torch.eye(len(positions))
    assert float(distances.min()) > 0.1


def test_blocks_are_left_out_in_training_only() -> None:
    torch.manual_seed(7)
    model = small_vit(32, dim=24, depth=3, drop_path_rate=0.8)
    assert [block.drop_path.p for block in model.blocks] == pytest.approx([0.0, 0.4, 0.8])
    pixel_values = images(model, n=1).expand(16, -1, -1, -1)
    with torch.no_grad():
        logits = model(pixel_values).logits
        learning = model.train()(pixel_values).logits
    # The last bits of a sum depend on how threads share a batch.
    torch.testing.assert_close(logits, logits[:1].expand_as(logits), rtol=0, atol=1e-5)
    assert (learning - learning[:1]).abs().max() > 1e-3, "each image draws for itself"


def test_without_stochastic_depth_training_computes_the_same() -> None:
    model = small_vit(32, dim=24, depth=2, drop_path_rate=0.0)
    pixel_values = images(model)
    with torch.no_grad():
        assert torch.equal(model(pixel_values).logits, model.train()(pixel_values).logits)


def test_the_default_is_of_the_size_two_cores_can_train() -> None:
    millions = sum(parameter.numel() for parameter in small_vit(112).parameters()) / 1e6
    assert 2 < millions < 6
    assert round(millions, 1) == 2.7, "as its docstring says"


@pytest.mark.parametrize(
    ("image_size", "sizes"), [(50, {"patch_size": 16}), (48, {"dim": 30, "num_heads": 4})]
)
def test_sizes_that_do_not_divide_are_refused(image_size: int, sizes: dict[str, int]) -> None:
    with pytest.raises(UnknownModel, match="must divide without remainder") as refused:
        small_vit(image_size, **sizes)
    assert refused.value.exit_code == 34
    assert "[model]" in refused.value.hint
    assert all(str(size) in refused.value.message for size in (image_size, *sizes.values()))
