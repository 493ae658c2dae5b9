"""A training step of the published size: PyTorch as people write it, PyTorch at its best, Quintet in f32 and bf16 (where
the processor multiplies it; elsewhere the best of both is f32).

128 posts with all five components, four neighbour texts each, 50,000 words of 300, joint dimension 1024; texts of 5 to 25
words whose ranks follow Zipf's law. Loss, clipping and Adam are the published ones. All sides start from the same
weights; their first losses are compared.
"""

import argparse
import contextlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from common import WORK, Quintet, has_bf16, interleave, ratio, save, seconds, timed

SIZES = {
    "published": dict(words=50_000, word_dim=300, image_dim=2048, user_dim=300, dim=1024, posts=128, neighbours=4),
    "default": dict(words=50_000, word_dim=300, image_dim=1280, user_dim=300, dim=512, posts=128, neighbours=4),
}
BATCHES = 48
# Steps after which as many rows of the embedding tables come to rest as begin to move.
STEADY = 250


def zipf(n):
    chance = 1 / np.arange(1, n + 1)
    return chance / chance.sum()


def make_batches(size, count=BATCHES):
    rng = np.random.default_rng(1)
    chance = zipf(size["words"])
    for _ in range(count):
        batch = {}
        for name, texts in (("text", size["posts"]), ("location", size["posts"] * size["neighbours"])):
            lengths = rng.integers(5, 26, texts).astype(np.int32)
            batch[f"{name}.lengths"] = lengths
            batch[f"{name}.tokens"] = rng.choice(size["words"], size=int(lengths.sum()), p=chance).astype(np.int32)
        for name, dim in (("image", size["image_dim"]), ("hashtags", size["word_dim"]), ("user", size["user_dim"])):
            batch[name] = rng.standard_normal((size["posts"], dim)).astype(np.float32)
        yield batch


class Texts(nn.Module):
    def __init__(self, size, sparse):
        super().__init__()
        self.embedding = nn.Embedding(size["words"], size["word_dim"], sparse=sparse)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.gru = nn.GRU(size["word_dim"], size["dim"], batch_first=True)

    def forward(self, tokens, lengths):
        packed = pack_padded_sequence(self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False)
        return self.gru(packed)[1][0]


class Joint(nn.Module):
    def __init__(self, size, sparse=False):
        super().__init__()
        self.size = size
        self.text = Texts(size, sparse)
        self.location = nn.ModuleDict({"texts": Texts(size, sparse)})
        for name, dim in (("image", size["image_dim"]), ("hashtags", size["word_dim"]), ("user", size["user_dim"])):
            setattr(self, name, nn.ModuleDict({"fc": nn.Linear(dim, size["dim"])}))

    def forward(self, batch):
        unit = lambda x: F.normalize(x.float(), dim=-1)
        places = self.location["texts"](*batch["location"]).float().unflatten(0, (-1, self.size["neighbours"])).mean(1)
        return [
            unit(self.text(*batch["text"])),
            *(unit(getattr(self, name)["fc"](batch[name])) for name in ("image", "hashtags")),
            unit(places),
            unit(self.user["fc"](batch["user"])),
        ]


def loss_of(vectors, margin=0.2):
    average = F.normalize(torch.stack(vectors).mean(0), dim=-1)
    same = torch.eye(len(average), dtype=torch.bool, device=average.device)
    total = 0
    for own in vectors:
        scores = own @ average.t()
        right = scores.diag()
        rows = (margin + scores - right[:, None]).clamp(min=0).masked_fill(same, 0)
        columns = (margin + scores - right[None, :]).clamp(min=0).masked_fill(same, 0)
        total = total + rows.max(1)[0].sum() + columns.max(0)[0].sum()
    return total


def tensors(batch, device="cpu"):
    """Lists of token ids as a user's collate function pads them; lengths stay on the CPU, where packing wants them."""
    result = {name: torch.from_numpy(batch[name]).to(device) for name in ("image", "hashtags", "user")}
    for name in ("text", "location"):
        lengths = torch.from_numpy(batch[f"{name}.lengths"]).long()
        texts = torch.from_numpy(batch[f"{name}.tokens"]).long().split(lengths.tolist())
        result[name] = (nn.utils.rnn.pad_sequence(texts, batch_first=True).to(device), lengths)
    return result


