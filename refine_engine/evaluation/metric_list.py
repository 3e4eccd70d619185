"""Names, units and directions of the metrics, in the order in which tables show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """One line of a table."""

    key: str
    """Key in the dictionaries of :mod:`.metrics`."""
    label: str
    unit: str
    better: Literal["lower", "higher", "truth"]
    """Which way is better; "truth": nearest to the ground truth's own value."""
    needs_truth: bool
    decimals: int = 1

    @property
    def arrow(self) -> str:
        """A sign for the better direction."""
        return {"lower": "↓", "higher": "↑", "truth": "≈"}[self.better]


METRICS: tuple[Metric, ...] = (
    Metric("wa_mpjpe100_mm", "WA-MPJPE100, Sim(3)", "mm", "lower", True),
    Metric("w_mpjpe100_mm", "W-MPJPE100, Sim(3)", "mm", "lower", True),
    Metric("wa_mpjpe100_se3_mm", "WA-MPJPE100, SE(3)", "mm", "lower", True),
    Metric("w_mpjpe100_se3_mm", "W-MPJPE100, SE(3)", "mm", "lower", True),
    Metric("rte_percent", "root trajectory error", "%", "lower", True, 2),
    Metric("erve_mm", "egocentric root velocity", "mm/frame", "lower", True, 2),
    Metric("pa_mpjpe_mm", "PA-MPJPE", "mm", "lower", True),
    Metric("mpjpe_mm", "MPJPE", "mm", "lower", True),
    Metric("pve_mm", "PVE", "mm", "lower", True),
    Metric("accel_m_s2", "acceleration error", "m/s²", "lower", True, 2),
    Metric("jitter_10m_s3", "jitter", "10 m/s³", "truth", False, 2),
    Metric("gt_jitter_10m_s3", "jitter of the truth", "10 m/s³", "truth", True, 2),
    Metric("foot_sliding_mm", "foot sliding", "mm/frame", "lower", False, 2),
    Metric("alpha_error_percent", "scale error", "%", "lower", True, 2),
    Metric("ground_angle_deg", "ground angle", "deg", "lower", True, 2),
    Metric("ground_offset_cm", "ground offset", "cm", "lower", True, 2),
    Metric("ground_offset_fitted_cm", "ground offset, people fitted", "cm", "lower", True, 2),
    Metric("foot_height_error_mm", "height of standing feet", "mm", "lower", True),
    Metric("penetration_mm", "penetration", "mm", "lower", False),
    Metric("penetration_frames_percent", "frames deeper than 2 cm", "%", "lower", False),
    Metric("floating_percent", "contacts above 3 cm", "%", "lower", False),
    Metric("stance_height_std_cm", "stance height, between people", "cm", "lower", False, 2),
    Metric("contact_precision", "contact precision", "", "higher", True, 3),
    Metric("contact_recall", "contact recall", "", "higher", True, 3),
    Metric("contact_f1", "contact F1", "", "higher", True, 3),
    Metric("pair_distance_mm", "distance between people", "mm", "lower", True),
    Metric("pair_vector_mm", "vector between people", "mm", "lower", True),
    Metric("coverage_percent", "frames found", "%", "higher", True),
)

METRIC_BY_KEY: dict[str, Metric] = {metric.key: metric for metric in METRICS}
