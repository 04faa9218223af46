"""The form of an upload, and a file to begin with for each format that people write by hand."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminSplitDateTimeWidget

from apps.usage.models import UsageImport

CSV = """\
id,event,customer,timestamp,source,properties.input_tokens,properties.output_tokens,properties.model
call-1,llm.call,chat,2026-11-20T10:00:00Z,,1200,35,gpt-5
call-2,llm.call,chat,2026-11-20T10:00:01.25+01:00,gateway-a,800,12.5,gpt-5
"""
NDJSON = """\
{"id": "call-1", "event": "llm.call", "customer": "chat", "timestamp": "2026-11-20T10:00:00Z", \
"properties": {"input_tokens": 1200, "output_tokens": 35, "model": "gpt-5"}}
"""
EXAMPLES = {"csv": ("text/csv", CSV), "ndjson": ("application/x-ndjson", NDJSON)}


class UploadForm(forms.Form):
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget, help_text="CSV, NDJSON or Parquet, of any size; UTF-8, unpacked."
    )
    format = forms.ChoiceField(
        required=False,
        choices=[("", "As its name says"), *UsageImport.Format.choices],
        widget=UnfoldAdminSelectWidget,
    )
    earliest_at = forms.SplitDateTimeField(
        label="Take events from",
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text="UTC. Empty: as old as events may be at most by the usage settings.",
    )

    def refuse(self, param: str, message: str) -> None:
        name = param.strip("/")
        self.add_error(name if name in self.fields else None, message)


def counted(run: UsageImport) -> list[tuple[str, int, str]]:
    """Name, count and tone of each verdict."""
    rows: list[tuple[str, Any, str]] = [
        ("Accepted", run.accepted, "success"),
        ("Duplicates", run.duplicates, "default"),
        ("Conflicts", run.conflicts, "danger"),
        ("Quarantined", run.quarantined, "warning"),
        ("Rejected", run.rejected, "danger"),
    ]
    return rows
