"""What the webhook says of a request for a deployment. Pure: a review in, an answer out.

Both calls run `crds.rules`: the mutating one because it is asked before the schema, so that a sentence that helps comes
before the enum's own; the validating one because it sees the final object.
"""

from __future__ import annotations

from crds import rules
from webhook import reviews
from webhook.reviews import Review


def answer(review: Review) -> bytes:
    """Refuse what breaks a rule. What is not about a whole object (DELETE, a subresource) passes."""
    if review.object is None or review.subresource:
        return reviews.allowed(review.uid)
    found = rules.check(review.object, review.old_object)
    if found.errors:
        return reviews.denied(review.uid, found.errors, warnings=found.warnings)
    return reviews.allowed(review.uid, warnings=found.warnings)
