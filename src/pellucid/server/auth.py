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
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
MAX_BODY_BYTES = 4 << 20
PUBLIC_PATHS = ("/health",)
OWNER_ONLY_SUFFIX = "/reset"


@dataclass(frozen=True)
class AuthPolicy:
    """hosts: names by which the server may be called, None for any · tokens: what lets in, and as what; empty: nobody is asked for one ·
    role: of those who need no token, or whom a proxy names · who_header: in which a proxy says who asks; believed from `proxies` alone ·
    owners: whom the proxy names so."""

    hosts: tuple[str, ...] | None = LOOPBACK_HOSTS
    tokens: dict[str, Role] = field(default_factory=dict)
    role: Role = "owner"
    who_header: str | None = None
    proxies: tuple[str, ...] = LOOPBACK_HOSTS
    owners: tuple[str, ...] = ()


@dataclass(frozen=True)
class Identity:
    """As what somebody is in; fresh: a token that came in the address, to be kept in a cookie · who: whom the proxy named."""

    role: Role
    cookie_token: str | None = None
    user: str = ""


def generate_token() -> str:
    """24 random bytes, as text."""
    return secrets.token_urlsafe(24)


def authenticate(auth_policy: AuthPolicy, request: Request) -> Identity | Response:
    """Let somebody in, or say why not."""
    if auth_policy.hosts is not None and requested_host(request) not in auth_policy.hosts:
        return reject(400, "This server answers to the names of its own machine only.")
    if request.url.path in PUBLIC_PATHS:
        return Identity("reader")
    identity = identify_client(auth_policy, request)
    if isinstance(identity, Response) or request.method in ("GET", "HEAD"):
        return identity
    return check_write(request, identity.role) or identity


def identify_client(auth_policy: AuthPolicy, request: Request) -> Identity | Response:
    """By the proxy's word, or by a token: in the address, in the header, in the cookie."""
    if auth_policy.who_header is not None:
        if request.client is None or request.client.host not in auth_policy.proxies:
            return reject(403, f"Come through the proxy: the header {auth_policy.who_header} is believed from its own address alone (--proxy).")
        user_names = [" ".join(header_value.split()) for header_value in request.headers.getlist(auth_policy.who_header)]
        if len(user_names) != 1 or not user_names[0]:
            return reject(401, f"The proxy must say who asks, once, in the header {auth_policy.who_header}.")
        return Identity("owner" if user_names[0] in auth_policy.owners else auth_policy.role, user=user_names[0])
    if not auth_policy.tokens:
        return Identity(auth_policy.role)
    cookie = cookie_name(request)
    bearer_token = request.headers.get("authorization", "").removeprefix("Bearer ")
    for presented_token, from_query in ((request.query_params.get("token", ""), True), (bearer_token, False), (request.cookies.get(cookie, ""), False)):
        for token, role in auth_policy.tokens.items():
            if presented_token and hmac.compare_digest(presented_token.encode(), token.encode()):
                return Identity(role, token if from_query else None)
    return reject(401, "This server asks for a token: open the address that was printed where it was started, or send it as a Bearer token.")


def check_write(request: Request, role: Role) -> Response | None:
    """Of requests that change something: by whom, from where, how large."""
    if not is_own_page(request):
        return reject(403, "Only Pellucid's own page may change something here.")
    content_length = request.headers.get("content-length")
    if content_length is None or not content_length.isdecimal() or "transfer-encoding" in request.headers:
        return reject(411, "The length of what is sent must be told.")
    if int(content_length) > MAX_BODY_BYTES:
        return reject(413, f"Too much at once: {MAX_BODY_BYTES >> 20} MB are taken.")
    if role == "reader":
        return reject(403, "You may look here, and not decide.")
    if role != "owner" and request.url.path.endswith(OWNER_ONLY_SUFFIX):
        return reject(403, "Only the owner may begin another round of review.")
    return None


def redirect_with_cookie(request: Request, token: str) -> Response:
    """To the same address without the token, which a cookie keeps from now on."""
    query_string = urlencode([(parameter_name, parameter_value) for parameter_name, parameter_value in request.query_params.multi_items() if parameter_name != "token"])
    response = RedirectResponse(f"{request.url.path}?{query_string}" if query_string else request.url.path, 303)
    secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
    response.set_cookie(cookie_name(request), token, httponly=True, samesite="lax", max_age=30 * 86_400, secure=secure)
    return response


def cookie_name(request: Request) -> str:
    """Cookies are not kept apart by port: each server has its own."""
    return f"pellucid-{request.url.port or 0}"


def reject(status: int, message: str) -> JSONResponse:
    return JSONResponse({"detail": message}, status)


def is_own_page(request: Request) -> bool:
    """Whether a request that changes something comes from our page, or from a program: browsers say where a page is from, and another
    site's page can set none of these headers. Behind a proxy our page is under the proxy's name."""
    origin = request.headers.get("origin")
    own_hosts = [request.headers.get(header_name) for header_name in ("host", "x-forwarded-host")]
    return origin is None or request.headers.get("sec-fetch-site") == "same-origin" or origin.partition("://")[2] in own_hosts


def requested_host(request: Request) -> str:
    """The name by which the server was called, without the port or the brackets of an address."""
    host = request.headers.get("host", "")
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
