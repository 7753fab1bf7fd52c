"""The Flask application: paths, and errors that are answers. Where a review goes is a table of `Admission`."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from crds.errors import InputError
from webhook import conversion, reviews
from webhook.admission import Admission
from webhook.reviews import Answer, Review

log = logging.getLogger(__name__)

MAX_BODY = 7 * 2**20  # two objects of 3 MB, the largest that the API server sends, and the envelope


def create_app(admission: Admission = Admission()) -> Flask:  # noqa: B008 - frozen
    """The application: one route per kind of review, and the two probes."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    for path, answer in admission.answerers().items():
        app.add_url_rule(path, path, _reviewer(answer), methods=["POST"])
    app.add_url_rule(conversion.PATH, conversion.PATH, conversion.view, methods=["POST"])
    for path in ("/livez", "/readyz"):
        app.add_url_rule(path, path, lambda: Response("ok\n", mimetype="text/plain"))
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _defect)
    return app


def _reviewer(answer: Callable[[Review], Answer]) -> Callable[[], Response]:
    def view() -> Response:
        if request.mimetype != "application/json":
            reason = f'content type "{request.mimetype}" is not application/json'
            return _json(reviews.not_understood(reason, code=415), 415)
        try:
            review = reviews.decode(request.get_data(cache=False))
        except InputError as error:
            return _json(reviews.not_understood(str(error)), 400)
        return _json(reviews.encode(answer(review)))

    return view


def _json(body: bytes, code: int = 200) -> Response:
    return Response(body, status=code, content_type="application/json")


def _http_error(error: HTTPException) -> Response:
    code = error.code or 500
    return _json(reviews.not_understood(error.description or error.name, code=code), code)


def _defect(error: Exception) -> Response:
    log.error("a review could not be answered", exc_info=error)
    return _json(reviews.not_understood("the webhook has a defect; its log says where", code=500), 500)
