"""Draws one figure as bars, an SVG that is readable on light and on dark backgrounds."""

import html
import math

from .figure import number

WIDTH, ROW, LEFT, RIGHT, TOP = 720, 24, 190, 90, 40

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #333 }
  .title { font-weight: 600 } .axis { fill: #777; font-size: 11px } .grid { stroke: #8884 }
  .bar { fill: #9aa5b1 } .ours { fill: #d9480f } .floor { fill: #2b8a3e }
  @media (prefers-color-scheme: dark) { text { fill: #ddd } .axis { fill: #999 } .bar { fill: #667380 } }
"""


def bars(figure):
    """Sides from the smallest to the largest, on a logarithmic scale where they are far apart."""
    sides = sorted(figure.samples, key=figure.median)
    values = {side: figure.median(side) for side in sides}
    most = max(values.values()) or 1
    least = min((value for value in values.values() if value > 0), default=most)
    logarithmic = most / least > 20
    # From the power of ten below the smallest: a bar on a logarithmic scale has no natural origin.
    bottom = 10 ** math.floor(math.log10(least) - 0.01) if logarithmic else 0

    def length(value):
        room = WIDTH - LEFT - RIGHT
        if not logarithmic:
            return room * value / most
        return room * math.log(max(value, bottom) / bottom) / math.log(most / bottom)

    height = TOP + ROW * len(sides) + 24
    scale = ", logarithmic" if logarithmic else ""
    unit = f", {figure.unit}" if figure.unit else ""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">',
        f"<title>{html.escape(figure.name)}</title>",
        f"<style>{STYLE}</style>",
        f'<text class="title" x="8" y="22">{html.escape(figure.name + unit)}<tspan class="axis">{scale}</tspan></text>',
    ]
    for value in ticks(bottom, most, logarithmic):
        x = LEFT + length(value)
        lines.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" y2="{height - 20}"/>')
        lines.append(f'<text class="axis" x="{x:.1f}" y="{height - 6}" text-anchor="middle">{number(value)}</text>')
    for row, side in enumerate(sides):
        y = TOP + ROW * row
        kind = side if side in ("ours", "floor") else ""
        end = length(values[side])
        lines.append(f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{html.escape(side)}</text>')
        lines.append(f'<rect class="bar {kind}" x="{LEFT}" y="{y + 3}" width="{max(end, 1):.1f}" height="{ROW - 8}"/>')
        lines.append(f'<text x="{LEFT + end + 6:.1f}" y="{y + 15}">{number(values[side])}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def ticks(bottom, most, logarithmic):
    if logarithmic:
        first, last = round(math.log10(bottom)), math.floor(math.log10(most))
        return [10.0**power for power in range(first, last + 1)]
    step = 10 ** math.floor(math.log10(most))
    if most / step < 3:
        step /= 2
    return [step * count for count in range(int(most / step) + 1)]
