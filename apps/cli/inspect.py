"""`assay inspect`: pictures, folders, or a folder that is watched."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy
import typer

from apps.cli.console import emit_json, emit_table, note, progress_bar
from apps.engines import engine_for
from apps.judging import judge_content, keep_pixels, overlay_png
from apps.settings import load_settings
from apps.store import models
from apps.store.database import open_database
from apps.store.inspections import JudgedImage, new_id, save_inspection, unknown_answer
from apps.store.objects import ObjectStore, open_objects
from apps.store.tables import Model
from core.errors import InputError
from core.runtime.engine import Engine

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
LOOK_EVERY_S = 0.3

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What judging a picture needs."""

    db: sqlalchemy.Engine
    store: ObjectStore
    model: Model
    engine: Engine
    heatmaps: Path | None

    def inspect(self, path: Path) -> dict[str, Any]:
        """Judge a file, keep picture and answer, and return the answer; what is no picture is `unknown`."""
        image_id = new_id()
        try:
            content = path.read_bytes()
            judged = judge_content(content, self.engine, self.model, image_id=image_id, path=str(path), heatmap=True)
        except OSError as error:
            return self._unknown(image_id, path, f"FILE_MISSING: {path} cannot be read: {error.strerror}")
        except InputError as error:
            return self._unknown(image_id, path, f"{error.code}: {error}")
        image = keep_pixels(judged, content, self.store, suffix=path.suffix.lower())
        save_inspection(self.db, model=self.model, image=image)
        if self.heatmaps is not None and judged.heatmap_hw is not None:
            (self.heatmaps / f"{path.stem}.{image_id[:6]}.png").write_bytes(overlay_png(judged))
        return judged.answer

    def _unknown(self, image_id: str, path: Path, words: str) -> dict[str, Any]:
        answer = unknown_answer(self.model, image_id, str(path), words)
        save_inspection(self.db, model=self.model, image=JudgedImage(answer=answer))
        return answer


@app.command()
def inspect(
    name: Annotated[str, typer.Argument(help="NAME or NAME@VERSION of an inspection model")],
    paths: Annotated[list[Path], typer.Argument(help="pictures or folders")],
    heatmaps: Annotated[Path | None, typer.Option(help="folder for pictures with the heatmap drawn over them")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="go on with pictures that appear; Ctrl-C ends")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON: one document, or a list for several")] = False,
) -> None:
    """Inspect pictures. One that cannot be judged is `unknown`, never `pass`.

    Example: assay inspect tiles images/ --heatmaps out/
    """
    settings = load_settings()
    db = open_database(settings)
    model = models.resolve(db, name)
    if model.kind != "inspection":
        raise InputError(
            f"{model.name}@{model.version} is a model of kind {model.kind}; assay inspect takes inspection"
        )
    if missing := [path for path in paths if not path.exists()]:
        raise InputError(f"{missing[0]} does not exist; give pictures or folders")
    if heatmaps is not None:
        heatmaps.mkdir(parents=True, exist_ok=True)
    engine = engine_for(settings, model)
    bench = Bench(db=db, store=open_objects(settings), model=model, engine=engine, heatmaps=heatmaps)
    if watch:
        _watch(bench, paths, as_json)
        return
    files = list(_pictures(paths))
    if skipped := sum(p.is_file() and p.suffix.lower() not in ENDINGS for path in paths for p in path.rglob("*")):
        note(f"{skipped} files skipped that are no {' '.join(sorted(ENDINGS))}")
    if not files:
        raise InputError(
            f"no picture in {', '.join(map(str, paths))}; these endings are read: {' '.join(sorted(ENDINGS))}"
        )
    with progress_bar("inspecting") as progress:
        answers = []
        for number, path in enumerate(files):
            answers.append(bench.inspect(path))
            progress((number + 1) / len(files), f"inspected {number + 1} of {len(files)}")
    _report(answers, model, as_json, alone=len(paths) == 1 and paths[0].is_file())


def _pictures(paths: Sequence[Path]) -> Iterator[Path]:
    """Files as given; of folders all pictures below them, in order of their names."""
    for path in paths:
        if path.is_file():
            yield path
        else:
            yield from sorted(p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in ENDINGS)


def _report(answers: Sequence[dict[str, Any]], model: Model, as_json: bool, *, alone: bool) -> None:
    unknown = [answer for answer in answers if answer["verdict"] == "unknown"]
    if as_json:
        emit_json(answers[0] if alone else list(answers))
    elif len(unknown) < len(answers):
        rows = [_row(answer) for answer in answers]
        emit_table(f"{model.name}@{model.version}", ("verdict", "score", "label", "regions", "picture"), rows)
        counted = Counter(answer["verdict"] for answer in answers)
        note(", ".join(f"{number} {verdict}" for verdict, number in sorted(counted.items())))
    if len(unknown) == len(answers):
        more = f" (the first of {len(unknown)})" if len(unknown) > 1 else ""
        raise InputError(f"not one picture could be judged: {unknown[0]['error']}{more}")
    if unknown:
        note(f"{len(unknown)} of {len(answers)} pictures could not be judged; the first: {unknown[0]['error']}")


def _row(answer: dict[str, Any]) -> tuple[object, ...]:
    score = "" if answer["score"] is None else f"{answer['score']:.3f}"
    boxes = " ".join("-".join(map(str, region["box"])) for region in answer["regions"][:3])
    path = "".join(letter if letter.isprintable() else "?" for letter in answer["path"])
    return answer["verdict"], score, answer["label"], boxes or answer["error"], path


def _watch(bench: Bench, folders: Sequence[Path], as_json: bool) -> None:
    """Judge each picture once its size stays the same between two looks; Ctrl-C is the ordinary end."""
    seen: set[Path] = set()
    sizes: dict[Path, int] = {}
    note(f"watching {', '.join(map(str, folders))}; Ctrl-C ends")
    try:
        while True:
            now = {path: path.stat().st_size for path in _pictures(folders) if path not in seen and path.exists()}
            for path, size in now.items():
                if size and sizes.get(path) == size:
                    seen.add(path)
                    answer = bench.inspect(path)
                    if as_json:
                        emit_json(answer)
                    else:
                        emit_table("", ("verdict", "score", "label", "regions", "picture"), [_row(answer)])
            sizes = now
            time.sleep(LOOK_EVERY_S)
    except KeyboardInterrupt:
        note(f"inspected {len(seen)} pictures")
