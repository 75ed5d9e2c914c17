"""The networks of a fraud model: what they read of the table, and that hiding a value hides it from them."""

import numpy as np
import pandas as pd
import pytest
import torch

from data.spec import FeatureSpec, infer_spec
from pipelines.finance.fraud_network import STEPS, TRUNK, Reading, SequenceReader, find_reading, make_networks
from pipelines.finance.network import FoldNets, single
from pipelines.finance.transactions.batch import measure_table
from pipelines.finance.transactions.declaration import with_sequences
from tests.pipelines.finance.transactions.streams import make_plan, make_reading

PLAN = make_plan(declared=with_sequences())


@pytest.fixture(scope="module")
def table() -> tuple[FeatureSpec, np.ndarray]:
    events = make_reading(np.random.default_rng(0), 400, PLAN).events
    frame = pd.DataFrame(measure_table(events, PLAN), columns=list(PLAN.names)).assign(fraud=events.label == 1)
    spec = infer_spec(frame, target="fraud")
    return spec, frame[list(spec.names)].to_numpy(dtype=np.float64)


@pytest.fixture(scope="module")
def reading(table: tuple[FeatureSpec, np.ndarray]) -> Reading:
    spec, _ = table
    return find_reading(spec, PLAN, np.arange(len(spec.columns))[::-1].tolist())


def test_the_sequences_are_found_oldest_first(reading: Reading, table: tuple[FeatureSpec, np.ndarray]) -> None:
    names = table[0].names

    found = {s.name: [names[at] for at in s.value] for s in reading.sequences}

    assert list(found) == ["card", "card_known", "shop_0"]
    assert found["card"] == [f"card.past_log.{k}n" for k in range(STEPS, 0, -1)]
    assert found["shop_0"][-1] == "shop.past_known.1n"
    assert not set(reading.table) & {at for s in reading.sequences for at in (*s.value, *s.since)}


def test_events_stand_at_minus_their_days_and_missing_ones_are_absent(
    reading: Reading, table: tuple[FeatureSpec, np.ndarray]
) -> None:
    spec, x_BF = table
    reader = SequenceReader(reading, hide=0.0).eval()

    inputs, masks = reader.inputs(single(x_BF))

    since = x_BF[:, spec.names.index("card.since.1n")]
    np.testing.assert_allclose(inputs["card_time"][:, -1].numpy(), -since / 86_400, rtol=1e-5)
    assert inputs["card_time"][0].isnan().all()
    assert masks == {}


@pytest.mark.parametrize("column", ["card.past_log.1n", "card.since.1n", "shop.past_known.2n"])
def test_a_value_that_is_hidden_changes_no_answer(
    column: str, reading: Reading, table: tuple[FeatureSpec, np.ndarray]
) -> None:
    spec, x_BF = table
    torch.set_num_threads(1)
    networks = make_networks(reading, spec, x_BF, TRUNK, 1, seed=0)
    served = FoldNets(networks, SequenceReader(reading, TRUNK.hide)).eval()
    x, at = single(x_BF[300:320]), spec.names.index(column)
    changed = x.clone()
    changed[:, at] = torch.linspace(0.5, 3.0, len(x))
    given = torch.ones_like(x)
    given[:, at] = 0.0

    with torch.no_grad():
        hidden, other = (served(values, given)["margin"] for values in (x, changed))
        shown = served(changed, torch.ones_like(x))["margin"]

    torch.testing.assert_close(hidden, other)
    assert (shown - other).abs().max() > 1e-6


def test_a_plan_without_card_and_shop_has_no_sequence() -> None:
    frame = pd.DataFrame({"V1": np.random.default_rng(0).normal(size=50), "fraud": [0, 1] * 25})
    spec = infer_spec(frame, target="fraud")
    bare = make_plan(entity=None, counterparts=())

    reading = find_reading(spec, bare, [1.0])
    networks = make_networks(reading, spec, frame[["V1"]].to_numpy(), TRUNK, 1, seed=0)

    served = FoldNets(networks, SequenceReader(reading, 0.0)).eval()
    assert reading.sequences == ()
    assert torch.isfinite(served(torch.zeros(2, 1), torch.ones(2, 1))["margin"]).all()
