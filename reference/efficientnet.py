#!/usr/bin/env python3
"""Makes the shipped image encoder and the reference features its test compares with.

    python reference/efficientnet.py path/to/efficientnet_lite0.safetensors [--compare IMAGE...]

Writes `assets/efficientnet-lite0.onnx.zst` (EfficientNet-Lite0 without its classifier, BatchNorm folded into the
convolutions, weights as f16 followed by a Cast) and `reference/efficientnet_features.json`: the feature of a drawn
image, computed by a separate plain PyTorch forward with BatchNorm not folded. `--compare` prints, for photos of yours,
the cosine between onnxruntime on the written file and that forward.

Needs numpy, torch, onnx, onnxruntime, safetensors, pillow and zstandard. Weights: EfficientNet-Lite0, Apache-2.0 (see NOTICE).
"""
import argparse
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
import zstandard
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parent.parent
EPS = 1e-3
SIDE = 224
# (repeats, kernel, stride of the first, expansion, channels out), Tan & Le 2019, "lite" variant.
STAGES = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)]


def layers():
    """Every convolution in order: (convolution, BatchNorm, kernel, stride, depthwise, ReLU6 after it, "keep"/"add"/None).

    "keep" marks the first layer of a block whose input is added again after the layer marked "add".
    """
    yield "_conv_stem", "_bn0", 3, 2, False, True, None
    channels, block = 32, 0
    for repeats, kernel, first_stride, expansion, out in STAGES:
        for i in range(repeats):
            stride, name = (first_stride if i == 0 else 1), f"_blocks.{block}"
            residual = stride == 1 and channels == out
            start = "keep" if residual else None
            if expansion > 1:
                yield f"{name}._expand_conv", f"{name}._bn0", 1, 1, False, True, start
                start = None
            yield f"{name}._depthwise_conv", f"{name}._bn1", kernel, stride, True, True, start
            yield f"{name}._project_conv", f"{name}._bn2", 1, 1, False, False, "add" if residual else None
            channels, block = out, block + 1
    yield "_conv_head", "_bn1", 1, 1, False, True, None


def same_padding(size, kernel, stride):
    """TensorFlow SAME: (before, after); the odd one comes after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def forward(weights, x):
    """The plain forward pass, BatchNorm as stored: `[n, 3, 224, 224]` -> `[n, 1280]`."""
    kept = None
    for conv, bn, kernel, stride, depthwise, relu, mark in layers():
        if mark == "keep":
            kept = x
        before, after = same_padding(x.shape[-1], kernel, stride)
        w = weights[f"{conv}.weight"]
        x = F.conv2d(F.pad(x, (before, after, before, after)), w, stride=stride, groups=x.shape[1] if depthwise else 1)
        x = F.batch_norm(x, *(weights[f"{bn}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")), eps=EPS)
        if relu:
            x = F.relu6(x)
        if mark == "add":
            x = x + kept
    return x.mean((2, 3))


def build(weights):
    """The ONNX model, with a free batch size."""
    nodes, constants, size, x, kept = [], [], SIDE, "image", None

    def constant(name, value):
        constants.append(numpy_helper.from_array(value, name))
        return name

    low, high = constant("zero", np.float32(0)), constant("six", np.float32(6))
    for n, (conv, bn, kernel, stride, depthwise, relu, mark) in enumerate(layers()):
        if mark == "keep":
            kept = x
        gamma, beta, mean, var = (weights[f"{bn}.{k}"] for k in ("weight", "bias", "running_mean", "running_var"))
        scale = gamma / np.sqrt(var + np.float32(EPS))
        w = (weights[f"{conv}.weight"] * scale[:, None, None, None]).astype(np.float16)
        assert np.isfinite(w).all(), conv
        constant(f"w{n}_f16", w)
        nodes.append(helper.make_node("Cast", [f"w{n}_f16"], [f"w{n}"], to=TensorProto.FLOAT))
        bias = constant(f"b{n}", (beta - mean * scale).astype(np.float32))
        before, after = same_padding(size, kernel, stride)
        size = -(-size // stride)
        nodes.append(
            helper.make_node(
                "Conv", [x, f"w{n}", bias], [f"c{n}"], name=conv, kernel_shape=[kernel] * 2, strides=[stride] * 2,
                pads=[before, before, after, after], group=w.shape[0] if depthwise else 1,
            )
        )
        x = f"c{n}"
        if relu:
            nodes.append(helper.make_node("Clip", [x, low, high], [f"r{n}"]))
            x = f"r{n}"
        if mark == "add":
            nodes.append(helper.make_node("Add", [x, kept], [f"a{n}"]))
            x = f"a{n}"
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["feature"], axis=1))
    graph = helper.make_graph(
        nodes, "efficientnet-lite0",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("feature", TensorProto.FLOAT, ["batch", 1280])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7, producer_name="quintet")
    onnx.checker.check_model(model)
    return model


def drawn_image():
    """300 x 260 RGB of integers only, so that the Rust test draws the same pixels."""
    y, x = np.mgrid[0:260, 0:300]
    red = np.where((x - 100) ** 2 + (y - 90) ** 2 < 3600, 255, x * 255 // 299)
    blue = ((x // 20 + y // 20) % 2) * 200
    return Image.fromarray(np.stack([red, y * 255 // 259, blue], -1).astype(np.uint8))


def preprocess(image):
    """Shorter side to 224 (antialiased bilinear), centre crop, (x - 127) / 128: `[1, 3, 224, 224]`."""
    image = image.convert("RGB")
    width, height = image.size
    short = min(width, height)
    image = image.resize((width * SIDE // short, height * SIDE // short), Image.BILINEAR)
    left, top = round((image.width - SIDE) / 2), round((image.height - SIDE) / 2)
    pixels = np.asarray(image.crop((left, top, left + SIDE, top + SIDE)), np.float32)
    return ((pixels - 127) / 128).transpose(2, 0, 1)[None]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--compare", type=Path, nargs="*", default=[])
    args = parser.parse_args()
    weights = {k: v.astype(np.float32) for k, v in load_file(args.weights).items()}
    plain = {k: torch.from_numpy(v) for k, v in weights.items()}

    serialized = build(weights).SerializeToString()
    asset = ROOT / "assets/efficientnet-lite0.onnx.zst"
    asset.write_bytes(zstandard.ZstdCompressor(level=19).compress(serialized))
    print(f"{asset.name}: {asset.stat().st_size} bytes ({len(serialized)} before compression)")

    session = onnxruntime.InferenceSession(serialized)

    def compare(name, image):
        x = preprocess(image)
        with torch.no_grad():
            want = forward(plain, torch.from_numpy(x)).numpy()[0]
        got = session.run(None, {"image": x})[0][0]
        cosine = float(want @ got / np.linalg.norm(want) / np.linalg.norm(got))
        print(f"{name}: cosine {cosine:.6f}, mean feature {want.mean():.4f}")
        return want

    feature = compare("drawn image", drawn_image())
    out = ROOT / "reference/efficientnet_features.json"
    out.write_text(json.dumps({"feature": [round(float(v), 5) for v in feature]}) + "\n")
    for path in args.compare:
        compare(path.name, Image.open(path))


if __name__ == "__main__":
    main()
