#!/usr/bin/env python3
"""Expected numbers for tests/deepgeo.rs: Deepgeo (Lau et al. 2017) in PyTorch, in double precision.

A small network with random weights on a batch of four posts: log-probabilities, loss, the gradient of every weight and all
weights after a step of Adam. Times are partly missing (100). Texts are padded, and the padding is read.

    python reference/deepgeo.py > crates/quintet/tests/reference/deepgeo.json        (torch 2.8.0)
"""
import json

import torch

torch.manual_seed(5)
torch.set_default_dtype(torch.float64)

SIZES = dict(characters=9, character_dim=5, hidden=4, filters=6, window=3, units=[4, 3, 2], zones=3, zone_dim=2,
             place_characters=7, place_dim=5, representation=8, classes=3)
POSTS, LENGTH, PLACE = 4, 8, 20
LEARNING_RATE = 1e-3


def rand(*shape):
    return (torch.rand(*shape) - 0.5) * 1.2


s = SIZES
e, h, f, d = s["character_dim"], s["hidden"], s["filters"], s["place_dim"]
joined = f + sum(s["units"]) + s["zone_dim"] + d
# In the order of the module, with its names.
weights = {"characters": rand(s["characters"], e)}
for name in ("forward", "backward"):
    weights[f"{name}.weight_ih"] = rand(4 * h, e)
    weights[f"{name}.weight_hh"] = rand(4 * h, h)
    weights[f"{name}.bias"] = rand(4 * h)
weights |= {"window_left": rand(f, h), "window_own": rand(f, e), "window_right": rand(f, h), "window_bias": rand(f),
            "keys": rand(f, f), "query": rand(f)}
for name, units in zip(("time", "offset", "made"), s["units"]):
    weights[f"{name}.centres"] = torch.rand(units)
    weights[f"{name}.widths"] = 0.2 + torch.rand(units)
weights |= {"zones": rand(s["zones"], s["zone_dim"]), "place_characters": rand(s["place_characters"], d),
            "place_filters": rand(3 * d, d), "place_bias": rand(d),
            "hidden.weight": rand(s["representation"], joined), "hidden.bias": rand(s["representation"]),
            "output.weight": rand(s["classes"], s["representation"]), "output.bias": rand(s["classes"])}
# Rounded to f32 first: both sides start from the same numbers.
weights = {name: w.float().double().requires_grad_() for name, w in weights.items()}

texts = torch.randint(0, s["characters"], (POSTS, LENGTH))
texts[0, 5:] = 1
texts[2, 3:] = 1
times = torch.rand(3, POSTS).float().double()
times[1] = 100.0
times[2, 1] = 100.0
times[0, 3] = 100.0
zones = torch.randint(0, s["zones"], (POSTS,))
places = torch.randint(0, s["place_characters"], (POSTS, PLACE))
places[1, 4:] = 1
places[3] = 1
classes = torch.tensor([2, 0, 1, 2])
# Dropout as a fixed factor.
keep = (torch.rand(POSTS, joined) < 0.8).double() / 0.8
keep = keep.float().double()


def lstm(name, x):
    """PyTorch's own layer with these weights."""
    layer = torch.nn.LSTM(e, h, batch_first=True)
    own = {"weight_ih_l0": weights[f"{name}.weight_ih"], "weight_hh_l0": weights[f"{name}.weight_hh"],
           "bias_ih_l0": weights[f"{name}.bias"], "bias_hh_l0": torch.zeros(4 * h)}
    return torch.func.functional_call(layer, own, (x,))[0]


def radial(name, x):
    c, w = weights[f"{name}.centres"], weights[f"{name}.widths"]
    return torch.exp(-((x[:, None] - c) ** 2) / (2 * w**2))


def forward():
    x = weights["characters"][texts]
    left = lstm("forward", x)
    right = lstm("backward", x.flip(1)).flip(1)
    zero = torch.zeros(POSTS, 1, h)
    left = torch.cat([zero, left[:, :-1]], 1)
    right = torch.cat([right[:, 1:], zero], 1)
    stacked = torch.cat([left, x, right], 2)
    filters = torch.cat([weights["window_left"], weights["window_own"], weights["window_right"]], 1)
    g = torch.relu(stacked @ filters.T + weights["window_bias"])
    m = torch.nn.functional.max_pool1d(g.transpose(1, 2), s["window"], stride=1).transpose(1, 2)
    scores = torch.tanh(m @ weights["keys"].T) @ weights["query"]
    text = (torch.softmax(scores, 1)[:, :, None] * m).sum(1)
    y = weights["place_characters"][places].transpose(1, 2)
    taps = weights["place_filters"].reshape(3, d, d).permute(1, 2, 0)
    place = torch.relu(torch.nn.functional.conv1d(y, taps, weights["place_bias"])).amax(2)
    parts = [text, radial("time", times[0]), radial("offset", times[1]), weights["zones"][zones], place,
             radial("made", times[2])]
    r = torch.cat(parts, 1) * keep
    r = torch.tanh(r @ weights["hidden.weight"].T + weights["hidden.bias"])
    return torch.log_softmax(r @ weights["output.weight"].T + weights["output.bias"], 1)


flat = lambda named: {name: w.detach().flatten().tolist() for name, w in named.items()}
start = flat(weights)
log_probabilities = forward()
loss = torch.nn.functional.nll_loss(log_probabilities, classes)
optimiser = torch.optim.Adam(weights.values(), lr=LEARNING_RATE)
loss.backward()
gradients = {name: w.grad if w.grad is not None else torch.zeros_like(w) for name, w in weights.items()}
gradients = flat(gradients)
optimiser.step()
print(json.dumps(dict(
    sizes=SIZES, length=LENGTH, texts=texts.flatten().tolist(), times=times.tolist(), zones=zones.tolist(),
    places=places.flatten().tolist(), classes=classes.tolist(), keep=keep.flatten().tolist(), start=start,
    log_probabilities=log_probabilities.detach().flatten().tolist(), loss=loss.item(), gradients=gradients,
    learning_rate=LEARNING_RATE, after=flat(weights))))
