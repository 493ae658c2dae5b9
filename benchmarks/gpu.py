"""A training step of the published size on a graphics card: PyTorch and Quintet in turn on the same card.

Needs a card that PyTorch can use and Quintet's side built for it:

    cargo build --release -p quintet-benchmarks --features wgpu        # and cuda, where its build can be had
    benchmarks/venv/bin/python benchmarks/gpu.py --devices gpu

Without a card, or with a software driver in its place, nothing is measured and nothing is written.
"""

import argparse

import torch

from common import Quintet, interleave, ratio, save, seconds, timed
from step import SIZES, Joint, make_batches, prepare, pytorch_step


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="published")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--devices", nargs="+", choices=["gpu", "cuda"], default=["gpu"], help="of Quintet")
    args = parser.parse_args()
    if not torch.accelerator.is_available():
        raise SystemExit("gpu: PyTorch finds no card on this machine; nothing was measured, nothing was written")
    card = torch.accelerator.current_accelerator().type
    size = SIZES[args.size]
    torch.manual_seed(1)
    plain, best = Joint(size), Joint(size, sparse=True)
    best.load_state_dict(plain.state_dict())
    folder, batches = prepare(f"gpu-{args.size}", plain, make_batches(size))

    def on_card(model, best):
        step = pytorch_step(model, batches, best, card)

        def whole():
            loss = step()
            torch.accelerator.synchronize()
            return loss
        return timed(whole)

    ours = {f"Quintet f32, {device}": Quintet("step", folder, "f32", device) for device in args.devices}
    sides = {"PyTorch f32": on_card(plain, best=False), **ours, "PyTorch best": on_card(best, best=True)}
    # The first steps translate the kernels.
    answers = interleave(sides, args.rounds, warm=4)
    for side in ours.values():
        side.close()
    names = {name: answers[name][0]["device"] for name in ours}
    if any(answers[name][0]["software"] for name in ours):
        raise SystemExit(f"gpu: {names} is a software driver; nothing was written")
    losses = {name: [a.get("value", a.get("loss")) for a in of] for name, of in answers.items()}
    reference = losses["PyTorch f32"]
    off = {name: max(abs(a - b) / abs(b) for a, b in zip(of, reference)) for name, of in losses.items()}
    if any(off[name] > 1e-2 for name in ours):
        raise SystemExit(f"losses disagree: {losses}")
    times = {name: seconds(of) for name, of in answers.items()}
    save(f"gpu-{args.size}", {
        "size": size, "torch": torch.__version__, "card of PyTorch": torch.cuda.get_device_name() if card == "cuda" else card,
        "card of Quintet": names, "TF32 in cuDNN": torch.backends.cudnn.allow_tf32, "seconds": times, "losses": losses,
        "largest relative difference of losses": off,
        "ratios": {f"{name} over {peer}": ratio(times[peer], times[name]) for name in ours for peer in ("PyTorch f32", "PyTorch best")},
    })


if __name__ == "__main__":
    main()
