"""Row: one thing measured, of ours and of a peer; the table of all rows."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """Goal of a row: as a ratio ours/peer, or as a plain value of ours."""

    comparison: str
    value: float
    of_ratio: bool = True

    def __str__(self) -> str:
        return f"{self.comparison} {self.value:g}{' x' if self.of_ratio else ''}"

    def is_reached(self, row: "Row") -> bool | None:
        found = row.ratio if self.of_ratio else row.ours
        if found is None:
            return None
        return found >= self.value if self.comparison == ">=" else found <= self.value


@dataclass(frozen=True, slots=True)
class Row:
    """Medians; ``unit`` is of both."""

    name: str
    unit: str
    ours: float | None
    peer: float | None
    peer_name: str
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer if self.ours is not None and self.peer else None

    def cells(self) -> list[str]:
        reached = None if self.goal is None else self.goal.is_reached(self)
        return [
            self.name,
            f"{_number(self.ours)} {self.unit}",
            f"{_number(self.peer)} {self.unit}" if self.peer is not None else "",
            self.peer_name,
            "" if self.ratio is None else f"{self.ratio:.2f}",
            "" if self.goal is None else str(self.goal),
            "" if reached is None else ("yes" if reached else "NO"),
        ]


COLUMNS = ["row", "ours", "peer", "peer's name", "ours/peer", "required", "reached"]
_TO_THE_RIGHT = (1, 2, 4)


def render(rows: Sequence[Row]) -> str:
    lines = [COLUMNS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: list[str], widths: list[int]) -> str:
    placed = [
        cell.rjust(width) if column in _TO_THE_RIGHT else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(placed).rstrip()


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
