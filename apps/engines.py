"""Engines of registered models, loaded once a process and kept while they are in use."""

import threading
from collections import OrderedDict

from apps.settings import Settings
from apps.store.models import model_folder
from apps.store.tables import Model
from core.errors import InputError
from core.runtime.bundle import open_bundle
from core.runtime.engine import Engine

_CAPACITY = 8  # engines; the one used longest ago goes first

_engines: OrderedDict[tuple[str, str, str, int], Engine] = OrderedDict()
_lock = threading.Lock()


def engine_for(settings: Settings, model: Model) -> Engine:
    """Return the engine of a model; the first call in a process loads it.

    InputError when the files are not those that were registered: they are checked before anything is parsed.
    """
    folder = model_folder(settings, model)
    key = (str(folder), model.manifest_sha256, settings.device, settings.threads)
    with _lock:
        if key in _engines:
            _engines.move_to_end(key)
            return _engines[key]
        bundle = open_bundle(folder)
        if bundle.manifest_sha256 != model.manifest_sha256:
            words = f"bundle {folder} is not the one that was registered as {model.name}@{model.version}"
            raise InputError(f"{words}; restore it from a copy or retrain", code="BAD_BUNDLE")
        _engines[key] = Engine.open(bundle, device=settings.device, threads=settings.threads)
        while len(_engines) > _CAPACITY:
            _engines.popitem(last=False)
        return _engines[key]


def forget_engines() -> None:
    """Let go of all engines; each is loaded anew when it is next used."""
    with _lock:
        _engines.clear()
