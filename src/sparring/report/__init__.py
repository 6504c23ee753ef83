"""What a run tells people: `report.html` for its owner, `README.md` (a model card) for others.

Inside: reading a run folder that may be incomplete, and turning it into these two files.
Not inside: writing the run folder (`runs`), making the pictures, judging the samples (`metrics`).
"""

from sparring.report.card import write_card
from sparring.report.page import write_report

__all__ = ["write_card", "write_report"]
