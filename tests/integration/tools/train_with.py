"""Train a small model with a real framework, a recorder attached: runs in an environment that has
the framework, and Pellucid from its sources.

python train_with.py FRAMEWORK FOLDER
→ a workspace at FOLDER/w.pellucid, and the last line printed: what the model says of each
validation image, asked again after the training without Pellucid:
{"predictions": {image: [[concept, score, *location], ...]}}
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import pellucid

CONCEPTS = ("disc", "square")
SIZE = 96


def draw_set(folder, chance):
    """Pictures of a disc or a square, the last two of them empty, and their labels, by split."""
    for split, count in (("train", 24), ("val", 10)):
        for kind in ("images", "detect", "segment", "obb", "pose", "classify"):
            (folder / kind / split).mkdir(parents=True)
        for number in range(count):
            picture = Image.new("RGB", (SIZE, SIZE), tuple(chance.integers(150, 255, 3).tolist()))
            name = f"{split}-{number}"
            lines = {"detect": "", "segment": "", "obb": "", "pose": ""}
            concept = number % 2
            if number < count - 2:
                size = int(chance.integers(25, 45))
                x, y = chance.integers(4, SIZE - size - 4, 2).tolist()
                draw = ImageDraw.Draw(picture)
                shape = (draw.ellipse, draw.rectangle)[concept]
                shape((x, y, x + size, y + size), fill=((200, 0, 0), (0, 0, 160))[concept])
                left, top, side = x / SIZE, y / SIZE, size / SIZE
                center = f"{left + side / 2} {top + side / 2} {side} {side}"
                right, bottom = left + side, top + side
                points = f"{left} {top} {right} {top} {right} {bottom} {left} {bottom}"
                lines = {
                    "detect": f"{concept} {center}\n",
                    "segment": f"{concept} {points}\n",
                    "obb": f"{concept} {points}\n",
                    "pose": f"{concept} {center} {left} {top} 2 {right} {top} 2 {right} {bottom} 1\n",
                }
            picture.save(folder / "images" / split / f"{name}.png")
            for task, text in lines.items():
                (folder / task / split / f"{name}.txt").write_text(text)
            if number < count - 2:
                target = folder / "classify" / split / CONCEPTS[concept]
                target.mkdir(exist_ok=True)
                picture.save(target / f"{name}.png")


def arrange(folder, task):
    """The data set in the layout that ultralytics expects; → what it is told."""
    if task == "classify":
        return folder / "classify"
    data = folder / f"set-{task}"
    for split in ("train", "val"):
        shutil.copytree(folder / "images" / split, data / "images" / split)
        shutil.copytree(folder / task / split, data / "labels" / split)
    names = "".join(f"  {number}: {name}\n" for number, name in enumerate(CONCEPTS))
    pose = "kpt_shape: [3, 3]\nflip_idx: [1, 0, 2]\n" if task == "pose" else ""
    (data / "data.yaml").write_text(
        f"path: {data}\ntrain: images/train\nval: images/val\n{pose}names:\n{names}"
    )
    return data / "data.yaml"


MODELS = {
    "detect": "yolo11n.yaml",
    "segment": "yolo11n-seg.yaml",
    "obb": "yolo11n-obb.yaml",
    "pose": "yolo11n-pose.yaml",
    "classify": "yolo11n-cls.yaml",
}
SETTINGS = {
    "imgsz": SIZE,
    "epochs": 60,
    "batch": 8,
    "workers": 0,
    "plots": False,
    "conf": 0.02,
    "device": "cpu",
    "seed": 1,
    "verbose": False,
    "exist_ok": True,
    "amp": False,
    "optimizer": "AdamW",
    "lr0": 0.002,
    "warmup_epochs": 0,
    "mosaic": 0,
    "scale": 0.1,
    "hsv_h": 0,
    "erasing": 0,
}


def train_ultralytics(folder, task, keep="last", only_validate=False):
    from ultralytics import YOLO

    from pellucid.integrations.ultralytics import ultralytics_callbacks

    data = arrange(folder, task)
    kind = "classification" if task == "classify" else "detection"
    source = data if kind == "classification" else data.parent
    workspace = pellucid.open(folder / "w.pellucid")
    view, _ = workspace.add("v", source, kind=kind)
    model = YOLO(MODELS[task])
    settings = SETTINGS | {"data": str(data), "project": str(folder / "runs"), "name": "r"}
    if only_validate:
        model.train(**settings)
        model = YOLO(folder / "runs" / "r" / "weights" / "best.pt")
    for event, call in ultralytics_callbacks(view.workspace.folder, "v", "m", keep=keep).items():
        model.add_callback(event, call)
    if only_validate:
        model.val(
            data=str(data), imgsz=SIZE, workers=0, plots=False, device="cpu", batch=4, conf=0.02
        )
    else:
        model.train(**settings)
    return ask_ultralytics(folder, task, data)


def ask_ultralytics(folder, task, data):
    """The best weights, asked again in a way of their own: the JSON file of `val`, or `predict`."""
    from ultralytics import YOLO

    model = YOLO(folder / "runs" / "r" / "weights" / "best.pt")
    if task == "classify":
        pictures = sorted((folder / "classify" / "val").glob("*/*.png"))
        return {
            path.name: [
                [result.names[number], score]
                for number, score in enumerate(result.probs.data.tolist())
            ]
            for path in pictures
            for result in model.predict(path, imgsz=SIZE, device="cpu", verbose=False)
        }
    model.val(
        data=str(data),
        imgsz=SIZE,
        batch=8,
        workers=0,
        plots=False,
        conf=0.02,
        device="cpu",
        save_json=True,
        project=str(folder / "runs"),
        name="again",
        exist_ok=True,
    )
    found = {path.name: [] for path in (folder / "images" / "val").iterdir()}
    for result in json.loads((folder / "runs" / "again" / "predictions.json").read_text()):
        location = result["poly"] if task == "obb" else result["bbox"]
        location = [*location, *result.get("keypoints", [])]
        concept = model.names[result["category_id"] - 1]
        found[result["file_name"]].append([concept, result["score"], *location])
    return found


def classified_pictures(folder, split):
    """[(path, class number)] in the order of their names."""
    paths = sorted((folder / "classify" / split).glob("*/*.png"))
    return [(path, CONCEPTS.index(path.parent.name)) for path in paths]


def pixels_of(path):
    import torch

    return torch.tensor(np.asarray(Image.open(path).resize((16, 16)), np.float32) / 255).flatten()


def classification_view(folder):
    workspace = pellucid.open(folder / "w.pellucid")
    return workspace.add("v", folder / "classify", kind="classification")[0]


def softmax_rows(logits, pictures):
    return {
        path.name: [[name, float(score)] for name, score in zip(CONCEPTS, row, strict=True)]
        for (path, _), row in zip(pictures, logits.softmax(1).tolist(), strict=True)
    }


def train_lightning(folder, mode):
    import lightning
    import torch
    from torch.utils.data import DataLoader

    from pellucid.integrations.lightning import lightning_callback

    view = classification_view(folder)
    pictures = {split: classified_pictures(folder, split) for split in ("train", "val")}

    def collate(batch):
        pixels = torch.stack([pixels_of(path) for path, _ in batch])
        return [str(path) for path, _ in batch], pixels, torch.tensor([n for _, n in batch])

    class Model(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            torch.manual_seed(1)
            self.layer = torch.nn.Linear(16 * 16 * 3, len(CONCEPTS))
            self.losses = []

        def training_step(self, batch, index):
            if mode == "interrupted" and self.current_epoch == 2:
                raise KeyboardInterrupt
            return torch.nn.functional.cross_entropy(self.layer(batch[1]), batch[2])

        def validation_step(self, batch, index):
            logits = self.layer(batch[1])
            self.log("loss", torch.nn.functional.cross_entropy(logits, batch[2]))
            return logits.softmax(1).to(torch.bfloat16 if mode == "bf16" else torch.float32)

        def on_validation_epoch_end(self):
            if not self.trainer.sanity_checking:
                state = {key: value.clone() for key, value in self.state_dict().items()}
                self.losses.append((float(self.trainer.callback_metrics["loss"]), state))

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.3 if mode == "best" else 0.02)

    def read(outputs, batch):
        return [
            (path, list(CONCEPTS), scores, None)
            for path, scores in zip(batch[0], outputs, strict=True)
        ]

    keep = mode if mode in ("best", "every") else "last"
    best = (lambda metrics: -metrics["loss"]) if mode == "best" else None
    callback = lightning_callback(view.workspace.folder, "v", "m", read, keep=keep, best=best)
    loaders = {
        split: DataLoader(rows, 5, collate_fn=collate, shuffle=split == "train")
        for split, rows in pictures.items()
    }
    model = Model()
    trainer = lightning.Trainer(
        max_epochs=4,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[callback],
    )
    if mode == "validate":
        trainer.validate(model, loaders["val"], verbose=False)
    else:
        try:
            trainer.fit(model, loaders["train"], loaders["val"])
        except (KeyboardInterrupt, SystemExit):
            assert mode == "interrupted"
    _, state = min(model.losses, key=lambda pair: pair[0])
    if mode != "best":
        state = model.losses[-1][1]
    print("losses", [loss for loss, _ in model.losses])
    model.load_state_dict(state)
    logits = model.layer(torch.stack([pixels_of(path) for path, _ in pictures["val"]]))
    return softmax_rows(logits, pictures["val"])


def train_transformers(folder, mode):
    import torch
    from transformers import Trainer, TrainingArguments

    from pellucid.integrations.transformers_trainer import hugging_face_metrics

    pictures = {split: classified_pictures(folder, split) for split in ("train", "val")}
    is_tagging = mode == "multi-label"
    if is_tagging:
        paths = [path for rows in pictures.values() for path, _ in rows]
        table = {"image": [path.relative_to(folder / "classify").as_posix() for path in paths]}
        table["concept"] = [CONCEPTS[n] for rows in pictures.values() for _, n in rows]
        table["split"] = [split for split, rows in pictures.items() for _ in rows]
        workspace = pellucid.open(folder / "w.pellucid")
        view, _ = workspace.add("v", table, images=folder / "classify", kind="tagging")
    else:
        view = classification_view(folder)

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(16 * 16 * 3, len(CONCEPTS))

        def forward(self, pixels, labels=None):
            logits = self.layer(pixels)
            if is_tagging:
                loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
            else:
                loss = torch.nn.functional.cross_entropy(logits, labels)
            return {"loss": loss, "logits": logits}

    class Pictures(torch.utils.data.Dataset):
        def __init__(self, rows):
            self.rows = rows

        def __len__(self):
            return len(self.rows)

        def __getitem__(self, index):
            path, number = self.rows[index]
            labels = [float(number == n) for n in range(2)] if is_tagging else number
            return {"pixels": pixels_of(path), "labels": torch.tensor(labels)}

    model = Model()
    arguments = TrainingArguments(
        output_dir=str(folder / "out"),
        num_train_epochs=3,
        eval_strategy="epoch",
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        per_device_eval_batch_size=3,
        label_names=["labels"],
    )
    names = [path.relative_to(folder / "classify").as_posix() for path, _ in pictures["val"]]
    concepts = dict(enumerate(CONCEPTS))
    if mode == "wrong-order":
        concepts = {0: "square", 1: "disc"}
    with pellucid.record(view.workspace.folder, "v", "m") as recorder:
        trainer = Trainer(
            model,
            arguments,
            train_dataset=Pictures(pictures["train"]),
            eval_dataset=Pictures(pictures["val"]),
            compute_metrics=hugging_face_metrics(recorder, names, concepts),
        )
        trainer.train()
    logits = model.layer(torch.stack([pixels_of(path) for path, _ in pictures["val"]]))
    if is_tagging:
        logits = torch.stack([logits, torch.zeros_like(logits)], 2).softmax(2)[:, :, 0]
        return {
            path.name: [[name, float(score)] for name, score in zip(CONCEPTS, row, strict=True)]
            for (path, _), row in zip(pictures["val"], logits.tolist(), strict=True)
        }
    return softmax_rows(logits, pictures["val"])


def train_torchvision(folder):
    """The reference detection loop: train, then evaluate image by image with the output tensors."""
    import torch
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large as create_model

    data = arrange(folder, "detect")
    view, _ = pellucid.open(folder / "w.pellucid").add("v", data.parent, kind="detection")
    torch.manual_seed(1)
    model = create_model(weights=None, weights_backbone=None, num_classes=3)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    paths = {
        split: sorted((data.parent / "images" / split).iterdir()) for split in ("train", "val")
    }

    def read(path):
        pixels = torch.tensor(np.asarray(Image.open(path), np.float32) / 255).permute(2, 0, 1)
        label = data.parent / "labels" / path.parent.name / f"{path.stem}.txt"
        rows = np.array(label.read_text().split(), float).reshape(-1, 5)
        centers, sizes = rows[:, 1:3] * SIZE, rows[:, 3:] * SIZE
        boxes = np.concatenate([centers - sizes / 2, centers + sizes / 2], 1)
        numbers = torch.tensor(rows[:, 0]).long() + 1
        return pixels, {"boxes": torch.tensor(boxes).float(), "labels": numbers}

    for start in range(0, 16, 8):
        images, targets = zip(*map(read, paths["train"][start : start + 8]), strict=True)
        loss = sum(model(list(images), list(targets)).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    found = {}
    names = ["__background__", *CONCEPTS]
    with pellucid.record(view.workspace.folder, "v", "m") as recorder:
        for path in paths["val"]:
            (output,) = model([read(path)[0]])  # with gradients, as in a loop without no_grad
            labels = [names[number] for number in output["labels"].tolist()]
            recorder.add(path, labels, output["scores"], output["boxes"])
            boxes = output["boxes"].tolist()
            found[path.name] = [
                [label, score, x1, y1, x2 - x1, y2 - y1]
                for label, score, (x1, y1, x2, y2) in zip(
                    labels, output["scores"].tolist(), boxes, strict=True
                )
            ]
    return found


framework, folder = sys.argv[1], Path(sys.argv[2])
draw_set(folder, np.random.default_rng(3))
name, _, variant = framework.partition(":")
if name == "ultralytics":
    task, _, mode = variant.partition(":")
    keep = mode if mode in ("best", "every") else "last"
    predictions = train_ultralytics(folder, task, keep, mode == "val")
elif name == "lightning":
    predictions = train_lightning(folder, variant)
elif name == "transformers":
    predictions = train_transformers(folder, variant)
else:
    predictions = train_torchvision(folder)
print(json.dumps({"predictions": predictions}))
