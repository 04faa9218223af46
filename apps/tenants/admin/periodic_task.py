"""Celery beat's schedule, on the platform. What runs is decided by the code; how often, and whether, by staff."""

from typing import Any

from django.http import HttpRequest
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from unfold.decorators import display

from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.display import code, instant_column
from apps.core.admin_sites import platform_site


class PeriodicTaskAdmin(BackOfficeAdmin):
    list_display = ("name", "enabled", "schedule_shown", "last_run_at_shown", "total_run_count")
    list_filter = ("enabled",)
    list_select_related = ("interval", "crontab", "solar", "clocked")
    search_fields = ("name", "task")
    search_help_text = "Name or task"
    fields = (
        "name",
        "task_shown",
        "enabled",
        "interval",
        "crontab",
        "description",
        "last_run_at_shown",
        "total_run_count",
    )
    readonly_fields = ("name", "task_shown", "last_run_at_shown", "total_run_count")
    actions = None

    last_run_at_shown = instant_column("last_run_at", "Last run")

    @display(description="Schedule")
    def schedule_shown(self, task: PeriodicTask) -> str:
        return str(task.scheduler)

    @display(description="Task")
    def task_shown(self, task: PeriodicTask) -> str:
        return code(task.task)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


class ScheduleAdmin(BackOfficeAdmin):
    """Reached through a task: an interval or a crontab to choose."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False

    def get_model_perms(self, request: HttpRequest) -> dict[str, Any]:
        return {}


platform_site.register(PeriodicTask, PeriodicTaskAdmin)
platform_site.register([IntervalSchedule, CrontabSchedule], ScheduleAdmin)
