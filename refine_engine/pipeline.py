"""All five stages of one video; Stages 1 to 3 are other projects' networks, plugged in."""

from __future__ import annotations

import importlib.metadata
import shlex
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refine_engine.body import load_body_model
from refine_engine.config import RefinementConfig, read_yaml, stage5_section
from refine_engine.errors import ConfigError, InputError, OptimizationError
from refine_engine.exporters.results_json import OUTPUT_FOLDER, write_json
from refine_engine.exporters.world_space import WRITER, write_world_space
from refine_engine.importers import load_results
from refine_engine.importers.folder import person_folders, read_json
from refine_engine.refinement.initialisation.scale import initial_scale
from refine_engine.run import run_refinement
from refine_engine.safe_files import find_npz

if TYPE_CHECKING:
    from collections.abc import Sequence

STAGE_FOLDERS: Mapping[int, str] = {
    1: "1_camera_estimation",
    2: "2_tracking",
    3: "3_pose_estimation",
    4: "4_world_space",
    5: OUTPUT_FOLDER,
}
ENTRY_POINTS = "smpl_refiner.stages"
"""Group of entry points named ``stage1``, ``stage2`` and ``stage3``. Each is a callable
``(video_path, output_dir, base_dir, config, max_frames) -> None`` that fills ``output_dir``."""
SUMMARY_FILE = "pipeline_summary.json"

_MAKES = {1: "cameras and depth", 2: "tracks", 3: "poses"}
StagePlugin = Callable[..., object]


