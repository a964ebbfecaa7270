"""A real server for tests."""

import threading
import time

import uvicorn

from pellucid.images.crop_cache import CropCache
from pellucid.server.app import create_app
from pellucid.server.serving import listen, server_config


class Served:
    """A workspace behind a real server on a free port, in a thread."""

    def __init__(self, workspace, cache, **options):
        self.listener = listen("127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        app = create_app(workspace, CropCache(cache), **options)
        self.server = uvicorn.Server(server_config(app))
        self.thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [self.listener]}, daemon=True
        )
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def request_stop(self):
        self.server.should_exit = True

    def stop(self):
        self.request_stop()
        self.thread.join()
        self.listener.close()
