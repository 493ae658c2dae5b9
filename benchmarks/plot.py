"""Lines over logarithmic axes as an SVG that reads in light and dark."""

import math
from html import escape

WIDTH, HEIGHT, LEFT, TOP, GAP = 380, 300, 62, 34, 70
LIGHT = ("#1f6fb4", "#c2571a", "#2e8540", "#b3246b", "#6b4fbb", "#8a6d00")
DARK = ("#6cb4f0", "#f39a5e", "#6fca83", "#f07fb5", "#b09cf2", "#d9b93b")


def colours(of):
    return "".join(f".l{n}{{stroke:{c}}}.p{n}{{fill:{c}}}" for n, c in enumerate(of))


STYLE = f"""
.t{{fill:#1c2433}}.s{{fill:#556;font-size:12px}}.g{{stroke:#d5dae3}}.f{{fill:none;stroke:#7a869c}}.l{{fill:none;stroke-width:2}}
{colours(LIGHT)}
@media (prefers-color-scheme:dark){{.t{{fill:#e8ecf4}}.s{{fill:#aab4c6}}.g{{stroke:#333c4d}}
{colours(DARK)}}}
"""
# Shapes tell the lines apart without colour.
SHAPES = ("M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0", "M-4-4h8v8h-8z", "M0-5L5 4H-5z", "M0-5L5 0L0 5L-5 0z", "M0 5L5-4H-5z", "M-5-2h3v-3h4v3h3v4h-3v3h-4v-3h-3z")


def power(exponent):
    names = {3: "1k", 4: "10k", 5: "100k", 6: "1M"}
    return names.get(exponent) or (f"{10 ** exponent:g}" if exponent < 3 else f"10^{exponent}")


def panel(title, left, lines, label):
    """One set of axes; `lines` is {name: [(x, y), ...]}."""
    points = [p for line in lines.values() for p in line]
    decades = lambda at: (math.floor(math.log10(min(p[at] for p in points))), math.ceil(math.log10(max(p[at] for p in points))))
    (x0, x1), (y0, y1) = decades(0), decades(1)
    x = lambda v: left + WIDTH * (math.log10(v) - x0) / (x1 - x0)
    y = lambda v: TOP + HEIGHT * (1 - (math.log10(v) - y0) / (y1 - y0))
    yield f'<text class="t" x="{left}" y="20">{escape(title)}</text>'
    for e in range(x0, x1 + 1):
        yield f'<path class="g" d="M{x(10 ** e):.0f} {TOP}v{HEIGHT}"/><text class="s" x="{x(10 ** e):.0f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{power(e)}</text>'
    for e in range(y0, y1 + 1):
        name = power(e) if e < 3 else f"{10 ** e:,}"
        yield f'<path class="g" d="M{left} {y(10.0 ** e):.0f}h{WIDTH}"/><text class="s" x="{left - 6}" y="{y(10.0 ** e) + 4:.0f}" text-anchor="end">{name}</text>'
    yield f'<rect class="f" x="{left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}"/><text class="s" x="{left + WIDTH / 2}" y="{TOP + HEIGHT + 36}" text-anchor="middle">{escape(label)}</text>'
    for number, line in enumerate(lines.values()):
        where = [(x(a), y(b)) for a, b in sorted(line)]
        path = "L".join(f"{a:.1f} {b:.1f}" for a, b in where)
        marks = "".join(f'<path class="p{number}" transform="translate({a:.1f} {b:.1f})" d="{SHAPES[number]}"/>' for a, b in where)
        yield f'<path class="l l{number}" d="M{path}"/>{marks}'


def log_log(about, panels, label):
    """An SVG of panels side by side, {title: {name: [(x, y), ...]}}, with the same names in each; `about` for those who cannot see it."""
    width = LEFT + len(panels) * WIDTH + (len(panels) - 1) * GAP + 24
    height = TOP + HEIGHT + 80
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="14" role="img" aria-label="{escape(about)}">\n<style>{STYLE}</style>'
    for number, (title, lines) in enumerate(panels.items()):
        yield from panel(title, LEFT + number * (WIDTH + GAP), lines, label)
    for number, name in enumerate(next(iter(panels.values()))):
        at = LEFT + 130 * number
        yield f'<g transform="translate({at} {height - 18})"><path class="l l{number}" d="M0 0h26"/><path class="p{number}" transform="translate(13 0)" d="{SHAPES[number]}"/><text class="t" x="34" y="5">{escape(name)}</text></g>'
    yield "</svg>"
