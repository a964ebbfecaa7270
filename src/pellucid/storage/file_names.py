"""Names of the files of a workspace."""

from __future__ import annotations

WORKSPACE_MANIFEST = "workspace.json"
VIEW_MANIFEST = "view.json"
VERSION_MANIFEST = "version.json"
EMBEDDINGS_FILE = "embeddings.npz"
"""Embeddings that the user gave, in the folder of a view."""
TEXT_MODEL_FILE = "text_model.json"
"""Where the model is that embeds texts like those images, in the folder of a view."""
UNFINISHED_FILE = "unfinished"
"""In the folder of a view or version that is being written for the first time."""
