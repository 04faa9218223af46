"""Partitions of the events that are there, and the files of those that went."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.decorators import display

from apps.core import clock
from apps.core.admin.base import FactAdmin
from apps.core.admin.confirmation import page_of
from apps.core.admin.display import NOTHING, code, instant_column, instant_text, period_text
from apps.core.admin_sites import tenant_site
from apps.core.recording import record
from apps.usage.models import ArchivedPartition, RetentionCheck
from apps.usage.services import archive_files, retention
from apps.usage.services.partitions import Partition, partition_sizes

MAY_DOWNLOAD = "usage.download_archivedpartition"


class ArchivedPartitionAdmin(FactAdmin):
    list_display = ("period", "row_count_shown", "size", "archived_at_shown", "file_shown", "download_link")
    list_before_template = "admin/usage/archivedpartition/partitions.html"
    list_display_links = ("period",)
    search_fields = ("file_name", "sha256")
    search_help_text = "File or checksum"
    ordering = ("-starts_at", "-id")
    fields = (
        "period", "row_count_shown", "size", "format", "file_shown", "sha256_shown", "archived_at_shown",
        "download_link",
    )  # fmt: skip

    archived_at_shown = instant_column("archived_at", "Archived")

    @display(description="Events of", ordering="starts_at")
    def period(self, one: ArchivedPartition) -> str:
        return period_text(one.starts_at, one.ends_at, "UTC")

    @display(description="Events", ordering="row_count")
    def row_count_shown(self, one: ArchivedPartition) -> str:
        return f"{one.row_count:,}"

    @display(description="Size", ordering="byte_size")
    def size(self, one: ArchivedPartition) -> str:
        return filesizeformat(one.byte_size)

    @display(description="File")
    def file_shown(self, one: ArchivedPartition) -> str:
        return code(one.file_name)

    @display(description="SHA-256")
    def sha256_shown(self, one: ArchivedPartition) -> str:
        return code(one.sha256)

    @display(description="Download")
    def download_link(self, one: ArchivedPartition) -> str:
        address = reverse("admin:usage_archivedpartition_download", args=[one.pk])
        return format_html('<a class="ch-link" href="{}">Download</a>', address)

    def get_list_display(self, request: HttpRequest) -> Any:
        return self.list_display if request.user.has_perm(MAY_DOWNLOAD) else self.list_display[:-1]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if request.user.has_perm(MAY_DOWNLOAD) else self.fields[:-1]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(
            request, {**(extra_context or {}), **what_is_there(), "title": "Partitions and archives"}
        )

    # Download

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.download)
        name = "usage_archivedpartition_download"
        return [path("<int:object_id>/download/", view, name=name), *super().get_urls()]

    def download(self, request: HttpRequest, object_id: int) -> HttpResponseBase:
        if not request.user.has_perm(MAY_DOWNLOAD):
            raise PermissionDenied
        found = self.record_of(request, str(object_id))
        place = archive_files.directory() / found.file_name
        if not place.exists():
            self.tell(request, f"{found.file_name} is not where it was written.", refused=True)
            return HttpResponseRedirect(page_of(self))
        record(action="archived_partition.downloaded", target=found)
        return FileResponse(place.open("rb"), as_attachment=True, filename=found.file_name)


def what_is_there() -> dict[str, Any]:
    """For the page: the partitions, how long they are kept and why not shorter."""
    days = retention.retention_days()
    now = clock.now()
    check = RetentionCheck.objects.first()
    cutoff = None if days is None else retention.cutoff_at(now, retention_days=days)
    return {
        "partitions": [
            {
                "period": period_text(one.partition.start, one.partition.end, "UTC"),
                "span": span_of(one.partition),
                "rows": "not counted yet" if one.row_count is None else f"{one.row_count:,}",
                "size": filesizeformat(one.byte_size),
                "state": state_of(one.partition, now, cutoff),
            }
            for one in reversed(partition_sizes())
        ],
        "retention_days": days,
        "held_by": cutoff.held_by if cutoff else "",
        "held_from": instant_text(cutoff.at) if cutoff and cutoff.held_by else "",
        "problem": check.problem if check else "",
        "checked_at": instant_text(check.checked_at) if check else NOTHING,
    }


def span_of(partition: Partition) -> str:
    return "Day" if (partition.end - partition.start).days == 1 else "Month"


def state_of(partition: Partition, now: Any, cutoff: retention.Cutoff | None) -> str:
    if partition.start > now:
        return "Ahead"
    if partition.end > now:
        return "Current"
    return "Goes next" if cutoff and partition.end <= cutoff.at else ""


tenant_site.register(ArchivedPartition, ArchivedPartitionAdmin)
