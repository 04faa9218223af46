"""What every admin page of ours does the same way."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.checks import ModelAdminChecks
from django.db.models import Model
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.text import capfirst
from unfold.admin import ModelAdmin

from apps.core.admin.registry import panels_of
from apps.core.errors import Refused
from apps.core.recording import record


class BackOfficeAdmin(ModelAdmin):
    """Pages write an audit entry, show what a service refuses on the form, and offer only actions that fit.

    `is_recorded_by_service` says that saving calls a service, which leaves its own audit entry.
    `delete` is off unless a page says otherwise: what money may refer to is archived.
    """

    # Unfold's own checks look permissions up in the database, which has no tables before the first migration.
    checks_class = ModelAdminChecks

    is_recorded_by_service = False
    list_per_page = 50
    list_filter_submit = True
    compressed_fields = True
    warn_unsaved_form = True
    empty_value_display = "–"
    # What the list is called in the browser's title, where it is not the model's own plural.
    list_title = ""
    # What an empty list says, where rows come about in a way that is not plain from it.
    empty_text = ""
    change_form_outer_before_template: str | None = "admin/panels.html"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    # Audit

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> None:
        if not self.is_recorded_by_service:
            record(action=f"{self.noun}.created", target=obj)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> None:
        if not self.is_recorded_by_service:
            record(action=f"{self.noun}.changed", target=obj, changes=getattr(request, "admin_changes", {}))

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        for obj in queryset:
            record(action=f"{self.noun}.deleted", target=obj)

    @property
    def noun(self) -> str:
        return str(self.opts.verbose_name).lower().replace(" ", "_")

    def construct_change_message(
        self, request: HttpRequest, form: ModelForm, formsets: Any, add: bool = False
    ) -> Any:
        """Keep old and new values for the audit entry. Secrets have no place there."""
        request.admin_changes = {  # type: ignore[attr-defined]
            name: [str(form.initial.get(name, "")), str(form.cleaned_data.get(name, ""))]
            for name in form.changed_data
            if "password" not in name
        }
        return super().construct_change_message(request, form, formsets, add)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Named for what it lists. Django's own title, "Select customer to change", is an instruction."""
        title = self.list_title or capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": title} | (extra_context or {}))

    # What a service refuses

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except Refused as refused:
            # Everything was rolled back. The form is bound again, and this time it is not valid.
            request.admin_refused = refused  # type: ignore[attr-defined]
            request.__dict__.pop("admin_records", None)
            return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        refused: Refused | None = getattr(request, "admin_refused", None)
        if refused is None:
            return form

        field = self.field_of(refused.param).strip("/").split("/")[0]

        def full_clean(bound: Any) -> None:
            form.full_clean(bound)
            if bound.is_bound:
                bound.add_error(field if field in bound.fields else None, refused.message)

        return type(form.__name__, (form,), {"full_clean": full_clean})

    def field_of(self, param: str) -> str:
        """The form's field for a pointer into a service's input; pages whose form uses other names override it."""
        return param

    # Actions and panels

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Read a record once for a request: permissions, actions and the page all ask for it."""
        found: dict[str, Any] = request.__dict__.setdefault("admin_records", {})
        name = f"{self.opts.label_lower}/{object_id}/{from_field or ''}"
        if name not in found:
            found[name] = super().get_object(request, object_id, from_field)
        return found[name]

    def record_of(self, request: HttpRequest, object_id: str) -> Any:
        """The record an action is for. Raises `Http404`."""
        record = self.get_object(request, object_id)
        if record is None:
            raise Http404(f"There is no {self.opts.verbose_name} {object_id!r}.")
        return record

    def locator_of(self, record: Any) -> str:
        """What names the record in the address of its page."""
        return str(record.pk)

    def is_on_offer(self, action: str, record: Any) -> bool:
        """Whether an action makes sense for this record now. Permissions are checked apart."""
        return True

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> Any:
        record = self.get_object(request, object_id)
        prefix = f"{self.opts.app_label}_{self.opts.model_name}_"
        return [
            action
            for action in super().get_actions_detail(request, object_id)
            if record is not None and self.is_on_offer(action.action_name.removeprefix(prefix), record)
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        record = kwargs.get("obj")
        context["show_save_and_add_another"] = False
        context["show_save_and_continue"] = record is not None and self.has_change_permission(request, record)
        if record is not None and request.method == "GET":
            context["panels"] = panels_of(self.opts.label_lower, request, record)
        return super().render_change_form(request, context, *args, **kwargs)

    def tell(self, request: HttpRequest, message: str, *, refused: bool = False) -> None:
        messages.add_message(request, messages.ERROR if refused else messages.SUCCESS, message)


class FactAdmin(BackOfficeAdmin):
    """Rows that are facts: to be read, never added, changed or deleted by hand."""

    actions: Any = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
