"""Packing a scene's evidence into one :class:`Track` per person."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import body_size, joint_kinematics, rest_joints
from refine_engine.geometry.cameras import MIN_DEPTH_M, project, to_camera
from refine_engine.terms.liveliness import liveliness
from refine_engine.terms.points import body_layout
from refine_engine.terms.protocol import Track

if TYPE_CHECKING:
    from refine_engine.body import BodyModel
    from refine_engine.config import RefinementConfig
    from refine_engine.scene import Array, BoolArray, CameraTrack, IntArray, Person, Scene
    from refine_engine.state import OptimizationState, PersonState

MIN_CONFIDENCE = 0.2
"""Keypoints that a detector trusts less do not count."""
FILLED_TRUST = 0.6
"""Weight of interpolated rotations. Nothing else knows the poses of a gap: left alone, prior and
smoothness invent a motion that looks likely and is further from the truth than the bridge."""
LEARNED_TRUST = 2.0
"""The same in gaps that were filled from the motion on both sides."""
FILLED_ROOT_TRUST = 0.3
"""Weight of interpolated places: a smooth bridge alone swings out where its ends are noisy."""
REFERENCE_HEIGHT_PX = 500.0
"""Height of the person for whom the data term's pixels are meant."""
SHIFT_SIGMA = 0.05
"""Standard deviation of the image shift as seen in one frame, in units of x/z.

Reconstructed camera rotations are off by a quarter of a degree (0.005) for about a second at a
time. Nothing else in the problem may turn the cameras, and a foot on the ground nine metres away
would otherwise be pushed half a metre along the ray to meet a picture that is 0.3 degrees too
low. One frame in thirty counts, hence a value five and more times as large."""
FIRST_SHIFT_SIGMA = 1e-3
"""The same for the first camera, which is exact: the world is defined by it."""
HELD_OUT = 10
"""Every so-manieth keypoint is held out as evidence for the guard."""
LONGEST_BRIDGE_S = 1.0
"""Gaps up to this long are bridged by smoothness; over longer ones nothing is coupled firmly."""
LONG_GAP_LINK = 1e-2
"""What couples people over a longer gap: enough for a regular matrix."""


