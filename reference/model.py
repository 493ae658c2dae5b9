"""Reference values of the joint model, its losses, gradients and Adam steps, from PyTorch in double precision.

Writes crates/quintet/tests/reference/model.json, which crates/quintet/tests/matches_pytorch.rs reads.
Run from anywhere: python reference/model.py   (PyTorch 1.12 or later, CPU)

Nothing here is shared with the Rust code: nn.Embedding, nn.GRU over packed sequences, nn.Linear, torch.optim.Adam and
clip_grad_norm_ are PyTorch's; the losses are written as loops over posts, straight from their definitions.
"""

import itertools
import json
import math
import pathlib

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

WORDS, WORD_DIM, IMAGE_DIM, USER_DIM, DIM = 24, 5, 7, 5, 6
COMPONENTS = ["text", "image", "hashtags", "location", "user"]
MARGIN, TEMPERATURE, LEARNING_RATE, CLIP = 0.2, 0.07, 0.01, 0.5


class TextBranch(nn.Module):
    def __init__(self, bag):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, WORD_DIM)
        self.gru = nn.GRU(WORD_DIM, DIM, batch_first=True)
        self.bag = nn.Linear(WORD_DIM, DIM) if bag else None

    def states(self, texts):
        lengths = [len(t) for t in texts]
        padded = pad_sequence([self.embedding(torch.tensor(t)) for t in texts], batch_first=True)
        packed = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
        states = self.gru(packed)[1][0]
        if self.bag is None:
            return states
        return states + self.bag(torch.stack([self.embedding(torch.tensor(t)).mean(0) for t in texts]))


class LocationBranch(nn.Module):
    def __init__(self, bag):
        super().__init__()
        self.texts = TextBranch(bag)


