"""May this model be champion? A gate that refuses what is worse, or does not mean what it says, and tells why."""

import msgspec

from models.evaluation import BASE, INCUMBENT, LOGISTIC, Evaluation
from models.metrics import Figure
from models.schema import Gate


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One question of the gate, with its answer in words."""

    name: str
    passed: bool
    words: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a model may be champion, and why (not)."""

    passed: bool
    checks: tuple[Check, ...]

    @property
    def refusals(self) -> list[str]:
        return [one.words for one in self.checks if not one.passed]


def judge(found: Evaluation, gate: Gate) -> Verdict:
    """Return the verdict on a model that was judged on forward windows.

    Notes
    -----
    It must clearly beat the base rate; a rival (logistic regression, incumbent) must be neither clearly better (the
    interval of the paired difference) nor better by more than `gate.worse` by estimate, whatever its noise.
    """
    checks = []
    line = found.line()
    off = found.against[BASE]["log_loss"]
    checks.append(
        Check(
            name=BASE,
            passed=off.is_below,
            words=f"log-loss against the base rate {_signed(off)}; it must be clearly below zero",
        )
    )
    for rival in (LOGISTIC, INCUMBENT):
        if rival in found.against:
            off = found.against[rival]["log_loss"]
            checks.append(
                Check(
                    name=rival,
                    passed=not off.is_above and off.value <= gate.worse,
                    words=f"log-loss against the {_THE[rival]} {_signed(off)}; it may be worse by {gate.worse:g} at "
                    "most, and not clearly worse",
                )
            )
    excess = line.figures["ece"].value - found.ece_by_chance
    checks.append(
        Check(
            name="calibration",
            passed=excess <= gate.ece,
            words=f"calibration error {line.figures['ece'].value:.4f}, of which {found.ece_by_chance:.4f} chance alone "
            f"would show; the rest may be {gate.ece:g} at most",
        )
    )
    off_mean = abs(line.mean / line.rate - 1.0)
    checks.append(
        Check(
            name="mean",
            passed=off_mean <= gate.mean,
            words=f"it said {line.mean:.4f} on average and {line.rate:.4f} came; they may differ by {gate.mean:.0%} at "
            "most",
        )
    )
    auc = line.figures["auc"]
    checks.append(
        Check(
            name="rank",
            passed=auc.low > 0.5,
            words=f"AUC {auc.value:.4f} ({auc.low:.4f} to {auc.high:.4f}); it must be clearly above a half",
        )
    )
    return Verdict(passed=all(one.passed for one in checks), checks=tuple(checks))


_THE = {LOGISTIC: "logistic regression", INCUMBENT: "champion's recipe"}


def _signed(figure: Figure) -> str:
    return f"{figure.value:+.4f} ({figure.low:+.4f} to {figure.high:+.4f})"