class MultiTRAMPipeline:
    """Runs the stages of a video in order and keeps what is already on disk.

    Parameters
    ----------
    config_path
        YAML with sections ``stage1`` to ``stage5``. For Stages 1 to 3, ``command`` is a program to
        run (text or a list; ``{video}``, ``{output}``, ``{base}`` and ``{max_frames}`` are filled
        in); the rest of a section is handed to a plug-in. ``stage5`` configures the refinement.
    output_base_dir
        Results folder of this video; stage folders are made in it.

    Raises
    ------
    ConfigError
        The file cannot be used.
    """

    def __init__(self, config_path: str | Path, output_base_dir: str | Path) -> None:
        self.config_path = Path(config_path)
        self.output_base_dir = Path(output_base_dir)
        self.config = read_yaml(self.config_path)
        self._stage5 = RefinementConfig.from_dict(
            stage5_section(self.config, self.config_path), where=f"{self.config_path}: stage5"
        )

    def run_full_pipeline(
        self,
        video_path: str | Path,
        max_frames: int | None = None,
        skip_stages: Iterable[int] | None = None,
    ) -> dict[str, Any]:
        """Run every stage that is not skipped.

        Parameters
        ----------
        video_path
            The video. Stages 1 to 3 are computed from it, and Stage 5 takes its frame rate, which
            no stage stores; where all of Stages 1 to 3 are there already it need not exist.
        max_frames
            Use only the first so many frames.
        skip_stages
            Numbers of stages to leave out, for example ``[5]``.

        Returns
        -------
        dict
            The summary, which is also written to ``pipeline_summary.json``.

        Raises
        ------
        RefinementError
            A stage is missing and nothing was supplied to compute it, or failed.
        """
        skipped = _numbers("skip_stages", skip_stages or ())
        video = self._known_video(Path(video_path))
        began = time.perf_counter()
        stages: dict[str, dict[str, Any]] = {}
        for number in (1, 2, 3, 4, 5):
            if number in skipped:
                continue
            start = time.perf_counter()
            if number < 4:
                found = self._plugged_stage(number, Path(video_path), max_frames)
            elif number == 4:
                found = self._world_stage()
            else:
                found = self._refinement_stage(max_frames)
            found["output_dir"] = str(self._folder(number))
            found["processing_time"] = time.perf_counter() - start
            stages[f"stage{number}"] = found
        summary = {
            "video_path": video,
            "num_frames": self._num_frames(),
            "output_directory": str(self.output_base_dir),
            "total_processing_time": time.perf_counter() - began,
            "stages": stages,
            "config": self.config,
        }
        write_json(self.output_base_dir / SUMMARY_FILE, summary)
        return summary

    def run_stages(
        self,
        video_path: str | Path,
        stages: Sequence[int] = (1, 2, 3, 4, 5),
        max_frames: int | None = None,
    ) -> dict[str, Any]:
        """Run the named stages; ``stages=[1, 2, 3, 4]`` leaves the refinement out."""
        wanted = _numbers("stages", stages)
        skipped = [number for number in STAGE_FOLDERS if number not in wanted]
        return self.run_full_pipeline(video_path, max_frames, skipped)

    def _known_video(self, given: Path) -> str:
        """The video's path, which the summary holds from now on: opening the folder looks there.

        The one that an earlier run named where the given one does not exist.
        """
        place = self.output_base_dir / SUMMARY_FILE
        try:
            earlier = dict(read_json(place) or {})
        except InputError:
            # Damaged; this run writes it anew.
            earlier = {}
        named = earlier.get("video_path")
        if not given.is_file():
            return named if isinstance(named, str) and Path(named).is_file() else str(given)
        path = str(given.absolute())
        if named != path:
            write_json(place, {**earlier, "video_path": path})
        return path

    def _plugged_stage(self, number: int, video: Path, max_frames: int | None) -> dict[str, Any]:
        folder = self._folder(number)
        if _complete(number, folder):
            return {"status": "reused"}
        section = self.config.get(f"stage{number}") or {}
        if not isinstance(section, Mapping):
            raise ConfigError(
                f"{self.config_path}: stage{number}", "is not a mapping", "write one key per line"
            )
        plugin = _entry_point(number)
        command = section.get("command")
        if plugin is None and command is None:
            raise InputError(
                folder,
                f"Stage {number} ({_MAKES[number]}) has no usable output and nothing computes it",
                f"put its files there, install a package with an entry point 'stage{number}' in "
                f"the group '{ENTRY_POINTS}', or set stage{number}.command in {self.config_path}",
            )
        if not video.is_file():
            raise InputError(video, "the video does not exist", "check the path")
        folder.mkdir(parents=True, exist_ok=True)
        if command is not None:
            self._run_command(number, command, video, max_frames)
        elif plugin is not None:
            plugin(
                video_path=video,
                output_dir=folder,
                base_dir=self.output_base_dir,
                config=dict(section),
                max_frames=max_frames,
            )
        if not _complete(number, folder):
            raise OptimizationError(
                folder, f"Stage {number} ran but left no usable output", "look at what it printed"
            )
        return {"status": "computed"}

    def _run_command(
        self, number: int, command: object, video: Path, max_frames: int | None
    ) -> None:
        where = f"{self.config_path}: stage{number}.command"
        words = shlex.split(command) if isinstance(command, str) else command
        if not isinstance(words, list) or not words:
            raise ConfigError(where, "is neither text nor a list", "write the program to run")
        values = {
            "video": str(video),
            "output": str(self._folder(number)),
            "base": str(self.output_base_dir),
            "max_frames": "" if max_frames is None else str(max_frames),
        }
        try:
            filled = [str(word).format(**values) for word in words]
        except (KeyError, IndexError, ValueError) as error:
            raise ConfigError(
                where, f"has an unknown placeholder ({error})", f"use {', '.join(values)}"
            ) from None
        try:
            done = subprocess.run(filled, check=False)
        except OSError as error:
            raise ConfigError(where, f"cannot be run ({error.strerror})", "check it") from None
        if done.returncode != 0:
            raise OptimizationError(
                where, f"ended with exit code {done.returncode}", "look at what it printed"
            )

    def _world_stage(self) -> dict[str, Any]:
        folder = self._folder(4)
        if any(folder.glob("person_*/smpl_params_world.npz")):
            metadata = read_json(folder / "metadata.json")
            if metadata is None or metadata.get("writer") != WRITER:
                # Somebody else's files are not ours to overwrite; Stage 5 rebuilds the world
                # from Stages 1 and 3 in any case.
                return {"status": "reused"}
        scene = load_results(self.output_base_dir)
        try:
            body = load_body_model(scene.gender)
            scale = initial_scale(scene, body, self._stage5)
            metadata = write_world_space(folder, scene, body, scale.alpha_0)
        finally:
            if scene.video is not None:
                scene.video.close()
        return {"status": "computed", "num_people": metadata["num_people"], "note": scale.note}

    def _refinement_stage(self, max_frames: int | None) -> dict[str, Any]:
        config = self._stage5
        if max_frames is not None:
            config = config.replace(max_frames=max_frames)
        found = run_refinement(
            stage4_output_dir=self._existing(4),
            stage1_output_dir=self._folder(1),
            stage2_output_dir=self._existing(2),
            stage3_output_dir=self._folder(3),
            stage5_output_dir=self._folder(5),
            config=config,
        )
        return {"status": found["status"], "num_people": found["num_people"]}

    def _folder(self, number: int) -> Path:
        return self.output_base_dir / STAGE_FOLDERS[number]

    def _existing(self, number: int) -> Path | None:
        folder = self._folder(number)
        return folder if folder.is_dir() else None

    def _num_frames(self) -> int | None:
        metadata = read_json(self._folder(1) / "metadata.json")
        number = None if metadata is None else metadata.get("num_frames")
        return number if isinstance(number, int) else None


def _numbers(name: str, stages: Iterable[int]) -> set[int]:
    """The stages of a list, each of them one that exists."""
    if isinstance(stages, int | str) or not isinstance(stages, Iterable):
        raise ConfigError(name, f"is {stages!r}, not a list", "write for example [5]")
    found = set(stages)
    unknown = found - set(STAGE_FOLDERS)
    if unknown:
        listed = ", ".join(sorted(map(repr, unknown)))
        raise ConfigError(f"{name}: {listed}", "does not exist", "use the numbers 1 to 5")
    return found


def _complete(number: int, folder: Path) -> bool:
    """Whether a stage's folder holds what the next ones need."""
    if not folder.is_dir():
        return False
    if number == 1:
        return any(
            find_npz(folder / f"{name}.npz") is not None for name in ("cameras", "camera_data")
        )
    if number == 2:
        return find_npz(folder / "tracks.npz") is not None or (folder / "detections").is_dir()
    return any(
        find_npz(person / "smpl_params_camera.npz") is not None
        for _, person in person_folders(folder)
    )


def _entry_point(number: int) -> StagePlugin | None:
    for found in importlib.metadata.entry_points(group=ENTRY_POINTS, name=f"stage{number}"):
        plugin = found.load()
        if not callable(plugin):
            raise ConfigError(found.value, "is not callable", "correct the plug-in")
        return plugin
    return None
