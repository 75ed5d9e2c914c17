"""The networks of a bundle as torch has them: what an update goes on from.

The ONNX file is no way back: its export shares what is equal, turns matrices round and joins constants, so that a third
of the weights has no initializer of its own. So they stand beside it, as safetensors in the networks' own names, with
all that is needed to build them anew; no runner reads the file.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from core.encoders.columns import TableColumn, TableOptions
from core.errors import InputError
from pipelines.finance.history import History, HistoryReader
from pipelines.finance.network import FoldNets, make_network
from pipelines.finance.network_options import NetworkOptions

FILE = "weights.safetensors"
HEADER = "assay"  # entry of the file's metadata


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """Networks as they were trained, and how they were made."""

    served: FoldNets
    table: TableOptions
    shape: NetworkOptions
    history: History | None


def pack_weights(served: FoldNets, table: TableOptions, shape: NetworkOptions, history: History | None) -> bytes:
    """Return the file's bytes. Same networks, same bytes."""
    made = {
        "networks": len(served.networks),
        "table": asdict(table),
        "shape": asdict(shape),
        "history": None if history is None else history.columns,
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in served.state_dict().items()}
    return bytes(save_tensors(tensors, metadata={HEADER: json.dumps(made, sort_keys=True)}))


def unpack_weights(content: bytes) -> Rebuilt:
    """Build the networks anew. InputError: the file is none of these."""
    try:
        size = int.from_bytes(content[:8], "little")
        made = json.loads(json.loads(content[8 : 8 + size])["__metadata__"][HEADER])
        table, shape = _table(made["table"]), NetworkOptions(**made["shape"])
        history = None if made["history"] is None else History(tuple(map(tuple, made["history"])))
        networks = [make_network(table, shape, history) for _ in range(made["networks"])]
        served = FoldNets(networks, None if history is None else HistoryReader(history, table))
        served.load_state_dict(load_tensors(content))
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{FILE} is not what this version writes ({error}); train anew", code="BAD_WEIGHTS") from error
    return Rebuilt(served=served.eval(), table=table, shape=shape, history=history)


def _table(raw: Mapping[str, Any]) -> TableOptions:
    def column(entries: Mapping[str, Any]) -> TableColumn:
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entries.items()}
        return TableColumn(**values)

    return TableOptions(**{**raw, "columns": tuple(map(column, raw["columns"]))})
