"""Who may come in, and what they may do: names of this machine, tokens, a proxy that says who somebody is, three roles."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

Role = Literal["reader", "reviewer", "owner"]
ROLES: tuple[Role, ...] = ("reader", "reviewer", "owner")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
LARGEST_BODY = 4 << 20
OPEN_TO_ALL = ("/health",)
OWNERS_ALONE = "/reset"


@dataclass(frozen=True)
class Doors:
    """hosts: names by which the server may be called, None for any · tokens: what lets in, and as what; empty: nobody is asked for one ·
    role: of those who need no token, or whom a proxy names · who_header: in which a proxy says who asks; believed from `proxies` alone ·
    owners: whom the proxy names so."""

    hosts: tuple[str, ...] | None = LOOPBACK
    tokens: dict[str, Role] = field(default_factory=dict)
    role: Role = "owner"
    who_header: str | None = None
    proxies: tuple[str, ...] = LOOPBACK
    owners: tuple[str, ...] = ()


@dataclass(frozen=True)
class Admitted:
    """As what somebody is in; fresh: a token that came in the address, to be kept in a cookie · who: whom the proxy named."""

    role: Role
    fresh: str | None = None
    who: str = ""


def new_token() -> str:
    """24 random bytes, as text."""
    return secrets.token_urlsafe(24)


def admit(doors: Doors, request: Request) -> Admitted | Response:
    """Let somebody in, or say why not."""
    if doors.hosts is not None and host_name(request) not in doors.hosts:
        return no(400, "This server answers to the names of its own machine only.")
    if request.url.path in OPEN_TO_ALL:
        return Admitted("reader")
    found = identify(doors, request)
    if isinstance(found, Response) or request.method in ("GET", "HEAD"):
        return found
    return refuse_change(request, found.role) or found


def identify(doors: Doors, request: Request) -> Admitted | Response:
    """By the proxy's word, or by a token: in the address, in the header, in the cookie."""
    if doors.who_header is not None:
        if request.client is None or request.client.host not in doors.proxies:
            return no(403, f"Come through the proxy: the header {doors.who_header} is believed from its own address alone (--proxy).")
        names = [" ".join(name.split()) for name in request.headers.getlist(doors.who_header)]
        if len(names) != 1 or not names[0]:
            return no(401, f"The proxy must say who asks, once, in the header {doors.who_header}.")
        return Admitted("owner" if names[0] in doors.owners else doors.role, who=names[0])
    if not doors.tokens:
        return Admitted(doors.role)
    cookie = cookie_name(request)
    carried = request.headers.get("authorization", "").removeprefix("Bearer ")
    for given, fresh in ((request.query_params.get("token", ""), True), (carried, False), (request.cookies.get(cookie, ""), False)):
        for token, role in doors.tokens.items():
            if given and hmac.compare_digest(given.encode(), token.encode()):
                return Admitted(role, token if fresh else None)
    return no(401, "This server asks for a token: open the address that was printed where it was started, or send it as a Bearer token.")


def refuse_change(request: Request, role: Role) -> Response | None:
    """Of requests that change something: by whom, from where, how large."""
    if not of_its_own_page(request):
        return no(403, "Only Pellucid's own page may change something here.")
    length = request.headers.get("content-length")
    if length is None or not length.isdecimal() or "transfer-encoding" in request.headers:
        return no(411, "The length of what is sent must be told.")
    if int(length) > LARGEST_BODY:
        return no(413, f"Too much at once: {LARGEST_BODY >> 20} MB are taken.")
    if role == "reader":
        return no(403, "You may look here, and not decide.")
    if role != "owner" and request.url.path.endswith(OWNERS_ALONE):
        return no(403, "Only the owner may begin another round of review.")
    return None


def with_cookie(request: Request, token: str) -> Response:
    """To the same address without the token, which a cookie keeps from now on."""
    rest = urlencode([(name, value) for name, value in request.query_params.multi_items() if name != "token"])
    answer = RedirectResponse(f"{request.url.path}?{rest}" if rest else request.url.path, 303)
    secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
    answer.set_cookie(cookie_name(request), token, httponly=True, samesite="lax", max_age=30 * 86_400, secure=secure)
    return answer


def cookie_name(request: Request) -> str:
    """Cookies are not kept apart by port: each server has its own."""
    return f"pellucid-{request.url.port or 0}"


def no(status: int, words: str) -> JSONResponse:
    return JSONResponse({"detail": words}, status)


def of_its_own_page(request: Request) -> bool:
    """Whether a request that changes something comes from our page, or from a program: browsers say where a page is from, and another
    site's page can set none of these headers. Behind a proxy our page is under the proxy's name."""
    origin = request.headers.get("origin")
    names = [request.headers.get(name) for name in ("host", "x-forwarded-host")]
    return origin is None or request.headers.get("sec-fetch-site") == "same-origin" or origin.partition("://")[2] in names


def host_name(request: Request) -> str:
    """The name by which the server was called, without the port or the brackets of an address."""
    host = request.headers.get("host", "")
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