def pytorch_step(model, batches, best, device="cpu"):
    """`best`: bf16 autocast where it is faster, sparse gradients of the embedding tables, fused Adam."""
    model.to(device)
    tables = [model.text.embedding.weight, model.location["texts"].embedding.weight]
    rest = [p for p in model.parameters() if all(p is not t for t in tables)]
    if best:
        optimisers = [torch.optim.SparseAdam(tables, lr=2e-4), torch.optim.Adam(rest, lr=2e-4, fused=True)]
    else:
        optimisers = [torch.optim.Adam(model.parameters(), lr=2e-4)]
    at = 0

    def step():
        nonlocal at
        batch = tensors(batches[at % len(batches)], device)
        at += 1
        for optimiser in optimisers:
            optimiser.zero_grad()
        with torch.autocast(device, dtype=torch.bfloat16) if best and (device != "cpu" or has_bf16()) else contextlib.nullcontext():
            vectors = model(batch)
        loss = loss_of(vectors)
        loss.backward()
        if best:
            for table in tables:
                table.grad = table.grad.coalesce()
            gradients = [t.grad._values() for t in tables] + [p.grad for p in rest]
            norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients]))
            torch._foreach_mul_(gradients, (2.0 / (norm + 1e-6)).clamp(max=1.0))
        else:
            nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        for optimiser in optimisers:
            optimiser.step()
        return loss.item()
    return step


def prepare(name, model, batches):
    """Writes the weights and batches for Quintet; returns the folder and the batches."""
    folder = WORK / name
    folder.mkdir(parents=True, exist_ok=True)
    batches = list(batches)
    save_file({key: value.numpy() for key, value in model.state_dict().items()}, folder / "weights.safetensors")
    for at, batch in enumerate(batches):
        save_file(batch, folder / f"batch{at}.safetensors")
    return folder, batches


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="published")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    size = SIZES[args.size]
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    plain, best = Joint(size), Joint(size, sparse=True)
    best.load_state_dict(plain.state_dict())
    folder, batches = prepare(f"step-{args.size}", plain, make_batches(size))
    ours = {p: Quintet("step", folder, p, threads=args.threads) for p in ("f32", "bf16")[:1 + has_bf16()]}
    sides = {
        "PyTorch f32": timed(pytorch_step(plain, batches, best=False)),
        "Quintet f32": ours["f32"],
        "PyTorch best": timed(pytorch_step(best, batches, best=True)),
        **({"Quintet bf16": ours["bf16"]} if has_bf16() else {}),
    }
    losses = {name: [a.get("value", a.get("loss")) for a in of] for name, of in interleave(sides, 4, warm=0).items()}
    reference = losses["PyTorch f32"]
    off = {name: max(abs(a - b) / abs(b) for a, b in zip(of, reference)) for name, of in losses.items()}
    # Two f32 implementations drift apart slowly; bf16 sides are compared with each other only.
    if off["Quintet f32"] > 1e-2:
        raise SystemExit(f"losses disagree: {losses}")
    # A fresh optimiser would flatter us: ours moves every row that was read, as long as its momentum moves it.
    for side in ours.values():
        for _ in range(STEADY):
            side()
    answers = interleave(sides, args.rounds)
    for side in ours.values():
        side.close()
    times = {name: seconds(of) for name, of in answers.items()}
    save(f"step-{args.size}", {
        "threads": args.threads, "size": size, "torch": torch.__version__, "seconds": times, "losses": losses,
        "largest relative difference of losses": off,
        "ratios": {
            f"Quintet {p} over {peer}": ratio(times[peer], times[f"Quintet {p}"])
            for p, peer in (("f32", "PyTorch f32"), ("bf16", "PyTorch f32"), ("bf16" if has_bf16() else "f32", "PyTorch best"))
            if p in ours
        },
    })


if __name__ == "__main__":
    main()
