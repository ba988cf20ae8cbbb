"""One figure: the samples of each side, and its aims."""

import dataclasses
import statistics


@dataclasses.dataclass
class Figure:
    """One column of a table."""

    name: str
    unit: str
    samples: dict = dataclasses.field(default_factory=dict)
    below: float = None  # aim: ours is less than that
    at_most: float = None  # aim: ours is at most that
    at_least: float = None  # aim: ours is at least that
    ratio_at_most: float = None  # aim: so many times the floor
    ratio_at_least: float = None
    best: str = None  # aim: no peer has "less", or "more"

    def add(self, side, sample):
        self.samples.setdefault(side, []).append(sample)

    def median(self, side):
        samples = self.samples.get(side)
        return statistics.median(samples) if samples else None

    def ratio(self):
        ours, floor = self.median("ours"), self.median("floor")
        return ours / floor if ours is not None and floor else None

    def peers(self):
        return [side for side in self.samples if side not in ("ours", "floor")]

    def aims(self):
        """The aims as text, each with whether it was reached."""
        ours, ratio = self.median("ours"), self.ratio()
        found = []
        if ours is None:
            return found
        if self.below is not None:
            found.append((f"< {number(self.below)} {self.unit}".strip(), ours < self.below))
        if self.at_most is not None:
            found.append((f"≤ {number(self.at_most)} {self.unit}".strip(), ours <= self.at_most))
        if self.at_least is not None:
            found.append((f"≥ {number(self.at_least)} {self.unit}".strip(), ours >= self.at_least))
        if self.ratio_at_most is not None and ratio is not None:
            found.append((f"≤ {self.ratio_at_most:g} × floor", ratio <= self.ratio_at_most))
        if self.ratio_at_least is not None and ratio is not None:
            found.append((f"≥ {self.ratio_at_least:g} × floor", ratio >= self.ratio_at_least))
        others = [self.median(peer) for peer in self.peers()]
        if self.best == "less" and others:
            found.append(("less than every peer", ours < min(others)))
        if self.best == "more" and others:
            found.append(("more than every peer", ours > max(others)))
        return found

    def spread(self, side):
        """A median with its range, where there is one."""
        samples = self.samples.get(side)
        if not samples:
            return ""
        least, most = number(min(samples)), number(max(samples))
        text = number(self.median(side))
        return text if least == most else f"{text} ({least} … {most})"

    def to_json(self):
        return {
            **{key: value for key, value in dataclasses.asdict(self).items() if value is not None},
            "medians": {side: self.median(side) for side in self.samples},
            "aims": [{"aim": aim, "kept": kept} for aim, kept in self.aims()],
        }

    @classmethod
    def from_json(cls, document):
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{key: value for key, value in document.items() if key in known})


def number(value):
    """Three significant digits."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
