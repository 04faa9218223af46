"""People who sign in: a tenant's staff in its schema, the operators in public."""

from typing import Any

from django import forms
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import BaseUserCreationForm
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextInputWidget,
)

from apps.access.models import StaffUser
from apps.core import schema
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.display import badge, instant_column
from apps.core.admin_sites import platform_site, tenant_site
from apps.core.errors import Refused


class NewStaffForm(BaseUserCreationForm):
    class Meta:
        model = StaffUser
        fields = ("email", "name")
        widgets = {"email": UnfoldAdminEmailInputWidget, "name": UnfoldAdminTextInputWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("password1", "password2"):
            self.fields[name].widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if StaffUser.objects.filter(email__iexact=email).exists():
            raise forms.ValidationError("There is somebody with this email already.")
        return email


class StaffUserAdmin(BackOfficeAdmin, UserAdmin):  # type: ignore[misc]  # one base is without types
    form = forms.ModelForm
    add_form = NewStaffForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "name", "roles_shown", "state", "last_login_shown")
    list_filter = ("is_active", "groups")
    search_fields = ("email", "name")
    search_help_text = "Name or email"
    ordering = ("email",)
    filter_horizontal = ()
    readonly_fields = ("password_shown", "last_login_shown", "date_joined_shown")
    actions = None

    last_login_shown = instant_column("last_login", "Last sign-in")
    date_joined_shown = instant_column("date_joined", "Since")

    @display(description="Roles")
    def roles_shown(self, user: StaffUser) -> str:
        names = [group.name for group in user.groups.all()]
        return ", ".join(["Everything (superuser)"] * user.is_superuser + names) or "None"

    @display(description="Password")
    def password_shown(self, user: StaffUser) -> str:
        url = reverse("admin:auth_user_password_change", args=[user.pk])
        return format_html('Kept as a hash. <a class="ch-link" href="{}">Set a new one</a>', url)

    @display(description="State", ordering="is_active")
    def state(self, user: StaffUser) -> str:
        return badge("Active") if user.is_active else badge("Inactive")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    def get_fieldsets(self, request: HttpRequest, obj: StaffUser | None = None) -> Any:
        # Rights come from roles alone. Only a superuser may make another one.
        powers = ["is_active", "groups"]
        if request.user.is_superuser:
            powers.insert(1, "is_superuser")
        if obj is None:
            return [
                (None, {"fields": ["email", "name", "password1", "password2"]}),
                ("Access", {"fields": powers[1:]}),
            ]
        return [
            (None, {"fields": ["email", "name", "password_shown"]}),
            ("Access", {"fields": powers}),
            ("History", {"fields": ["last_login_shown", "date_joined_shown"]}),
        ]

    def save_model(self, request: HttpRequest, obj: StaffUser, form: Any, change: bool) -> None:
        if change and obj.pk == request.user.pk and not obj.is_active:
            raise Refused("own_account", "You can't lock yourself out; ask a colleague.", param="/is_active")
        if change:
            self.refuse_above_oneself(request, obj)
        super().save_model(request, obj, form, change)

    def refuse_above_oneself(self, request: HttpRequest, user: StaffUser) -> None:
        """Whoever is not a superuser may not change one: a new email and a reset would be a way in."""
        if StaffUser.objects.filter(pk=user.pk, is_superuser=True).exists() and not request.user.is_superuser:
            raise Refused("superuser", "Only a superuser may change a superuser.")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if isinstance(obj, StaffUser) and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name != "groups":
            return super().formfield_for_manytomany(db_field, request, **kwargs)
        return forms.ModelMultipleChoiceField(
            Group.objects.order_by("name"),
            label="Roles",
            required=False,
            widget=UnfoldAdminCheckboxSelectMultipleWidget,
        )

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        return field

    def get_list_filter(self, request: HttpRequest) -> Any:
        return ("is_active",) if schema.is_public() else self.list_filter


tenant_site.register(StaffUser, StaffUserAdmin)
platform_site.register(StaffUser, StaffUserAdmin)
