"""All terms, in the order in which interfaces list them."""

from __future__ import annotations

from refine_engine.terms.data import Data
from refine_engine.terms.depth import Depth
from refine_engine.terms.ground import Contact, Skate
from refine_engine.terms.pose import Pose
from refine_engine.terms.protocol import Term, TermInfo
from refine_engine.terms.shape import Beta, MultiScale
from refine_engine.terms.smooth import Smooth

CVAE_INFO = TermInfo(
    name="cvae",
    description="Motion prior: how people move from one frame to the next",
    unit="nats",
    default_weight=0.1,
    c_term=0.3,
    reason=(
        "the raw sum is a log-likelihood; with the document's lambda 0.1 thirty frames count as "
        "one, measured: poses fit best, and fast motion is not flattened"
    ),
)
"""Listed here so that interfaces know its slider; the term itself comes with the motion prior and
is passed to the problem as an extra term."""


def built_in_terms() -> tuple[Term, ...]:
    """A fresh object of every term that needs no network."""
    return (Data(), Beta(), Pose(), Skate(), Contact(), Depth(), MultiScale(), Smooth())


TERMS: dict[str, TermInfo] = {
    info.name: info
    for info in (
        Data.info,
        Beta.info,
        Pose.info,
        CVAE_INFO,
        Skate.info,
        Contact.info,
        Depth.info,
        MultiScale.info,
        Smooth.info,
    )
}
"""Name to description, unit, default weight and unit constant."""
