from __future__ import annotations

import sys
from typing import Any

import pytest

from ragfleet_runtime.errors import ProviderError, StartError
from ragfleet_runtime.generate.build import Generators, build_generators
from ragfleet_runtime.generate.faults import Endpoint
from ragfleet_runtime.generate.keys import key_of
from ragfleet_runtime.index.bm25 import Analyzer
from ragfleet_runtime.observe.metrics import Metrics
from support.configs import make_config
from support.llm_app import KEY, FixedEngine, FixedSecrets

pytestmark = pytest.mark.anyio
MODEL = {"model": "m", "apiKeySecretRef": {"name": "llm", "key": "token"}}
OPENAI = {"type": "OpenAI", "openAI": MODEL}
ANTHROPIC = {"type": "Anthropic", "anthropic": MODEL}


def built(generation: dict[str, Any]) -> Generators:
    config = make_config(generation=generation)
    analyzer = Analyzer("English")
    return build_generators(
        config.generation,
        config.retrieval.query,
        FixedSecrets(),
        engine=FixedEngine((), analyzer),  # type: ignore[arg-type]
        analyzer=analyzer,
        metrics=Metrics(),
    )


async def test_generators_come_in_the_order_of_the_manifest() -> None:
    made = built(
        {**OPENAI, "fallbacks": [{"name": "claude", **ANTHROPIC}, {"name": "quote", "type": "Extractive"}]}
    )
    assert [one.name for one in made.fallbacks._generators] == ["openai", "claude", "quote"]
    assert [model.name for model in made.models] == ["openai", "claude"]
    await made.aclose()


async def test_without_a_model_there_is_no_budget() -> None:
    made = built({"type": "Extractive"})
    assert made.budget is None
    await made.aclose()


@pytest.mark.parametrize(
    ("generation", "library", "extra"), [(OPENAI, "openai", "openai"), (ANTHROPIC, "anthropic", "anthropic")]
)
def test_a_missing_library_says_what_to_install(
    generation: dict[str, Any], library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, f"ragfleet_runtime.generate.{library}", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(StartError, match=rf"pip install 'ragfleet\[{extra}\]'"):
        built(generation)


def test_a_missing_tokenizer_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(StartError, match="pip install"):
        built({**OPENAI, "tokenizerPath": "/models/tokenizer.json"})


def test_a_key_is_read_when_it_is_used() -> None:
    endpoint = make_config(generation=OPENAI).generation.generators[0]
    assert endpoint.type == "OpenAI"
    asked = Endpoint(endpoint.name, endpoint.model, endpoint.base_url, endpoint.api_key)
    secrets = FixedSecrets()
    assert key_of(asked, secrets) == KEY
    secrets.values["llm", "token"] = "another"
    assert key_of(asked, secrets) == "another"
    for bad in ("with\nnewline", "ключ"):
        secrets.values["llm", "token"] = bad
        with pytest.raises(ProviderError, match="has characters no key has") as caught:
            key_of(asked, secrets)
        assert bad not in str(caught.value)
    secrets.values.clear()
    with pytest.raises(ProviderError, match="Secret llm has no entry token") as caught:
        key_of(asked, secrets)
    assert caught.value.fault == "unauthorized"
