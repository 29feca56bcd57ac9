"""Bodies of requests: small, JSON, and looked at only once the user is known.

No ``from __future__ import annotations``: FastAPI reads the annotations of dependencies.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Depends, HTTPException, Request

#: Bytes of a body, at the most.
LIMIT: Final = 16 * 1024
#: Characters of a reason, at the most; the schema says the same.
LONGEST: Final = 1000

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class Guarded:
    """ASGI middleware: no body beyond the limit, and no answer that a browser keeps or takes for a page."""

    def __init__(self, app: Callable[[Any, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await _read(receive) if _has_body(scope) else b""
        if body is None:
            await _refuse(send)
            return
        api = "/api/" in scope["path"]
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = b"no-store" if api else b"no-cache"
                headers = [each for each in message["headers"] if each[0].lower() != b"cache-control"]
                message["headers"] = [
                    *headers,
                    (b"cache-control", kept),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        await self._app(scope, again, answer)


def _has_body(scope: Message) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


async def _read(receive: Receive) -> bytes | None:
    """The body; none if it is too long, or nobody sends the rest."""
    parts, length = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        if length > LIMIT:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


async def _refuse(send: Send) -> None:
    body = json.dumps({"detail": f"a body has at most {LIMIT} bytes"}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    # what was not read would be taken for the next request
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for in a change."""

    reason: str
    #: ``HH:MM``, or an instant; where the action takes one
    until: str | None


async def asked(request: Request) -> Asked:
    """The body of a change.

    :raises HTTPException: 415 or 422, saying what is wrong
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "send JSON, with Content-Type: application/json")
    try:
        value = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise HTTPException(422, "the body is not JSON") from None
    if not isinstance(value, dict):
        raise HTTPException(422, 'the body is no JSON object: send {"reason": "…"}')
    if unknown := sorted(value.keys() - {"reason", "until"}):
        raise HTTPException(422, f"the body has unknown fields: {', '.join(unknown)[:200]}")
    reason, until = value.get("reason"), value.get("until")
    if not isinstance(reason, str) or not reason.strip() or len(reason) > LONGEST or "\0" in reason:
        raise HTTPException(422, f"say why, as 'reason', in up to {LONGEST} characters: it is kept")
    if not (until is None or (isinstance(until, str) and len(until) <= 40)):
        raise HTTPException(422, "'until' is no time: write HH:MM")
    try:
        reason.encode()
    except UnicodeEncodeError:
        raise HTTPException(422, "the reason is no text: half of a surrogate pair is in it") from None
    return Asked(reason.strip(), until)


AskedDep = Annotated[Asked, Depends(asked)]
