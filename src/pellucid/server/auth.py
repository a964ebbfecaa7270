"""Authentication and authorization: host names, tokens, authenticating proxies and three roles."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from pellucid.review.identity import normalize_name

Role = Literal["reader", "reviewer", "owner"]
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
MAX_BODY_BYTES = 4 << 20
PUBLIC_PATHS = ("/health",)
OWNER_ONLY_SUFFIX = "/reset"


@dataclass(frozen=True)
class AuthPolicy:
    """Who may do what.

    Attributes:
        hosts: allowed Host names, None for any
        tokens: role by access token; empty: no token is required
        role: for clients without a token, or named by a proxy
        who_header: carries the user name; trusted only from `proxies`
        owners: user names with the owner role
    """

    hosts: tuple[str, ...] | None = LOOPBACK_HOSTS
    tokens: dict[str, Role] = field(default_factory=dict)
    role: Role = "owner"
    who_header: str | None = None
    proxies: tuple[str, ...] = LOOPBACK_HOSTS
    owners: tuple[str, ...] = ()


@dataclass(frozen=True)
class Identity:
    """An authenticated client.

    Attributes:
        cookie_token: a token from the URL, to be stored in a cookie
        user: the user name from the proxy
    """

    role: Role
    cookie_token: str | None = None
    user: str = ""


def generate_token() -> str:
    """A random URL-safe token of 24 bytes."""
    return secrets.token_urlsafe(24)


def authenticate(auth_policy: AuthPolicy, request: Request) -> Identity | Response:
    """The identity of the client, or an error response."""
    if auth_policy.hosts is not None and requested_host(request) not in auth_policy.hosts:
        return reject(400, "Invalid Host header: this server only accepts its own host names.")
    if request.url.path in PUBLIC_PATHS:
        return Identity("reader")
    identity = identify_client(auth_policy, request)
    if isinstance(identity, Response) or request.method in ("GET", "HEAD"):
        return identity
    return check_write(request, identity.role) or identity


def identify_client(auth_policy: AuthPolicy, request: Request) -> Identity | Response:
    """Identify by the proxy's header, or by a token in the URL, the Authorization header or the
    cookie."""
    if auth_policy.who_header is not None:
        if request.client is None or request.client.host not in auth_policy.proxies:
            return reject(
                403,
                f"Connect through the proxy: the header {auth_policy.who_header} is trusted only "
                "from its address (--proxy).",
            )
        user_names = [
            normalize_name(header_value)
            for header_value in request.headers.getlist(auth_policy.who_header)
        ]
        if len(user_names) != 1 or not user_names[0]:
            return reject(
                401,
                "The proxy must send the user name exactly once in the header "
                f"{auth_policy.who_header}.",
            )
        is_owner = user_names[0] in map(normalize_name, auth_policy.owners)
        return Identity("owner" if is_owner else auth_policy.role, user=user_names[0])
    if not auth_policy.tokens:
        return Identity(auth_policy.role)
    cookie = cookie_name(request)
    bearer_token = request.headers.get("authorization", "").removeprefix("Bearer ")
    for presented_token, from_query in (
        (request.query_params.get("token", ""), True),
        (bearer_token, False),
        (request.cookies.get(cookie, ""), False),
    ):
        for token, role in auth_policy.tokens.items():
            if presented_token and hmac.compare_digest(presented_token.encode(), token.encode()):
                return Identity(role, token if from_query else None)
    return reject(
        401,
        "Authentication required: open the URL printed when the server started, or send its token "
        "as a Bearer token.",
    )


def presents_token(request: Request) -> bool:
    """Whether the client sent a token, right or wrong."""
    headers = (request.headers.get("authorization"), request.cookies.get(cookie_name(request)))
    return bool(request.query_params.get("token") or any(headers))


def check_write(request: Request, role: Role) -> Response | None:
    """Check origin, length and role of a request that changes data; an error response, or None if
    it is allowed."""
    if not is_own_page(request):
        return reject(403, "Cross-site request rejected: only Pellucid's own page may change data.")
    content_length = request.headers.get("content-length")
    if (
        content_length is None
        or not content_length.isdecimal()
        or "transfer-encoding" in request.headers
    ):
        return reject(411, "A Content-Length header is required.")
    if int(content_length) > MAX_BODY_BYTES:
        return reject(413, f"Request body too large: the limit is {MAX_BODY_BYTES >> 20} MB.")
    if role == "reader":
        return reject(403, "Read-only access: your role may not change reviews.")
    if role != "owner" and request.url.path.endswith(OWNER_ONLY_SUFFIX):
        return reject(403, "Only an owner may start a new review round.")
    return None


def redirect_with_cookie(request: Request, token: str) -> Response:
    """Redirect to the same URL without the token and store the token in a cookie."""
    query_string = urlencode(
        [
            (parameter_name, parameter_value)
            for parameter_name, parameter_value in request.query_params.multi_items()
            if parameter_name != "token"
        ]
    )
    # A path of `//host` would lead to another server.
    path = f"/{request.url.path.lstrip('/')}"
    response = RedirectResponse(f"{path}?{query_string}" if query_string else path, 303)
    secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
    response.set_cookie(
        cookie_name(request),
        token,
        httponly=True,
        samesite="lax",
        max_age=30 * 86_400,
        secure=secure,
    )
    return response


def cookie_name(request: Request) -> str:
    """One cookie name per port, as browsers share cookies between the ports of a host."""
    return f"pellucid-{request.url.port or 0}"


def reject(status: int, message: str) -> JSONResponse:
    return JSONResponse({"detail": message}, status)


def is_own_page(request: Request) -> bool:
    """Whether a write request comes from Pellucid's page or a non-browser client: browsers send
    the origin of the page, and another site cannot set these headers. Behind a proxy the page has
    the proxy's host name."""
    origin = request.headers.get("origin")
    own_hosts = [request.headers.get(header_name) for header_name in ("host", "x-forwarded-host")]
    return (
        origin is None
        or request.headers.get("sec-fetch-site") == "same-origin"
        or origin.partition("://")[2] in own_hosts
    )


def requested_host(request: Request) -> str:
    """The host name in the Host header, without port and IPv6 brackets."""
    host = request.headers.get("host", "")
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
