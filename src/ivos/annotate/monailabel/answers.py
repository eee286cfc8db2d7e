"""What a model has made, the way plug-ins take it."""

from __future__ import annotations

import json
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse, Response

from ivos.annotate.monailabel.label_files import write_result

if TYPE_CHECKING:
    from ivos.annotate.monailabel.messages import Output, Parameters
    from ivos.annotate.monailabel.models import Result


def answer(result: Result, asked: Parameters, output: Output, folder: Path) -> Response:
    """A file, what there is to say of it, or both as multipart.

    Args:
        result: of a model.
        asked: format and type of the file.
        output: which of them.
        folder: for a file of a moment.
    """
    said = {"label_names": dict(result.names)}
    if output == "json":
        return JSONResponse(said)
    name = f"result{asked.result_extension}"
    with tempfile.TemporaryDirectory(dir=folder) as made:
        path = Path(made, name)
        write_result(path, result.labels, asked)
        content = path.read_bytes()
    if output == "image":
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(content, media_type="application/octet-stream", headers=headers)
    return _multipart(said, name, content)


def _multipart(said: dict[str, Any], name: str, content: bytes) -> Response:
    """RFC 7578, with the fields ``params`` and ``image``."""
    boundary = secrets.token_hex(16)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="params"\r\nContent-Type: application/json\r\n\r\n'
        f"{json.dumps(said)}\r\n"
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return Response(body, media_type=f"multipart/form-data; boundary={boundary}")