class Dense(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.fc = nn.Linear(inputs, DIM)


class LossScale(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor([math.log(1 / TEMPERATURE)]))
        self.bias = nn.Parameter(torch.tensor([-10.0]))


class Joint(nn.Module):
    def __init__(self, components, bag=False):
        super().__init__()
        make = {
            "text": lambda: TextBranch(bag),
            "image": lambda: Dense(IMAGE_DIM),
            "hashtags": lambda: Dense(WORD_DIM),
            "location": lambda: LocationBranch(bag),
            "user": lambda: Dense(USER_DIM),
        }
        for name in components:
            setattr(self, name, make[name]())
        self.loss = LossScale()
        self.components = components

    def vectors(self, batch):
        """{component: {post: unit vector}}"""
        result = {}
        for name in self.components:
            part = batch[name]
            if not part["rows"]:
                continue
            branch = getattr(self, name)
            if name == "text":
                states = branch.states([lists[0] for lists in part["texts"]])
            elif name == "location":
                states = torch.stack([branch.texts.states(lists).mean(0) for lists in part["texts"]])
            else:
                states = branch.fc(torch.tensor(part["values"], dtype=torch.float64))
            unit = states / states.norm(dim=1, keepdim=True)
            result[name] = dict(zip(part["rows"], unit))
        return result


def may_be_rivals(batch, compared, i, j):
    """Same text, same image or same content of a compared component: not a negative."""
    keys = batch["keys"]
    seen = {0, 1} | {COMPONENTS.index(c) for c in compared}
    return i != j and not any(keys[i][k] != 0 and keys[i][k] == keys[j][k] for k in seen)


def matrix_loss(kind, compared, own, other, posts, batch, scale):
    """own, other: {post: unit vector}; every post against the others, in both directions."""
    cosine = {(i, j): own[i] @ other[j] for i in posts for j in posts}
    rivals = {i: [j for j in posts if may_be_rivals(batch, compared, i, j)] for i in posts}
    total = torch.zeros((), dtype=torch.float64)
    if kind in ("max-of-hinges", "sum-of-hinges"):
        for i in posts:
            for row in (True, False):
                costs = [torch.clamp(MARGIN + cosine[(i, j) if row else (j, i)] - cosine[i, i], min=0) for j in rivals[i]]
                if costs:
                    costs = torch.stack(costs)
                    total = total + (costs.max() if kind == "max-of-hinges" else costs.sum())
        return total
    factor = scale.log_scale.exp()[0]
    if kind == "info-nce":
        for i in posts:
            for row in (True, False):
                logits = [factor * cosine[(i, j) if row else (j, i)] for j in [i] + rivals[i]]
                total = total + 0.5 * (torch.logsumexp(torch.stack(logits), 0) - logits[0])
        return total / len(posts)
    for i in posts:
        for j in [i] + rivals[i]:
            logit = factor * cosine[i, j] + scale.bias[0]
            total = total - nn.functional.logsigmoid(logit if i == j else -logit)
    return total / len(posts)


def losses(model, vectors, batch, kind, average):
    size = batch["size"]
    result = {}
    if average == "pairwise" or (len(model.components) == 2 and average == "leave-one-out"):
        # One matrix for two components, both directions; reported half and half. Of two components alone: VSE++.
        for a, b in itertools.combinations(model.components, 2):
            posts = [i for i in range(size) if i in vectors.get(a, {}) and i in vectors.get(b, {})]
            if posts:
                value = matrix_loss(kind, [a, b], vectors[a], vectors[b], posts, batch, model.loss)
                for name in (a, b):
                    result[name] = result.get(name, 0) + value / 2
        return result
    for name in vectors:
        averages = {}
        for i in vectors[name]:
            parts = [vectors[c][i] for c in vectors if i in vectors[c] and (average == "include-self" or c != name)]
            if parts:
                mean = torch.stack(parts).mean(0)
                averages[i] = mean / mean.norm()
        posts = sorted(averages)
        if posts:
            result[name] = matrix_loss(kind, [name], vectors[name], averages, posts, batch, model.loss)
    return result


def gradients(model):
    return {n: (torch.zeros_like(p) if p.grad is None else p.grad) for n, p in model.named_parameters()}


def flat(tensors):
    return {name: [float(f"{x:.9g}") for x in t.detach().flatten().tolist()] for name, t in tensors.items()}


def single(shape, generator, low=-1.0, high=1.0):
    """Uniform numbers that are exact in single precision."""
    return (torch.rand(shape, generator=generator) * (high - low) + low).float().double()


def make_batch(seed, missing):
    """Six posts; `missing`: {component: posts without it}. Posts 1 and 4 share an image, 0 and 2 a text, 2 and 3 an
    author."""
    generator = torch.Generator().manual_seed(seed)
    size = 6
    number = lambda n: int(torch.randint(n, (1,), generator=generator))
    text = lambda: [number(WORDS) for _ in range(1 + number(7))]
    batch = {"size": size, "keys": [[0] * 5 for _ in range(size)]}
    shared = text()
    for name in COMPONENTS:
        rows = [i for i in range(size) if i not in missing.get(name, [])]
        part = {"rows": rows}
        if name == "text":
            part["texts"] = [[shared if i in (0, 2) else text()] for i in rows]
        elif name == "location":
            # One text is everybody's neighbour.
            part["texts"] = [[text() for _ in range(number(3))] + [shared] for i in rows]
        else:
            dim = {"image": IMAGE_DIM, "hashtags": WORD_DIM, "user": USER_DIM}[name]
            values = single((len(rows), dim), generator)
            if name == "image" and 1 in rows and 4 in rows:
                values[rows.index(4)] = values[rows.index(1)]
            part["values"] = [[float(f"{x:.9g}") for x in row] for row in values.tolist()]
        batch[name] = part
    for i, key in ((0, 5), (2, 5)):
        if i in batch["text"]["rows"]:
            batch["keys"][i][0] = key
    for i in (1, 4):
        if i in batch["image"]["rows"]:
            batch["keys"][i][1] = 9
    for i in (2, 3):
        if i in batch["user"]["rows"]:
            batch["keys"][i][4] = 3
    return batch


def main():
    torch.set_default_dtype(torch.float64)
    batches = [
        make_batch(1, {"text": [3], "image": [5], "hashtags": [0, 5], "location": [1, 5], "user": [5]}),
        make_batch(2, {"hashtags": [2, 4], "location": [0]}),
        make_batch(3, {"text": [0, 1], "user": [0, 1, 2, 3, 4, 5], "image": [1]}),
    ]
    everything = Joint(COMPONENTS)
    generator = torch.Generator().manual_seed(7)
    start = {n: single(p.shape, generator, -0.6, 0.6) for n, p in everything.named_parameters() if not n.startswith("loss.")}

    # The bags after all else: the other numbers stay what they were.
    for name, parameter in Joint(COMPONENTS, bag=True).named_parameters():
        if ".bag." in name:
            start[name] = single(parameter.shape, generator, -0.6, 0.6)

    def fresh(components, bag=False):
        model = Joint(components, bag)
        for name, parameter in model.named_parameters():
            if name in start:
                parameter.data.copy_(start[name])
        return model

    def run(model, batch, kind, average):
        model.zero_grad()
        found = losses(model, model.vectors(batch), batch, kind, average)
        sum(found.values()).backward()
        return {name: float(f"{value.item():.9g}") for name, value in found.items()}

    asked = []
    for components in (COMPONENTS, ["text", "image"], ["text", "hashtags", "user"]):
        for kind in ("max-of-hinges", "sum-of-hinges", "info-nce", "sig-lip"):
            for average in ("include-self", "leave-one-out", "pairwise"):
                if len(components) < 5 and (kind, average) not in (("max-of-hinges", "leave-one-out"), ("info-nce", "pairwise")):
                    continue
                asked.append((components, kind, average, False))
    asked += [(COMPONENTS, "info-nce", "leave-one-out", True), (["text", "image"], "max-of-hinges", "leave-one-out", True)]
    cases = []
    for components, kind, average, bag in asked:
        model = fresh(components, bag)
        found = run(model, batches[0], kind, average)
        cases.append({
            "components": components, "kind": kind, "average": average, "bag": bag,
            "losses": found, "gradients": flat(gradients(model)),
        })

    steps = []
    for kind, bag in (("max-of-hinges", False), ("info-nce", False), ("sig-lip", False), ("info-nce", True)):
        model = fresh(COMPONENTS, bag)
        adam = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        norms = []
        for batch in batches:
            run(model, batch, kind, "leave-one-out")
            for parameter in model.parameters():
                # Dense gradients: what took no part has gradient zero and moves by its momentum.
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
            norms.append(nn.utils.clip_grad_norm_(model.parameters(), CLIP).item())
            adam.step()
        steps.append({"kind": kind, "average": "leave-one-out", "bag": bag, "norms": norms, "weights": flat(dict(model.named_parameters()))})

    vectors = fresh(COMPONENTS).vectors(batches[0])
    stacked = {name: torch.stack(list(of_posts.values())) for name, of_posts in vectors.items()}
    result = {
        "words": WORDS, "word_dim": WORD_DIM, "image_dim": IMAGE_DIM, "user_dim": USER_DIM, "dim": DIM,
        "margin": MARGIN, "temperature": TEMPERATURE, "learning_rate": LEARNING_RATE, "clip": CLIP,
        "batches": batches, "start": flat(start), "vectors": flat(stacked), "cases": cases, "steps": steps,
    }
    root = pathlib.Path(__file__).resolve().parent.parent
    path = root / "crates" / "quintet" / "tests" / "reference" / "model.json"
    path.write_text(json.dumps(result, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
