"""What the webhook says of a request, a deployment and a model. Pure: review and facts in, answer out.

For a request both calls run the rules: the mutating one because it is asked before the schema, so that a sentence that
helps comes before the enum's own; the validating one because it sees the final object.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from crds import rules
from crds.rules import Mode
from webhook import defaults, facts, injection
from webhook.defaults import Settings
from webhook.facts import Facts, NothingKnown
from webhook.hooks import MUTATE_DGD, MUTATE_DGDR, VALIDATE_DGD, VALIDATE_DGDR, VALIDATE_MODEL
from webhook.reviews import Answer, Review


@dataclass(frozen=True)
class Admission:
    """The answers to reviews. What is not about a whole object (DELETE, a subresource) always passes."""

    settings: Settings = field(default_factory=Settings)
    facts: Facts = field(default_factory=NothingKnown)

    def answerers(self) -> dict[str, Callable[[Review], Answer]]:
        """What answers reviews, by the path at which they are asked."""
        return {
            MUTATE_DGDR: self.mutate_request,
            VALIDATE_DGDR: self.validate_request,
            MUTATE_DGD: self.mutate_deployment,
            VALIDATE_DGD: self.validate_deployment,
            VALIDATE_MODEL: self.validate_model,
        }

    def mutate_request(self, review: Review) -> Answer:
        """Refuse a DGDR that breaks a rule; else fill in what it leaves open."""
        if review.object is None or review.subresource:
            return Answer(review.uid)
        found = self._findings(review)
        if found.errors:
            return Answer(review.uid, found.errors, found.warnings)
        changes = defaults.changes(review, self.settings, self.facts)
        # The rules' warnings come with the validating call, once.
        return Answer(review.uid, warnings=changes.warnings, patch=changes.patch)

    def validate_request(self, review: Review) -> Answer:
        """Refuse a DGDR that breaks a rule."""
        if review.object is None or review.subresource:
            return Answer(review.uid)
        found = self._findings(review)
        return Answer(review.uid, found.errors, found.warnings)

    def mutate_deployment(self, review: Review) -> Answer:
        """Add to a DGD that is made for a request what its cluster and its request call for."""
        missing = injection.missing(review, self.facts)
        return Answer(review.uid, patch=[one.operation for one in missing])

    def validate_deployment(self, review: Review) -> Answer:
        """Refuse a DGD that breaks a rule, where NVIDIA's operator does not hold it against its own.

        Warn where something is missing for a request all the same: the mutating call may fail open.
        """
        if review.object is None or review.subresource:
            return Answer(review.uid)
        found = rules.Findings()
        if self.settings.mode is Mode.STANDALONE:
            context = facts.deployment_context(review.user, self.facts)
            found = rules.check_deployment(review.object, review.old_object, context)
        missing = [one.warning for one in injection.missing(review, self.facts)]
        return Answer(review.uid, found.errors, [*missing, *found.warnings])

    def validate_model(self, review: Review) -> Answer:
        """Refuse a DynamoModel that breaks a rule."""
        if review.object is None or review.subresource:
            return Answer(review.uid)
        found = rules.check_model(review.object, review.old_object)
        return Answer(review.uid, found.errors)

    def _findings(self, review: Review) -> rules.Findings:
        assert review.object is not None
        context = facts.context(review.object, review.namespace, self.facts, self.settings.mode)
        return rules.check(review.object, review.old_object, context)
