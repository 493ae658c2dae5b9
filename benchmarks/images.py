"""Image features: onnxruntime on the CPU and Quintet, on the same ONNX file.

Two rows. `network`: eight prepared images through the network alone. `pipeline`: JPEG files read, decoded, resized,
normalised and encoded; the peer does this with Pillow, NumPy and onnxruntime. The peer is run both ways that people use:
batches of eight through a session of all threads, and one image a thread through sessions of one thread.
"""

import argparse
import pathlib
import subprocess
import tomllib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
from PIL import Image
from safetensors.numpy import save_file

from common import DATA, ROOT, WORK, Quintet, interleave, ratio, save, seconds, timed

SHIPPED = "efficientnet-lite0"
BATCH = 8


def files_of(encoder):
    """The ONNX file and the preprocessing of an encoder; the shipped one is unpacked first."""
    if encoder != SHIPPED:
        return pathlib.Path(encoder), pathlib.Path(encoder).with_suffix(".toml")
    network = WORK / f"{SHIPPED}.onnx"
    subprocess.run(["zstd", "-dqf", ROOT / f"assets/{SHIPPED}.onnx.zst", "-o", network], check=True)
    return network, ROOT / f"assets/{SHIPPED}.toml"


def session(network, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(network), options, providers=["CPUExecutionProvider"])


def prepared(path, settings):
    """As `features/image/preprocess.rs` does it."""
    image = Image.open(path).convert("RGB")
    width, height = image.size
    size, crop = settings["size"], settings["crop"]
    shape = (size, size * height // width) if width <= height else (size * width // height, size)
    image = image.resize(shape, Image.Resampling.BILINEAR)
    left, top = round((shape[0] - crop) / 2), round((shape[1] - crop) / 2)
    pixels = np.asarray(image.crop((left, top, left + crop, top + crop)), dtype=np.float32)
    pixels = pixels * np.float32(settings["scale"]) - np.float32(settings["mean"])
    return np.ascontiguousarray((pixels / np.float32(settings["std"])).transpose(2, 0, 1))


def unit(features):
    features = np.asarray(features, dtype=np.float64).reshape(len(features), -1)
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def peers(network, threads, items, prepare):
    """Both ways of onnxruntime; `prepare` turns an item into a tensor."""
    batch_session, single = session(network, threads), session(network, 1)
    name, pool = batch_session.get_inputs()[0].name, ThreadPoolExecutor(threads)

    def batches():
        results = []
        for at in range(0, len(items), BATCH):
            batch = np.stack(list(pool.map(prepare, items[at:at + BATCH])))
            results.append(batch_session.run(None, {name: batch})[0])
        return np.concatenate(results)

    def images():
        return np.concatenate(list(pool.map(lambda item: single.run(None, {name: prepare(item)[None]})[0], items)))

    return {"onnxruntime, batches": timed(batches), "onnxruntime, an image a thread": timed(images)}


def row(name, peers, ours, images, rounds, closest):
    answers = interleave({**peers, "Quintet": ours}, rounds)
    ours.close()
    want = unit(answers[next(iter(peers))][-1]["value"])
    worst = float((want * unit(answers["Quintet"][-1]["features"])).sum(1).min())
    if worst < closest:
        raise SystemExit(f"features disagree: cosine {worst}")
    times = {side: seconds(of) for side, of in answers.items()}
    best = min(peers, key=lambda side: sorted(times[side])[rounds // 2])
    return {
        "images": images, "seconds": times, "smallest cosine": worst,
        "milliseconds an image": {side: sorted(of)[rounds // 2] / images * 1000 for side, of in times.items()},
        "images a second": {side: images / sorted(of)[rounds // 2] for side, of in times.items()},
        "ratios": {f"Quintet over {side}": ratio(times[side], times["Quintet"]) for side in peers},
        "best peer": best,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default=SHIPPED, help="the shipped one or an ONNX file with its TOML file beside it")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--photos", type=pathlib.Path, default=DATA / "flickr8k/images", help="a folder of JPEG files")
    parser.add_argument("--files", type=int, default=32)
    args = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    network, settings = files_of(args.encoder)
    settings = tomllib.loads(settings.read_text())
    side = settings["crop"]
    tensors = np.random.default_rng(1).standard_normal((BATCH, 3, side, side)).astype(np.float32)
    save_file({"images": tensors}, WORK / "images.safetensors")
    ours = lambda kind, file: Quintet("images", args.encoder, args.threads, kind, file, threads=args.threads)
    rows = {
        "network": row("network", peers(network, args.threads, tensors, lambda tensor: tensor),
                       ours("tensors", WORK / "images.safetensors"), BATCH, args.rounds, 1 - 1e-6),
    }
    photos = sorted(args.photos.glob("*.jpg"))[:args.files]
    if photos:
        (WORK / "photos.txt").write_text("".join(f"{path}\n" for path in photos))
        rows["pipeline"] = row("pipeline", peers(network, args.threads, photos, lambda path: prepared(path, settings)),
                               ours("files", WORK / "photos.txt"), len(photos), args.rounds, 0.999)
    save(f"images-{pathlib.Path(args.encoder).stem}-{args.threads}", {
        "threads": args.threads, "encoder": pathlib.Path(args.encoder).name,
        "onnxruntime": onnxruntime.__version__, "rows": rows,
    })


if __name__ == "__main__":
    main()
