"""The recipes of `deploy/` say what is true of this program, and the programs that they are for
accept them."""

import base64
import json
import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import pellucid
import toys

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.fixture
def workspace(tmp_path):
    view, _ = pellucid.open(tmp_path / "w").add("v", toys.coco(tmp_path))
    view.start("m").add_predictions(toys.results(tmp_path))
    return tmp_path / "w"


@pytest.fixture
def running():
    """Begin a program; it is ended with the test."""
    begun = []

    def run(command, **more):
        begun.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **more))
        return begun[-1]

    yield run
    for process in begun:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        process.stderr.close()


def ask(address, user=None, **headers):
    """Status and text; the certificate is the test's own."""
    if user is not None:
        headers["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(
            urllib.request.Request(address, headers=headers), context=context
        ) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def answering(address):
    for _ in range(300):
        try:
            return ask(address)
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{address} does not answer")


def instructions():
    text = re.sub(r"\\\n", " ", (DEPLOY / "Containerfile").read_text())
    return [
        line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")
    ]


def test_container_copies_existing_files_and_serves(workspace, running, tmp_path):
    assert all(
        (ROOT / words.split()[0]).exists()
        for name, words in instructions()
        if name == "COPY" and "--from" not in words
    )
    ignored = (ROOT / ".dockerignore").read_text()
    assert all(name in ignored for name in (".venv", "node_modules", "static"))
    last = dict(instructions())
    command = [*json.loads(last["ENTRYPOINT"]), *json.loads(last["CMD"])]
    port = free_port()
    ours = {
        "/workspace": str(workspace),
        "0.0.0.0": "127.0.0.1",
        "7860": str(port),
        "pellucid": str(Path(sys.executable).with_name("pellucid")),
    }
    server = running([ours.get(word, word) for word in command])
    assert answering(f"http://127.0.0.1:{port}/health")[0] == 200
    check = json.loads(re.search(r"CMD (\[.*\])", last["HEALTHCHECK"])[1])
    done = subprocess.run(
        [sys.executable, "-c", check[2].replace("7860", str(port))],
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0
    assert last["STOPSIGNAL"] == "SIGTERM"
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=30) == 0


def unit():
    lines = [
        line
        for line in (DEPLOY / "pellucid.service").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    ]
    return dict(line.split("=", 1) for line in lines)


def test_systemd_unit_is_valid(tmp_path):
    program, *words = shlex.split(unit()["ExecStart"])
    assert program.endswith("/pellucid")
    told = subprocess.run(
        [sys.executable, "-m", "pellucid", "serve", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert all(word in told for word in words if word.startswith("--"))
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here: the unit's options were compared with ours alone")
    here = tmp_path / "pellucid.service"
    here.write_text((DEPLOY / "pellucid.service").read_text().replace(program, "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(here)],
        capture_output=True,
        text=True,
        check=False,
    )
    about_it = [
        line
        for line in done.stderr.splitlines()
        if "pellucid.service" in line and "/bin/true" not in line
    ]
    assert about_it == []


def test_servers_behind_nginx(workspace, running, tmp_path):
    if shutil.which("nginx") is None or shutil.which("openssl") is None:
        pytest.skip("nginx or openssl is not here: apt-get install nginx-light openssl")
    ports = [free_port(), free_port()]
    door, dead = free_port(), free_port()
    for port in ports:
        options = [
            "--who-header",
            "X-Forwarded-User",
            "--hostname",
            "pellucid.example.org",
            "--owner",
            "olga",
            "--role",
            "reader",
        ]
        running(
            [
                sys.executable,
                "-m",
                "pellucid",
                "serve",
                str(workspace),
                "--port",
                str(port),
                "--no-browser",
                *options,
            ]
        )
        answering(f"http://127.0.0.1:{port}/health")
    certificate = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=pellucid.example.org",
    ]
    subprocess.run(
        [*certificate, "-keyout", tmp_path / "key", "-out", tmp_path / "crt"],
        check=True,
        capture_output=True,
    )
    words = subprocess.run(
        ["openssl", "passwd", "-apr1", "word"], check=True, capture_output=True, text=True
    ).stdout.strip()
    (tmp_path / "users").write_text(f"olga:{words}\nrita:{words}\n")
    recipe = (DEPLOY / "nginx.conf").read_text()
    server = "server 127.0.0.1:{} max_fails=1 fail_timeout=2s;"
    for was, now in {
        server.format(7860): " ".join(server.format(port) for port in (dead, *ports)),
        "listen 443": f"listen 127.0.0.1:{door}",
        "/etc/nginx/pellucid.crt": tmp_path / "crt",
        "/etc/nginx/pellucid.key": tmp_path / "key",
        "/etc/nginx/pellucid.users": tmp_path / "users",
    }.items():
        assert was in recipe
        recipe = recipe.replace(was, str(now))
    user = "user root;" if os.geteuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(
        f"{user} daemon off; error_log stderr; pid {tmp_path}/pid; events {{}} http {{ access_log "
        f"off; {recipe} }}"
    )
    running(["nginx", "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path), "-e", "stderr"])
    address = f"https://127.0.0.1:{door}"
    assert answering(f"{address}/health")[0] == 401
    named = {"Host": "pellucid.example.org"}
    for _ in range(6):  # one of the three servers is dead, and nobody notices
        status, text = ask(f"{address}/api/v1/workspace", "rita:word", **named)
        assert (status, json.loads(text)["role"]) == (200, "reader")
    assert (
        json.loads(ask(f"{address}/api/v1/workspace", "olga:word", **named)[1])["role"] == "owner"
    )
    assert (
        json.loads(
            ask(
                f"{address}/api/v1/workspace", "rita:word", **named, **{"X-Forwarded-User": "olga"}
            )[1]
        )["role"]
        == "reader"
    )
    assert ask(f"{address}/api/v1/workspace", "rita:wrong", **named)[0] == 401
    assert ask(f"{address}/metrics", "olga:word", **named)[0] == 403
    assert ask(f"{address}/api/v1/views/v/versions/m/page?tab=all", "rita:word", **named)[0] == 200
