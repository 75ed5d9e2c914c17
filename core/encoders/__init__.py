"""The encoders by modality: each maps its input, with a mask, to `Tokens`."""

from core.encoders.image_tokens import ImageTokens
from core.encoders.series import EventEncoder, PatchEncoder
from core.encoders.table import TableEncoder

ENCODERS = {"table": TableEncoder, "events": EventEncoder, "series": PatchEncoder, "image": ImageTokens}