def build_track(
    scene: Scene,
    body: BodyModel,
    person: Person,
    state: PersonState,
    everyone: OptimizationState,
    config: RefinementConfig,
    *,
    hold_out: bool,
) -> Track:
    """Everything that the terms need to know of one person, row by dense frame."""
    frames = np.array(state.frames, dtype=np.int64)
    cameras = scene.cameras
    # Ghost rows repeat an old state, keypoints included: they measured nothing.
    rows, columns = _matching(person.frames, frames, person.observed)
    n = len(frames)
    R_cam = np.array(cameras.R_cam_world[frames], dtype=np.float64)
    intrinsics = np.array(cameras.intrinsics[frames], dtype=np.float64)[
        :, [0, 1, 0, 1], [0, 1, 2, 2]
    ]
    measured = np.concatenate([state.R_world_root[:, None], state.body_pose], 1)
    measured[columns, 0] = np.swapaxes(R_cam[columns], -1, -2) @ person.R_cam_root[rows]
    measured[columns, 1:] = person.body_pose[rows]
    observed = np.zeros(n, dtype=bool)
    observed[columns] = True
    trust = np.where(observed, person.pose_trust, _filled_trust(state))
    trust = np.repeat(trust[:, None], 24, axis=1)
    root_measured, in_front = _measured_roots(
        body, person, state, everyone, cameras, (rows, columns)
    )
    layout_name = "smpl24" if person.keypoints is None else person.keypoints.layout
    layout = body_layout(body, layout_name)
    pixels = np.zeros((n, len(layout.keypoint_points), 2))
    confidence = np.zeros(pixels.shape[:2])
    if person.keypoints is not None:
        pixels[columns] = person.keypoints.pixels[rows]
        confidence[columns] = person.keypoints.confidence[rows]
    confidence[(confidence < MIN_CONFIDENCE) | ~np.isfinite(pixels).all(-1)] = 0.0
    weight = confidence**2 * layout.keypoint_trust
    pixels[weight == 0.0] = 0.0
    held = held_out_keypoints(n, pixels.shape[1], person.id) & hold_out
    chunk = np.array(np.asarray(cameras.chunk)[frames], dtype=np.int64)
    link1, link2 = _links(frames, observed, scene.fps)
    camera_link = np.where(np.append(chunk[1:] == chunk[:-1], False), link1, 0.0)
    log_distance, seen = _distances(body, person, rows, columns, n)
    return Track(
        id=person.id,
        frames=frames,
        fps=float(scene.fps),
        R_cam=R_cam,
        t_cam=np.array(cameras.t_cam_world[frames], dtype=np.float64),
        intrinsics=np.ascontiguousarray(intrinsics),
        chunk=chunk,
        shift_sigma=_shift_sigma(frames, scene.fps),
        observed=observed,
        R_measured=np.ascontiguousarray(measured, dtype=np.float64),
        rotation_trust=trust,
        root_measured=root_measured,
        root_trust=np.where(observed, 1.0, FILLED_ROOT_TRUST) * in_front,
        betas_measured=np.array(person.betas, dtype=np.float64),
        betas_sigma=float(person.betas_sigma),
        log_distance=log_distance,
        pelvis_measured=np.array(rest_joints(body, person.betas)[0]),
        distance_link=np.where(np.append(seen[1:] & seen[:-1], False), camera_link, 0.0),
        layout=layout,
        pixels=pixels,
        keypoint_weight=np.where(held, 0.0, weight),
        keypoint_held=np.where(held, weight, 0.0),
        pixel_scale=REFERENCE_HEIGHT_PX
        / _box_heights(scene, body, person, state, everyone, frames),
        link1=link1,
        camera_link=camera_link,
        link2=link2,
        stature=config.stature.get(person.id),
        size_measured=float(body_size(body, person.betas).value),
        liveliness=liveliness(rest_joints(body, person.betas), measured, observed, scene.fps),
    )


def with_filled(
    track: Track,
    scene: Scene,
    body: BodyModel,
    state: PersonState,
    everyone: OptimizationState,
) -> Track:
    """A track that expects in frames which nobody measured what a state has there."""
    filled = ~track.observed
    if not filled.any():
        return track
    R = np.concatenate([state.R_world_root[:, None], state.body_pose], 1)
    nothing = np.zeros(0, dtype=np.int64)
    root, in_front = _measured_roots(
        body, scene.people[track.id], state, everyone, scene.cameras, (nothing, nothing)
    )
    return replace(
        track,
        R_measured=np.ascontiguousarray(np.where(filled[:, None, None, None], R, track.R_measured)),
        rotation_trust=np.where(
            filled[:, None], _filled_trust(state)[:, None], track.rotation_trust
        ),
        root_measured=np.where(filled[:, None], root, track.root_measured),
        root_trust=np.where(filled, FILLED_ROOT_TRUST * in_front, track.root_trust),
    )


def _filled_trust(state: PersonState) -> Array:
    """(n,) weight of rotations in frames that were filled in."""
    learned = np.zeros(len(state.frames), bool) if state.learned is None else state.learned
    return np.where(learned, LEARNED_TRUST, FILLED_TRUST)


def _measured_roots(
    body: BodyModel,
    person: Person,
    state: PersonState,
    everyone: OptimizationState,
    cameras: CameraTrack,
    matching: tuple[IntArray, IntArray],
) -> tuple[Array, BoolArray]:
    """Bearing and log relative depth (n, 3) of the pelvis; filled-in frames from the state."""
    rows, columns = matching
    R = np.asarray(cameras.R_cam_world[state.frames])
    t = everyone.alpha * np.asarray(cameras.t_cam_world[state.frames])
    pelvis = rest_joints(body, state.betas)[0] + state.transl_world
    in_camera = to_camera(pelvis, R, t)
    size = np.full(len(in_camera), float(body_size(body, state.betas).value))
    in_camera[columns] = rest_joints(body, person.betas)[0] + person.transl_cam[rows]
    size[columns] = float(body_size(body, person.betas).value)
    in_front = in_camera[:, 2] > MIN_DEPTH_M
    z = np.where(in_front, in_camera[:, 2], 1.0)
    return np.column_stack([in_camera[:, :2] / z[:, None], np.log(z / size)]), in_front


