"""A small server that speaks the part of the Hugging Face Hub's protocol that a download uses."""

from __future__ import annotations

import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self

COMMIT = "c" * 40
_ERRORS = {"owner/gated": (403, "GatedRepo"), "owner/private": (401, "RepoNotFound")}


class HubServer(ThreadingHTTPServer):
    """Serves the files of one data set, `owner/set`, at one commit and as `main`."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Self:
        Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        found = re.fullmatch(r"/(?:api/)?datasets/([^/]+/[^/]+)(/.*)", path)
        if found is None:
            return self._send(404)
        repository, rest = found.groups()
        if repository in _ERRORS:
            return self._send(_ERRORS[repository][0], error=_ERRORS[repository][1])
        if repository != "owner/set":
            return self._send(404, error="RepoNotFound")
        kind, revision, name = re.fullmatch(r"/([^/]+)/([^/]+)/?(.*)", rest).groups()  # type: ignore[union-attr]
        if revision not in {"main", COMMIT}:
            return self._send(404, error="RevisionNotFound")
        if kind == "resolve":
            return self._send(200, self.server.files[name])
        self._send(200, json.dumps(self._info() if kind == "revision" else self._tree()).encode())

    def _info(self) -> dict[str, object]:
        files = [{"rfilename": name} for name in self.server.files]
        return {
            "id": "owner/set",
            "sha": COMMIT,
            "siblings": files,
            "private": False,
            "gated": False,
        }

    def _tree(self) -> list[dict[str, object]]:
        return [
            {"type": "file", "path": name, "size": len(data), "oid": _digest(data)}
            for name, data in self.server.files.items()
        ]

    def _send(self, status: int, body: bytes = b"", *, error: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{_digest(body)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        if error:
            self.send_header("X-Error-Code", error)
            self.send_header("X-Error-Message", error)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def _digest(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()
