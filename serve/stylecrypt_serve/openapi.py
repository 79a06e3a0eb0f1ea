"""The description of the server, made of the tables that it works by."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from pydantic.json_schema import models_json_schema

from .wire import COVERS, Answer, CoverRequest, Problem

__all__ = ["document"]


def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    _, schemas = models_json_schema(
        [(CoverRequest, "validation"), (Answer, "serialization"), (Problem, "serialization")],
        ref_template="#/components/schemas/{model}",
    )

    def answer(text: str, kind: str, schema: dict[str, Any]) -> dict[str, Any]:
        return {"description": text, "content": {kind: {"schema": schema}}}

    def problem(text: str) -> dict[str, Any]:
        return answer(text, "application/json", {"$ref": "#/components/schemas/Problem"})

    busy = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    plain: dict[str, Any] = {"type": "string"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "StyleCrypt covers",
            "version": version("stylecrypt-msg"),
            "description": "Replaces the faces in photos. The server sees photos; it never sees keys, contacts or messages.",
        },
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "paths": {
            COVERS: {
                "post": {
                    "summary": "A photo's cover",
                    "operationId": "cover",
                    "security": [{"token": []}],
                    "requestBody": {
                        "required": True,
                        "content": {"multipart/form-data": {"schema": {"$ref": "#/components/schemas/CoverRequest"}}},
                    },
                    "responses": {
                        "200": answer("The cover.", "application/json", {"$ref": "#/components/schemas/Answer"}),
                        "400": problem("The form cannot be read."),
                        "401": problem("The token is missing or wrong."),
                        "413": problem("The request is too large."),
                        "422": problem("The photo, or a choice, cannot be used."),
                        "429": problem("You have too many requests under way.") | {"headers": busy},
                        "500": problem("The server failed."),
                        "503": problem("The server has too many requests under way.") | {"headers": busy},
                        "504": problem("It took too long."),
                    },
                }
            },
            "/": {
                "get": {
                    "summary": "What this server is, and what it sees",
                    "operationId": "about",
                    "responses": {"200": answer("A text.", "text/plain", plain)},
                }
            },
            "/health": {
                "get": {
                    "summary": "Whether the server takes requests",
                    "operationId": "health",
                    "responses": {"200": answer("It does.", "text/plain", plain)},
                }
            },
            "/metrics": {
                "get": {
                    "summary": "Numbers for Prometheus",
                    "operationId": "metrics",
                    "security": [{"token": []}],
                    "responses": {
                        "200": answer("Prometheus' text format.", "text/plain", plain),
                        "401": problem("The token is missing or wrong."),
                    },
                }
            },
            "/openapi.json": {
                "get": {
                    "summary": "This description",
                    "operationId": "description",
                    "responses": {"200": answer("OpenAPI 3.1.", "application/json", {"type": "object"})},
                }
            },
        },
    }