def held_out_keypoints(frames: int, keypoints: int, person: int) -> BoolArray:
    """(n, J) a fixed tenth, spread over frames and keypoints; the same in every run."""
    t, k = np.arange(frames)[:, None], np.arange(keypoints)[None]
    return (3 * t + 7 * k + person) % HELD_OUT == 0


def _distances(
    body: BodyModel, person: Person, rows: IntArray, columns: IntArray, n: int
) -> tuple[Array, BoolArray]:
    """(n,) log z of the pelvis in the camera frame, and where it was measured."""
    z = person.transl_cam[rows, 2] + rest_joints(body, person.betas)[0, 2]
    usable = person.observed[rows] & (z > MIN_DEPTH_M)
    found, seen = np.zeros(n), np.zeros(n, dtype=bool)
    found[columns] = np.log(np.where(usable, z, 1.0))
    seen[columns] = usable
    return found, seen


def _matching(sparse: IntArray, dense: IntArray, observed: BoolArray) -> tuple[IntArray, IntArray]:
    """Observed rows of the sparse frames, and where they stand among the dense ones."""
    _, rows, columns = np.intersect1d(sparse, dense, assume_unique=True, return_indices=True)
    return rows[observed[rows]], columns[observed[rows]]


def _box_heights(
    scene: Scene,
    body: BodyModel,
    person: Person,
    state: PersonState,
    everyone: OptimizationState,
    frames: IntArray,
) -> Array:
    """(n,) height in pixels of the person standing upright at the joints' present distance.

    From the projected size and distance, not from the box: a crouching or cut-off person has a
    small box, and no better keypoints.
    """
    cameras = scene.cameras
    joints = joint_kinematics(
        rest_joints(body, state.betas), state.R_world_root, state.body_pose, state.transl_world
    ).positions
    in_camera = to_camera(
        joints[:, :1],
        np.asarray(cameras.R_cam_world[frames]),
        everyone.alpha * np.asarray(cameras.t_cam_world[frames]),
    )
    _, in_front = project(in_camera, np.asarray(cameras.intrinsics[frames]))
    distance = np.where(in_front[:, 0], in_camera[:, 0, 2], np.inf)
    height = 1.7 * float(body_size(body, state.betas).value)
    tall = cameras.image_size[0]
    return np.clip(cameras.intrinsics[frames, 1, 1] * height / distance, 0.02 * tall, 3.0 * tall)


def _shift_sigma(frames: IntArray, fps: float) -> Array:
    """(n,) how far the image may be off in each frame, see :data:`SHIFT_SIGMA`."""
    sigma = np.full(len(frames), SHIFT_SIGMA * np.sqrt(fps / 30.0))
    sigma[frames == 0] = FIRST_SHIFT_SIGMA
    return sigma


def _links(frames: IntArray, observed: BoolArray, fps: float) -> tuple[Array, Array]:
    """Weights of couplings of t with t + 1, and of t, t + 1, t + 2.

    People go on where a reconstruction chunk ends: it is one film. Only what the cameras say
    jumps there.
    """
    n = len(frames)
    inside = np.ones(n)
    start = 0
    while start < n:
        stop = start
        while stop < n and not observed[stop]:
            stop += 1
        if stop - start > LONGEST_BRIDGE_S * fps:
            inside[start:stop] = LONG_GAP_LINK
        start = max(stop, start + 1)
    link1 = np.zeros(n)
    link1[:-1] = np.minimum(inside[:-1], inside[1:])
    link2 = np.zeros(n)
    link2[:-2] = np.minimum(link1[:-2], link1[1:-1])
    return link1, link2
