"""What an opened folder holds, as plain values and as text for a terminal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.geometry.cameras import camera_centers
from refine_engine.geometry.rotations import geodesic_angle

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from refine_engine.scene import CameraTrack, IntArray, Person, Scene

_STATIC_UNITS = 0.01
_STATIC_DEGREES = 0.5
_SHOWN_GAPS = 3
_LABEL = 12

_HEADINGS = (
    ("repaired", "Repaired"),
    ("discarded", "Not used"),
    ("reported", "To know"),
)


def describe(scene: Scene, body_name: str) -> dict[str, Any]:
    """Contents of a scene as plain types, fit for JSON.

    Parameters
    ----------
    scene
        An opened results folder.
    body_name
        What the body model is called.
    """
    height, width = scene.cameras.image_size
    depth, masks, video = scene.depth, scene.masks, scene.video
    return {
        "folder": None if scene.root is None else str(scene.root),
        "num_frames": scene.num_frames,
        "image_size": {"height": height, "width": width},
        "fps": scene.fps,
        "fps_source": scene.fps_source,
        "video": None
        if video is None
        else {"path": str(video.path), "num_frames": video.num_frames},
        "body_model": body_name,
        "cameras": _camera(scene.cameras),
        "depth": None
        if depth is None
        else {
            "maps": sum(depth.has(frame) for frame in range(scene.num_frames)),
            "height": depth.size[0],
            "width": depth.size[1],
            "confidence": bool(getattr(depth, "has_confidence", False)),
            "people_masked_out": depth.people_masked_out,
            "shares_camera_unit": depth.shares_camera_unit,
        },
        "masks": None
        if masks is None
        else {
            "dynamic": int(getattr(masks, "num_dynamic", 0)),
            "person": int(getattr(masks, "num_person", 0)),
        },
        "gravity": "given" if scene.up_known else "estimated",
        "people": [_person(person) for _, person in sorted(scene.people.items())],
        "report": scene.report.as_dict(),
    }


def as_text(description: Mapping[str, Any], width: int = 100) -> str:
    """The description laid out for a terminal of ``width`` columns."""
    size = description["image_size"]
    lines = [
        description["folder"] or "scene",
        f"{description['num_frames']} frames of {size['width']} x {size['height']} pixels, "
        f"{_counted(len(description['people']), 'person', 'people')}",
        "",
    ]
    for label, text in _overview(description):
        lines += _labelled(label, text, width)
    lines += ["", *_people_table(description["people"])]
    findings = description["report"]["findings"]
    codes = [_code(finding) for finding in findings]
    indent = max([_LABEL, *(len(code) + 1 for code in codes)])
    for action, heading in _HEADINGS:
        chosen = [k for k, f in enumerate(findings) if f["action"] == action]
        if chosen:
            lines += ["", heading]
            for k in chosen:
                lines += _labelled(codes[k], findings[k]["message"], width, indent)
    missing = description["report"]["missing"]
    lines += ["", "Missing"]
    for sentence in missing or ["Nothing."]:
        lines += textwrap.wrap(sentence, width, initial_indent="  - ", subsequent_indent="    ")
    return "\n".join(lines)


def _camera(track: CameraTrack) -> dict[str, Any]:
    centres = camera_centers(track.R_cam_world, track.t_cam_world)
    # A step across a chunk border is a guess, not a movement.
    within = np.diff(track.chunk) == 0
    path = float(np.linalg.norm(np.diff(centres, axis=0), axis=-1)[within].sum())
    extent = float(np.linalg.norm(centres - centres[0], axis=-1).max())
    turn = float(np.rad2deg(geodesic_angle(track.R_cam_world[0], track.R_cam_world).max()))
    if not track.estimated:
        kind = "not estimated"
    elif extent < _STATIC_UNITS and turn < _STATIC_DEGREES:
        kind = "static"
    else:
        kind = "moving" if extent >= _STATIC_UNITS else "turning"
    pose = track.pose_intrinsics(np.arange(track.num_frames))[:, 0, 0]
    return {
        "kind": kind,
        "path_length": path,
        "unit": "metres" if track.metric else "reconstruction units",
        "largest_turn_degrees": turn,
        "chunks": int(track.chunk.max()) + 1,
        "focal_px": [float(pose.min()), float(pose.max())],
        "mean_confidence": None if track.confidence is None else float(track.confidence.mean()),
    }


def _person(person: Person) -> dict[str, Any]:
    keypoints = person.keypoints
    return {
        "id": person.id,
        "first_frame": int(person.frames[0]),
        "last_frame": int(person.frames[-1]),
        "rows": len(person.frames),
        "observed": int(person.observed.sum()),
        "gaps": _gaps(person.frames),
        "keypoints": None
        if keypoints is None
        else {
            "source": keypoints.source,
            "layout": keypoints.layout,
            "circular": keypoints.circular,
            "visible_share": float((keypoints.confidence > 0).mean()),
        },
    }


def _gaps(frames: IntArray) -> list[list[int]]:
    """First and last missing frame of each gap."""
    at = np.flatnonzero(np.diff(frames) > 1)
    return [[int(frames[k]) + 1, int(frames[k + 1]) - 1] for k in at]


def _overview(description: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    camera, video = description["cameras"], description["video"]
    source = {
        "video": "from the video",
        "user": "as given",
        "assumed": "assumed, nothing says",
    }[description["fps_source"]]
    yield "frame rate", f"{description['fps']:g} a second, {source}"
    yield "video", "none" if video is None else f"{video['path']} ({video['num_frames']} frames)"
    text = camera["kind"]
    if camera["kind"] in ("moving", "turning"):
        text += (
            f", path {camera['path_length']:.3g} {camera['unit']}, turns up to "
            f"{camera['largest_turn_degrees']:.1f} degrees"
        )
    low, high = camera["focal_px"]
    text += f", focal length {low:.0f} px" if high - low < 0.5 else f", {low:.0f} to {high:.0f} px"
    if camera["chunks"] > 1:
        text += f", {camera['chunks']} chunks"
    yield "camera", text
    yield "gravity", "as given" if description["gravity"] == "given" else "estimated"
    yield "depth", _depth(description["depth"])
    masks = description["masks"]
    yield (
        "masks",
        "none" if masks is None else f"{masks['dynamic']} dynamic, {masks['person']} of people",
    )
    yield "body", description["body_model"]


def _depth(depth: Mapping[str, Any] | None) -> str:
    if depth is None:
        return "none"
    text = f"{depth['maps']} maps of {depth['width']} x {depth['height']}"
    text += ", with confidence" if depth["confidence"] else ", without confidence"
    text += ", people blacked out" if depth["people_masked_out"] else ""
    return text + (", in the cameras' unit" if depth["shares_camera_unit"] else ", metric")


def _people_table(people: list[dict[str, Any]]) -> list[str]:
    header = ("person", "frames", "rows", "not observed", "gaps", "keypoints")
    rows = [header]
    for person in people:
        gaps = [f"{a}-{b}" if a != b else str(a) for a, b in person["gaps"]]
        shown = ", ".join(gaps[:_SHOWN_GAPS]) or "none"
        if len(gaps) > _SHOWN_GAPS:
            shown += f" and {len(gaps) - _SHOWN_GAPS} more"
        keypoints = person["keypoints"]
        rows.append(
            (
                str(person["id"]),
                f"{person['first_frame']}-{person['last_frame']}",
                str(person["rows"]),
                str(person["rows"] - person["observed"]),
                shown,
                "none" if keypoints is None else f"{keypoints['source']} ({keypoints['layout']})",
            )
        )
    widths = [max(len(row[k]) for row in rows) for k in range(len(header))]
    numeric = (True, False, True, True, False, False)
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in rows
    ]


def _labelled(label: str, text: str, width: int, indent: int = _LABEL) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=f"  {label:<{indent}}",
        subsequent_indent=" " * (indent + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _code(finding: Mapping[str, Any]) -> str:
    return f"{finding['code']} x{finding['count']}" if finding["count"] else str(finding["code"])


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
