from export.model_card import model_card
from export.sources import sources
from tests.export.test_model_card import manifest


def test_each_data_set_and_the_weights_it_began_with_are_named_with_their_licences() -> None:
    lines = sources({"data": "brisc2025, tcia_btp", "weights": "imagenet"})
    assert len(lines) == 3
    assert "BRISC 2025" in lines[0]
    assert "CC BY 4.0" in lines[0]
    assert "Brain-Tumor-Progression" in lines[1]
    assert "CC BY 3.0" in lines[1]
    assert "Apache-2.0" in lines[2]


def test_nobody_is_named_for_what_was_not_used() -> None:
    assert sources({"data": "phantoms", "weights": "random"}) == []
    assert sources({}) == []
    assert not any("ImageNet" in line for line in sources({"data": "brisc2025", "weights": None}))


def test_weights_that_it_went_on_from_are_named_because_they_have_sources_too() -> None:
    (line,) = sources({"data": "phantoms", "weights": "runs/x/checkpoint"})
    assert "runs/x/checkpoint" in line


def test_the_card_names_them() -> None:
    provenance = {"data": "brisc2025", "weights": "imagenet"}
    card = model_card(manifest(provenance=provenance))
    for line in sources(provenance):
        assert f"- {line}" in card
