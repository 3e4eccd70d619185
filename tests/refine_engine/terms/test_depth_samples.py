"""Which skin and which ground is compared with depth maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from refine_engine.terms.depth import ground_rows
from refine_engine.terms.depth_samples import choose_samples
from refine_engine.terms.problem import Problem


class Maps:
    """Depth maps at half the image's size from a function of frame and pixel rays."""

    size = (360, 640)
    shares_camera_unit = True

    def __init__(self, scene, depth, *, people_masked_out=False, confidence=None):
        self.scene, self._depth, self._confidence = scene, depth, confidence
        self.people_masked_out = people_masked_out

    def has(self, frame):
        return frame != 3

    def depth(self, frame):
        v, u = np.mgrid[: self.size[0], : self.size[1]]
        return np.asarray(self._depth(frame, u.astype(float), v.astype(float)), dtype=np.float32)

    def confidence(self, frame):
        return self._confidence


def samples(scene, maps, masks=None, state=None, hold_out=True):
    seen = replace(scene.scene, depth=maps, masks=masks)
    problem = Problem(seen, scene.body, scene.true, scene.config, hold_out=hold_out)
    packed = problem.pack(state or scene.true)
    found = choose_samples(
        seen,
        problem.tracks,
        problem.posed(packed),
        problem.common(packed),
        1,
        hold_out=hold_out,
    )
    return problem, packed, found


def flat(frame, u, v):
    return np.full_like(u, 2.4)


def test_every_frame_with_a_map_has_samples(exact_scene):
    scene = exact_scene(people=2, frames=6)
    problem, _, found = samples(scene, Maps(scene, flat))
    for track, evidence in zip(problem.tracks, found, strict=True):
        counts = np.diff(evidence.skin.start)
        assert counts[3] == 0
        assert (counts[[0, 1, 2, 4, 5]] >= 5).all()
        assert counts.max() <= 50
        assert np.allclose(np.exp(evidence.skin.log_depth), 2.4)
        total = evidence.skin.weight + evidence.skin.held
        for t in (0, 1, 2, 4, 5):
            rows = slice(evidence.skin.start[t], evidence.skin.start[t + 1])
            assert total[rows].sum() <= 1.0 + 1e-12
        share = evidence.skin.held.sum() / total.sum()
        assert 0.03 < share < 0.2
        assert len(evidence.skin.chunk) == evidence.skin.start[-1] == len(evidence.skin.point)
        assert len(track) == len(evidence.skin.start) - 1


def test_holes_edges_and_doubt_are_left_out(exact_scene):
    scene = exact_scene(people=1, frames=4)

    def holes(frame, u, v):
        return np.where(u < 320, np.nan, 2.4)

    _, _, whole = samples(scene, Maps(scene, flat))
    _, _, half = samples(scene, Maps(scene, holes))
    assert len(half[0].skin.point) < len(whole[0].skin.point)

    def stripes(frame, u, v):
        return np.where((u // 2) % 2 == 0, 2.4, 3.0)

    assert len(samples(scene, Maps(scene, stripes))[2][0].skin.point) == 0
    doubt = np.ones((360, 640), np.float32)
    doubt[:, :480] = 0.0
    sure = np.ones((360, 640), np.float32)
    few = samples(scene, Maps(scene, flat, confidence=doubt))[2][0]
    many = samples(scene, Maps(scene, flat, confidence=sure))[2][0]
    # Most of the picture is at the floor, so that the floor itself is the percentile.
    assert len(many.skin.point) == len(whole[0].skin.point)
    assert len(few.skin.point) <= len(many.skin.point)


def test_only_inside_the_persons_mask(exact_scene):
    scene = exact_scene(people=2, frames=3)

    class Nobody:
        def person(self, person_id, frame):
            return np.full((72, 128), person_id == 1)

        def dynamic(self, frame):
            return None

    _, _, found = samples(scene, Maps(scene, flat), Nobody())
    assert len(found[0].skin.point) > 0
    assert len(found[1].skin.point) == 0


def test_a_hidden_person_has_none(exact_scene):
    scene = exact_scene(people=2, frames=3)
    people = dict(scene.true.people)
    # The second person stands on the same floor behind the first, who hides most of it.
    first = people[1]
    cameras = scene.scene.cameras
    centre = -scene.alpha * np.einsum("tji,tj->ti", cameras.R_cam_world, cameras.t_cam_world)
    behind = first.transl_world + 0.6 * (first.transl_world - centre)
    people[2] = replace(
        first, transl_world=behind + (first.transl_world - behind) * np.array([0, 1, 0])
    )
    _, _, found = samples(scene, Maps(scene, flat), state=replace(scene.true, people=people))
    assert len(found[1].skin.point) < 0.6 * len(found[0].skin.point)


def test_masked_out_people_stand_on_the_ground_that_is_seen(exact_scene):
    """The map shows the true plane: residuals vanish at the truth, and tell when alpha is off."""
    scene = exact_scene(people=1, frames=3)
    cameras, plane = scene.scene.cameras, scene.true.ground_plane

    def ground(frame, u, v):
        K, R = cameras.intrinsics[frame], cameras.R_cam_world[frame]
        ray = np.stack([(2 * u - K[0, 2]) / K[0, 0], (2 * v - K[1, 2]) / K[1, 1], u * 0 + 1], -1)
        centre = -scene.alpha * R.T @ cameras.t_cam_world[frame]
        with np.errstate(divide="ignore"):
            z = -(centre @ plane[:3] + plane[3]) / (ray @ R @ plane[:3])
        return np.where(z > 0, z, np.inf) / scene.alpha

    people = {1: replace(scene.true.people[1], contacts=np.ones((3, 4)))}
    state = replace(scene.true, people=people)
    maps = Maps(scene, ground, people_masked_out=True)
    problem, packed, found = samples(scene, maps, state=state, hold_out=False)
    assert len(found[0].skin.point) == 0
    assert len(found[0].ground.frame) > 5
    residual, _, weight = ground_rows(found[0].ground, problem.tracks[0], problem.common(packed))
    assert (weight > 0).all()
    assert np.abs(residual).max() < 1e-3
    off = replace(packed, alpha=1.2 * packed.alpha)
    residual, _, _ = ground_rows(found[0].ground, problem.tracks[0], problem.common(off))
    # Heights over the plane grow with alpha, but for the plane's own offset.
    assert np.abs(residual).mean() > 0.005
