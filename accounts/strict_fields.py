"""Fields of forms that take JSON as the API does: by the same strict reader."""

from typing import Any

from django import forms

from audit.canonical import MalformedJson, loads_strict


class StrictJsonField(forms.JSONField):
    """JSON from a browser. What nests without end, or says a key twice, is invalid; Django's own field fails on it."""

    def to_python(self, value: Any) -> Any:
        if self.disabled or value in self.empty_values or not isinstance(value, str):
            return super().to_python(value)
        try:
            return loads_strict(value)
        except MalformedJson as error:
            raise forms.ValidationError(
                self.error_messages["invalid"], code="invalid", params={"value": ""}
            ) from error
