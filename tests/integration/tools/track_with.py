"""Log a version with a real client that is offline: runs in an environment that has the client.

python track_with.py TRACKER WORKSPACE PAGE FOLDER
→ the last line printed: what the client has kept in FOLDER, {"figures": {name: value}, "steps":
[...], "address": text, "files": number of attached files}
"""

import json
import struct
import sys
import time
import zipfile
from pathlib import Path

import pellucid
from pellucid.integrations.trackers import log_to

ADDRESS = "http://127.0.0.1:8000/?view=v"
STEP = 7


def with_wandb(version, page, folder):
    import wandb

    run = wandb.init(project="p", mode="offline", dir=folder, settings=wandb.Settings(silent=True))
    log_to(run, version, step=STEP, address=ADDRESS, page=page)
    run.finish()
    wandb.teardown()  # waits for the process that writes the file
    (file,) = folder.rglob("*.wandb")
    figures, steps, address = read_wandb_log(file)
    end = time.monotonic() + PATIENCE
    while not (figures and address) and time.monotonic() < end:
        time.sleep(0.2)
        figures, steps, address = read_wandb_log(file)
    return figures, steps, address, len(list(folder.rglob("*.html")))


PATIENCE = 60
"""Seconds to wait for what another process of the client writes."""


def read_wandb_log(file):
    from wandb.proto import wandb_internal_pb2

    figures, steps, address = {}, set(), ""
    for data in log_records(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        for item in record.history.item:
            name = item.key or "/".join(item.nested_key)
            if name == "_step":
                steps.add(int(item.value_json))
            elif name.startswith("pellucid/") and "gallery" not in name:
                figures[name] = json.loads(item.value_json)
        for item in record.summary.update:
            if (item.key or "/".join(item.nested_key)) == "pellucid/address":
                address = json.loads(item.value_json)
    return figures, steps, address


def log_records(data, block=1 << 15, start=7):
    """The records of a log in LevelDB's format, behind the header of wandb."""
    place, parts = start, b""
    while place < len(data):
        if block - place % block < start:  # no room for a header: padding
            place += block - place % block
            continue
        length, kind = struct.unpack_from("<HB", data, place + 4)
        place += 7
        parts += data[place : place + length]
        place += length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def with_mlflow(version, page, folder):
    import mlflow

    mlflow.set_tracking_uri((folder / "runs").as_uri())
    experiment = mlflow.create_experiment("p", artifact_location=(folder / "files").as_uri())
    with mlflow.start_run(experiment_id=experiment) as run:
        log_to(mlflow, version, step=STEP, address=ADDRESS, page=page)
    client = mlflow.MlflowClient()
    kept = client.get_run(run.info.run_id).data
    history = [client.get_metric_history(run.info.run_id, name) for name in kept.metrics]
    return (
        kept.metrics,
        {entry.step for entries in history for entry in entries},
        kept.tags["pellucid.address"],
        len([path for path in folder.glob("files/**/pellucid/*") if path.is_file()]),
    )


def with_tensorboard(version, page, folder):
    from tensorboardX import SummaryWriter
    from tensorboardX.proto.event_pb2 import Event

    with SummaryWriter(str(folder)) as writer:
        log_to(writer, version, step=STEP, address=ADDRESS, page=page)
    (file,) = folder.glob("events*")
    data, figures, steps, address, place = file.read_bytes(), {}, set(), "", 0
    while place < len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        event = Event.FromString(data[place + 12 : place + 12 + length])
        place += length + 16
        for value in event.summary.value:
            steps.add(event.step)
            if value.tag.startswith("pellucid/gallery"):
                address = value.tensor.string_val[0].decode()
            else:
                figures[value.tag.replace("_", " ")] = value.simple_value
    return figures, steps, address, 0


def with_clearml(version, page, folder):
    from clearml import Task

    Task.set_offline(True)
    task = Task.init("p", "t", auto_connect_frameworks=False, auto_resource_monitoring=False)
    log_to(task, version, step=STEP, address=ADDRESS, page=page)
    task.flush(wait_for_uploads=True)
    kept = Path(task.get_offline_mode_folder())
    task.close()
    figures, steps = {}, set()
    for line in (kept / "metrics.jsonl").read_text().splitlines():
        for entry in json.loads(line):
            figures[f"{entry['metric']}/{entry['variant']}"] = entry["value"]
            steps.add(entry["iter"])
    record = json.loads((kept / "task.json").read_text())
    artifacts = record.get("execution", {}).get("artifacts") or record.get("artifacts") or []
    return figures, steps, json.dumps(record), len(artifacts)


def with_comet(version, page, folder):
    from comet_ml import OfflineExperiment

    experiment = OfflineExperiment(
        project_name="p",
        offline_directory=str(folder),
        auto_output_logging=False,
        log_env_details=False,
        log_code=False,
        parse_args=False,
        display_summary_level=0,
    )
    log_to(experiment, version, step=STEP, address=ADDRESS, page=page)
    experiment.end()
    (archive,) = folder.glob("*.zip")
    figures, steps, address, files = {}, set(), "", 0
    with zipfile.ZipFile(archive) as kept:
        for line in kept.read("messages.json").decode().splitlines():
            message = json.loads(line)
            payload = message["payload"]
            if "metric" in payload and payload["metric"]["metricName"].startswith("pellucid/"):
                figures[payload["metric"]["metricName"]] = float(payload["metric"]["metricValue"])
                steps.add(payload["metric"].get("step", payload.get("step")))
            if message["type"] == "log_other" and payload["key"] == "pellucid/address":
                address = payload["value"]
            file = payload.get("additional_params", {})
            files += message["type"] == "file_upload" and file["fileName"] == "pellucid.html"
    return figures, steps, address, files


def main():
    tracker, workspace, page, folder = sys.argv[1], *map(Path, sys.argv[2:])
    folder.mkdir()
    version = pellucid.open(workspace).view("v").version("m")
    log = {
        "wandb": with_wandb,
        "mlflow": with_mlflow,
        "tensorboardX": with_tensorboard,
        "clearml": with_clearml,
        "comet_ml": with_comet,
    }[tracker]
    figures, steps, address, files = log(version, page, folder)
    kept = {"figures": figures, "steps": sorted(steps), "address": address, "files": files}
    print(json.dumps(kept))


if __name__ == "__main__":
    main()
