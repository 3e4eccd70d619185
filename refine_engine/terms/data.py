"""The measurements: 2-D keypoints, and what the pose network saw of rotations and distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refine_engine.terms.distance import distance_change_loss
from refine_engine.terms.image_points import keypoint_loss, shift_loss
from refine_engine.terms.measured_pose import root_loss, rotation_loss
from refine_engine.terms.model import NOTHING
from refine_engine.terms.protocol import TermInfo

if TYPE_CHECKING:
    from refine_engine.terms.model import PersonModel
    from refine_engine.terms.protocol import Common, Posed, Track

KEYPOINT_SIGMA_PX = 7.0
"""Standard deviation of a confident keypoint at a 500 px person: a detector's 3-6 px and the
difference between its keypoints and SMPL's joints."""
POSE_SIGMA = 0.35
"""Standard deviation of a measured joint rotation as evidence of one frame, radians.

The network's error is about 0.14 rad but stays for tenths of a second (an AR(1) process with
coefficient 0.9 repeats itself), so one frame brings about a sixth of an independent measurement:
0.14 sqrt(6)."""
ROOT_SIGMA = 0.25
"""The same for the global orientation."""
BEARING_SIGMA = 0.02
"""Standard deviation of the measured bearing (x/z, y/z) of the pelvis as evidence of one frame."""
DISTANCE_SIGMA = 0.08
"""Standard deviation of the measured log depth over body size as evidence of one frame.

The error is a few percent, but stays for half a second and longer."""
SHIFT_STEP = 5e-4
"""How much the shift changes in 1/30 s."""
ROOT_SCALE = 4.0
"""Geman-McClure scale of the measured root, in standard deviations."""
ROTATION_SCALE = 0.7
"""Geman-McClure scale of rotations, radians: a limb that the network put elsewhere lets go."""
INFO = TermInfo(
    name="data",
    description="2-D keypoints, and the poses and places that the pose network measured",
    unit="half squared standard deviations",
    default_weight=1.0,
    c_term=1.0,
    reason="residuals are divided by their standard deviations, so the sum is in nats",
)


_ROOT_SIGMA = np.array([BEARING_SIGMA, BEARING_SIGMA, DISTANCE_SIGMA])


class Data:
    """2-D keypoints (Geman-McClure, confidence, pixels at a 500 px person), poses and roots."""

    info = INFO

    def loss(
        self, track: Track, posed: Posed, common: Common, weight: float, model: PersonModel | None
    ) -> float:
        """See :class:`refine_engine.terms.protocol.Term`."""
        m = NOTHING if model is None else model
        total = keypoint_loss(
            posed.points,
            track.R_cam,
            track.t_cam,
            track.intrinsics,
            common.alpha,
            track.pixels,
            track.keypoint_weight,
            track.layout.keypoint_points,
            track.pixel_scale,
            posed.shift,
            common.keypoint_scale,
            weight / KEYPOINT_SIGMA_PX**2,
            model is not None,
            m.gradient,
            m.hessian,
            m.cross,
            m.shift_gradient,
            m.shift0,
            m.shift_cross,
            m.shift_shared,
            m.shared_gradient,
            m.shared_hessian,
        )
        rate = track.fps / 30.0
        total += shift_loss(
            posed.shift,
            track.camera_link,
            track.shift_sigma,
            SHIFT_STEP / np.sqrt(rate),
            weight,
            model is not None,
            m.shift_gradient,
            m.shift0,
            m.shift1,
        )
        if model is not None:
            model.shifts = True
            model.reach = max(model.reach, 1)
        by_root, size_gradient, size_hessian = root_loss(
            posed.points,
            track.R_cam,
            track.t_cam,
            common.alpha,
            np.log(posed.size),
            posed.shift,
            track.root_measured,
            track.root_trust,
            _ROOT_SIGMA,
            ROOT_SCALE,
            weight,
            model is not None,
            m.gradient,
            m.hessian,
            m.cross,
            m.size_cross,
            m.size_shared,
            m.shift_gradient,
            m.shift0,
            m.shift_cross,
            m.shift_shared,
            m.shift_size,
            m.shared_gradient,
            m.shared_hessian,
        )
        total += by_root
        if model is not None:
            model.size_gradient += size_gradient
            model.size_hessian += size_hessian
        precision = np.full(24, weight / POSE_SIGMA**2)
        precision[0] = weight / ROOT_SIGMA**2
        total += rotation_loss(
            posed.R,
            track.R_measured,
            track.rotation_trust * precision,
            ROTATION_SCALE,
            model is not None,
            m.turn_gradient,
            m.turn0,
        )
        total += distance_change_loss(track, posed, common, weight, model)
        return float(total)
