"""Legal entities, and the terms of single customers."""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import TextField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.confirmation import Question, ask
from apps.core.admin.display import NOTHING, badge
from apps.core.admin.registry import Panel, register_panel
from apps.core.admin_sites import tenant_site
from apps.core.validators import time_zone_choices
from apps.customers.models import Customer
from apps.invoices.models import CustomerTerms, LegalEntity
from apps.invoices.parties import has_numbers, terms_of
from apps.invoices.services import entities

MAY_CHANGE = "invoices.change_legalentity"


class TermsForm(forms.ModelForm):
    class Meta:
        model = CustomerTerms
        fields = ("legal_entity", "payment_due_days", "purchase_order_number", "memo")
        widgets = {
            "legal_entity": UnfoldAdminSelectWidget,
            "payment_due_days": UnfoldAdminIntegerFieldWidget,
            "purchase_order_number": UnfoldAdminTextInputWidget,
            "memo": UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["legal_entity"]
        assert isinstance(field, forms.ModelChoiceField)
        field.empty_label, field.help_text = "The default entity", ""


class LegalEntityAdmin(BackOfficeAdmin):
    is_recorded_by_service = True
    list_display = ("name", "default_shown", "number_prefix", "country", "payment_due_days")
    search_fields = ("name", "number_prefix", "=public_id")
    search_help_text = "Name, prefix or ent_…"
    ordering = ("-is_default", "name", "id")
    actions_detail = ("make_default",)
    fieldsets = (
        ("On the invoice", {"fields": ("name", "address", "country", "tax_ids")}),
        ("Invoices", {"fields": (("number_prefix", "payment_due_days"), "time_zone", "memo")}),
    )

    @display(description="Default", ordering="is_default")
    def default_shown(self, entity: LegalEntity) -> str:
        return badge("Default", "success") if entity.is_default else NOTHING

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, TextField):
            kwargs["widget"] = UnfoldAdminTextareaWidget(attrs={"rows": 4})
        if db_field.name == "time_zone":
            kwargs["widget"] = UnfoldAdminSelect2Widget(choices=time_zone_choices())
        if db_field.name == "country":
            kwargs["help_text"] = "Its ISO 3166 code, like DE or US."
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: LegalEntity | None = None) -> tuple[str, ...]:
        return () if obj is None or not has_numbers(obj) else ("number_prefix",)

    def save_model(self, request: HttpRequest, obj: LegalEntity, form: Any, change: bool) -> None:
        if change:
            given = {name: form.cleaned_data[name] for name in form.changed_data}
            entities.change_entity(entity=obj, **given)
        else:
            saved = entities.create_entity(**form.cleaned_data)
            obj.pk, obj.public_id = saved.pk, saved.public_id

    def is_on_offer(self, action: str, record: LegalEntity) -> bool:
        return not record.is_default

    @action(description="Make it the default", icon="star", permissions=[MAY_CHANGE])
    def make_default(self, request: HttpRequest, object_id: str) -> HttpResponse:
        entity: LegalEntity = self.record_of(request, object_id)

        def act(_: dict[str, Any]) -> str:
            entities.make_default(entity=entity)
            return f"{entity} is the default."

        question = Question(
            title=f"Let {entity} issue invoices by default?",
            text="It issues what is finalized from now on, drafts too, for customers that name no other entity.",
            facts={"Prefix": entity.number_prefix, "Due days": entity.payment_due_days},
            button="Make it the default",
        )
        return ask(self, request, question, act, record=entity)

    # Terms of a customer

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.terms)
        return [
            path("terms/<int:customer_id>/", view, name="invoices_legalentity_terms"),
            *super().get_urls(),
        ]

    def terms(self, request: HttpRequest, customer_id: int) -> HttpResponse:
        if not request.user.has_perm("invoices.change_customerterms"):
            raise PermissionDenied
        customer = get_object_or_404(Customer, pk=customer_id)
        back = reverse("admin:customers_customer_change", args=[customer_id])
        form = TermsForm(request.POST or None, instance=terms_of(customer))
        if request.method == "POST" and form.is_valid():
            entities.change_terms(customer=customer, **form.cleaned_data)
            self.tell(request, f"The invoice terms of {customer} are changed.")
            return HttpResponseRedirect(back)
        question = Question(
            title=f"Invoice terms of {customer}",
            text="They hold for what is finalized from now on, drafts too.",
            button="Save",
        )
        context = {
            **self.admin_site.each_context(request),
            "title": question.title,
            "question": question,
            "form": form,
            "opts": customer._meta,
            "original": customer,
            "back": back,
        }
        return TemplateResponse(request, "admin/confirm.html", context)


def terms_panel(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    return {
        "customer": customer,
        "terms": terms_of(customer),
        "may_change": request.user.has_perm("invoices.change_customerterms"),
    }


register_panel(
    "customers.customer",
    Panel(40, "admin/invoices/invoice/terms_of_customer.html", "invoices.view_customerterms", terms_panel),
)
tenant_site.register(LegalEntity, LegalEntityAdmin)
