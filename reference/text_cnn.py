"""Reference values of the text CNN (Kim 2014) and of one step of Adadelta, from PyTorch in double precision.

Writes crates/quintet/src/tasks/bots/reference/text_cnn.json, which the tests of tasks/bots/cnn.rs read.
Run from anywhere: python reference/text_cnn.py   (PyTorch 1.12 or later, CPU)

Nothing here is shared with the Rust code: the convolutions, pooling, cross-entropy and optimiser are PyTorch's.
"""

import json
import pathlib

import torch
import torch.nn.functional as F
from torch import nn

ROWS, DIM, MAPS, WINDOWS, ITEMS, STEPS = 4, 5, 3, [2, 3, 4], 6, 2
MAX_NORM = 0.3  # small, so that the rule acts


class TextCnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(1, MAPS, (h, DIM)) for h in WINDOWS)
        self.fc = nn.Linear(MAPS * len(WINDOWS), 2)

    def forward(self, x, mask):
        pad = max(WINDOWS) - 1
        x = F.pad(x, (0, 0, pad, pad)).unsqueeze(1)
        pooled = [F.relu(conv(x)).squeeze(3).max(dim=2).values for conv in self.convs]
        return self.fc(torch.cat(pooled, 1) * mask)


def flat(tensor):
    return tensor.detach().reshape(-1).tolist()


def named(model, grad=False):
    pick = (lambda p: p.grad) if grad else (lambda p: p)
    return {
        "filters": [flat(pick(c.weight)) for c in model.convs],
        "biases": [flat(pick(c.bias)) for c in model.convs],
        "output": flat(pick(model.fc.weight)),
        "output_bias": flat(pick(model.fc.bias)),
    }


torch.manual_seed(20260)
torch.set_default_dtype(torch.float64)
model = TextCnn()
# Values that f32 holds exactly, so that both sides start from the same numbers.
for p in model.parameters():
    p.data = p.data.float().double()
x = torch.randn(ITEMS, ROWS, DIM).float().double()
lengths = [4, 2, 4, 1, 3, 4]
for i, n in enumerate(lengths):
    x[i, n:] = 0
classes = torch.tensor([1, 0, 0, 1, 1, 0])
mask = (torch.rand(ITEMS, MAPS * len(WINDOWS)) < 0.5).double() * 2

out = {"rows": ROWS, "dim": DIM, "maps": MAPS, "windows": WINDOWS, "max_norm": MAX_NORM, "lengths": lengths,
       "x": [flat(x[i, :n]) for i, n in enumerate(lengths)], "classes": classes.tolist(), "mask": flat(mask), "start": named(model)}
optimiser = torch.optim.Adadelta(model.parameters(), lr=1.0, rho=0.95, eps=1e-6)
out["steps"] = []
for _ in range(STEPS):
    optimiser.zero_grad()
    logits = model(x, mask)
    loss = F.cross_entropy(logits, classes)
    loss.backward()
    step = {"probabilities": flat(logits.softmax(1)), "loss": loss.item(), "gradients": named(model, grad=True)}
    optimiser.step()
    with torch.no_grad():
        norms = model.fc.weight.norm(dim=1, keepdim=True)
        model.fc.weight *= torch.where(norms > MAX_NORM, MAX_NORM / norms, torch.ones_like(norms))
    step["weights"] = named(model)
    out["steps"].append(step)

path = pathlib.Path(__file__).parent.parent / "crates/quintet/src/tasks/bots/reference/text_cnn.json"
path.parent.mkdir(exist_ok=True)
path.write_text(json.dumps(out) + "\n")
