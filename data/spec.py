"""The feature spec: what a model was trained on, and the gate that every row passes before it is judged.

`Column` and `FeatureSpec` are the description, `infer_spec` makes it from a training table, `gate` holds a table
against it.
"""

from data.columns import Column, FeatureSpec
from data.gate import Gated, check_names, gate
from data.infer import infer_spec

__all__ = ["Column", "FeatureSpec", "Gated", "check_names", "gate", "infer_spec"]
