"""From the body of a request to the body of its answer: decoded, answered, counted and logged."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from crds.errors import InputError
from webhook import reviews
from webhook.logs import details
from webhook.metrics import Metrics
from webhook.reviews import Answer, Review

log = logging.getLogger(__name__)

Answerer = Callable[[Review], Answer]
CONTENT_TYPE = "application/json"


@dataclass(frozen=True)
class Reply:
    """An HTTP answer: its status and an AdmissionReview."""

    status: HTTPStatus
    body: bytes


class Reviewer:
    """Answers reviews by path. Whatever is sent gets a reply; a defect of ours is a logged 500, never an exception."""

    def __init__(self, answerers: Mapping[str, Answerer], metrics: Metrics) -> None:
        self._answerers, self._metrics = dict(answerers), metrics

    @property
    def paths(self) -> frozenset[str]:
        """Where reviews are answered."""
        return frozenset(self._answerers)

    def reply(self, path: str, body: bytes) -> Reply:
        """Answer a body that was posted to `path`, one of `paths`."""
        began = time.perf_counter()
        try:
            review = reviews.decode(body)
        except InputError as error:
            self._metrics.reviewed(path, "", "not_understood", time.perf_counter() - began)
            return Reply(HTTPStatus.BAD_REQUEST, reviews.not_understood(str(error)))
        try:
            answer = self._answerers[path](review)
            reply = Reply(HTTPStatus.OK, reviews.encode(answer))
        except Exception:
            log.exception("a review could not be answered", extra=details(uid=review.uid, path=path))
            self._metrics.reviewed(path, review.operation, "failed", time.perf_counter() - began)
            why = reviews.not_understood("the webhook has a defect; its log says where", code=500)
            return Reply(HTTPStatus.INTERNAL_SERVER_ERROR, why)
        self._note(path, review, answer, time.perf_counter() - began)
        return reply

    def _note(self, path: str, review: Review, answer: Answer, seconds: float) -> None:
        result = "denied" if answer.errors else "patched" if answer.patch else "allowed"
        self._metrics.reviewed(path, review.operation, result, seconds)
        level = logging.DEBUG
        if answer.errors:
            self._metrics.denied([error.rule for error in answer.errors])
            level = logging.INFO
        if log.isEnabledFor(level):
            log.log(
                level,
                result,
                extra=details(
                    uid=review.uid,
                    path=path,
                    operation=review.operation,
                    namespace=review.namespace,
                    name=review.name,
                    rules=[error.rule for error in answer.errors],
                    milliseconds=round(seconds * 1000, 3),
                ),
            )
