"""How large the errors are at each level.

The sources and their sizes follow the pipeline that is imitated: keypoints of a ViTPose-class
detector, poses of a temporal regressor, cameras and depth of a feed-forward reconstruction network.
The numbers of ``published`` are calibrated so that the motion before refinement measures what
methods of that kind publish; the table is in ``docs/evaluation.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class ErrorLevel:
    """Standard deviations unless said otherwise; angles in radians."""

    # Poses of Stage 3.
    pose_smooth: float
    """Joint rotations, smooth over ``pose_time``."""
    pose_time: float
    """Seconds over which pose errors are correlated."""
    pose_bias: float
    """Joint rotations, constant for one person."""
    pose_tremble: float
    """Joint rotations, correlated over ``tremble_time`` only."""
    tremble_time: float
    """Seconds: little more than a frame, but what follows is defined at every frame rate."""
    orient_smooth: float
    orient_bias: float
    betas: float
    """Shape coefficients."""

    # Where Stage 3 puts the root.
    root_bias: float
    """Relative depth error, constant for one person (it comes from a wrong body height)."""
    root_smooth: float
    """Relative depth error, smooth over ``root_time``."""
    root_time: float
    root_lateral: float
    """Error across the ray, relative to depth, smooth over ``root_time``."""
    root_tremble: float
    """Metres, correlated over ``tremble_time``."""

    # Cameras.
    camera_rotation: float
    """Smooth over a second; the first frame of a chunk is exact by definition."""
    camera_drift: float
    """Growth of the position error, metres per square root of a travelled metre."""
    camera_wobble: float
    """Metres, smooth over a third of a second: even a camera that stands still seems to move."""
    alpha_range: tuple[float, float]
    """Metres per unit, drawn log-uniformly."""
    scale_error: float
    """Logarithm of alpha where the input is taken as metric (the state before refinement)."""
    chunk_scale: float
    """Logarithm of the unit of each chunk after the first."""

    # Depth.
    depth_scale: float
    """Logarithm of depth against the cameras' unit, one for each chunk."""
    depth_field: float
    """Logarithm of a multiplicative field of low frequency that drifts with time."""
    depth_white: float
    """Logarithm, independent in every pixel."""
    depth_bleed: float
    """Width of blurred depth edges, in pixels at 518 pixels of image width."""
    depth_flatten: tuple[float, float]
    """Share of a person's relief that is lost."""

    # Keypoints.
    keypoint_sigma: float
    """Pixels where the person's box is 500 pixels high; larger for wrists and ankles."""
    keypoint_outliers: float
    """Share of keypoints that jump to the background."""
    keypoint_swaps: float
    """Bursts of swapped left and right per hundred frames and person."""
    keypoint_missing: float
    """Share of keypoints that are not found although visible."""

    # Tracks.
    gaps: float
    """Lost tracks per hundred frames and person."""
    gap_frames: tuple[int, int]
    """How long a track is lost."""
    ghosts: int
    """Longest run of frames that repeat the last state after a track is lost."""


PUBLISHED = ErrorLevel(
    pose_smooth=0.067,
    pose_time=0.27,
    pose_bias=0.056,
    pose_tremble=0.0045,
    tremble_time=0.02,
    orient_smooth=0.062,
    orient_bias=0.063,
    betas=0.5,
    root_bias=0.022,
    root_smooth=0.015,
    root_time=0.8,
    root_lateral=0.004,
    root_tremble=0.0003,
    camera_rotation=0.005,
    camera_drift=0.02,
    camera_wobble=0.003,
    alpha_range=(0.3, 3.0),
    scale_error=0.05,
    chunk_scale=0.03,
    depth_scale=0.03,
    depth_field=0.04,
    depth_white=0.005,
    depth_bleed=3.0,
    depth_flatten=(0.20, 0.30),
    keypoint_sigma=4.5,
    keypoint_outliers=0.015,
    keypoint_swaps=1.0,
    keypoint_missing=0.02,
    gaps=0.4,
    gap_frames=(5, 40),
    ghosts=30,
)

EASY = replace(
    PUBLISHED,
    pose_smooth=0.035,
    pose_bias=0.03,
    pose_tremble=0.002,
    orient_smooth=0.03,
    orient_bias=0.03,
    betas=0.25,
    root_bias=0.01,
    root_smooth=0.005,
    root_lateral=0.002,
    root_tremble=0.0002,
    camera_rotation=0.002,
    camera_drift=0.005,
    camera_wobble=0.001,
    alpha_range=(0.8, 1.25),
    scale_error=0.03,
    chunk_scale=0.01,
    depth_scale=0.01,
    depth_field=0.015,
    depth_white=0.002,
    depth_bleed=1.5,
    depth_flatten=(0.05, 0.15),
    keypoint_sigma=3.0,
    keypoint_outliers=0.005,
    keypoint_swaps=0.0,
    keypoint_missing=0.005,
    gaps=0.0,
)

HARD = replace(
    PUBLISHED,
    pose_smooth=0.1,
    pose_bias=0.085,
    pose_tremble=0.009,
    orient_smooth=0.09,
    orient_bias=0.1,
    betas=0.8,
    root_bias=0.04,
    root_smooth=0.025,
    root_lateral=0.006,
    root_tremble=0.002,
    camera_rotation=0.009,
    camera_drift=0.05,
    camera_wobble=0.008,
    alpha_range=(0.1, 10.0),
    scale_error=0.15,
    chunk_scale=0.05,
    depth_scale=0.05,
    depth_field=0.06,
    depth_white=0.01,
    depth_bleed=4.0,
    keypoint_sigma=6.0,
    keypoint_outliers=0.03,
    keypoint_swaps=2.0,
    keypoint_missing=0.06,
    gaps=0.8,
)

ERROR_LEVELS: dict[str, ErrorLevel] = {"easy": EASY, "published": PUBLISHED, "hard": HARD}
