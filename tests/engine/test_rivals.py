"""What the trainings are held against is said with values and source, and not said where it is not known."""

from dataclasses import replace

from engine import rivals, space
from engine.records import Config, Method, RunKind
from tests import studies


def test_the_default_of_a_real_llm_names_its_values_and_its_source() -> None:
    config = space.default_config("SmolLM2", Method.LORA, 100)
    spec = replace(studies.spec(kind=RunKind.DEFAULT, name="default"), model="SmolLM2", config=config)

    assert rivals.told([(spec, None)]) == [
        "Default: lr 2e-4, 5 epochs, batch 8, r 16, alpha 16; what Unsloth's notebooks run unless edited: 60 "
        "steps, or one epoch where that is more (unslothai/notebooks, "
        "nb/Llama3.2_(1B_and_3B)-Conversational.ipynb, commit 016b8dc)."
    ]


def test_a_default_of_an_earlier_version_claims_no_source() -> None:
    config = Config(7e-5, 3, 8, lora_r=8, lora_alpha=16)
    spec = replace(studies.spec(kind=RunKind.DEFAULT, name="default"), model="SmolLM2", config=config)

    assert rivals.told([(spec, None)]) == []


def test_examples_are_told_once_they_are_known() -> None:
    spec = studies.spec(kind=RunKind.FEW_SHOT, name="few-shot")
    facts = {"examples": {"rows": [7], "tokens": 1052}}

    assert rivals.told([(spec, None)]) == rivals.told([(spec, studies.result())]) == []
    assert rivals.told([(spec, replace(studies.result(), facts=facts))]) == [
        "Few-shot: 1 example in the prompt, 1,052 tokens: the training rows 7."
    ]
