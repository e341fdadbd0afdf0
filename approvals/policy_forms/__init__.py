"""The parts of a policy as forms: a rule, a line of the baseline, the durations. Each turns into the
document's own shape, and takes back what the document's checks say, each at its field."""

from approvals.policy_forms.baseline import BaselineForm
from approvals.policy_forms.requirements import RequirementsForm
from approvals.policy_forms.rule import RuleForm
from approvals.policy_forms.whole import DurationsForm, ImportForm, ScoreForm, WhyForm

__all__ = [
    "BaselineForm",
    "DurationsForm",
    "ImportForm",
    "RequirementsForm",
    "RuleForm",
    "ScoreForm",
    "WhyForm",
]
