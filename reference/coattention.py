"""Reference values of the Co-Attention network (Zhang et al. 2017), its gradients and one Adam step, from PyTorch in double.

Writes crates/quintet/tests/reference/coattention.json, which the tests of tasks/hashtags/baseline read.
Run from anywhere: python reference/coattention.py   (PyTorch 1.12 or later, CPU)

Nothing here is shared with the Rust code: nn.Embedding, nn.LSTM, nn.Linear, torch.softmax and torch.optim.Adam are PyTorch's,
and posts go through one by one. The scores' biases, which the Rust code leaves out because a softmax cancels them, are
here, so that the test shows it.
"""

import json
import pathlib

import torch
from torch import nn

WORDS, WORD_DIM, DIM, ATTENTION, REGION, REGIONS, CLASSES = 14, 5, 6, 4, 7, 3, 9
LEARNING_RATE = 0.01

POSTS = [  # words, whether there is an image, tags
    ([2, 5, 3], True, [1, 4]),
    ([7], True, [0]),
    ([], True, [8, 2, 3]),
    ([5, 5, 9, 1, 13], False, [4]),
    ([], False, [6]),
    ([2, 5], True, []),
]


class Attention(nn.Module):
    def __init__(self, concatenate):
        super().__init__()
        self.rows = nn.Linear(DIM, ATTENTION, bias=False)
        self.guide = nn.Linear(DIM, ATTENTION, bias=False)
        self.score = nn.Linear(2 * ATTENTION if concatenate else ATTENTION, 1)
        self.concatenate = concatenate

    def forward(self, rows, guide):
        own, guide = self.rows(rows), self.guide(guide).expand(len(rows), -1)
        hidden = torch.cat([own, guide], 1).tanh() if self.concatenate else (own + guide).tanh()
        return torch.softmax(self.score(hidden)[:, 0], 0) @ rows


class CoAttention(nn.Module):
    def __init__(self, concatenate):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, WORD_DIM)
        self.lstm = nn.LSTM(WORD_DIM, DIM)
        self.regions = nn.Linear(REGION, DIM, bias=False)
        self.image = Attention(concatenate)
        self.text = Attention(concatenate)
        self.output = nn.Linear(DIM, CLASSES)

    def features(self, words, regions):
        none = torch.zeros(DIM)
        states = self.lstm(self.embedding(torch.tensor(words)))[0] if words else None
        image = none
        if regions is not None:
            image = self.image(self.regions(regions).tanh(), states.mean(0) if words else none)
        text = self.text(states, image) if words else none
        return text + image


def numbers(tensor):
    return [float(f"{x:.9g}") for x in tensor.detach().flatten().tolist()]


def name(parameter):
    """The name in the Rust module."""
    table = {"regions.weight": "image.regions", "embedding.weight": "embedding.weight"}
    for side, place in (("image", "image.attention"), ("text", "text")):
        for part in ("rows", "guide", "score"):
            table[f"{side}.{part}.weight"] = f"{place}.{part}"
    return table.get(parameter, parameter)


def case(concatenate, images):
    torch.manual_seed(7)
    network = CoAttention(concatenate)
    regions = [torch.randn(REGIONS, REGION) if image and images else None for _, image, _ in POSTS]
    adam = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    weights = lambda: {name(n): {"shape": list(p.shape), "values": numbers(p)} for n, p in network.named_parameters()}
    before = weights()
    features = torch.stack([network.features(words, r) for (words, _, _), r in zip(POSTS, regions)])
    losses = torch.log_softmax(network.output(features), 1)
    loss = -sum(losses[post][tag] for post, (_, _, tags) in enumerate(POSTS) for tag in tags) / len(POSTS)
    loss.backward()
    gradients = {
        name(n): numbers(torch.zeros_like(p) if p.grad is None else p.grad) for n, p in network.named_parameters()
    }
    assert all(abs(x) < 1e-12 for n, g in gradients.items() if n.endswith("score.bias") for x in g)
    adam.step()
    return {
        "concatenate": concatenate,
        "regions": [None if r is None else numbers(r) for r in regions],
        "weights": before,
        "features": numbers(features),
        "loss": loss.item(),
        "gradients": gradients,
        "after": {n: w["values"] for n, w in weights().items()},
    }


def main():
    torch.set_default_dtype(torch.float64)
    result = {
        "region": REGION,
        "attention": ATTENTION,
        "dim": DIM,
        "learning_rate": LEARNING_RATE,
        "words": [words for words, _, _ in POSTS],
        "tags": [tags for _, _, tags in POSTS],
        "cases": [case(concatenate, images) for concatenate, images in ((False, True), (True, True), (False, False))],
    }
    root = pathlib.Path(__file__).resolve().parent.parent
    target = root / "crates/quintet/tests/reference/coattention.json"
    target.write_text(json.dumps(result, separators=(",", ":")) + "\n")
    print(f"wrote {target} ({target.stat().st_size} bytes)")


if __name__ == "__main__":
    main()
