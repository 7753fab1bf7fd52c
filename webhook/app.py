"""The Flask application: what the worker's short way does not take, as other content types, chunks and conversion."""

from __future__ import annotations

import logging

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from webhook import conversion, reviews
from webhook.reviewer import CONTENT_TYPE, Reviewer

log = logging.getLogger(__name__)

MAX_BODY = 7 * 2**20  # two objects of 3 MB, the largest that the API server sends, and the envelope


def create_app(reviewer: Reviewer) -> Flask:
    """The application: a route per kind of review, and conversion. Errors are answers."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY

    def view() -> Response:
        if request.mimetype != CONTENT_TYPE:
            reason = f'content type "{request.mimetype}" is not {CONTENT_TYPE}'
            return _json(reviews.not_understood(reason, code=415), 415)
        reply = reviewer.reply(request.path, request.get_data(cache=False))
        return _json(reply.body, reply.status)

    for path in sorted(reviewer.paths):
        app.add_url_rule(path, path, view, methods=["POST"])
    app.add_url_rule(conversion.PATH, conversion.PATH, conversion.view, methods=["POST"])
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _defect)
    return app


def _json(body: bytes, code: int = 200) -> Response:
    return Response(body, status=code, content_type=CONTENT_TYPE)


def _http_error(error: HTTPException) -> Response:
    code = error.code or 500
    return _json(reviews.not_understood(error.description or error.name, code=code), code)


def _defect(error: Exception) -> Response:
    log.error("a review could not be answered", exc_info=error)
    return _json(reviews.not_understood("the webhook has a defect; its log says where", code=500), 500)
